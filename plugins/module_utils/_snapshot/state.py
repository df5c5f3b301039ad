# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules snapshot and snapshot_info do: plan under the locks, then act."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from .._errors import InUse, InvalidValue, NotFound
from .._files import clear_unfinished, remove
from .._mounts import is_mounted
from .._names import check_name, check_serial
from .._plan import Outcome, Plan, Step
from .._protosystem import record as records
from .._volumes.choose import open_store
from .digest import Cache
from .manifest import Snapshot, in_use, snapshots, volume_name
from .take import Taking, is_snapshot_of, live_digest, next_serial

if t.TYPE_CHECKING:
    from .._protosystem.record import Record
    from .._server import Server
    from .._volumes.store import Store


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The options of the module snapshot that say what is to be."""

    comment: str = ""
    #: take one even if nothing changed since the newest
    always: bool = False
    #: compute the content digest
    digest: bool = True
    #: how many of the newest stay
    keep_last: int | None = None
    #: seconds to wait for the locks
    lock_timeout: float = 60.0


def present(server: Server, protosystem: str, wanted: Wanted, check: bool) -> Outcome:
    """Take a snapshot of *protosystem*, unless the newest holds the same, and keep the last ones."""
    check_name("protosystem", protosystem)
    record = records.get(server, protosystem)
    _check_keep(wanted.keep_last)
    with _alone(server, protosystem, wanted.lock_timeout):
        store = open_store(server)
        volumes = store.volumes()
        have = snapshots(server, protosystem)
        steps = leftovers(store, protosystem, volumes, have)
        taking = _taking(server, store, record, wanted, volumes, have, check)
        if taking is not None:
            steps.append(Step(f"take snapshot {taking.serial} of {protosystem}", taking.act))
        serials = [snapshot.serial for snapshot in have] + ([taking.serial] if taking else [])
        gone, kept = _retention(server, store, protosystem, serials, wanted.keep_last)
        steps += [_removal(server, store, protosystem, serial) for serial in gone]
        plan = Plan({"snapshots": [snapshot.serial for snapshot in have]}, _without(serials, gone), steps)
        if not check:
            _tidy(server, protosystem)
            plan.act()
    newest = (taking.result or taking.expected()) if taking else have[-1]
    result = {
        "snapshot": described(server, store, newest),
        "removed": gone,
        "kept_in_use": kept,
        "seconds": taking.seconds if taking else 0.0,
    }
    return Outcome(plan, result)


def absent(
    server: Server, protosystem: str, serial: int | None, keep_last: int | None, check: bool, lock_timeout: float = 60.0
) -> Outcome:
    """Remove the snapshot *serial*, or all but the last *keep_last*.

    :raises InUse: the snapshot *serial* is still needed. Of *keep_last*, those are kept and reported.
    """
    check_name("protosystem", protosystem)
    if serial is not None:
        check_serial("serial", serial)
    _check_keep(keep_last)
    with records.changing(server, protosystem, lock_timeout):
        store = open_store(server)
        have = snapshots(server, protosystem)
        steps = leftovers(store, protosystem, store.volumes(), have)
        serials = [snapshot.serial for snapshot in have]
        gone, kept = _retention(server, store, protosystem, serials, keep_last)
        if serial in serials and serial not in gone:
            reasons = in_use(server, protosystem, serial, store)
            if reasons:
                raise InUse(f"serial: snapshot {serial} of {protosystem} must stay: {'; '.join(reasons)}")
            gone.append(serial)
        steps += [_removal(server, store, protosystem, one) for one in gone]
        plan = Plan({"snapshots": serials}, _without(serials, gone), steps)
        if not check:
            _tidy(server, protosystem)
            plan.act()
    return Outcome(plan, {"removed": gone, "kept_in_use": kept})


def information(server: Server, protosystem: str | None, serial: int | None) -> list[dict[str, t.Any]]:
    """What the server has: all snapshots, those of one protosystem, or one of them (none if it does not exist)."""
    if protosystem is not None:
        check_name("protosystem", protosystem)
    store = open_store(server)
    found: list[Snapshot] = []
    for name in records.names(server) if protosystem is None else [protosystem]:
        found += snapshots(server, name)
    return [described(server, store, snapshot) for snapshot in found if serial in (None, snapshot.serial)]


def described(server: Server, store: Store, snapshot: Snapshot) -> dict[str, t.Any]:
    """A snapshot as modules return it."""
    return {**snapshot.as_dict(), "in_use": in_use(server, snapshot.protosystem, snapshot.serial, store)}


def plan_all_absent(server: Server, store: Store, protosystem: str) -> list[Step]:
    """The steps that remove all snapshots of *protosystem*; raises InUse if one must stay.

    For a caller that holds the lock for changes.
    """
    have = snapshots(server, protosystem)
    for snapshot in have:
        reasons = in_use(server, protosystem, snapshot.serial, store)
        if reasons:
            raise InUse(f"snapshot {snapshot.serial} of {protosystem} must stay: {'; '.join(reasons)}")
    steps = leftovers(store, protosystem, store.volumes(), have)
    return steps + [_removal(server, store, protosystem, snapshot.serial) for snapshot in have]


def leftovers(store: Store, protosystem: str, volumes: t.Iterable[str], have: t.Iterable[Snapshot]) -> list[Step]:
    """The steps that clear what killed runs left: volumes without a manifest."""
    known = {snapshot.volume for snapshot in have}
    rest = [name for name in volumes if is_snapshot_of(protosystem, name) and name not in known]
    return [_clearing(store, name) for name in rest]


def _clearing(store: Store, volume: str) -> Step:
    return Step(f"remove {volume}, the rest of a run that was killed", lambda: store.remove(volume))


@contextlib.contextmanager
def _alone(server: Server, protosystem: str, timeout: float) -> t.Iterator[None]:
    """Hold both locks: nobody changes the protosystem, nobody is at work inside."""
    with records.changing(server, protosystem, timeout), records.quiet(server, protosystem, timeout):
        yield


def _tidy(server: Server, protosystem: str) -> None:
    """Remove files that killed runs left half written; they were never visible."""
    clear_unfinished(os.path.dirname(server.snapshot_manifest(protosystem, 1)))
    for path in (server.serial_counter(protosystem), server.digest_cache(protosystem)):
        clear_unfinished(os.path.dirname(path), os.path.basename(path))


def _check_keep(keep_last: int | None) -> None:
    if keep_last is not None and keep_last < 1:
        raise InvalidValue("keep_last", keep_last, "keep at least 1; state absent of the protosystem removes all")


def _taking(
    server: Server,
    store: Store,
    record: Record,
    wanted: Wanted,
    volumes: t.Iterable[str],
    have: t.Sequence[Snapshot],
    check: bool,
) -> Taking | None:
    """The snapshot to take; None if the newest holds the same."""
    where = server.protosystem_mount(record.name)
    if not is_mounted(where):
        raise NotFound(f"{where} is not mounted: run the module protosystem for {record.name} first")
    cache = Cache.load(server.digest_cache(record.name)) if wanted.digest else None
    newest = have[-1] if have else None
    comparable = cache and newest and newest.digest and not wanted.always
    if cache and newest and comparable and live_digest(server, record.name, cache) == newest.digest:
        if not check:
            cache.save()
        return None
    store.check_snapshot(record.name)
    return Taking(server, store, record, next_serial(server, record.name, volumes), wanted.comment, cache)


def _retention(
    server: Server, store: Store, protosystem: str, serials: t.Sequence[int], keep_last: int | None
) -> tuple[list[int], list[dict[str, t.Any]]]:
    """Which of *serials* go, and which of those that should go stay, with the reasons."""
    gone, kept = [], []
    for serial in serials[:-keep_last] if keep_last else []:
        reasons = in_use(server, protosystem, serial, store)
        if reasons:
            kept.append({"serial": serial, "reasons": reasons})
        else:
            gone.append(serial)
    return gone, kept


def _without(serials: t.Iterable[int], gone: t.Container[int]) -> dict[str, t.Any]:
    return {"snapshots": [serial for serial in serials if serial not in gone]}


def _removal(server: Server, store: Store, protosystem: str, serial: int) -> Step:
    def act() -> None:
        remove(server.snapshot_manifest(protosystem, serial))
        volume = volume_name(protosystem, serial)
        if volume in store.volumes():
            store.remove(volume)

    return Step(f"remove snapshot {serial} of {protosystem}", act)
