# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules protosystem and protosystem_info do, snapshots included: these go with their protosystem."""

from __future__ import annotations

import contextlib
import shutil
import typing as t

from .._errors import InUse
from .._files import remove
from .._mounts import mounted_from, plan_unmounted
from .._names import check_name
from .._plan import Outcome, Plan, Step
from .._protosystem import container, describe
from .._protosystem import record as records
from .._protosystem import state as protosystems
from .._volumes.choose import open_store
from .manifest import snapshots
from .state import plan_all_absent

if t.TYPE_CHECKING:
    from .._server import Server
    from .._volumes.store import Store

#: Seconds to wait for other runs that change the protosystem.
_PATIENCE = 60.0


class Follower(t.Protocol):
    """Who says the same of protosystems elsewhere: the directory. Called under the lock for changes; only plans."""

    def protosystem(self, name: str, default_channel: str) -> Plan:
        """The way to saying that it exists, with this default channel; empty: without any."""

    def no_protosystem(self, name: str) -> tuple[Plan, list[str]]:
        """The way to saying nothing of it, and warnings."""


def present(server: Server, wanted: protosystems.Wanted, check: bool, follower: Follower | None = None) -> Outcome:
    """State that a protosystem exists as *wanted*."""
    check_name("name", wanted.name)
    with records.changing(server, wanted.name, _PATIENCE):
        store = open_store(server)
        plan = protosystems.plan(server, store, wanted)
        if follower is not None:
            # first, because that shows whether the follower can be written to at all
            plan = _beside(follower.protosystem(wanted.name, plan.after["default_channel"]), plan)
        if not check:
            protosystems.tidy(server, wanted.name)
            plan.act()
        found = information(server, wanted.name, store)
    if found and check:
        planned = ("size", "mounted", "booted", "default_channel")
        found[0].update({name: value for name, value in plan.after.items() if name in planned})
    result = found[0] if found else {**protosystems.expected(server, wanted), "snapshots": []}
    return Outcome(plan, {"protosystem": result})


def absent(server: Server, name: str, force: bool, check: bool, follower: Follower | None = None) -> Outcome:
    """State that there is no protosystem *name*. Its serials stay used up.

    :raises InUse: it has snapshots, and *force* is False; one of them is in use; or somebody uses its filesystem.
    """
    check_name("name", name)
    with records.changing(server, name, _PATIENCE), records.quiet(server, name, _PATIENCE):
        store = open_store(server)
        plan = _plan_absent(server, store, name, force)
        warnings: list[str] = []
        if follower is not None:
            gone, warnings = follower.no_protosystem(name)
            plan = _beside(gone, plan)
        if not check:
            protosystems.tidy(server, name)
            plan.act()
    return Outcome(plan, {"protosystem": None}, warnings)


def _beside(first: Plan, plan: Plan) -> Plan:
    """*first*, then *plan*."""
    sides = [
        {**own, **({"directory": dict(told)} if told else {})}
        for own, told in ((plan.before, first.before), (plan.after, first.after))
    ]
    return Plan(sides[0], sides[1], [*first.steps, *plan.steps])


def information(server: Server, name: str | None, store: Store | None = None) -> list[dict[str, t.Any]]:
    """All protosystems, or the one *name*, with the serials of their snapshots."""
    found = describe.information(server, store or open_store(server), name)
    return [{**one, "snapshots": [snapshot.serial for snapshot in snapshots(server, one["name"])]} for one in found]


def _plan_absent(server: Server, store: Store, name: str, force: bool) -> Plan:
    record = records.find(server, name)
    volumes = store.volumes()
    container.settle(name, _PATIENCE)
    where = server.protosystem_mount(name)
    have = [snapshot.serial for snapshot in snapshots(server, name)]
    before: dict[str, t.Any] = {}
    if record is not None:
        before = {"filesystem": record.filesystem, "size": record.size, "snapshots": have}
    if have and not force:
        raise InUse(f"name: {name} has snapshots ({', '.join(map(str, have))}): remove them first, or use force: true")
    elsewhere = [mount.where for mount in mounted_from(store.devices(name)) if mount.where != where]
    if elsewhere:
        raise InUse(f"name: {name} is mounted at {', '.join(elsewhere)} as well: unmount it there first")
    steps = plan_all_absent(server, store, name)
    if container.booted(name):
        steps.append(Step(f"stop {name}", lambda: container.stop(name)))
    if record is None:
        return Plan(before, {}, [*steps, *protosystems.leftovers(server, store, name, volumes, None)])
    # unmounting comes before the record: it is the one step that others can make fail
    steps += plan_unmounted(where)
    steps += protosystems.leftovers(server, store, name, volumes, record)

    def act() -> None:
        remove(server.protosystem_record(name))
        with contextlib.suppress(OSError):
            remove(server.digest_cache(name))
        # a new one of this name must not find it
        shutil.rmtree(server.protosystem_run(name), ignore_errors=True)
        if name in volumes:
            store.remove(name)

    return Plan(before, {}, [*steps, Step(f"remove {name}", act, final=True)])
