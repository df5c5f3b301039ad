# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies that are what they were copied from: owners, modes, times, xattrs (so ACLs, capabilities, labels), links.

What is mounted beneath a path is not copied: it is not the image's.
"""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t

from ..._command import run
from .records import OWN_XATTRS

#: Seconds that one cp(1) may take.
PATIENCE = 300
#: Bytes of names in one command: well below ARG_MAX.
ARGUMENTS = 100_000
#: XFS shows ACLs a second time.
_NOT_COPIED = "trusted.SGI_ACL_"


def like(source: str, target: str) -> None:
    """Give the directory *target* the owner, mode, times and xattrs of *source*."""
    there = os.lstat(source)
    os.chown(target, there.st_uid, there.st_gid, follow_symlinks=False)
    mine = {name for name in _xattrs(source) if not name.startswith(_NOT_COPIED)}
    for name in _xattrs(target) - mine:
        # What it inherited by its parent's default ACL, or had before.
        if name.startswith(OWN_XATTRS):
            os.removexattr(target, name)
    for name in mine:
        # Not every filesystem holds every kind: cp -a passes over that, too.
        with contextlib.suppress(OSError):
            os.setxattr(target, name, os.getxattr(source, name))
    os.chmod(target, stat.S_IMODE(there.st_mode))
    os.utime(target, ns=(there.st_atime_ns, there.st_mtime_ns))


def _xattrs(path: str) -> set[str]:
    try:
        return set(os.listxattr(path))
    except OSError:
        return set()


def make_directory(source: str, target: str) -> None:
    """Make *target* a directory like *source*, empty if it is new."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(target, 0o700)
    like(source, target)


def make_way(base: str, path: str) -> None:
    """Make the directories from *base* to the directory of *base* + *path*, for root alone.

    What is beneath is reached through a bind: nobody needs this way, and a mode of the image's on it might let
    somebody past a directory that is closed in the image.
    """
    at = base
    for name in path.split("/")[1:-1]:
        at = f"{at}/{name}"
        with contextlib.suppress(FileExistsError):
            os.mkdir(at, 0o700)
        if not stat.S_ISDIR(os.lstat(at).st_mode):
            raise NotADirectoryError(20, "Not a directory", at)


def copy_directories(source: str, target: str) -> None:
    """Copy the directories of *source* without what else is in them."""
    device = os.lstat(source).st_dev
    made: list[tuple[str, str]] = []

    def descend(here: str, there: str) -> None:
        make_directory(here, there)
        made.append((here, there))
        with os.scandir(here) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.stat(follow_symlinks=False).st_dev == device:
                        descend(entry.path, f"{there}/{entry.name}")
                    else:
                        make_directory(entry.path, f"{there}/{entry.name}")

    descend(source, target)
    copy_times(made)


def copy_times(made: t.Iterable[tuple[str, str]]) -> None:
    """Set the times of directories (source, target) again, after their contents were made."""
    for source, target in made:
        there = os.lstat(source)
        os.utime(target, ns=(there.st_atime_ns, there.st_mtime_ns), follow_symlinks=False)


def copy_into(sources: t.Sequence[str], target: str) -> None:
    """Copy the files and trees *sources* (absolute paths) into the directory *target*.

    :raises StatelessError: something of them was not copied.
    """
    batch: list[str] = []
    length = 0
    for source in sources:
        if batch and length + len(source) > ARGUMENTS:
            _copy(batch, target)
            batch, length = [], 0
        batch.append(source)
        length += len(source) + 1
    if batch:
        _copy(batch, target)


def _copy(sources: list[str], target: str) -> None:
    # cp(1) keeps hard links among all that one call copies. An xattr that the target cannot hold is no error to -a.
    run(["cp", "-a", "-x", "-t", target, "--", *sources], timeout=PATIENCE)


def remove(path: str, spare: t.Collection[str] = ()) -> None:
    """Remove *path* and everything beneath; links are removed, not followed; nothing happens if it is not there.

    :arg spare: mount points, which stay with what is in them and the way to them.
    """
    try:
        is_directory = stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if not is_directory:
        os.unlink(path)
    elif path not in spare:
        empty(path, spare)
        if not any(point.startswith(path + "/") for point in spare):
            os.rmdir(path)


def empty(directory: str, spare: t.Collection[str] = ()) -> None:
    """:func:`remove` everything in *directory*; goes on after a failure and raises the first at the end."""
    failure: OSError | None = None
    with os.scandir(directory) as entries:
        names = [entry.path for entry in entries]
    for name in names:
        try:
            remove(name, spare)
        except OSError as error:
            failure = failure or error
    if failure is not None:
        raise failure
