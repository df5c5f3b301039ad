# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the format is made of, its limits, and columns of numbers: docs/blocks-format.md.

Whatever is read here may come from a hostile server: nothing is believed before it is checked, and every failure is
:class:`Damaged`.
"""

from __future__ import annotations

import array
import hashlib
import itertools
import operator
import struct
import sys
import typing as t

from .._errors import StatelessError

#: bytes of a block
BLOCK = 4096
ZERO = bytes(BLOCK)
#: of a protosystem's format in manifests, and of files' names and signatures
VERSION = 1
#: bytes of a digest (SHA-256)
DIGEST = 32
#: blocks of a volume (8 TiB)
MAX_BLOCKS = 2**31
#: contents of a store; an id is a number of 32 bits, 0 is the block of zeros
MAX_CONTENTS = 2**32 - 1
#: blocks that a frame holds (8 MiB), and blocks that it may be compressed against (24 MiB)
FRAME_BLOCKS = 2048
FRAME_REFERENCES = 6144
#: bytes of a compressed frame: what zstd makes at most of what cannot be compressed (ZSTD_COMPRESSBOUND)
FRAME_BYTES = FRAME_BLOCKS * BLOCK + (FRAME_BLOCKS * BLOCK >> 8)
#: bytes of a whole index, decompressed: what a reader keeps in memory
MAX_COLUMNS = 48 * 1024**2
#: the same of an index delta, and of the table of a pack, whose parts a reader has as objects; a larger delta is not
#: made, since there is the whole index, and a larger table is two packs
MAX_DELTA = 8 * 1024**2
MAX_TABLE = 8 * 1024**2
#: bytes of a manifest with its signatures
MAX_MANIFEST = 1024**2
#: bytes of a pack: offsets are sums of at most so much
MAX_PACK = 2**42

sha256 = hashlib.sha256


class Damaged(StatelessError):
    """Something published is not what it says it is: truncated, changed, made by another version, or hostile."""


def damaged(what: str, why: str) -> Damaged:
    """The error for *what* (a file's name), and why."""
    return Damaged(f"{what} cannot be used: {why}")


Column = t.Sequence[int]


def column(numbers: t.Iterable[int]) -> array.array[int]:
    """*numbers* below 2**32, in 4 bytes each."""
    return array.array("I", numbers)


class Writer:
    """A document of columns: a magic of 8 bytes, the version, numbers, columns."""

    def __init__(self, magic: bytes, *numbers: int) -> None:
        self._parts = [struct.pack(f"<8sI{len(numbers)}I", magic, VERSION, *numbers)]

    def add(self, numbers: t.Iterable[int]) -> None:
        """Add a column."""
        values = column(numbers)
        if sys.byteorder != "little":
            values.byteswap()
        self._parts.append(values.tobytes())

    def raw(self, data: bytes) -> None:
        """Add bytes as they are."""
        self._parts.append(data)

    def done(self) -> bytes:
        """The document."""
        return b"".join(self._parts)


class Reader:
    """Read what :class:`Writer` wrote.

    :arg numbers: how many numbers there are.
    :raises Damaged: it begins otherwise.
    """

    def __init__(self, what: str, data: bytes, magic: bytes, numbers: int) -> None:
        self.what = what
        head = struct.Struct(f"<8sI{numbers}I")
        if len(data) < head.size or data[:8] != magic:
            raise damaged(what, "it is something else")
        _magic, version, *self.numbers = head.unpack_from(data)
        if version != VERSION:
            raise damaged(what, f"its format has the version {version}, and this program knows version {VERSION}")
        self._data = data
        self._at = head.size

    def left(self, expected: int) -> None:
        """Raise Damaged unless *expected* bytes are left, no more and no less: asked before any column is read."""
        if len(self._data) - self._at != expected:
            raise damaged(self.what, "its size is not what its head says")

    def take(self, count: int) -> array.array[int]:
        """The next column, of *count* numbers."""
        values = array.array("I")
        values.frombytes(self.raw(4 * count))
        if sys.byteorder != "little":
            values.byteswap()
        return values

    def raw(self, size: int) -> bytes:
        """The next *size* bytes."""
        piece = self._data[self._at : self._at + size]
        if len(piece) != size:
            raise damaged(self.what, "it is truncated")
        self._at += size
        return piece


def gaps(first: t.Sequence[int], count: t.Sequence[int]) -> t.Iterator[int]:
    """Ascending runs as the distance of each from the end of the one before it."""
    end = 0
    for one, length in zip(first, count):
        yield one - end
        end = one + length


def from_gaps(what: str, gap: t.Sequence[int], count: t.Sequence[int], limit: int, least: int = 0) -> array.array[int]:
    """The first number of each run; the opposite of :func:`gaps`.

    :arg limit: where the last run ends at most.
    :arg least: where the first one begins at least.
    :raises Damaged: a run is empty, or one is outside.
    """
    if not gap:
        return column(())
    if min(count) < 1:
        raise damaged(what, "it has an empty run")
    ends = array.array("Q", itertools.accumulate(map(operator.add, gap, count)))
    if ends[-1] > limit or gap[0] < least:
        raise damaged(what, f"it names {ends[-1]} where {limit} is the end")
    return column(map(operator.sub, ends, count))
