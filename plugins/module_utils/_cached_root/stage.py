# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have a root booted next: plan all of it, then act. The root that runs is not written to.

Each step leaves what was, or what is to be; what a kill leaves behind, the next run knows (docs/caching-clients.md).
"""

from __future__ import annotations

import dataclasses

from .._errors import InUse, NotFound
from . import arguments, decisions, kernel, plan
from .entries import Entry, Image, following
from .machine import Machine
from .making import Making, bootable
from .plan import Own, Removal, Situation, Way


@dataclasses.dataclass
class Staged:
    """What came of it, or would."""

    image: Image
    way: Way
    #: bytes that are fetched, and requests that were made
    fetched: int = 0
    requests: int = 0
    removed: tuple[Image, ...] = ()


def stage(machine: Machine, image: Image, *, again: bool = False, own: Own | None = None) -> Staged:
    """Have *image* booted next.

    :arg again: even if it failed here, or somebody rolled back from it.
    :arg own: with these kernel arguments of the machine's own; None: with those that it has.
    :raises InUse: what runs is itself on trial, or *image* is one that it does not go to by itself.
    :raises NoRoom: there is not enough; nothing was begun.
    :raises StatelessError: anything else; what runs is as it was, and so is what is booted next.
    """
    with machine.locked():
        now = machine.look()
        return _Staging(machine, image, _agreed(machine, now, image, again, own), own).run(now)


def foreseen(machine: Machine, image: Image, *, again: bool = False, own: Own | None = None) -> Staged:
    """What :func:`stage` would do, with all that can be found out; raises as that does. Nothing is changed."""
    with machine.locked():
        now = machine.look()
        return _Staging(machine, image, _agreed(machine, now, image, again, own), own).foresee(now)


def _agreed(machine: Machine, now: Situation, image: Image, again: bool, own: Own | None) -> decisions.Decisions:
    said = decisions.load(machine.places.decisions).noticing(now.entries, now.running)
    refusal = said.refusal(image)
    if not refusal and now.has_failed(image, own):
        # the root itself may run: that it failed is not noted of it
        refusal = decisions.failed(image, f" with the kernel arguments {' '.join(own or ())}")
    if refusal and not again:
        raise InUse(refusal)
    if now.is_trial and (image != now.running or own not in (None, tuple(machine.arguments))):
        raise InUse("the root that runs was not found healthy yet: wait for stateless-health.service")
    return said.going_to(image)


def rollback(machine: Machine, image: Image | None) -> Staged:
    """Have a root booted next that is here and was good; *image*, or the newest besides the one that runs.

    :raises NotFound: there is none.
    :raises StatelessError: as :func:`stage`.
    """
    with machine.locked():
        now = machine.look()
        chosen = older(now, image)
        said = decisions.load(machine.places.decisions).noticing(now.entries, now.running)
        next_ = following(now.entries)
        left = next_.image if next_ is not None and next_.image != chosen else now.running
        said = dataclasses.replace(said.going_to(chosen), held=left if left != chosen else None)
        return _Staging(machine, chosen, said).run(now)


def older(now: Situation, image: Image | None) -> Image:
    """The root that is rolled back to; raises NotFound."""
    there = plan.good(now)
    chosen = image if image is not None else next((one for one in there if one != now.running), None)
    if chosen is None or chosen not in there:
        listed = ", ".join(f"{name} {serial}" for name, serial in there) or "none"
        wanted = f"no good root {chosen[0]} {chosen[1]}" if chosen else "no good root besides the one that runs"
        raise NotFound(f"serial: there is {wanted} on this disk; those that are good: {listed}")
    return chosen


class _Staging:
    def __init__(self, machine: Machine, image: Image, said: decisions.Decisions, own: Own | None = None) -> None:
        self.machine = machine
        self.image = image
        self.said = said
        self.own = own
        self.result = Staged(image, Way.NOTHING)

    def run(self, now: Situation) -> Staged:
        self.result.way = way = self._way(now)
        entry = plan.entry_for(now, self.image, self.machine.settings.tries)
        if way is Way.MAKE:
            self._make(now)
        else:
            now = self._remove(now, plan.leftovers(now, self.image))
        # before what is booted next changes: a timer that runs after a kill does not go back on it
        decisions.store(self.machine.places.decisions, self.said)
        if way in (Way.MAKE, Way.ENTRY):
            self._arm(entry)
        elif way is Way.CANCEL:
            self._remove(now, Removal(tuple(entry for entry in now.entries if entry.is_trial)))
        return self.result

    def foresee(self, now: Situation) -> Staged:
        self.result.way = self._way(now)
        if self.result.way is Way.MAKE:
            with Making(self.machine, self.image, now, self._remove) as making:
                making.foresee()
                self.result.fetched = making.wanted.plan.bytes()
        return self.result

    def _way(self, now: Situation) -> Way:
        way = plan.way(now, self.image, self.own)
        if way is Way.ENTRY and self.machine.known(self.image) is None and self.image != now.running:
            # state was lost: how it is booted is published, and so is all of it
            return Way.MAKE
        return way

    def _make(self, now: Situation) -> None:
        there = now.roots.get(self.image)
        if there is not None and there.is_complete:
            own = tuple(entry for entry in now.entries if entry.image == self.image)
            now = self._remove(now, Removal(own, (self.image,), (there,)))
        with Making(self.machine, self.image, now, self._remove) as making:
            making.make_room()
            making.make()
            self.result.fetched, self.result.requests = making.site.bytes, making.site.requests

    def _arm(self, entry: Entry) -> None:
        machine = self.machine
        boot = bootable(machine.recognised(self.image).manifest)
        own = machine.arguments if self.own is None else self.own
        line = arguments.command_line(machine.vg, entry, boot, own)
        machine.progress.step("write kernel and initrd")
        with machine.boot(True) as partition:
            with kernel.files(machine.store.path(self.image), boot) as sources:
                partition.put(self.image, sources)
            machine.store.rest(self.image)
            machine.progress.step(f"have {self.image[0]} {self.image[1]} booted next")
            partition.arm(entry, line)
            for other in plan.superseded(machine.situation(partition), entry).entries:
                partition.remove(other)

    def _remove(self, now: Situation, removal: Removal) -> Situation:
        machine = self.machine
        if removal.of_boot:
            with machine.boot(True) as partition:
                partition.clear()
                for entry in removal.entries:
                    partition.remove(entry)
                for image in removal.files:
                    partition.take(image)
        for root in removal.roots:
            machine.progress.step(f"remove {root.protosystem} {root.serial}")
            machine.store.remove(root)
            machine.local(root.protosystem).forget(root.serial)
            self.result.removed += (root.image,)
        return machine.look() if removal else now
