# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a disk is divided into, and how large each part is. Nothing here looks at a disk, or changes one."""

from __future__ import annotations

import dataclasses
import typing as t

from .._errors import InvalidValue

MIB = 1024**2
GIB = 1024**3
#: Bytes at the beginning of the disk, and at its end, that no partition has.
_MARGIN = MIB
#: Bytes of a chunk of the pool: what a snapshot's first write to any part of it costs.
CHUNK = 64 * 1024
#: Bytes of the pool's metadata for a chunk that a root has: a mapping of 16 bytes (thin-provisioning.txt of the
#: kernel), in B-tree nodes that may be half empty, with what keeps count of blocks.
PER_MAPPING = 64
#: Roots that the pool's metadata has room for, each with all its blocks for itself.
_ROOTS = 8
_EXTENT = 4 * MIB


@dataclasses.dataclass(frozen=True)
class Partition:
    """A partition: sfdisk(8)."""

    #: the name in the partition table, by which it is found
    name: str
    #: GPT partition type
    type: str
    #: bytes; None: all that is left
    size: int | None


ESP = Partition("stateless-esp", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", 256 * MIB)
BIOS = Partition("stateless-bios", "21686148-6449-6E6F-744E-656564454649", MIB)
BOOT = Partition("stateless-boot", "BC13C2FF-59E6-4262-A352-B275FD6F7172", 1 * GIB)
LVM = Partition("stateless-lvm", "E6D6D379-F507-44C2-A23C-238F2A3DF928", None)
PARTITIONS = (ESP, BIOS, BOOT, LVM)
_FIXED = sum(one.size or 0 for one in PARTITIONS)


@dataclasses.dataclass(frozen=True)
class Sizes:
    """The volumes of the group, in bytes."""

    state: int
    pool: int
    metadata: int


def script() -> str:
    """The input of sfdisk(8) that makes the partitions, aligned to 1 MiB."""
    lines = ["label: gpt", "unit: sectors", ""]
    for one in PARTITIONS:
        size = "" if one.size is None else f"size={one.size // MIB}MiB, "
        lines.append(f'{size}type={one.type}, name="{one.name}"')
    return "\n".join(lines) + "\n"


def default_state(disk: int) -> int:
    """Bytes for the state of a disk of so many: an eighth, from 1 to 32 GiB."""
    return min(max(disk // 8, GIB), 32 * GIB)


def sizes(disk: int, state: int, root: int) -> Sizes:
    """How the group of a disk is divided.

    :arg disk: its bytes.
    :arg state: bytes for the state.
    :arg root: bytes that a root takes of the pool.
    :raises InvalidValue: there is no room for a root and its successor.
    """
    group = (disk - _FIXED - 2 * _MARGIN) // _EXTENT * _EXTENT - _EXTENT
    state = _up(state)
    metadata = _up(max(64 * MIB, _ROOTS * PER_MAPPING * -(-root // CHUNK)))
    # LVM keeps as much again, to repair the metadata into
    pool = group - state - 2 * metadata
    if pool < 2 * root or pool <= 0:
        least = _FIXED + 2 * _MARGIN + state + 2 * metadata + 2 * _EXTENT + _up(2 * root)
        raise InvalidValue(
            "disk", f"{disk} bytes", f"a root of {root} bytes, with its successor and the state, takes {least} bytes"
        )
    return Sizes(state, pool, metadata)


def _up(size: int) -> int:
    return -(-size // _EXTENT) * _EXTENT


def is_ours(names: t.Iterable[str]) -> bool:
    """Whether partitions of these names, in order, are what :func:`script` makes."""
    return list(names) == [one.name for one in PARTITIONS]
