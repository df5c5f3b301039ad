# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which old blocks new ones may resemble: those of the file of the same path, or of the path but for its numbers."""

from __future__ import annotations

import os
import stat
import typing as t

from .._command import run
from . import ext4
from .extents import extents
from .group import Group, form
from .values import BLOCK

if t.TYPE_CHECKING:
    from .ranges import Set
    from .volume import Range, Volume

#: changed blocks from which on it is worth to mount trees and to look for files (1 MiB): what is less is compressed
#: against what was in its place alone. From so many on (64 MiB), all files are looked at, half a second for 40,000 of
#: them; below, those in directories that have changed: a file that was changed in place has its old content there.
WORTH, ALL = 256, 16384


def groups(
    old: Volume,
    new: Volume,
    changed: Set,
    since: float,
    mounted: t.Callable[[], t.ContextManager[tuple[str, str]]],
) -> list[Group]:
    """The blocks of changed files, as cheaply as they can be found.

    :arg old: the volume of the parent.
    :arg new: the volume that is published.
    :arg changed: blocks where they may differ.
    :arg since: as :func:`files` has it.
    :arg mounted: gives the trees of both.
    """
    blocks = changed.total()
    found = ext4.groups(old, new, changed)
    if found is not None or blocks < WORTH:
        return found or []
    with mounted() as (before, now):
        return list(files(before, now, since, blocks))


def files(old: str, new: str, since: float, blocks: int) -> t.Iterator[Group]:
    """The blocks of changed files, by path.

    :arg old: the mounted tree of the parent, a directory.
    :arg new: the mounted tree of what is published.
    :arg since: when the parent was taken, seconds since the epoch: files and directories whose status (ctime, inode(7))
        was last changed before that are as there.
    :arg blocks: how many have changed, which says how far it is worth to look.
    """
    before, changed = (_Old(old), _everywhere) if blocks >= ALL else (_Siblings(old), _in_changed_directories)
    seen: set[int] = set()
    for path in changed(new, int(since)):
        status = _status(f"{new}/{path}")
        if status is None or not status.st_size or status.st_ino in seen:
            continue
        if status.st_nlink > 1:
            seen.add(status.st_ino)
        same = f"{old}/{path}"
        was = _status(same)
        if was is not None and _key(was) == _key(status):
            continue
        found = _ranges(f"{new}/{path}")
        if found:
            like = same if was is not None and was.st_size else before.like(path, status.st_size)
            yield Group(found, _ranges(like) if like is not None else [])


def _everywhere(root: str, since: int) -> t.Iterable[str]:
    """The regular files below *root* whose status has changed, by path."""
    return sorted(_find(root, "-type", "f", "-newerct", f"@{since}"))


def _in_changed_directories(root: str, since: int) -> t.Iterable[str]:
    """The same, without those in directories that have got and lost nothing."""
    for directory in sorted(_find(root, "-type", "d", "-newerct", f"@{since}")):
        for name in _names(f"{root}/{directory}"):
            path = f"{directory}/{name}".lstrip("/")
            status = _status(f"{root}/{path}")
            if status is not None and status.st_ctime > since:
                yield path


def _names(directory: str) -> list[str]:
    """What is in a directory; nothing, if it is none that can be read, such as one whose name :func:`_find` lost."""
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _find(root: str, *tests: str) -> list[str]:
    """What is below *root* and so, in any order. Not found is what has a name that is no UTF-8."""
    # find(1) takes a quarter of the time that Python takes
    return run(["find", root, "-xdev", *tests, "-printf", r"%P\0"]).split("\0")[:-1]


def _status(path: str) -> os.stat_result | None:
    """Of a regular file."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _key(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class _Siblings:
    """The files of the parent, where one is looked for beside a path."""

    def __init__(self, root: str) -> None:
        self._root = root

    def like(self, path: str, size: int) -> str | None:
        """The file that *path*, which the parent has not, is most likely a version of."""
        sizes = [(_size(other), other) for other in self._of_form(path)]
        return min((one for one in sizes if one[0]), key=lambda one: abs(one[0] - size), default=(0, None))[1]

    def _of_form(self, path: str) -> t.Iterable[str]:
        directory, name = os.path.split(f"{self._root}/{path}")
        return [f"{directory}/{other}" for other in _names(directory) if form(other) == form(name)]


class _Old(_Siblings):
    """The same, looked for everywhere."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self._by_form: dict[str, list[str]] | None = None

    def _of_form(self, path: str) -> t.Iterable[str]:
        if self._by_form is None:
            self._by_form = {}
            for other in sorted(_find(self._root, "-type", "f")):
                self._by_form.setdefault(form(other), []).append(f"{self._root}/{other}")
        return self._by_form.get(form(path), ())


def _size(path: str) -> int:
    """The size of a regular file, or 0."""
    status = _status(path)
    return status.st_size if status is not None else 0


def _ranges(path: str) -> list[Range]:
    """The blocks of a file, in its order; those at its end that it shares with nobody included."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        found = extents(file) or []
    finally:
        os.close(file)
    return [(one.physical // BLOCK, -(-one.length // BLOCK)) for one in found if one.physical is not None]
