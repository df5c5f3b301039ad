# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a pack: blocks in, frames out; and its head last, before them."""

from __future__ import annotations

import mmap
import os
import tempfile
import typing as t

from .pack import Frame, Ids, Table, encode_table, frame_digest, head, seek_table, total
from .values import BLOCK, FRAME_BLOCKS, FRAME_REFERENCES, sha256
from .zstd import Compressor, Effort

#: bytes that are copied at once
_PIECE = 1024**2


class Level(t.NamedTuple):
    """How frames are made. Blocks are at most those of the format."""

    #: for frames with references, and for those without
    against: Effort
    plain: Effort
    #: a frame with references, and one without, ends with the group that reaches so many blocks
    blocks: int
    plain_blocks: int
    #: blocks of references together
    references: int


LEVELS = {
    "default": Level(Effort(3, 21, 20, long=True), Effort(6), 2048, 2048, 4096),
    "thorough": Level(Effort(18, long=True), Effort(12), 2048, 2048, 6144),
}


class Made(t.NamedTuple):
    """A pack that is written, but for its name."""

    path: str
    name: str
    size: int
    head: int
    #: of the head
    sha256: str
    frames: t.Sequence[Frame]

    def bounds(self) -> Ids:
        """The least id, and one more than the largest."""
        return Table(self.frames).bounds()


class Packer:
    """A pack in the making, in a file without a name in *directory*, on the filesystem that it will be on.

    :arg read: fills a view with the contents of ids, for references.
    :arg note: is told of each frame what it holds, and what it refers to.
    """

    def __init__(
        self,
        directory: str,
        level: Level,
        read: t.Callable[[memoryview, t.Sequence[Ids]], None],
        note: t.Callable[[t.Sequence[Ids], t.Sequence[Ids]], None] | None = None,
    ) -> None:
        self._directory = directory
        self._level = level
        self._read = read
        self._note = note
        self._frames: list[Frame] = []
        self._body = tempfile.TemporaryFile(dir=directory, prefix=".stateless-pack:")  # noqa: SIM115 - until it is done
        # memory that is there once it is touched
        self._content = mmap.mmap(-1, FRAME_BLOCKS * BLOCK)
        self._prefix = mmap.mmap(-1, FRAME_REFERENCES * BLOCK)
        self._against: Compressor | None = None
        self._plain: Compressor | None = None
        self._holds: list[Ids] = []
        self._digests: list[bytes] = []
        self._references: list[Ids] = []

    def group(self, blocks: int, references: int) -> None:
        """Up to *blocks* blocks come, with so many *references*: end the frame if they do not fit to it."""
        against = bool(references)
        enough = self._level.blocks if against else self._level.plain_blocks
        held = len(self._digests)
        if held and (
            against != bool(self._references)
            or held + blocks > enough
            or total(self._references) + references > self._level.references
        ):
            self.end()

    def add(self, content: int, block: bytes, digest: bytes) -> None:
        """Add a block with its id, which is larger than all before."""
        held = len(self._digests)
        self._content[BLOCK * held : BLOCK * (held + 1)] = block
        self._digests.append(digest)
        if self._holds and sum(self._holds[-1]) == content:
            self._holds[-1] = self._holds[-1][0], self._holds[-1][1] + 1
        else:
            self._holds.append((content, 1))
        if held + 1 == FRAME_BLOCKS:
            self.end()

    def against(self, references: t.Iterable[Ids]) -> None:
        """Compress the frame that now begins or goes on against these, too."""
        for first, count in references:
            if self._references and sum(self._references[-1]) == first:
                self._references[-1] = self._references[-1][0], self._references[-1][1] + count
            else:
                self._references.append((first, count))

    def end(self) -> None:
        """End the frame, if one is begun."""
        held = len(self._digests)
        if held:
            content = memoryview(self._content)[: BLOCK * held]
            prefix = memoryview(self._prefix)[: BLOCK * total(self._references)]
            if self._references:
                self._read(prefix, self._references)
                self._against = self._against or Compressor(self._level.against)
                data = self._against.frame(content, prefix)
            else:
                self._plain = self._plain or Compressor(self._level.plain)
                data = self._plain.frame(content)
            self._body.write(data)
            if self._note is not None:
                self._note(self._holds, self._references)
            digest = frame_digest(self._digests)
            self._frames.append(Frame(0, len(data), tuple(self._holds), tuple(self._references), digest))
        self._holds, self._digests, self._references = [], [], []

    def done(self, serial: int, delta: bytes | None) -> Made:
        """Write the pack: :func:`write_pack`."""
        self.end()
        self._body.seek(0)
        made = write_pack(self._directory, serial, self._frames, delta, iter(lambda: self._body.read(_PIECE), b""))
        self.close()
        return made

    def close(self) -> None:
        """Forget what is not done."""
        self._body.close()


def write_pack(
    directory: str, serial: int, frames: t.Sequence[Frame], delta: bytes | None, body: t.Iterable[bytes]
) -> Made:
    """Write a pack beside where it will be: its name says what is in it.

    :arg serial: for which it was made, for whoever looks at the files.
    :arg body: the compressed frames, one after the other, in pieces.
    """
    table = encode_table(frames)
    top = head(table, delta)
    digest = sha256(top).hexdigest()
    descriptor, path = tempfile.mkstemp(prefix=".stateless-pack:", dir=directory)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(top)
            for piece in body:
                stream.write(piece)
            stream.write(seek_table([table] if delta is None else [table, delta], frames))
            size = stream.tell()
            stream.flush()
            os.fchmod(stream.fileno(), 0o644)
            os.fsync(stream.fileno())
    except BaseException:
        os.unlink(path)
        raise
    return Made(path, f"{serial}-{digest[:16]}.pack", size, len(top), digest, frames)
