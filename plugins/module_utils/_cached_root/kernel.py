# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel and initrd out of a root: files that its manifest names, and nothing else that lies there."""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t

from .. import _mounts
from .._blocks.boot import Boot, File
from .._errors import StatelessError
from .arguments import MOUNT
from .boot_partition import INITRD, KERNEL, Source


@contextlib.contextmanager
def files(device: str, boot: Boot) -> t.Iterator[dict[str, Source]]:
    """The files of the root on *device* that the boot partition is to have, by their names there.

    :raises StatelessError: the root does not have them.
    """
    with contextlib.ExitStack() as stack:
        root = stack.enter_context(_mounts.view(device, boot.filesystem, MOUNT[boot.filesystem].split(",")))
        sources = {}
        for name, one in ((KERNEL, boot.kernel), (INITRD, boot.initrd)):
            descriptor = _open(root, one)
            stack.callback(os.close, descriptor)
            sources[name] = Source(f"/proc/self/fd/{descriptor}", one.size, one.sha256)
        yield sources


def _open(root: str, wanted: File) -> int:
    """Open a regular file below *root*, and follow no link on the way."""
    where = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in wanted.path.split("/"):
            below = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=where)
            os.close(where)
            where = below
        found = os.fstat(where)
        if not stat.S_ISREG(found.st_mode) or found.st_size != wanted.size:
            raise StatelessError(f"the root's {wanted.path} is not the file that the manifest names")
    except OSError as error:
        os.close(where)
        raise StatelessError(f"the root has no file {wanted.path} that could be booted: {error.strerror}") from error
    except BaseException:
        os.close(where)
        raise
    return where
