# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lasting mount of a snapshot and its export: what the format ``nfs`` has beside its files."""

from __future__ import annotations

import contextlib
import os
import typing as t

from .._mounts import MountUnit, is_mounted, plan_unmounted
from .._plan import Step
from .._snapshot.manifest import volume_name
from .._volumes.filesystem import read_only
from . import exports

if t.TYPE_CHECKING:
    from .._server import Server
    from .._snapshot.manifest import Snapshot
    from .._volumes.store import Store


def plan_shared(server: Server, store: Store, snapshot: Snapshot) -> list[Step]:
    """The steps by which *snapshot* is mounted and exported, also after the server has booted.

    :raises InvalidValue: there is something to do, and this server cannot export.
    """
    where = server.snapshot_mount(snapshot.protosystem, snapshot.serial)
    what, options = store.mount_source(snapshot.volume)
    unit = MountUnit(
        where=where,
        what=what,
        fstype=snapshot.filesystem,
        options=(*read_only(snapshot.filesystem), *options),
        description=f"Snapshot {snapshot.serial} of protosystem {snapshot.protosystem}",
    )
    steps = unit.plan_ensure()
    if steps:
        steps.insert(0, Step(f"keep the volume {snapshot.volume} active", lambda: _keep(store, snapshot.volume)))
    steps += exports.plan_export(server, snapshot.protosystem, snapshot.serial, snapshot.uuid)
    if steps:
        exports.check_possible(server)
    return steps


def plan_unshared(server: Server, store: Store, protosystem: str, serial: int, force: bool = False) -> list[Step]:
    """The steps by which a snapshot is neither exported nor mounted. Acting raises InUse if somebody uses it.

    :arg force: close the files of the NFS clients that use it.
    """
    where = server.snapshot_mount(protosystem, serial)
    steps = exports.plan_unexport(server, protosystem, serial)
    unmount = plan_unmounted(where)
    if force and users(server, protosystem, serial):
        text = f"close the files that clients have open in {where}"
        steps.append(Step(text, lambda: _expel(server, protosystem, serial)))
    if unmount:
        volume = volume_name(protosystem, serial)
        unmount.append(Step(f"let the volume {volume} rest", lambda: _release(store, volume)))
    return [*steps, *unmount]


def shared(server: Server, protosystem: str) -> list[int]:
    """The serials of *protosystem* that are mounted or exported, whether they should be or not."""
    directory = os.path.dirname(server.snapshot_mount(protosystem, 1))
    names: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        names = os.listdir(directory)
    # a mount unit makes its directory before it is written, and takes it away last
    mounted = {int(name) for name in names if name.isdigit() and plan_unmounted(os.path.join(directory, name))}
    return sorted(mounted | set(exports.published(protosystem)))


def users(server: Server, protosystem: str, serial: int) -> dict[str, str]:
    """The NFS clients that have files of a snapshot open: see :func:`exports.clients`."""
    where = server.snapshot_mount(protosystem, serial)
    return exports.clients(where) if is_mounted(where) else {}


def _keep(store: Store, volume: str) -> None:
    store.autoactivate(volume, True)
    store.attach(volume)


def _expel(server: Server, protosystem: str, serial: int) -> None:
    for client in users(server, protosystem, serial):
        exports.expire(client)


def _release(store: Store, volume: str) -> None:
    if volume in store.volumes():
        store.autoactivate(volume, False)
        store.detach(volume)
