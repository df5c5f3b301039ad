# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot partition of a machine: found, mounted for as long as it is used, and seen as its boot loader sees it."""

from __future__ import annotations

import contextlib
import os
import typing as t

from .. import _files, _mounts
from .._command import CommandFailed, find, run
from .._errors import NotFound
from .boot_partition import BootPartition
from .grub import DIRECTORY, Grub
from .systemd_boot import SystemdBoot

#: vfat has no owners: nobody but root reads there.
_OPTIONS = ("umask=0077", "nodev", "nosuid", "noexec", "errors=remount-ro")
#: A filesystem cannot be mounted twice, once to be written to and once not.
_LOCK = "/run/stateless/boot.lock"
#: Seconds that somebody may have it.
_PATIENCE = 60


def device(partuuid: str) -> str:
    """The block device of the partition.

    :raises NotFound: it is not there.
    """
    path = f"/dev/disk/by-partuuid/{partuuid.lower()}"
    if not os.path.exists(path):
        raise NotFound(f"this machine has no partition with the UUID {partuuid}, which its volume group names")
    return path


@contextlib.contextmanager
def opened(path: str, writable: bool) -> t.Iterator[BootPartition]:
    """The boot partition on the block device *path*; nobody else sees the mount, and it is gone with this process.

    Not for long: others wait meanwhile.

    :arg writable: it is checked first, and what a power cut left of it is put right: fsck.fat(8).
    """
    with _files.lock(_LOCK, f"another stateless command has the boot partition {path}", timeout=_PATIENCE):
        if writable:
            _repair(path)
        with _mounts.view(path, "vfat", ("rw" if writable else "ro", *_OPTIONS)) as where:
            yield seen(where)


def seen(where: str) -> BootPartition:
    """What is mounted at *where*, as the boot loader sees it that was installed there."""
    return (Grub if os.path.exists(os.path.join(where, DIRECTORY, "grub.cfg")) else SystemdBoot)(where)


def _repair(path: str) -> None:
    program = find("fsck.fat", "dosfstools")
    try:
        run([program, "-a", "-w", path])
    except CommandFailed as error:
        # 1: it was repaired
        if error.returncode != 1:
            raise
