# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a volume may differ from another: sources of changed ranges.

What they say may be too much, never too little: whoever publishes compares contents again. (A thin pool's own map,
``thin_delta``, is one more source.)
"""

from __future__ import annotations

import typing as t

from .extents import Extent, extents
from .ranges import Set, union
from .values import BLOCK
from .volume import Range, Volume, pieces


def between(old: Volume, new: Volume) -> t.Iterable[Range]:
    """Where *new* may differ from *old*: by the extents that they share, or, where they share none, by comparison."""
    found = unshared(old, new)
    return compared(old, new) if found is None else found


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
    # nearly all are the same in both, and need not be looked at one by one
    alike = {one for one in set(before).intersection(after) if one.physical is not None}
    before, after = ([one for one in some if one not in alike] for some in (before, after))
    same = list(_shared(before, after))
    if not same and not alike:
        return None
    clipped = ((at, min(count, new.blocks - at)) for at, count in _blocks([*before, *after]) if at < new.blocks)
    return Set(clipped).without(Set(same))


def _blocks(some: t.Iterable[Extent]) -> t.Iterator[Range]:
    """All blocks that have something of these extents in them."""
    for one in some:
        first = one.logical // BLOCK
        yield first, -(-one.end // BLOCK) - first


def _shared(before: t.Sequence[Extent], after: t.Sequence[Extent]) -> t.Iterator[Range]:
    """The whole blocks that two files have at the same place, of extents in the order of the files."""
    one = two = 0
    while one < len(before) and two < len(after):
        old, new = before[one], after[two]
        if (
            old.physical is not None
            and new.physical is not None
            and old.physical - old.logical == new.physical - new.logical
        ):
            start, end = max(old.logical, new.logical), min(old.end, new.end)
            first, last = -(-start // BLOCK), end // BLOCK
            if last > first:
                yield first, last - first
        if old.end <= new.end:
            one += 1
        else:
            two += 1
