# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The head of a pack: which contents are in which frame, compressed against which others, and their digests.

A pack is a file in the seekable format of zstd (facebook/zstd, contrib/seekable_format, version 0.1.0): skippable
frames that are the head (the table, and in a step pack the index delta), frames, and the seek table, which only others
need.
"""

from __future__ import annotations

import bisect
import itertools
import operator
import struct
import typing as t

from .values import (
    BLOCK,
    DIGEST,
    FRAME_BLOCKS,
    FRAME_BYTES,
    FRAME_REFERENCES,
    MAX_PACK,
    MAX_TABLE,
    Reader,
    Writer,
    damaged,
    from_gaps,
    gaps,
    sha256,
)
from .zstd import SKIPPABLE, Compressor, Decompressor, Effort, skippable

_TABLE = b"SLBTABLE"
_EFFORT = Effort(9)
_SKIPPABLE = struct.Struct("<II")
_SEEK_TABLE, _SEEKABLE = 0xE, 0x8F92EAB1

#: Contents *first*, *first* + 1 ..., *count* of them.
Ids = tuple[int, int]


class Frame(t.NamedTuple):
    """A frame of a pack."""

    #: bytes from the beginning of the pack, and bytes
    offset: int
    size: int
    #: what it holds, in this order, ascending
    holds: tuple[Ids, ...]
    #: what is to be put before it, in this order; ids less than any that it holds
    references: tuple[Ids, ...]
    #: SHA-256 of the SHA-256 digests of its blocks
    digest: bytes

    def end(self) -> int:
        """Where it ends in the pack."""
        return self.offset + self.size

    def blocks(self) -> int:
        """How many blocks it holds."""
        return total(self.holds)


class Table:
    """The frames of a pack, in ascending order of what they hold."""

    def __init__(self, frames: t.Sequence[Frame]) -> None:
        self.frames = frames
        self._starts = [frame.holds[0][0] for frame in frames]

    def find(self, content: int) -> tuple[int, Frame] | None:
        """The frame that holds *content*, and its number."""
        place = bisect.bisect_right(self._starts, content) - 1
        if place >= 0 and any(first <= content < first + count for first, count in self.frames[place].holds):
            return place, self.frames[place]
        return None

    def bounds(self) -> Ids:
        """The least id and one more than the largest; both 0 if there is none."""
        if not self.frames:
            return 0, 0
        first, count = self.frames[-1].holds[-1]
        return self._starts[0], first + count


def frame_digest(digests: t.Iterable[bytes]) -> bytes:
    """The digest of a frame of blocks with these digests."""
    return sha256(b"".join(digests)).digest()


def encode_table(frames: t.Sequence[Frame]) -> bytes:
    """The table; offsets are left out, being sums of sizes."""
    holds = [one for frame in frames for one in frame.holds]
    references = [one for frame in frames for one in frame.references]
    writer = Writer(_TABLE, len(frames), len(holds), len(references))
    writer.add(frame.size for frame in frames)
    writer.add(len(frame.holds) for frame in frames)
    writer.add(len(frame.references) for frame in frames)
    writer.add(gaps([first for first, _count in holds], [count for _first, count in holds]))
    writer.add(count for _first, count in holds)
    writer.add(first for first, _count in references)
    writer.add(count for _first, count in references)
    writer.raw(b"".join(frame.digest for frame in frames))
    return Compressor(_EFFORT).frame(writer.done())


def decode_table(what: str, data: bytes, contents: int, start: int) -> Table:
    """Read a table.

    :arg contents: ids are below this.
    :arg start: the offset of the first frame.
    :raises Damaged: it cannot be used.
    """
    reader = Reader(what, Decompressor().document(what, data, MAX_TABLE), _TABLE, 3)
    frames, holds, references = reader.numbers
    reader.left(12 * frames + 8 * holds + 8 * references + DIGEST * frames)
    sizes, hold_counts, reference_counts = (reader.take(frames) for _column in range(3))
    gap, count = reader.take(holds), reader.take(holds)
    first = from_gaps(what, gap, count, contents, least=1)
    reference_first, reference_count = reader.take(references), reader.take(references)
    digests = reader.raw(DIGEST * frames)
    if sum(hold_counts) != holds or sum(reference_counts) != references or 0 in hold_counts:
        raise damaged(what, "its frames and its runs do not match")
    if frames and (min(sizes) < 1 or max(sizes) > FRAME_BYTES or start + sum(sizes) > MAX_PACK):
        raise damaged(what, "a frame has a size beyond the format")
    if references and (min(reference_first) < 1 or min(reference_count) < 1):
        raise damaged(what, "a frame has an empty reference")
    made = []
    held = zip(first, count)
    referred = zip(reference_first, reference_count)
    for number, offset in enumerate(itertools.islice(itertools.accumulate(sizes, initial=start), frames)):
        frame = Frame(
            offset,
            sizes[number],
            tuple(itertools.islice(held, hold_counts[number])),
            tuple(itertools.islice(referred, reference_counts[number])),
            digests[DIGEST * number : DIGEST * (number + 1)],
        )
        _check(what, frame)
        made.append(frame)
    return Table(made)


def _check(what: str, frame: Frame) -> None:
    if frame.blocks() > FRAME_BLOCKS:
        raise damaged(what, f"a frame holds {frame.blocks()} blocks, and {FRAME_BLOCKS} is the limit")
    if total(frame.references) > FRAME_REFERENCES:
        raise damaged(what, f"a frame refers to more than {FRAME_REFERENCES} blocks")
    # so no frame needs itself, however long the way round
    if any(first + count > frame.holds[0][0] for first, count in frame.references):
        raise damaged(what, "a frame refers to later contents than its own")


def head(table: bytes, delta: bytes | None) -> bytes:
    """The head of a pack."""
    return skippable(0, table) + (b"" if delta is None else skippable(1, delta))


def split_head(what: str, data: bytes) -> tuple[bytes, bytes | None]:
    """The table and the index delta (None: there is none) of the head *data* of a pack.

    :raises Damaged: it is none.
    """
    parts: list[bytes] = []
    at = 0
    while at < len(data):
        if len(data) - at < _SKIPPABLE.size or len(parts) == 2:
            raise damaged(what, "its head is no sequence of a table and a delta")
        magic, size = _SKIPPABLE.unpack_from(data, at)
        at += _SKIPPABLE.size
        if magic != SKIPPABLE + len(parts) or size > len(data) - at:
            raise damaged(what, "its head is no sequence of a table and a delta")
        parts.append(data[at : at + size])
        at += size
    if not parts:
        raise damaged(what, "it has no head")
    return parts[0], parts[1] if len(parts) == 2 else None


def seek_table(head_parts: t.Sequence[bytes], frames: t.Sequence[Frame]) -> bytes:
    """The last frame of the file: compressed and decompressed sizes of all frames; 0 for what can be skipped."""
    entries = [(_SKIPPABLE.size + len(part), 0) for part in head_parts]
    entries += [(frame.size, frame.blocks() * BLOCK) for frame in frames]
    data = b"".join(struct.pack("<II", *entry) for entry in entries)
    return skippable(_SEEK_TABLE, data + struct.pack("<IBI", len(entries), 0, _SEEKABLE))


def total(ids: t.Iterable[Ids]) -> int:
    """How many contents these are."""
    return sum(map(operator.itemgetter(1), ids))
