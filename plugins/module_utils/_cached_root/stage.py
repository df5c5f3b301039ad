# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have a root booted next: plan all of it, then act. The root that runs is not written to.

Each step leaves what was, or what is to be; what a kill leaves behind, the next run knows (docs/caching-clients.md).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from .. import _files
from .._blocks import update
from .._blocks.boot import Boot
from .._blocks.fetch import Site
from .._blocks.local import Local, Root
from .._blocks.manifest import Manifest
from .._blocks.update import Update, Wanted
from .._blocks.values import BLOCK
from .._blocks.volume import Volume
from .._errors import InUse, NotFound, StatelessError
from .._volumes.store import NoRoom
from . import arguments, decisions, kernel, plan
from .boot_partition import BootPartition
from .entries import Entry, Image, following
from .plan import Removal, Situation, Way
from .progress import Progress
from .room import Need, Pool
from .room import need as need_of
from .settings import Places, Settings
from .volumes import Store

#: Bytes of the boot partition that stay free.
_BOOT_SPARE = 1024**2


@dataclasses.dataclass
class Machine:
    """A caching client, or what is becoming one."""

    vg: str
    store: Store
    #: opens the boot partition, to be written to or not
    boot: t.Callable[[bool], t.ContextManager[BootPartition]]
    places: Places
    settings: Settings
    progress: Progress
    #: the root that runs; None: it came over the network
    running: Image | None
    #: kernel arguments that are the machine's own
    arguments: t.Sequence[str] = ()

    def look(self) -> Situation:
        """What there is."""
        with self.boot(False) as boot:
            return self.situation(boot)

    def situation(self, boot: BootPartition) -> Situation:
        """The same, with the boot partition at hand."""
        entries, files = tuple(boot.entries()), tuple(boot.images())
        return Situation(self.store.read(), entries, files, self.running, self.settings.keep)

    def local(self, protosystem: str) -> Local:
        """What is known of a protosystem's roots."""
        return Local(protosystem, self.places.local(protosystem))

    def known(self, image: Image) -> Root | None:
        """What is known of a root."""
        return self.local(image[0]).root(image[1])

    def site(self, protosystem: str) -> Site:
        """Where it is published."""
        urls = self.settings.sites(protosystem)
        return Site(urls, limit=self.settings.limit or None, progress=self.progress.count)

    def locked(self) -> t.ContextManager[None]:
        """Nobody else changes roots meanwhile."""
        return _files.lock(self.places.lock, "another stateless command is changing the roots of this machine")

    def trusting(self, protosystem: str) -> t.Callable[[str, bytes, t.Sequence[bytes]], None]:
        """The check of manifests."""
        return update.trusting(protosystem, self.places.trusted)


@dataclasses.dataclass
class Staged:
    """What came of it."""

    image: Image
    way: Way
    #: bytes that were fetched
    fetched: int = 0
    requests: int = 0
    removed: tuple[Image, ...] = ()


def stage(machine: Machine, image: Image, *, again: bool = False) -> Staged:
    """Have *image* booted next.

    :arg again: even if it failed here, or somebody rolled back from it.
    :raises InUse: what runs is itself on trial.
    :raises NoRoom: there is not enough; nothing was begun.
    :raises StatelessError: anything else; what runs is as it was, and so is what is booted next.
    """
    with machine.locked(), machine.boot(True) as boot:
        now = machine.situation(boot)
        said = decisions.load(machine.places.decisions)
        refusal = said.refusal(image)
        if refusal and not again:
            raise InUse(refusal)
        if now.is_trial and image != now.running:
            raise InUse("the root that runs was not found healthy yet: wait for stateless-health.service")
        return _Staging(machine, boot, image, said.going_to(image)).run(now)


def rollback(machine: Machine, image: Image | None) -> Staged:
    """Have a root booted next that is here and was good; *image*, or the newest besides the one that runs.

    :raises NotFound: there is none.
    :raises StatelessError: as :func:`stage`.
    """
    with machine.locked(), machine.boot(True) as boot:
        now = machine.situation(boot)
        there = plan.good(now)
        others = [one for one in there if one != now.running]
        chosen = image if image is not None else next(iter(others), None)
        if chosen is None or chosen not in there:
            listed = ", ".join(f"{name} {serial}" for name, serial in there) or "none"
            wanted = f"{chosen[0]} {chosen[1]}" if chosen else "another one"
            raise NotFound(f"serial: there is no good root {wanted} on this disk; those that are good: {listed}")
        said = decisions.load(machine.places.decisions)
        next_ = following(now.entries)
        left = next_.image if next_ is not None and next_.image != chosen else now.running
        said = dataclasses.replace(said.going_to(chosen), held=left if left != chosen else None)
        return _Staging(machine, boot, chosen, said).run(now)


class _Staging:
    def __init__(self, machine: Machine, boot: BootPartition, image: Image, said: decisions.Decisions) -> None:
        self.machine = machine
        self.boot = boot
        self.image = image
        self.said = said
        self.result = Staged(image, Way.NOTHING)

    def run(self, now: Situation) -> Staged:
        self.result.way = way = plan.way(now, self.image)
        entry = plan.entry_for(now, self.image, self.machine.settings.tries)
        now = self._make(now) if way is Way.MAKE else self._remove(plan.leftovers(now, self.image))
        # before what is booted next changes: a timer that runs after a kill does not go back on it
        decisions.store(self.machine.places.decisions, self.said)
        if way in (Way.MAKE, Way.ENTRY):
            self._arm(entry)
        elif way is Way.CANCEL:
            self._remove(Removal(tuple(entry for entry in now.entries if entry.is_trial)))
        return self.result

    # -- the root

    def _make(self, now: Situation) -> Situation:
        machine, store = self.machine, self.machine.store
        parent = plan.parent(now, self.image, lambda image: machine.known(image) is not None)
        own = machine.known(parent.image) if parent is not None else None
        with contextlib.ExitStack() as stack:
            volume = stack.enter_context(Volume(store.path(parent.image))) if parent is not None else None
            site = machine.site(self.image[0])
            local = machine.local(self.image[0])
            trusting = machine.trusting(self.image[0])
            updating = Update(site, local, self.image[1], own, volume, trusting)
            machine.progress.step(f"look up {self.image[0]} {self.image[1]}")
            wanted = updating.plan(updating.look_up())
            boot = _boot(wanted.manifest)
            now = self._make_room(now, parent.image if parent else None, wanted, boot)
            resumed = self._begin(now, parent.image if parent else None, wanted.manifest.blocks * BLOCK)
            machine.progress.begin("fetch", wanted.plan.bytes())
            target = stack.enter_context(Volume(store.path(self.image), writable=True))
            before = own.index.blocks if own is not None else 0
            if before > wanted.manifest.blocks:
                # behind the end of a root, there is nothing but zeros
                target.zero(wanted.manifest.blocks, before - wanted.manifest.blocks)
            os.makedirs(machine.places.spool, mode=0o700, exist_ok=True)
            updating.run(target, machine.places.spool, resumed=resumed, wanted=wanted)
            machine.progress.end()
            self.result.fetched, self.result.requests = site.bytes, site.requests
        store.finish(self.image)
        if parent is not None:
            store.rest(parent.image)
        return machine.situation(self.boot)

    def _begin(self, now: Situation, parent: Image | None, size: int) -> bool:
        """Have a volume to write to; whether it is one that a killed run has begun."""
        store = self.machine.store
        there = now.roots.get(self.image)
        if there is not None and there.origin == parent and there.size >= size:
            store.resume(self.image)
            return True
        if there is not None:
            self._remove(Removal(roots=(there,)))
        self.machine.progress.step(f"make the volume of {self.image[0]} {self.image[1]}")
        store.begin(self.image, size, parent)
        return False

    def _make_room(self, now: Situation, parent: Image | None, wanted: Wanted, boot: Boot) -> Situation:
        """Remove what has to go; nothing, if that would not be enough."""
        need = need_of(wanted.changes)
        rest = now.roots.get(self.image)
        if rest is not None and need.missing(now.roots.pool):
            # what a killed run has begun already has a part of it: no more is needed than from the beginning
            now = self._remove(Removal(roots=(rest,)))
        files = boot.kernel.size + boot.initrd.size + _BOOT_SPARE
        spendable = [plan.leftovers(now, self.image), *plan.surplus(now, self.image, parent, every=True)]
        best = dataclasses.replace(
            now.roots.pool,
            used=now.roots.pool.used - sum(root.used for one in spendable for root in one.roots),
        )
        self._check_pool(now, need, best)
        now = self._remove(plan.leftovers(now, self.image))
        for one in plan.surplus(now, self.image, parent):
            now = self._remove(one)
        for one in plan.surplus(now, self.image, parent, every=True):
            if not need.missing(now.roots.pool) and self.boot.free() >= files:
                break
            now = self._remove(one)
        self._check_pool(now, need, now.roots.pool)
        free = self.boot.free()
        if free < files and self.image not in now.files:
            raise NoRoom(f"the boot partition has {free >> 20} MiB free; kernel and initrd take {files >> 20} MiB")
        return now

    def _check_pool(self, now: Situation, need: Need, pool: Pool) -> None:
        missing = need.missing(pool)
        if missing:
            wanted = f"{self.image[0]} {self.image[1]}"
            raise NoRoom(f"the pool has no room for {wanted}: it needs {missing}; {_listed(now)}")

    # -- what it is booted by

    def _arm(self, entry: Entry) -> None:
        machine = self.machine
        known = machine.known(self.image)
        if known is None:
            raise NotFound(f"nothing is known of {self.image[0]} {self.image[1]} any more: fetch it again")
        boot = _boot(known.manifest)
        machine.progress.step("write kernel and initrd")
        with kernel.files(machine.store.path(self.image), boot) as sources:
            self.boot.put(self.image, sources)
        machine.store.rest(self.image)
        machine.progress.step(f"have {self.image[0]} {self.image[1]} booted next")
        self.boot.arm(entry, arguments.command_line(machine.vg, entry, boot, machine.arguments))
        self._remove(plan.superseded(machine.situation(self.boot), entry))

    def _remove(self, removal: Removal) -> Situation:
        machine = self.machine
        self.boot.clear()
        for entry in removal.entries:
            self.boot.remove(entry)
        for image in removal.files:
            self.boot.take(image)
        for root in removal.roots:
            machine.progress.step(f"remove {root.protosystem} {root.serial}")
            machine.store.remove(root)
            machine.local(root.protosystem).forget(root.serial)
            self.result.removed += (root.image,)
        return machine.situation(self.boot)


def _boot(manifest: Manifest) -> Boot:
    if manifest.boot is None:
        raise StatelessError(f"{manifest.protosystem} {manifest.serial} has no kernel: nothing can boot it")
    return manifest.boot


def _listed(now: Situation) -> str:
    roots = ", ".join(f"{root.protosystem} {root.serial} with {root.used >> 20} MiB" for root in now.roots.roots)
    return f"there is {roots or 'no root'}"
