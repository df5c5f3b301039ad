# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which contents a store has: from a digest to an id. The publisher's own; clients never see it.

Two files: ``digests`` (32 bytes by id), which says all, and ``lookup``, a hash table of ids that is made anew from it
whenever it does not fit. Both are mapped, not read: memory and time are those of what is looked up. What a killed run
added counts for nothing, since the last manifest says how many contents there are.
"""

from __future__ import annotations

import mmap
import os
import struct
import typing as t

from .._room import room_for
from .values import DIGEST

_HEAD = struct.Struct("<8sQ")
_MAGIC = b"SLBKNOWN"
_NONE = bytes(DIGEST)


class Known:
    """The contents 1 to *contents* - 1 of the store in *directory*, and room for *more*. A context manager."""

    def __init__(self, directory: str, contents: int, more: int) -> None:
        self.contents = contents
        self._path = directory
        limit = contents + more
        self._file = os.open(os.path.join(directory, "digests"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # what is behind the last content is of a killed run
        os.ftruncate(self._file, DIGEST * contents)
        # room is found now: a page of a file that has none kills whoever writes to its memory
        with room_for("the digests of blocks", directory):
            os.posix_fallocate(self._file, 0, DIGEST * (limit + 1))
        self._digests = mmap.mmap(self._file, DIGEST * (limit + 1))
        self._size = 1 << max(16, (2 * limit).bit_length())
        self._open_lookup()

    def __enter__(self) -> Known:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _open_lookup(self) -> None:
        path = os.path.join(self._path, "lookup")
        self._lookup_file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        length = os.fstat(self._lookup_file).st_size
        head = os.pread(self._lookup_file, _HEAD.size, 0)
        fits = length >= _HEAD.size + 4 * self._size and head == _HEAD.pack(_MAGIC, self.contents)
        if fits:
            self._size = (length - _HEAD.size) // 4
        else:
            os.ftruncate(self._lookup_file, 0)
            with room_for("the digests of blocks", self._path):
                os.posix_fallocate(self._lookup_file, 0, _HEAD.size + 4 * self._size)
        # until it is closed, it fits nothing
        os.pwrite(self._lookup_file, _HEAD.pack(_MAGIC, 0), 0)
        self._lookup = mmap.mmap(self._lookup_file, 0)
        self._slots = memoryview(self._lookup)[_HEAD.size :].cast("I")
        self._mask = self._size - 1
        if not fits:
            for content in range(1, self.contents):
                digest = self.digest(content)
                if digest != _NONE:
                    self._insert(digest, content)

    def close(self) -> None:
        """Keep what was added."""
        self._slots.release()
        self._lookup[: _HEAD.size] = _HEAD.pack(_MAGIC, self.contents)
        self._lookup.close()
        os.close(self._lookup_file)
        self._digests.close()
        os.ftruncate(self._file, DIGEST * self.contents)
        os.fsync(self._file)
        os.close(self._file)

    def digest(self, content: int) -> bytes:
        """The digest of a content."""
        return self._digests[DIGEST * content : DIGEST * (content + 1)]

    def get(self, first: int, count: int) -> bytes:
        """As ``tree.Digests.get``."""
        return self._digests[DIGEST * first : DIGEST * (first + count)]

    def find(self, digest: bytes) -> int:
        """The id of the content with this digest; 0: the store does not have it."""
        place = int.from_bytes(digest[:8], "little") & self._mask
        while True:
            content = self._slots[place]
            if not content or self._digests[DIGEST * content : DIGEST * (content + 1)] == digest:
                return content
            place = (place + 1) & self._mask

    def add(self, digest: bytes) -> int:
        """The id of a content that the store gets now."""
        content = self.contents
        self._digests[DIGEST * content : DIGEST * (content + 1)] = digest
        self._insert(digest, content)
        self.contents += 1
        return content

    def learn(self, content: int, digest: bytes) -> None:
        """Know a content that the store has, again."""
        self._digests[DIGEST * content : DIGEST * (content + 1)] = digest
        if self.find(digest) != content:
            self._insert(digest, content)

    def forget(self, ids: t.Iterable[tuple[int, int]]) -> None:
        """Find these contents no more: the store is going to lose them."""
        for first, count in ids:
            self._digests[DIGEST * first : DIGEST * (first + count)] = bytes(DIGEST * count)

    def _insert(self, digest: bytes, content: int) -> None:
        place = int.from_bytes(digest[:8], "little") & self._mask
        while self._slots[place]:
            place = (place + 1) & self._mask
        self._slots[place] = content
