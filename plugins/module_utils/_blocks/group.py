# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""New blocks that belong together, and the old ones that they may resemble.

A guess that costs bytes if it is wrong, never correctness: the format knows no files.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .values import FRAME_BLOCKS, FRAME_REFERENCES
from .volume import Range

_NUMBERS = re.compile(r"[0-9]+")


@dataclasses.dataclass
class Group:
    """New blocks to be compressed together, and the old blocks to compress them against, each in the order of files."""

    blocks: list[Range]
    references: list[Range]

    def sizes(self) -> tuple[int, int]:
        """How many blocks, and how many references."""
        return sum(count for _at, count in self.blocks), sum(count for _at, count in self.references)


def form(name: str) -> str:
    """What a name has in common with those of other versions: all but its numbers."""
    return _NUMBERS.sub("0", name)


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
