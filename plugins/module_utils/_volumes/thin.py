# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store ``lvm``: a thin volume per volume, in one thin pool.

Logical volumes that are ours bear the tag ``stateless.linux``; no other is ever listed or touched. Snapshots are
read-only and not activated at boot (activation skip), unless :meth:`ThinStore.autoactivate` asks for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from .._command import CommandFailed
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
        self._known: dict[str, lvm_report.LogicalVolume] | None = None

    def _lvs(self) -> dict[str, lvm_report.LogicalVolume]:
        """The volumes, as LVM said until this run has changed something; whether one is open may have changed since.

        A run of ``lvs`` takes 0.3 to 2 seconds on a small machine, as lvm.py says. Nobody else changes the volumes of a
        protosystem meanwhile: whoever uses a store has its lock.
        """
        if self._known is None:
            found = lvm.read(self.vg).tagged(TAG)
            self._known = {volume.name: volume for volume in found if volume.pool == self.pool}
        return self._known

    @contextlib.contextmanager
    def _changing(self) -> t.Iterator[None]:
        """Whatever comes of it, what was read before does not count any more."""
        try:
            yield
        finally:
            self._known = None

    def _of(self, name: str) -> lvm_report.LogicalVolume:
        volume = self._lvs().get(name)
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
        with self._changing():
            lvm.create_thin(self.vg, self.pool, name, size, (TAG,))

    def snapshot(self, origin: str, name: str, standstill: t.ContextManager[object]) -> None:
        with self._changing():
            # LVM freezes a mounted filesystem by itself while it suspends the origin
            lvm.create_snapshot(self.vg, origin, name, tags=(TAG,), read_only=True)

    def rename(self, old: str, new: str) -> None:
        with self._changing():
            lvm.rename(self.vg, old, new)

    def grow(self, name: str, size: int) -> None:
        with self._changing():
            lvm.extend(self.vg, name, size)

    def remove(self, name: str) -> None:
        with self._changing():
            lvm.remove(self.vg, name)

    def attach(self, *names: str) -> list[str]:
        self._activate(self._resting(names))
        return [lvm_report.path(self.vg, name) for name in names]

    def _resting(self, names: t.Sequence[str]) -> list[str]:
        return [volume.name for volume in map(self._of, names) if not volume.active]

    def _activate(self, names: t.Sequence[str], wanted: bool = True) -> None:
        if not names:
            return
        known = self._known
        with self._changing():
            (lvm.activate if wanted else lvm.deactivate)(self.vg, *names)
        if known is not None:
            # nothing else of them has changed
            changed = {name: dataclasses.replace(known[name], active=wanted) for name in names if name in known}
            self._known = {**known, **changed}

    def detach(self, *names: str) -> None:
        # who has one open may have come and gone
        self._known = None
        volumes = self._lvs()
        there = [volumes[name] for name in names if name in volumes]
        idle = [volume.name for volume in there if volume.active and volume.activation_skip and not volume.open]
        self._activate(idle, wanted=False)

    @contextlib.contextmanager
    def attached(self, *names: str) -> t.Iterator[list[str]]:
        resting = self._resting(names)
        try:
            self._activate(resting)
            yield [lvm_report.path(self.vg, name) for name in names]
        finally:
            try:
                self._activate(resting, wanted=False)
            except CommandFailed:
                # somebody else has come to use one
                self.detach(*resting)

    def autoactivate(self, name: str, wanted: bool) -> None:
        if self._of(name).activation_skip == wanted:
            with self._changing():
                lvm.change(self.vg, name, activation_skip=not wanted)

    def mount_source(self, name: str) -> tuple[str, tuple[str, ...]]:
        return lvm_report.path(self.vg, name), ()

    def differences(self, old: str | None, new: str) -> list[tuple[int, int]] | None:
        """The pool's own map says it."""
        found = thin_delta.Pool(self.vg, self.pool, self._marks)
        return found.differences(None if old is None else self._id(old), self._id(new))

    def _id(self, name: str) -> int:
        number = self._of(name).thin_id
        if number is None:
            raise NotFound(f"the thin pool {self.vg}/{self.pool} has no number for the volume {name}")
        return number

    def devices(self, name: str) -> list[str]:
        path = lvm_report.path(self.vg, name)
        return [path] if os.path.exists(path) else []
