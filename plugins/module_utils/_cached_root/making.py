# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a root: a snapshot of one that is here, brought to what is published, checked, and closed to writing."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from .._blocks.boot import Boot
from .._blocks.fetch import FetchFailed, Site
from .._blocks.local import Root as Known
from .._blocks.manifest import Manifest
from .._blocks.update import Update, Wanted
from .._blocks.values import BLOCK, Damaged
from .._blocks.volume import Volume
from .._errors import StatelessError
from .._volumes.store import NoRoom
from . import plan
from .boot_partition import INITRD, KERNEL
from .entries import Image
from .machine import Machine
from .plan import Removal, Situation
from .room import Pool, need
from .volumes import Root

#: Bytes of the boot partition that stay free.
_BOOT_SPARE = 1024**2


@dataclasses.dataclass
class Making:
    """How a root is made. A context manager, that has the root open that it is made from."""

    machine: Machine
    image: Image
    now: Situation
    #: removes what has to go, and looks again
    remove: t.Callable[[Situation, Removal], Situation]

    def __enter__(self) -> Making:
        """Look up what is published, and plan. Nothing is changed.

        :raises StatelessError: it cannot be had, or not be believed, or not be booted.
        """
        machine, protosystem = self.machine, self.image[0]
        with contextlib.ExitStack() as stack:
            parent = plan.parent(self.now, self.image, self._is_known) or self._recognised()
            self.parent: Image | None = parent.image if parent is not None else None
            self.own: Known | None = machine.known(self.parent) if self.parent is not None else None
            volume = None
            if self.parent is not None:
                volume = stack.enter_context(Volume(machine.store.path(self.parent)))
                # the root that runs is open, and stays
                stack.callback(machine.store.rest, self.parent)
            self.site: Site = machine.site(protosystem)
            local, trusting = machine.local(protosystem), machine.trusting(protosystem)
            self.update = Update(self.site, local, self.image[1], self.own, volume, trusting)
            machine.progress.step(f"look up {protosystem} {self.image[1]}")
            self.wanted: Wanted = self.update.plan(self.update.look_up())
            self.booted = bootable(self.wanted.manifest)
            self.need = need(self.wanted.changes)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def _is_known(self, image: Image) -> bool:
        return self.machine.known(image) is not None

    def _recognised(self) -> Root | None:
        """The root that runs, where state was lost: to read it costs less than to fetch another as a whole."""
        running = self.now.running
        if running is None or running[0] != self.image[0] or running == self.image:
            return None
        with contextlib.suppress(Damaged, FetchFailed):
            self.machine.recognised(running)
            return self.now.roots.get(running)
        return None

    # -- room

    def foresee(self) -> None:
        """Raise NoRoom if there would not be enough, whatever goes."""
        best = sum(root.used for one in (self._leftovers(), *self._surplus(every=True)) for root in one.roots)
        there = self.now.roots.get(self.image)
        # what a killed run has begun can be begun anew
        best += there.used if there is not None else 0
        self._check_pool(dataclasses.replace(self.now.roots.pool, used=self.now.roots.pool.used - best))

    def make_room(self) -> None:
        """Remove what has to go; nothing, if that would not be enough.

        :raises NoRoom: it is not.
        """
        self.foresee()
        self.now = self.remove(self.now, self._leftovers())
        for one in self._surplus(every=False):
            self.now = self.remove(self.now, one)
        rest = self.now.roots.get(self.image)
        if rest is not None and self.need.missing(self.now.roots.pool):
            self.now = self.remove(self.now, Removal(roots=(rest,)))
        for one in self._surplus(every=True):
            if not self.need.missing(self.now.roots.pool) and not self._boot_is_full():
                break
            self.now = self.remove(self.now, one)
        self._check_pool(self.now.roots.pool)
        full = self._boot_is_full()
        if full:
            raise NoRoom(full)

    def _leftovers(self) -> Removal:
        return plan.leftovers(self.now, self.image)

    def _surplus(self, every: bool) -> list[Removal]:
        return plan.surplus(self.now, self.image, self.parent, every)

    def _boot_is_full(self) -> str:
        """Why the boot partition does not take kernel and initrd; empty: it does."""
        sizes = {KERNEL: self.booted.kernel.size, INITRD: self.booted.initrd.size}
        with self.machine.boot(False) as boot:
            free, missing = boot.free(), boot.missing(self.image, sizes)
        if not missing or free >= missing + _BOOT_SPARE:
            return ""
        return f"the boot partition has {free >> 20} MiB free; kernel and initrd take {missing >> 20} MiB"

    def _check_pool(self, pool: Pool) -> None:
        missing = self.need.missing(pool)
        if missing:
            roots = (f"{one.protosystem} {one.serial} with {one.used >> 20} MiB" for one in self.now.roots.roots)
            there = ", ".join(roots) or "no root"
            name = f"{self.image[0]} {self.image[1]}"
            raise NoRoom(f"the pool has no room for {name}: it needs {missing}; there is {there}")

    # -- the root

    def make(self) -> None:
        """Make it, in the room that there is; a killed run is gone on with."""
        machine, manifest = self.machine, self.wanted.manifest
        resumed = self._begin(manifest.blocks * BLOCK)
        machine.progress.begin("fetch", self.wanted.plan.bytes())
        with Volume(machine.store.path(self.image), writable=True) as target:
            before = self.own.index.blocks if self.own is not None else 0
            if before > manifest.blocks:
                # behind the end of a root, there is nothing but zeros
                target.zero(manifest.blocks, before - manifest.blocks)
            os.makedirs(machine.places.spool, mode=0o700, exist_ok=True)
            self.update.run(target, machine.places.spool, resumed=resumed, wanted=self.wanted)
        machine.progress.end()
        machine.store.finish(self.image)

    def _begin(self, size: int) -> bool:
        """Have a volume to write to; whether it is one that a killed run has begun."""
        store = self.machine.store
        there = self.now.roots.get(self.image)
        if there is not None and there.origin == self.parent and there.size >= size:
            store.resume(self.image)
            return True
        if there is not None:
            self.now = self.remove(self.now, Removal(roots=(there,)))
        self.machine.progress.step(f"make the volume of {self.image[0]} {self.image[1]}")
        # how far another volume of that name was, says nothing of this one
        self.machine.local(self.image[0]).forget(self.image[1])
        store.begin(self.image, size, self.parent)
        return False


def bootable(manifest: Manifest) -> Boot:
    """How a serial is booted; raises StatelessError if it cannot be."""
    if manifest.boot is None:
        raise StatelessError(f"{manifest.protosystem} {manifest.serial} has no kernel: nothing can boot it")
    return manifest.boot
