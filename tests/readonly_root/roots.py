# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A read-only root to try the service in: this machine's own /, with an image's files over it, in a mount namespace.

What happens in there is gone with the process that did it. Needs root.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import shutil
import subprocess
import sys
import traceback
import typing as t

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS = 0x20000
_CLONE_NEWUTS = 0x4000000
#: Where the root is made, outside; a directory of this machine's that may be hidden.
STAND = "/mnt"

Result = t.TypeVar("Result")


def mount(*arguments: str) -> None:
    """mount(8), which must succeed."""
    subprocess.run(["mount", "-n", *arguments], check=True, capture_output=True)


def apart(work: t.Callable[[], Result]) -> Result:
    """What *work* returns, called in a process with mounts and a host name of its own."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            answer: tuple[bool, object]
            try:
                if _libc.unshare(_CLONE_NEWNS | _CLONE_NEWUTS) != 0:
                    raise OSError(ctypes.get_errno(), "unshare")
                mount("--make-rprivate", "/")
                answer = (True, work())
            except BaseException:
                answer = (False, traceback.format_exc())
            with os.fdopen(writer, "wb") as stream:
                pickle.dump(answer, stream)
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        said = stream.read()
    os.waitpid(child, 0)
    if not said:
        raise AssertionError("the process ended without a word")
    good, value = pickle.loads(said)
    if not good:
        raise AssertionError(value)
    return t.cast(Result, value)


class Root:
    """A root in the making, in the namespace of :func:`apart`.

    :arg arguments: the kernel's, as the service reads them.
    """

    def __init__(self, arguments: str = "") -> None:
        self.path = f"{STAND}/root"
        mount("-t", "tmpfs", "-o", "size=256m,mode=0755", "tmpfs", STAND)
        for name in ("root", "upper", "work"):
            os.mkdir(f"{STAND}/{name}")
        options = f"lowerdir=/,upperdir={STAND}/upper,workdir={STAND}/work"
        mount("-t", "overlay", "-o", options, "root", self.path)
        for name in ("proc", "sys", "dev"):
            mount("--rbind", f"/{name}", f"{self.path}/{name}")
        mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", f"{self.path}/run")
        for name in ("rwtab", "rwtab.d", "statetab", "statetab.d", "sysconfig", "fstab", "stateless"):
            shutil.rmtree(f"{self.path}/etc/{name}", ignore_errors=True)
            if os.path.lexists(f"{self.path}/etc/{name}"):
                os.unlink(f"{self.path}/etc/{name}")
        self.write("/etc/sysconfig/readonly-root", "READONLY=yes\n")
        self.make("/var/lib/stateless/writable")
        self.make("/var/lib/stateless/state")
        with open(f"{STAND}/cmdline", "w", encoding="utf-8") as stream:
            stream.write(f"{arguments}\n")
        mount("--bind", f"{STAND}/cmdline", f"{self.path}/proc/cmdline")

    def make(self, path: str) -> None:
        """Make the directory *path*."""
        os.makedirs(self.path + path, exist_ok=True)

    def write(self, path: str, text: str | bytes = "") -> None:
        """Make the file *path*."""
        self.make(os.path.dirname(path))
        with open(self.path + path, "wb") as stream:
            stream.write(text if isinstance(text, bytes) else os.fsencode(text))

    def enter(self, writable: bool = False) -> None:
        """Make it this process's root, read-only."""
        if not writable:
            mount("-o", "remount,ro", self.path)
        os.chroot(self.path)
        os.chdir("/")
