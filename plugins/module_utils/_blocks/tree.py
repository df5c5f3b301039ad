# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest of a whole volume, as a hash tree: what changed costs, not what is there.

A leaf is the SHA-256 of a block. 256 digests are a page, whose SHA-256 is one of the next level, and so on until there
is one. What is missing at the end counts as zeros. Blocks of zeros, and pages of nothing but such, have the digest of
32 zero bytes: they cost nothing. The root is the SHA-256 of ``SLBROOT`` and a zero byte, the number of blocks as 8
bytes, little-endian, and the last digest.

Pages have 8192 bytes and blocks 4096: none passes for the other.
"""

from __future__ import annotations

import os
import typing as t

from .index import Index, Run
from .values import DIGEST, sha256

#: digests of a page
PAGE = 256
_ZERO = bytes(DIGEST)
_ZERO_PAGE = bytes(DIGEST * PAGE)


class Digests:
    """The digests of contents by id, in a file that is read and written in place.

    An id means one content for ever, so a file is right for all volumes of a protosystem; what it says of an id that
    nobody has put there is nothing, or zeros.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        os.close(self._file)

    def get(self, first: int, count: int) -> bytes:
        """The digests of *count* contents from the id *first*."""
        data = os.pread(self._file, DIGEST * count, DIGEST * first)
        return data + bytes(DIGEST * count - len(data))

    def put(self, first: int, digests: bytes) -> None:
        """Note the digests of contents from the id *first*."""
        os.pwrite(self._file, digests, DIGEST * first)

    def sync(self) -> None:
        """fdatasync(2)."""
        os.fdatasync(self._file)


#: The digests of *count* contents from the id *first*: ``Digests.get``
Get = t.Callable[[int, int], bytes]


def pages_of(index: Index, get: Get) -> bytearray:
    """The digests of all pages of the volume."""
    pages = bytearray()
    update(pages, 0, index, get, index.runs())
    return pages


def update(pages: bytearray, blocks: int, index: Index, get: Get, changes: t.Iterable[Run]) -> None:
    """Bring the digests of pages, of a volume of *blocks* blocks, to those of *index*, which came of *changes*."""
    size = DIGEST * -(-index.blocks // PAGE)
    # a page has lost blocks with a volume that became shorter, and *changes* do not say so
    touched = {index.blocks // PAGE} if index.blocks % PAGE and index.blocks < blocks else set()
    del pages[size:]
    pages.extend(bytes(size - len(pages)))
    for run in changes:
        touched.update(range(run.at // PAGE, (run.at + run.length - 1) // PAGE + 1))
    for page in touched:
        pages[DIGEST * page : DIGEST * (page + 1)] = _page(leaves(index, get, page * PAGE, PAGE))


def leaves(index: Index, get: Get, at: int, count: int) -> bytes:
    """The digests of blocks *at* to *at* + *count*, or to the volume's end."""
    runs = index.part(at, min(count, index.blocks - at))
    return b"".join(get(run.first, run.length) if run.first else bytes(DIGEST * run.length) for run in runs)


def root(blocks: int, pages: bytes) -> bytes:
    """The digest of a volume of *blocks* blocks by the digests of its pages."""
    level = bytes(pages)
    while len(level) > DIGEST:
        step = DIGEST * PAGE
        level = b"".join(_page(level[at : at + step]) for at in range(0, len(level), step))
    return sha256(b"SLBROOT\0" + blocks.to_bytes(8, "little") + (level or _ZERO)).digest()


def _page(data: bytes) -> bytes:
    data = data.ljust(DIGEST * PAGE, b"\0")
    return _ZERO if data == _ZERO_PAGE else sha256(data).digest()
