# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""LVM snapshot volumes as the modules return them."""

from __future__ import annotations

import typing as t

from . import lvm
from .lvm_report import LogicalVolume, VolumeGroup
from .lvm_snapshot_rules import kind_of
from .lvm_values import check_existing_name, check_vg_name

#: what is returned of a thin pool
_POOL = ("vg", "name", "size", "metadata_size", "active", "data_percent", "metadata_percent")


def find(vg: str | None = None, origin: str | None = None, name: str | None = None) -> dict[str, t.Any]:
    """What ``lvm_snapshot_info`` returns: the snapshots, if given of *vg*, *origin* and *name*, and the thin pools.

    :raises NotFound: there is no volume group *vg*.
    """
    if vg is not None:
        check_vg_name("vg", vg)
    for option, value in (("origin", origin), ("name", name)):
        if value is not None:
            check_existing_name(option, value)
    groups = lvm.read_all() if vg is None else {vg: lvm.read(vg)}
    snapshots, pools = [], []
    for _vg, group in sorted(groups.items()):
        for _name, one in sorted(group.volumes.items()):
            if one.is_snapshot and origin in (None, one.origin) and name in (None, one.name):
                snapshots.append(describe(group, one))
            if one.is_pool and "thin" in one.layout:
                pools.append({key: getattr(one, key) for key in _POOL})
    return {"snapshots": snapshots, "pools": pools}


def describe(group: VolumeGroup, snapshot: LogicalVolume) -> dict[str, t.Any]:
    """A snapshot as the modules return it."""
    pool = group.get(snapshot.pool)
    return {
        "vg": snapshot.vg,
        "name": snapshot.name,
        "path": snapshot.path,
        "origin": snapshot.origin,
        "kind": kind_of(snapshot),
        "pool": snapshot.pool or None,
        "size": snapshot.size,
        "tags": list(snapshot.tags),
        "read_only": snapshot.read_only,
        "active": snapshot.active,
        "activation_skip": snapshot.activation_skip,
        "data_percent": snapshot.data_percent,
        "metadata_percent": None if pool is None else pool.metadata_percent,
        # LVM asks the kernel, which knows only of an active COW snapshot; a thin one does not become invalid
        "valid": (not snapshot.invalid) if snapshot.active or not snapshot.is_cow else None,
        "merging": snapshot.merging,
        "created": snapshot.created or None,
    }


def merge_waits(group: VolumeGroup, snapshot: LogicalVolume) -> bool:
    """Whether the merge of *snapshot* waits until its origin, now active, is deactivated and activated again."""
    origin = group.get(snapshot.origin)
    if not snapshot.merging or origin is None or not origin.active:
        return False
    # While a COW snapshot is being merged, its origin has a percentage. (So has a thin origin at any time: of that, a
    # merge that runs after activation is taken for one that waits.) A thin snapshot is merged at once.
    return not snapshot.is_cow or origin.is_thin or origin.data_percent is None
