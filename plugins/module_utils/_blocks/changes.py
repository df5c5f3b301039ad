# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a volume may differ from another: sources of changed ranges.

What they say may be too much, never too little: whoever publishes compares contents again. (A thin pool's own map,
``thin_delta``, is one more source.)
"""

from __future__ import annotations

import typing as t

from .extents import extents
from .ranges import Set, union
from .values import BLOCK
from .volume import Range, Volume, pieces


def compared(old: Volume, new: Volume) -> t.Iterator[Range]:
    """Where *new* differs from *old*, by reading both."""
    for at, count in union([*old.allocated(), *new.allocated()]):
        for start, length in pieces(at, min(at + count, new.blocks) - at):
            before, after = old.read(start, length), new.read(start, length)
            if before == after:
                continue
            first = None
            for number in range(length):
                span = slice(BLOCK * number, BLOCK * (number + 1))
                if before[span] == after[span]:
                    if first is not None:
                        yield start + first, number - first
                    first = None
                elif first is None:
                    first = number
            if first is not None:
                yield start + first, length - first


def unshared(old: Volume, new: Volume) -> list[Range] | None:
    """Where the file *new* does not share its extents with *old*, of which it is a reflink (FIEMAP).

    None: the filesystem cannot say, or nothing is shared.
    """
    if old.is_device or new.is_device:
        return None
    before, after = extents(old.fileno()), extents(new.fileno())
    if before is None or after is None:
        return None
    place: dict[int, list[Range]] = {}
    for extent in before:
        place.setdefault(extent.physical - extent.logical, []).append((extent.logical, extent.length))
    same: list[Range] = []
    for extent in after:
        for at, count in Set(place.get(extent.physical - extent.logical, [])).within(extent.logical, extent.length):
            # whole blocks alone
            first, last = -(-at // BLOCK), (at + count) // BLOCK
            if last > first:
                same.append((first, last - first))
    if not same:
        return None
    everything = Set([*old.allocated(), *new.allocated()])
    clipped = Set((at, min(count, new.blocks - at)) for at, count in everything.ranges if at < new.blocks)
    return clipped.without(Set(same))
