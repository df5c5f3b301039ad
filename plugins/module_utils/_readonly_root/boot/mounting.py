# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts of the client's service: binds by mount(2), filesystems by mount(8) and never without an end."""

from __future__ import annotations

import ctypes
import os
import shlex
import time

from ... import _mounts
from ..._command import CommandFailed, run
from ..._errors import StatelessError
from .. import fstab

#: mount(2), from <sys/mount.h>
_MS_BIND = 0x1000
_MS_SLAVE = 0x80000

#: Seconds that mounting one filesystem may take: a server of NFS may be away, and the boot must go on. But the journal
#: of a slow disk is replayed meanwhile, too, and a machine under load takes its time.
PATIENCE = 60
#: Seconds to wait for a device that fstab names and that the kernel may still be looking for.
DEVICE_PATIENCE = 5

_libc = ctypes.CDLL(None, use_errno=True)


class MountFailed(StatelessError):
    """mount(2) refused."""


def _mount(source: str | None, target: str, flags: int) -> None:
    encoded = None if source is None else os.fsencode(source)
    if _libc.mount(encoded, os.fsencode(target), None, ctypes.c_ulong(flags), None) != 0:
        raise MountFailed(os.strerror(ctypes.get_errno()))


def bind(source: str, target: str, *, slave: bool) -> None:
    """Bind *source* over *target*; *slave*: what is mounted beneath *target* later does not appear at *source*."""
    _mount(source, target, _MS_BIND)
    if slave:
        _mount(None, target, _MS_SLAVE)


def mount(*arguments: str) -> None:
    """mount(8) with *arguments*, which ends within :data:`PATIENCE`.

    :raises StatelessError: it failed; the text is what it said.
    """
    # mount(8) runs helpers such as mount.nfs: timeout(1) ends them too.
    argv = ["timeout", "-k", "2", str(PATIENCE), "mount", "-n", *arguments]
    try:
        run(argv, timeout=PATIENCE + 5)
    except CommandFailed as error:
        late = error.returncode in (124, 137, -9)
        said = f"no answer within {PATIENCE} s" if late else error.stderr.strip() or f"status {error.returncode}"
        raise StatelessError(f"mount {' '.join(arguments)}: {said}") from error


def mount_by_fstab(where: str, options: str) -> bool:
    """Mount what fstab(5) says about *where*; wait a little for its device.

    :arg options: raw arguments of mount(8).
    :return: False if there is no such line, or its device is missing and ``nofail`` says that it may be.
    :raises StatelessError: it failed, or *options* cannot be read.
    """
    if not _is_in_fstab(where):
        return False
    arguments = split(options)
    until = time.monotonic() + DEVICE_PATIENCE
    while True:
        try:
            mount(*arguments, where)
            # With nofail, mount(8) succeeds without a device.
            if _mounts.is_mounted(where) or time.monotonic() > until:
                return _mounts.is_mounted(where)
        except StatelessError as error:
            missing = "can't find" in str(error) or "does not exist" in str(error)
            if not missing or time.monotonic() > until:
                raise
        time.sleep(0.2)


def split(options: str) -> list[str]:
    """Raw arguments, as a shell splits them; nothing is expanded.

    :raises StatelessError: a quote is not closed.
    """
    try:
        return shlex.split(options)
    except ValueError as error:
        raise StatelessError(f"the mount options {options!r} cannot be read: {error}") from error


def device_with_label(label: str) -> str | None:
    """The device of the filesystem labelled *label*; ``None`` if the kernel has found none so far."""
    if not label:
        return None
    if "/" not in label:
        link = f"/dev/disk/by-label/{label}"
        if os.path.exists(link):
            return link
    # Without udev's links (it may not have seen the device yet), or with characters that these escape.
    try:
        return run(["blkid", "-L", label], timeout=PATIENCE).strip() or None
    except StatelessError:
        return None


def _is_in_fstab(where: str) -> bool:
    """Whether fstab(5) has a line for the mount point *where*."""
    try:
        with open(fstab.FILE, encoding="utf-8", errors="surrogateescape") as stream:
            return bool(fstab.of(stream.read(), where))
    except OSError:
        return False
