# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A filesystem that gets full on the way: say which, and what to do about it."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import typing as t

from ._command import CommandFailed
from ._errors import StatelessError

_FULL = (errno.ENOSPC, errno.EDQUOT)
#: strerror(3) of these, as programs say it
_SAID = re.compile("|".join(os.strerror(number) for number in _FULL))


class Full(StatelessError):
    """A filesystem has no room left. What was begun on it is undone by whoever began it."""


@contextlib.contextmanager
def room_for(what: str, directory: str) -> t.Iterator[None]:
    """Make :class:`Full` of what the block fails with, if that is for lack of room.

    :arg what: what the room is for, in the administrator's words.
    :arg directory: on the filesystem that the block fills; it need not exist yet.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise _full(what, directory) from error
    except CommandFailed as error:
        if _SAID.search(error.stderr) is None:
            raise
        raise _full(what, directory) from error


def _full(what: str, directory: str) -> Full:
    there = directory
    while not os.path.isdir(there):
        there = os.path.dirname(there) or "."
    free = shutil.disk_usage(there).free / 1024**2
    return Full(
        f"there is no room left for {what}: the filesystem of {directory} is full, {free:.0f} MiB are free. "
        "Make room, for example by removing old snapshots and images, or make it larger, and run this again"
    )
