# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of the pool an update takes at most, and which roots have to go for it. Nothing here looks or acts."""

from __future__ import annotations

import dataclasses
import typing as t

from .._blocks.index import Run
from .._blocks.values import BLOCK
from .layout import CHUNK, MIB, PER_MAPPING

_BLOCKS = CHUNK // BLOCK
#: A share of the pool that stays free, whatever else.
_SPARE = 0.05
#: Bytes of metadata for the way down to what changed, and for LVM's own.
_METADATA = 4 * MIB


@dataclasses.dataclass(frozen=True)
class Pool:
    """How full a thin pool is, in bytes."""

    size: int
    used: int
    metadata: int
    metadata_used: int

    @property
    def free(self) -> int:
        """What may be taken."""
        return self.size - self.used - int(self.size * _SPARE)


@dataclasses.dataclass(frozen=True)
class Need:
    """What an update takes at most, in bytes."""

    data: int
    metadata: int

    def missing(self, pool: Pool) -> str:
        """What the pool does not have of it, in words; empty: it is enough."""
        said = []
        if self.data > pool.free:
            said.append(f"{_mib(self.data)} of data, where {_mib(max(pool.free, 0))} may be taken")
        free = pool.metadata - pool.metadata_used
        if self.metadata > free:
            said.append(f"{_mib(self.metadata)} of metadata, where {_mib(free)} are free")
        return "; ".join(said)


def need(changes: t.Iterable[Run]) -> Need:
    """What a snapshot needs for *changes* to it: every chunk that is written to becomes its own.

    Blocks that become zeros are given back where they are whole chunks; at the edges they are written.
    """
    count = 0
    # chunks below this are counted already: changes are ascending
    end = 0
    for run in sorted(changes):
        first, last = run.at // _BLOCKS, (run.at + run.length - 1) // _BLOCKS
        if not run.first and last > first + 1:
            touched = [range(max(first, end), first + 1), range(max(last, end), last + 1)]
        else:
            touched = [range(max(first, end), last + 1)]
        count += sum(map(len, touched))
        end = max(end, last + 1)
    return Need(count * CHUNK, count * PER_MAPPING + _METADATA)


def _mib(size: int) -> str:
    return f"{size / MIB:.0f} MiB"
