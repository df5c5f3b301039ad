# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether KVM works here: found by booting a kernel, since /dev/kvm alone promises nothing."""

from __future__ import annotations

import os
import pathlib
import subprocess
import typing as t

from .process import LabError, say
from .state import STATE, lock, write

QEMU = "qemu-system-x86_64"
_KVM = ("-accel", "kvm", "-cpu", "host")
#: Without KVM: a plain old processor is the fastest to emulate.
_TCG = ("-accel", "tcg,thread=multi,tb-size=512", "-cpu", "Nehalem")
#: A clock of a nanosecond an instruction: what programs take does not depend on this machine, or what else it does.
COUNTED = ("-accel", "tcg,thread=single,tb-size=512", "-cpu", "Nehalem", "-icount", "shift=0")
#: What a kernel without a root filesystem says last, after it has started everything else.
_REACHED = b"Unable to mount root fs"


def options(kernel: t.Callable[[], pathlib.Path]) -> list[str]:
    """QEMU's options for the processor. The answer holds for this boot of the machine.

    :arg kernel: gives a Linux kernel to try; only called when it must be found out.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return list(_TCG)
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    known = STATE / ".kvm"
    with lock(STATE / ".locks" / ".kvm", "tries KVM"):
        told = known.read_text().split() if known.exists() else []
        if told[:1] != [boot]:
            works = _works(kernel())
            say("KVM works" if works else "KVM does not boot a kernel here: emulating")
            write(known, f"{boot} {'yes' if works else 'no'}\n")
            told = [boot, "yes" if works else "no"]
    return list(_KVM if told[1] == "yes" else _TCG)


def _works(kernel: pathlib.Path, timeout: float = 20) -> bool:
    """Boot *kernel* without a root filesystem, and see it get that far."""
    argv = [QEMU, *_KVM, "-m", "512", "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio"]
    argv += ["-kernel", str(kernel), "-append", "console=ttyS0 panic=-1"]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
        return _REACHED in done.stdout
    except subprocess.TimeoutExpired:
        return False
    except FileNotFoundError as error:
        raise LabError(f"the program {QEMU} is missing: install the packages of tests/lab/packages.txt") from error
