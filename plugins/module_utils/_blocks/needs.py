# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which frames serials need: those that hold their contents, and those that these refer to, and so on."""

from __future__ import annotations

import heapq
import typing as t

from .index import Index
from .pack import Frame, Table


class Needs:
    """Contents and frames that are needed.

    :arg tables: of every pack there is, by its name.
    """

    def __init__(self, contents: int, tables: t.Mapping[str, Table]) -> None:
        self._needed = bytearray(contents)
        self._tables = tables

    def add(self, index: Index) -> None:
        """All contents of a volume are needed."""
        for first, count in zip(index.first, index.count):
            self._needed[first : first + count] = b"\1" * count

    def frames(self) -> dict[str, list[Frame]]:
        """The frames that are needed, by pack, ascending; and what they refer to counts as needed from now on.

        From the largest ids to the smallest: a frame refers only to less than it holds, so each is seen once.
        """
        found: dict[str, list[Frame]] = {}
        streams = [_descending(name, table) for name, table in self._tables.items()]
        for _order, name, number in heapq.merge(*streams):
            frame = self._tables[name].frames[number]
            if any(self._needed.find(1, first, first + count) >= 0 for first, count in frame.holds):
                found.setdefault(name, []).append(frame)
                for first, count in frame.references:
                    self._needed[first : first + count] = b"\1" * count
        return {name: frames[::-1] for name, frames in found.items()}


def _descending(name: str, table: Table) -> t.Iterator[tuple[int, str, int]]:
    """The frames of a pack from the last: their first id, negative, the pack, and their numbers."""
    for number in range(len(table.frames) - 1, -1, -1):
        yield -table.frames[number].holds[0][0], name, number
