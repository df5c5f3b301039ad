# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which contents a volume has, and where: the other way round than its index."""

from __future__ import annotations

import bisect
import itertools
import operator
import typing as t

from .index import Index
from .pack import Ids
from .values import BLOCK, column, damaged

if t.TYPE_CHECKING:
    from .volume import Volume


class Held:
    """The contents of *index*. Costs its runs, so it is made only where it is asked."""

    def __init__(self, index: Index) -> None:
        order = sorted(range(len(index.first)), key=index.first.__getitem__)
        self._first = column(index.first[place] for place in order)
        self._count = column(index.count[place] for place in order)
        self._at = column(index.at[place] for place in order)
        # runs may overlap: how far does any reach that begins no later
        self._reach = column(itertools.accumulate(map(operator.add, self._first, self._count), max))

    def find(self, first: int, count: int) -> t.Iterator[tuple[int, int, int | None]]:
        """The contents *first* to *first* + *count* in pieces: first, count, and where; None: they are not there."""
        end = first + count
        while first < end:
            place = bisect.bisect_right(self._first, first) - 1
            if place >= 0 and self._reach[place] > first:
                while self._first[place] + self._count[place] <= first:
                    place -= 1
                skip = first - self._first[place]
                length = min(self._count[place] - skip, end - first)
                yield first, length, self._at[place] + skip
            else:
                after = bisect.bisect_right(self._first, first)
                length = min(self._first[after] if after < len(self._first) else end, end) - first
                yield first, length, None
            first += length

    def has(self, first: int, count: int) -> bool:
        """Whether all of them are there."""
        return all(at is not None for _first, _count, at in self.find(first, count))

    def missing(self, ids: t.Iterable[Ids]) -> t.Iterator[Ids]:
        """Those that are not there."""
        for first, count in ids:
            for one, length, at in self.find(first, count):
                if at is None:
                    yield one, length


class Holder:
    """A volume that contents can be read from."""

    def __init__(self, index: Index, volume: Volume) -> None:
        self.index = index
        self.volume = volume
        self._held: Held | None = None

    @property
    def held(self) -> Held:
        """Where they are."""
        if self._held is None:
            self._held = Held(self.index)
        return self._held

    def read(self, view: memoryview, ids: t.Iterable[Ids]) -> None:
        """Fill *view* with contents, one after the other.

        :raises Damaged: one of them is not there.
        """
        done = 0
        for first, count in ids:
            for one, length, at in self.held.find(first, count):
                if at is None:
                    raise damaged(self.volume.path, f"it does not have the content {one} that is needed")
                self.volume.read_into(view[BLOCK * done : BLOCK * (done + length)], at)
                done += length
