# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which old blocks new ones may resemble: those of the file of the same path, or of the path but for its numbers.

A guess that costs bytes if it is wrong, never correctness: the format knows no files.
"""

from __future__ import annotations

import dataclasses
import operator
import os
import re
import stat
import typing as t

from .extents import extents
from .values import BLOCK, FRAME_BLOCKS, FRAME_REFERENCES
from .volume import Range

#: changed blocks from which on it is worth to look through the files (1 MiB), half a second for 40,000 of them: what is
#: less is compressed against what was in its place alone
WORTH = 256
_NUMBERS = re.compile(rb"[0-9]+")


@dataclasses.dataclass
class Group:
    """New blocks to be compressed together, and the old blocks to compress them against, each in the order of files."""

    blocks: list[Range]
    references: list[Range]

    def sizes(self) -> tuple[int, int]:
        """How many blocks, and how many references."""
        return sum(count for _at, count in self.blocks), sum(count for _at, count in self.references)


def files(old: str, new: str) -> t.Iterator[Group]:
    """The blocks of changed files, by path.

    :arg old: the mounted tree of the parent, a directory.
    :arg new: the mounted tree of what is published.
    """
    before = _Old(os.fsencode(old))
    for path, status in _changed_files(os.fsencode(new), os.fsencode(old)):
        blocks = _ranges(os.path.join(os.fsencode(new), path))
        if blocks:
            like = before.like(path, status.st_size)
            yield Group(blocks, _ranges(like) if like is not None else [])


def _changed_files(new: bytes, old: bytes) -> t.Iterator[tuple[bytes, os.stat_result]]:
    """The regular files below *new* that are not as below *old*, by path."""
    seen: set[int] = set()
    for path, entry in _walk(new):
        status = entry.stat(follow_symlinks=False)
        if not status.st_size or status.st_ino in seen:
            continue
        if status.st_nlink > 1:
            seen.add(status.st_ino)
        try:
            was = os.lstat(old + b"/" + path)
        except OSError:
            was = None
        if was is None or _key(was) != _key(status):
            yield path, status


def _key(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _walk(root: bytes) -> t.Iterator[tuple[bytes, os.DirEntry[bytes]]]:
    """The regular files below *root*, by path."""
    todo = [b""]
    while todo:
        below = todo.pop()
        with os.scandir(root + b"/" + below) as found:
            entries = sorted(found, key=_name)
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                yield below + entry.name, entry
        todo += [below + one.name + b"/" for one in reversed(entries) if one.is_dir(follow_symlinks=False)]


_name = operator.attrgetter("name")


class _Old:
    """The files of the parent."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._by_form: dict[bytes, list[bytes]] | None = None

    def like(self, path: bytes, size: int) -> bytes | None:
        """The file that *path* is most likely a version of."""
        same = self._root + b"/" + path
        if self._size(same):
            return same
        if self._by_form is None:
            self._by_form = {}
            for other, _entry in _walk(self._root):
                self._by_form.setdefault(_form(other), []).append(self._root + b"/" + other)
        sizes = [(self._size(other), other) for other in self._by_form.get(_form(path), ())]
        return min((one for one in sizes if one[0]), key=lambda one: abs(one[0] - size), default=(0, None))[1]

    @staticmethod
    def _size(path: bytes) -> int:
        """The size of a regular file, or 0."""
        try:
            status = os.lstat(path)
        except OSError:
            return 0
        return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _form(path: bytes) -> bytes:
    return _NUMBERS.sub(b"0", path)


def _ranges(path: bytes) -> list[Range]:
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
