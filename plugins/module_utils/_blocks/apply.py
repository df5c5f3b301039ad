# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Do what a plan says to a volume. Every block is checked before it is written.

Nothing is read from the volume that is written to: doing any part of it again does no harm.
"""

from __future__ import annotations

import dataclasses
import mmap
import tempfile
import typing as t

from .choose import Fetch, Plan, Span, spans
from .fetch import Site
from .held import Holder
from .index import Index, Run
from .pack import Ids, frame_digest, total
from .tree import Digests
from .values import BLOCK, DIGEST, FRAME_BLOCKS, FRAME_REFERENCES, column, damaged, sha256
from .volume import Volume
from .zstd import Decompressor

#: blocks that an interruption may cost
_NOTED = 16384


@dataclasses.dataclass
class Applying:
    """Bring *target* to where *plan* leads.

    :arg holder: the volume of the serial that the client has; it is not *target*. None: there is none.
    :arg digests: of the contents that the client has; those of new ones are added.
    :arg spool: a directory for contents that are needed on the way alone.
    """

    what: str
    plan: Plan
    target: Volume
    holder: Holder | None
    digests: Digests
    site: Site
    spool: str

    def __post_init__(self) -> None:
        self._decompressor = Decompressor()
        # memory that is there once it is touched
        self._content = mmap.mmap(-1, FRAME_BLOCKS * BLOCK)
        self._prefix = mmap.mmap(-1, FRAME_REFERENCES * BLOCK)
        self._spool: _Spool | None = None
        self._note: t.Callable[[int], None] | None = None
        self._frames = self._since = 0

    def run(self, done: int = 0, note: t.Callable[[int], None] | None = None) -> None:
        """Do it.

        :arg done: how many frames an interrupted run noted.
        :arg note: is told how many frames are written and on the device, now and then.
        :raises Damaged: something is not what it should be; what was written until then is.
        :raises FetchFailed: a frame cannot be had.
        """
        for at, count in self.plan.zeros:
            self.target.zero(at, count)
        for run in self.plan.moves:
            self._move(run)
        fetches = [fetch for span in self.plan.spans for fetch in span.fetches]
        if any(fetch.keep for fetch in fetches):
            # what the interrupted run kept is gone
            done, note = 0, None
        self._note, self._frames, self._since = note, done, 0
        for span in spans(fetches[done:]):
            self._span(span)
        if self._spool is not None:
            self._spool.close()

    def _noted(self, blocks: int) -> None:
        self._frames += 1
        self._since += blocks
        if self._note is not None and self._since >= _NOTED:
            self.target.sync()
            self.digests.sync()
            self._note(self._frames)
            self._since = 0

    def _move(self, run: Run) -> None:
        for part in run.pieces():
            data = bytearray(BLOCK * part.length)
            view = memoryview(data)
            if self.holder is None:
                raise damaged(self.what, f"there is nothing to take the content {part.first} from")
            self.holder.read(view, [(part.first, part.length)])
            if _digests(view, part.length) != self.digests.get(part.first, part.length):
                raise damaged(
                    self.holder.volume.path, f"contents {part.first} to {part.first + part.length} are not as they were"
                )
            self.target.write(part.at, view)

    def _span(self, span: Span) -> None:
        with self.site.stream(span.pack.file, span.start, span.end) as stream:
            for fetch in span.fetches:
                stream.skip(fetch.frame.offset - stream.at)
                self.frame(fetch, stream.read(fetch.frame.size))
                self._noted(fetch.frame.blocks())

    def frame(self, fetch: Fetch, data: bytes) -> None:
        """Check a frame and write what is wanted of it."""
        frame = fetch.frame
        view = memoryview(self._content)[: BLOCK * frame.blocks()]
        prefix = memoryview(self._prefix)[: BLOCK * total(frame.references)]
        if frame.references:
            self._references(prefix, frame.references)
        self._decompressor.into(fetch.pack.file, view, data, prefix)
        digests = _digests(view, frame.blocks())
        if frame_digest((digests,)) != frame.digest:
            raise damaged(fetch.pack.file, f"the content of the frame at {frame.offset} is not what its table says")
        places = []
        done = 0
        for first, count in frame.holds:
            self.digests.put(first, digests[DIGEST * done : DIGEST * (done + count)])
            places.append((first, count, done))
            done += count
        for run in fetch.writes:
            place = next(place for place in places if place[0] <= run.first < place[0] + place[1])
            start = place[2] + run.first - place[0]
            self.target.write(run.at, view[BLOCK * start : BLOCK * (start + run.length)])
        if fetch.keep:
            self._spool = self._spool or _Spool(self.spool)
            self._spool.add(frame.holds, view)

    def _references(self, view: memoryview, ids: t.Iterable[Ids]) -> None:
        done = 0
        for first, count in ids:
            pieces = self.holder.held.find(first, count) if self.holder else [(first, count, None)]
            for one, length, at in pieces:
                part = view[BLOCK * done : BLOCK * (done + length)]
                if at is not None and self.holder is not None:
                    self.holder.volume.read_into(part, at)
                elif self._spool is not None:
                    self._spool.read(part, [(one, length)])
                else:
                    raise damaged(self.what, f"the content {one} is referred to before it is there")
                done += length


def _digests(view: memoryview, count: int) -> bytes:
    return b"".join([sha256(view[start : start + BLOCK]).digest() for start in range(0, BLOCK * count, BLOCK)])


class _Spool:
    """Contents of frames, in a file without a name."""

    def __init__(self, directory: str) -> None:
        self._file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - until it is closed
        self._volume = Volume(f"/proc/self/fd/{self._file.fileno()}", writable=True)
        self._index = Index.empty(0)
        self._holder: Holder | None = None

    def close(self) -> None:
        self._volume.__exit__()
        self._file.close()

    def add(self, holds: t.Sequence[Ids], view: memoryview) -> None:
        """Keep the contents of a frame."""
        at = self._index.blocks
        self._volume.resize(at + total(holds))
        self._volume.write(at, view)
        one, count, first = column(self._index.at), column(self._index.count), column(self._index.first)
        for start, length in holds:
            one.append(at)
            count.append(length)
            first.append(start)
            at += length
        self._index = Index(at, one, count, first)
        self._holder = None

    def read(self, view: memoryview, ids: t.Iterable[Ids]) -> None:
        """Contents that were kept."""
        if self._holder is None:
            self._holder = Holder(self._index, self._volume)
        self._holder.read(view, ids)
