# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which content each block of a volume has: runs of positions to runs of content ids. Whole, or as changes to another.

A content id stands for 4096 bytes, for ever, in one protosystem's store; blocks with the same id are equal. Blocks that
no run names are zeros. A :class:`Run` with the id 0 says so of a change.
"""

from __future__ import annotations

import array
import bisect
import itertools
import operator
import typing as t

from .values import (
    MAX_BLOCKS,
    MAX_COLUMNS,
    MAX_CONTENTS,
    MAX_DELTA,
    Column,
    Reader,
    Writer,
    column,
    damaged,
    from_gaps,
    gaps,
)
from .volume import pieces
from .zstd import Compressor, Decompressor, Effort

_WHOLE = b"SLBWHOLE"
_DELTA = b"SLBDELTA"
_WRAP = 2**32 - 1
_EFFORT = Effort(3)


class Run(t.NamedTuple):
    """Blocks *at*, *at* + 1 ... have the contents *first*, *first* + 1 ... ; or all are zeros, if *first* is 0."""

    at: int
    length: int
    first: int

    def part(self, skip: int, count: int) -> Run:
        """*count* blocks of it, without the first *skip*."""
        return Run(self.at + skip, count, self.first + skip if self.first else 0)

    def pieces(self) -> t.Iterator[Run]:
        """It in parts, as many blocks as are best read at once."""
        for at, count in pieces(self.at, self.length):
            yield self.part(at - self.at, count)


class Index:
    """The contents of a volume of *blocks* blocks. A value: changing it makes another."""

    def __init__(self, blocks: int, at: array.array[int], count: array.array[int], first: array.array[int]) -> None:
        self.blocks = blocks
        self.at = at
        self.count = count
        self.first = first

    @classmethod
    def empty(cls, blocks: int) -> Index:
        """A volume of zeros."""
        return cls(blocks, column(()), column(()), column(()))

    @classmethod
    def of(cls, blocks: int, runs: t.Iterable[Run]) -> Index:
        """The index of ascending *runs*; zeros may be left out."""
        return cls.empty(blocks).changed(blocks, runs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Index) and self._value() == other._value()

    __hash__ = None  # type: ignore[assignment]

    def _value(self) -> tuple[t.Any, ...]:
        return self.blocks, self.at, self.count, self.first

    def runs(self) -> t.Iterator[Run]:
        """Its runs, ascending, as long as can be; zeros are left out."""
        return map(Run, self.at, self.count, self.first)

    def part(self, at: int, count: int) -> t.Iterator[Run]:
        """The runs of blocks *at* to *at* + *count*, zeros included."""
        end = at + count
        place = bisect.bisect_right(self.at, at) - 1
        if place < 0 or self.at[place] + self.count[place] <= at:
            place += 1
        while at < end:
            start = self.at[place] if place < len(self.at) else end
            if start > at:
                upto = min(start, end)
                yield Run(at, upto - at, 0)
                at = upto
            else:
                length = min(start + self.count[place], end) - at
                yield Run(at, length, self.first[place] + at - start)
                at += length
                place += 1

    def changed(self, blocks: int, changes: t.Iterable[Run]) -> Index:
        """The index with ascending *changes*, of a volume that now has *blocks* blocks. Costs what changed."""
        made = _Columns()
        done = 0
        for change in changes:
            self._keep(made, done, change.at)
            if change.first:
                made.add(*change)
            done = change.at + change.length
        self._keep(made, done, blocks)
        return Index(blocks, made.at, made.count, made.first)

    def _keep(self, made: _Columns, start: int, end: int) -> None:
        """Take over the blocks *start* to *end*."""
        if start >= end:
            return
        place = max(bisect.bisect_right(self.at, start) - 1, 0)
        if place < len(self.at) and self.at[place] < start:
            skip = start - self.at[place]
            length = min(self.count[place] - skip, end - start)
            if length > 0:
                made.add(start, length, self.first[place] + skip)
            place += 1
        last = bisect.bisect_left(self.at, end, place)
        if last > place:
            made.add(self.at[place], self.count[place], self.first[place])
            made.at.extend(self.at[place + 1 : last])
            made.count.extend(self.count[place + 1 : last])
            made.first.extend(self.first[place + 1 : last])
            made.cut(end)

    def contents(self) -> int:
        """One more than the largest id."""
        return max(map(operator.add, self.first, self.count), default=1)


class _Columns:
    """An index in the making: runs that go on where another ends become one."""

    def __init__(self) -> None:
        self.at, self.count, self.first = column(()), column(()), column(())

    def add(self, at: int, count: int, first: int) -> None:
        if self.at:
            length = self.count[-1]
            if self.at[-1] + length == at and self.first[-1] + length == first:
                self.count[-1] = length + count
                return
        self.at.append(at)
        self.count.append(count)
        self.first.append(first)

    def cut(self, end: int) -> None:
        """Let the last run end at *end*, if it goes further."""
        self.count[-1] = min(self.count[-1], end - self.at[-1])


def joined(runs: t.Iterable[Run]) -> t.Iterator[Run]:
    """*runs* with those that go on where another ends as one."""
    last: Run | None = None
    for run in runs:
        if last is not None and last.at + last.length == run.at and run.first == last.part(last.length, 0).first:
            last = last._replace(length=last.length + run.length)
            continue
        if last is not None:
            yield last
        last = run
    if last is not None:
        yield last


def encode(index: Index) -> bytes:
    """The file of a whole index."""
    return _encode(_WHOLE, index, Index.empty(0))


def encode_changes(blocks: int, changes: t.Iterable[Run]) -> bytes | None:
    """The delta that ascending *changes* are, of a volume that then has *blocks* blocks; None: too large."""
    runs, zeros = _Columns(), _Columns()
    for run in joined(changes):
        (runs if run.first else zeros).add(*run)
    if 12 * len(runs.at) + 8 * len(zeros.at) > MAX_DELTA - 64:
        return None
    return _encode(_DELTA, Index(blocks, runs.at, runs.count, runs.first), Index(0, zeros.at, zeros.count, zeros.first))


def _encode(magic: bytes, index: Index, zeros: Index) -> bytes:
    writer = Writer(magic, index.blocks, len(index.at), len(zeros.at))
    for some in (index, zeros):
        writer.add(gaps(some.at, some.count))
        writer.add(some.count)
    writer.add(_jumps(index.first, index.count))
    return Compressor(_EFFORT).frame(writer.done())


def _jumps(first: Column, count: Column) -> t.Iterator[int]:
    """The first id of each run as the distance from the end of the one before it, modulo 2**32: mostly 0."""
    ends = itertools.chain((1,), map(operator.add, first, count))
    return (one & _WRAP for one in map(operator.sub, first, ends))


def decode(what: str, data: bytes, contents: int) -> Index:
    """Read a whole index.

    :arg contents: ids are below this.
    :raises Damaged: it cannot be used.
    """
    blocks, runs, _zeros = _decode(what, data, _WHOLE, contents)
    return Index(blocks, *runs)


def decode_changes(what: str, data: bytes, contents: int) -> tuple[int, list[Run]]:
    """Read a delta: the blocks of the volume afterwards, and the changes.

    :arg contents: ids are below this.
    :raises Damaged: it cannot be used.
    """
    blocks, (at, count, first), zeros = _decode(what, data, _DELTA, contents)
    changes = [*map(Run, at, count, first), *(Run(at, count, 0) for at, count in zip(*zeros))]
    if zeros[0]:
        changes.sort()
        for before, after in zip(changes, changes[1:]):
            if before.at + before.length > after.at:
                raise damaged(what, f"it changes the block {after.at} twice")
    return blocks, changes


def _decode(
    what: str, data: bytes, magic: bytes, contents: int
) -> tuple[int, tuple[array.array[int], array.array[int], array.array[int]], tuple[Column, Column]]:
    reader = Reader(what, Decompressor().document(what, data, MAX_COLUMNS if magic == _WHOLE else MAX_DELTA), magic, 3)
    blocks, runs, zeros = reader.numbers
    reader.left(12 * runs + 8 * zeros)
    if blocks > MAX_BLOCKS or not 1 <= contents <= MAX_CONTENTS:
        raise damaged(what, f"a volume of {blocks} blocks is beyond the format")
    gap, count = reader.take(runs), reader.take(runs)
    at = from_gaps(what, gap, count, blocks)
    zero_gap, zero_count = reader.take(zeros), reader.take(zeros)
    zero_at = from_gaps(what, zero_gap, zero_count, blocks)
    jump = reader.take(runs)
    ends = itertools.accumulate(map(operator.add, jump, itertools.chain((1,), count)))
    first = column(one & _WRAP for one in ends)
    if first and (min(first) < 1 or max(map(operator.add, first, count)) > contents):
        raise damaged(what, f"it names contents that the manifest does not count ({contents})")
    return blocks, (at, count, first), (zero_at, zero_count)
