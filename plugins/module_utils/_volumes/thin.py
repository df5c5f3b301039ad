# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store ``lvm``: a thin volume per volume, in one thin pool.

Logical volumes that are ours bear the tag ``stateless.linux``; no other is ever listed or touched. Snapshots are
read-only and not activated at boot (activation skip), unless :meth:`ThinStore.autoactivate` asks for it.
"""

from __future__ import annotations

import os
import typing as t

from .._errors import NotFound
from . import lvm, lvm_report, thin_delta
from .lvm_snapshot_rules import POOL_DATA_LIMIT, POOL_METADATA_LIMIT
from .store import NoRoom, Store, Volume

#: lvm(8) tag of the volumes of this store.
TAG = "stateless.linux"


class ThinStore(Store):
    """Volumes in the thin pool *vg*/*pool*."""

    def __init__(self, vg: str, pool: str, marks: str = thin_delta.MARKS) -> None:
        self.vg = vg
        self.pool = pool
        self._marks = marks

    def _lvs(self) -> dict[str, lvm_report.LogicalVolume]:
        return {volume.name: volume for volume in lvm.read(self.vg).tagged(TAG) if volume.pool == self.pool}

    def _of(self, volumes: t.Mapping[str, lvm_report.LogicalVolume], name: str) -> lvm_report.LogicalVolume:
        volume = volumes.get(name)
        if volume is None:
            raise NotFound(f"there is no volume {name} with the tag {TAG} in the thin pool {self.vg}/{self.pool}")
        return volume

    def volumes(self) -> dict[str, Volume]:
        return {
            name: Volume(
                name=name,
                size=volume.size,
                used=None if volume.data_percent is None else round(volume.size * volume.data_percent / 100),
                read_only=volume.read_only,
            )
            for name, volume in self._lvs().items()
        }

    def check_create(self, size: int) -> None:
        self._check_pool()

    def check_snapshot(self, origin: str) -> None:
        self._check_pool()

    def _check_pool(self) -> None:
        data, metadata = lvm.pool_usage(self.vg, self.pool)
        # a full pool breaks every volume in it
        for what, used, limit in (("data", data, POOL_DATA_LIMIT), ("metadata", metadata, POOL_METADATA_LIMIT)):
            if used is not None and used >= limit:
                raise NoRoom(
                    f"the thin pool {self.vg}/{self.pool} uses {used:g} % of its {what}, the limit is {limit:g} %: "
                    "extend it (lvextend) or remove snapshots first"
                )

    def create(self, name: str, size: int) -> None:
        lvm.create_thin(self.vg, self.pool, name, size, (TAG,))

    def snapshot(self, origin: str, name: str, standstill: t.ContextManager[object]) -> None:
        # LVM freezes a mounted filesystem by itself while it suspends the origin
        lvm.create_snapshot(self.vg, origin, name, tags=(TAG,), read_only=True)

    def rename(self, old: str, new: str) -> None:
        lvm.rename(self.vg, old, new)

    def grow(self, name: str, size: int) -> None:
        lvm.extend(self.vg, name, size)

    def remove(self, name: str) -> None:
        lvm.remove(self.vg, name)

    def attach(self, *names: str) -> list[str]:
        volumes = self._lvs()
        wanted = [self._of(volumes, name) for name in names]
        resting = [volume.name for volume in wanted if not volume.active]
        if resting:
            lvm.activate(self.vg, *resting)
        return [volume.path for volume in wanted]

    def detach(self, *names: str) -> None:
        volumes = self._lvs()
        there = [volumes[name] for name in names if name in volumes]
        idle = [volume.name for volume in there if volume.active and volume.activation_skip and not volume.open]
        if idle:
            lvm.deactivate(self.vg, *idle)

    def autoactivate(self, name: str, wanted: bool) -> None:
        if self._of(self._lvs(), name).activation_skip == wanted:
            lvm.change(self.vg, name, activation_skip=not wanted)

    def mount_source(self, name: str) -> tuple[str, tuple[str, ...]]:
        return lvm_report.path(self.vg, name), ()

    def differences(self, old: str | None, new: str) -> list[tuple[int, int]] | None:
        """The pool's own map says it."""
        ids = lvm.thin_ids(self.vg)
        for name in filter(None, (old, new)):
            if name not in ids:
                raise NotFound(f"there is no thin volume {self.vg}/{name}")
        found = thin_delta.Pool(self.vg, self.pool, self._marks)
        return found.differences(None if old is None else ids[old], ids[new])

    def devices(self, name: str) -> list[str]:
        path = lvm_report.path(self.vg, name)
        return [path] if os.path.exists(path) else []
