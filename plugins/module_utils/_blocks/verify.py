# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a volume is what its index says, block by block; and which blocks are not."""

from __future__ import annotations

import typing as t

from .index import Index, Run, joined
from .tree import Get
from .values import BLOCK, DIGEST, ZERO, sha256
from .volume import Volume, is_zero


def differing(volume: Volume, index: Index, get: Get) -> t.Iterator[Run]:
    """The blocks that differ, as the changes that mend them: ``choose.plan`` says what that takes.

    :arg get: digests by id (``tree.Digests.get``), checked against the root of the tree before.
    """
    return joined(_differing(volume, index, get))


def _differing(volume: Volume, index: Index, get: Get) -> t.Iterator[Run]:
    for run in index.part(0, index.blocks):
        for part in run.pieces():
            data = volume.read(part.at, part.length)
            if not run.first and is_zero(data):
                continue
            digests = get(part.first, part.length) if run.first else b""
            for number in range(part.length):
                block = data[BLOCK * number : BLOCK * (number + 1)]
                expected = digests[DIGEST * number : DIGEST * (number + 1)]
                if (sha256(block).digest() != expected) if run.first else block != ZERO:
                    yield part.part(number, 1)
