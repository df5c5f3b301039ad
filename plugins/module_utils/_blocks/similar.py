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

from .extents import extents
from .values import BLOCK, FRAME_BLOCKS, FRAME_REFERENCES
from .volume import Range

#: changed blocks from which on it is worth to look through the files (64 MiB): that takes a second or more, and what is
#: less is mostly written in place, and compressed against what was there
WORTH = 16384
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
    for path, status in _walk(new):
        if status.st_ino in seen:
            continue
        if status.st_nlink > 1:
            seen.add(status.st_ino)
        try:
            was = os.lstat(os.path.join(old, path))
        except OSError:
            was = None
        if was is None or _key(was) != _key(status):
            yield path, status


def _key(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _walk(root: bytes, below: bytes = b"") -> t.Iterator[tuple[bytes, os.stat_result]]:
    """The regular files below *root*, by path."""
    with os.scandir(os.path.join(root, below)) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = os.path.join(below, entry.name)
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            yield from _walk(root, path)
        elif stat.S_ISREG(status.st_mode) and status.st_size:
            yield path, status


class _Old:
    """The files of the parent."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._by_form: dict[bytes, list[tuple[int, bytes]]] | None = None

    def like(self, path: bytes, size: int) -> bytes | None:
        """The file that *path* is most likely a version of."""
        same = os.path.join(self._root, path)
        try:
            if stat.S_ISREG(os.lstat(same).st_mode):
                return same
        except OSError:
            pass
        if self._by_form is None:
            self._by_form = {}
            for other, status in _walk(self._root):
                self._by_form.setdefault(_form(other), []).append((status.st_size, other))
        forms = self._by_form.get(_form(path))
        return os.path.join(self._root, min(forms, key=lambda one: abs(one[0] - size))[1]) if forms else None


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
