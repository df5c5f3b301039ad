# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module protosystem states, but for removal: it exists, is mounted, has its size, and is booted or not."""

from __future__ import annotations

import dataclasses
import datetime
import os
import shutil
import typing as t

from .._command import CommandFailed, run
from .._errors import InvalidValue, NotFound, StatelessError
from .._files import clear_unfinished, read, restore
from .._mounts import STAND, MountUnit, inside, is_mounted, plan_unmounted
from .._names import check_name
from .._plan import Plan, Step
from .._volumes import filesystem as filesystems
from .._volumes.lvm_values import show_size
from . import container
from .record import DEFAULT_CHANNEL, Record, find
from .sources import Source

if t.TYPE_CHECKING:
    from .._server import Server
    from .._volumes.store import Store

#: Bytes of a new protosystem, if the task does not say.
DEFAULT_SIZE = 8 * 1024**3
#: Lines that are kept of what a bootstrap said, for the error message.
_LINES = 25


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The options of the module protosystem."""

    name: str
    #: ``present`` (running or not), ``booted`` or ``stopped``
    state: str
    #: bytes; None: as it is, or :data:`DEFAULT_SIZE`
    size: int | None = None
    #: None: as it is, or ext4
    filesystem: str | None = None
    #: what a new one is made from
    source: Source | None = None
    #: None: as it is, or ``host``
    network: str | None = None
    #: of clients for which none is named; empty: none; None: as it is, or the usual
    default_channel: str | None = None
    #: seconds to come up and to stop
    timeout: float = 180.0


def plan(server: Server, store: Store, wanted: Wanted) -> Plan:
    """The way to *wanted*. For a caller that holds the lock for changes."""
    name = check_name("name", wanted.name)
    if wanted.default_channel:
        check_name("default_channel", wanted.default_channel)
    record = find(server, name)
    container.settle(name, wanted.timeout)
    volumes = store.volumes()
    steps = leftovers(server, store, name, volumes, record)
    before = _state(server, record)
    after = dict(before)
    if record is None:
        made = _new(store, wanted)
        steps.append(
            Step(f"make {name} from {_source(wanted).text}", lambda: _make(server, store, made, _source(wanted)))
        )
        after = {**_told(made), "mounted": True, "booted": wanted.state == "booted"}
        steps.append(Step(f"mount {server.protosystem_mount(name)}", lambda: mount(server, store, made).ensure()))
    else:
        if name not in volumes:
            raise NotFound(f"the volume of the protosystem {name} is not in the store any more")
        _check_same(record, wanted)
        mounting = mount(server, store, record).plan_ensure()
        if mounting:
            steps.append(Step(f"attach the volume {name}", lambda: store.attach(name)))
            steps += mounting
            after["mounted"] = True
        pointing = _default_channel(server, record, wanted)
        if pointing is not None:
            steps.append(pointing)
            record = dataclasses.replace(record, default_channel=wanted.default_channel or "")
            after["default_channel"] = record.default_channel
        growing = _growing(server, store, record, wanted, volumes[name].size)
        if growing is not None:
            steps.append(growing)
            after["size"] = wanted.size
    steps += _running(server, wanted, record is not None)
    if wanted.state != "present":
        after["booted"] = wanted.state == "booted"
    return Plan(before, after, steps)


def mount(server: Server, store: Store, record: Record) -> MountUnit:
    """The lasting mount of a protosystem's root."""
    what, options = store.mount_source(record.name)
    where = server.protosystem_mount(record.name)
    options = (*filesystems.WRITABLE, *options)
    return MountUnit(where, what, record.filesystem, options, f"Root of the protosystem {record.name}")


def leftovers(server: Server, store: Store, name: str, volumes: t.Container[str], record: Record | None) -> list[Step]:
    """The steps that clear what a killed run left: a volume without record, and what was mounted of it."""
    steps = []
    if record is None and name in volumes:
        steps += plan_unmounted(server.protosystem_mount(name))
        steps.append(Step(f"remove {name}, the rest of a run that was killed", lambda: store.remove(name)))
    if new_volume(name) in volumes:
        steps.append(
            Step(
                f"remove {new_volume(name)}, the rest of a run that was killed", lambda: store.remove(new_volume(name))
            )
        )
    return steps


def tidy(server: Server, name: str) -> None:
    """Remove files that a killed run left half written; they were never visible."""
    record = server.protosystem_record(name)
    clear_unfinished(os.path.dirname(record), os.path.basename(record))


def new_volume(name: str) -> str:
    """The volume of a protosystem in the making."""
    return f"{name}.new"


def expected(server: Server, wanted: Wanted) -> dict[str, t.Any]:
    """What check mode says of a protosystem that would be made."""
    return {
        "name": wanted.name,
        "filesystem": wanted.filesystem or "ext4",
        "size": wanted.size or DEFAULT_SIZE,
        "used": None,
        "path": server.protosystem_mount(wanted.name),
        "mounted": True,
        "booted": wanted.state == "booted",
        "created": None,
        "default_channel": DEFAULT_CHANNEL if wanted.default_channel is None else wanted.default_channel,
        "source": _source(wanted).record,
    }


def _state(server: Server, record: Record | None) -> dict[str, t.Any]:
    """What diff mode shows."""
    if record is None:
        return {}
    return {
        **_told(record),
        "mounted": is_mounted(server.protosystem_mount(record.name)),
        "booted": container.booted(record.name),
    }


def _told(record: Record) -> dict[str, t.Any]:
    return {name: getattr(record, name) for name in ("filesystem", "size", "default_channel")}


def _source(wanted: Wanted) -> Source:
    if wanted.source is None:
        raise NotFound(
            f"there is no protosystem {wanted.name} yet: say what to make it from: bootstrap, archive, tree or machine"
        )
    return wanted.source


def _new(store: Store, wanted: Wanted) -> Record:
    """The record of the protosystem to be made; all that can be wrong with it is found here."""
    filesystem = wanted.filesystem or "ext4"
    size = wanted.size or DEFAULT_SIZE
    least = filesystems.MINIMUM[filesystem]
    if size < least:
        raise InvalidValue("size", size, f"{filesystem} needs at least {show_size(least)}")
    source = _source(wanted)
    source.check()
    filesystems.check_tools(filesystem)
    store.check_create(size)
    created = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    channel = DEFAULT_CHANNEL if wanted.default_channel is None else wanted.default_channel
    return Record(wanted.name, filesystem, size, created, source.record, channel)


def _check_same(record: Record, wanted: Wanted) -> None:
    if wanted.filesystem not in (None, record.filesystem):
        raise InvalidValue("filesystem", wanted.filesystem, f"{record.name} has {record.filesystem}, and keeps it")
    if wanted.size is not None and wanted.size < record.size:
        raise InvalidValue("size", wanted.size, f"{record.name} has {show_size(record.size)}, and can only grow")


def _make(server: Server, store: Store, record: Record, source: Source) -> None:
    """Make it under another name, then rename; what was begun is undone if it fails."""
    new = new_volume(record.name)
    try:
        store.create(new, record.size)
        filesystems.make(record.filesystem, *store.attach(new))
        _fill(store, new, record, source)
        store.rename(new, record.name)
    except BaseException:
        if new in store.volumes():
            store.remove(new)
        raise
    record.write(server)


def _fill(store: Store, volume: str, record: Record, source: Source) -> None:
    what, options = store.mount_source(volume)
    options = (*filesystems.WRITABLE, *options)
    scratch = os.path.join("/run/stateless/new", record.name)
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(scratch, mode=0o700)
    try:
        for command in source.commands(scratch):
            try:
                run(inside(what, record.filesystem, options, command))
            except CommandFailed as error:
                said = "\n".join(error.stderr.strip().splitlines()[-_LINES:])
                raise StatelessError(
                    f"{record.name} could not be made from {source.text}: "
                    f"status {error.returncode}, after these last lines:\n{said}"
                ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    try:
        run(inside(what, record.filesystem, options, ["test", "-d", f"{STAND}/usr"]))
    except CommandFailed as error:
        raise StatelessError(f"{source.text} holds no system: there is no directory usr at its top") from error


def _default_channel(server: Server, record: Record, wanted: Wanted) -> Step | None:
    """The step by which it has the wanted default channel."""
    channel = wanted.default_channel
    if channel is None or channel == record.default_channel:
        return None
    changed = dataclasses.replace(record, default_channel=channel)
    text = f"have {channel or 'no channel'} as the default channel of {record.name}"
    path = server.protosystem_record(record.name)
    before = read(path)
    return Step(text, lambda: changed.write(server), lambda: restore(path, before))


def _growing(server: Server, store: Store, record: Record, wanted: Wanted, present: int) -> Step | None:
    """The step by which it has the wanted size; the record is the last to know, so that a killed run is repeated."""
    size = wanted.size
    if size is None or size == record.size:
        return None
    if size > present:
        store.check_create(size - present)

    def act() -> None:
        if size > present:
            store.grow(record.name, size)
        where = server.protosystem_mount(record.name)
        filesystems.grow(record.filesystem, store.devices(record.name)[0], where)
        dataclasses.replace(record, size=size).write(server)

    return Step(f"grow {record.name} from {show_size(record.size)} to {show_size(size)}", act)


def _running(server: Server, wanted: Wanted, exists: bool) -> list[Step]:
    """The steps by which it is booted or stopped, as wanted."""
    name, where = wanted.name, server.protosystem_mount(wanted.name)
    running = container.booted(name)
    if wanted.state == "stopped" and running:
        return [Step(f"stop {name}", lambda: container.stop(name))]
    if wanted.state != "booted":
        return []
    if running:
        if wanted.network not in (None, container.network(name)):
            raise InvalidValue(
                "network", wanted.network, f"{name} is booted with {container.network(name)}: stop it first"
            )
        return []
    if exists and is_mounted(where):
        container.check(where)

    def act() -> None:
        container.check(where)
        container.start(name, where, wanted.network or "host", wanted.timeout)

    return [Step(f"boot {name}", act)]
