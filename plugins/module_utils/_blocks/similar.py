# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which old blocks new ones may resemble: those of the file of the same path, or of the path but for its numbers.

A guess that costs bytes if it is wrong, never correctness: the format knows no files.
"""

from __future__ import annotations

import dataclasses
import os
import re
import stat
import typing as t

from .._command import run
from .extents import extents
from .values import BLOCK, FRAME_BLOCKS, FRAME_REFERENCES
from .volume import Range

#: changed blocks from which on it is worth to look through the files (1 MiB), a fifth of a second for 40,000 of them:
#: what is less is compressed against what was in its place alone
WORTH = 256
_NUMBERS = re.compile(r"[0-9]+")


@dataclasses.dataclass
class Group:
    """New blocks to be compressed together, and the old blocks to compress them against, each in the order of files."""

    blocks: list[Range]
    references: list[Range]

    def sizes(self) -> tuple[int, int]:
        """How many blocks, and how many references."""
        return sum(count for _at, count in self.blocks), sum(count for _at, count in self.references)


def files(old: str, new: str, since: float) -> t.Iterator[Group]:
    """The blocks of changed files, by path.

    :arg old: the mounted tree of the parent, a directory.
    :arg new: the mounted tree of what is published.
    :arg since: when the parent was taken, seconds since the epoch: files whose status (ctime, inode(7)) was last
        changed before that are as there.
    """
    before = _Old(old)
    for path, size in _changed_files(new, old, since):
        blocks = _ranges(f"{new}/{path}")
        if blocks:
            like = before.like(path, size)
            yield Group(blocks, _ranges(like) if like is not None else [])


def _changed_files(new: str, old: str, since: float) -> t.Iterator[tuple[str, int]]:
    """The regular files below *new* that are not as below *old*, by path, and their sizes."""
    seen: set[int] = set()
    for path in _walk(new, "-newerct", f"@{since:.0f}"):
        status = _status(f"{new}/{path}")
        if status is None or not status.st_size or status.st_ino in seen:
            continue
        if status.st_nlink > 1:
            seen.add(status.st_ino)
        was = _status(f"{old}/{path}")
        if was is None or _key(was) != _key(status):
            yield path, status.st_size


def _walk(root: str, *tests: str) -> list[str]:
    """The regular files below *root* that are so, by path. Not found are those whose names are no UTF-8."""
    # find(1) takes a quarter of the time that Python takes
    return sorted(run(["find", root, "-xdev", "-type", "f", *tests, "-printf", r"%P\0"]).split("\0")[:-1])


def _status(path: str) -> os.stat_result | None:
    """Of a regular file."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _key(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class _Old:
    """The files of the parent."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._by_form: dict[str, list[str]] | None = None

    def like(self, path: str, size: int) -> str | None:
        """The file that *path* is most likely a version of."""
        same = f"{self._root}/{path}"
        if self._size(same):
            return same
        if self._by_form is None:
            self._by_form = {}
            for other in _walk(self._root):
                self._by_form.setdefault(_form(other), []).append(f"{self._root}/{other}")
        sizes = [(self._size(other), other) for other in self._by_form.get(_form(path), ())]
        return min((one for one in sizes if one[0]), key=lambda one: abs(one[0] - size), default=(0, None))[1]

    @staticmethod
    def _size(path: str) -> int:
        """The size of a regular file, or 0."""
        status = _status(path)
        return status.st_size if status is not None else 0


def _form(path: str) -> str:
    return _NUMBERS.sub("0", path)


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
    return [(one.physical // BLOCK, -(-one.length // BLOCK)) for one in found]


def cut(group: Group, blocks: int = FRAME_BLOCKS, references: int = FRAME_REFERENCES) -> t.Iterator[Group]:
    """A group as groups of at most so many blocks, each against the old blocks around the same place of the file."""
    size, old = group.sizes()
    if size <= blocks and old <= references:
        yield group
        return
    step = min(blocks, max(references // 3, 1))
    for start in range(0, size, step):
        # as much before and after as there is room for
        middle = (start + step // 2) * old // size
        first = max(0, min(middle - references // 2, old - references))
        yield Group(list(_span(group.blocks, start, step)), list(_span(group.references, first, references)))


def _span(ranges: t.Sequence[Range], skip: int, count: int) -> t.Iterator[Range]:
    """*count* blocks of *ranges*, after the first *skip*."""
    for at, length in ranges:
        if skip >= length:
            skip -= length
            continue
        part = min(length - skip, count)
        if part <= 0:
            return
        yield at + skip, part
        count -= part
        skip = 0
