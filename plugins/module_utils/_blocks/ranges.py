# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges of a volume's blocks: ascending and apart, as lists of (at, count)."""

from __future__ import annotations

import bisect
import typing as t

from .volume import Range


def union(ranges: t.Iterable[Range]) -> list[Range]:
    """Any ranges, ascending and apart."""
    made: list[Range] = []
    for at, count in sorted(ranges):
        if made and at <= made[-1][0] + made[-1][1]:
            start = made[-1][0]
            made[-1] = start, max(made[-1][1], at + count - start)
        elif count > 0:
            made.append((at, count))
    return made


class Set:
    """Ranges that can be asked what of others is in them."""

    def __init__(self, ranges: t.Iterable[Range]) -> None:
        self.ranges = union(ranges)
        self._starts = [at for at, _count in self.ranges]

    def within(self, at: int, count: int) -> t.Iterator[Range]:
        """The parts of a range that are in the set."""
        place = max(bisect.bisect_right(self._starts, at) - 1, 0)
        while place < len(self.ranges) and self._starts[place] < at + count:
            start = max(self._starts[place], at)
            end = min(sum(self.ranges[place]), at + count)
            if end > start:
                yield start, end - start
            place += 1

    def without(self, other: Set) -> list[Range]:
        """The ranges that are here and not in *other*."""
        made = []
        for at, count in self.ranges:
            done = at
            for start, length in other.within(at, count):
                if start > done:
                    made.append((done, start - done))
                done = start + length
            if at + count > done:
                made.append((done, at + count - done))
        return made

    def total(self) -> int:
        """How many blocks these are."""
        return sum(count for _at, count in self.ranges)
