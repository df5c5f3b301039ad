# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots as they are on record: one manifest each, whose existence makes the snapshot exist."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import typing as t
import uuid

from .._errors import NotFound, StatelessError
from .._files import read, read_json
from .._mounts import mounted_from, view
from .._volumes.choose import open_store
from .._volumes.filesystem import read_only
from .._volumes.store import Store

if t.TYPE_CHECKING:
    from .._server import Server

#: RFC 4122 name space of the UUIDs of snapshots.
_NAMESPACE = uuid.UUID("6b2f2b2e-3a54-5f0e-9b3c-9a6a5d0f7c11")


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The manifest of a snapshot."""

    protosystem: str
    serial: int
    #: when it was taken: ISO 8601, UTC
    created: str
    #: what the administrator said of it
    comment: str
    #: version of the newest kernel in it (as uname -r says it); empty if there is none
    kernel: str
    #: versions of all kernels in it, oldest first
    kernels: tuple[str, ...]
    #: of os-release(5): ``id``, ``version_id`` and ``pretty_name``
    os: t.Mapping[str, str]
    #: ``ext4`` or ``xfs``
    filesystem: str
    #: bytes of the volume, and bytes of it that the filesystem uses
    size: int
    used: int
    #: one for each snapshot of a server, always the same: for fsid in exports(5)
    uuid: str
    #: of the content, see digest.py; None if it was not computed
    digest: str | None

    def as_dict(self) -> dict[str, t.Any]:
        """Plain data, as in the manifest and in the results of modules."""
        return {**dataclasses.asdict(self), "kernels": list(self.kernels), "os": dict(self.os)}

    @property
    def volume(self) -> str:
        """The name of its volume."""
        return volume_name(self.protosystem, self.serial)


def volume_name(protosystem: str, serial: int) -> str:
    """The name of the volume of a snapshot."""
    return f"{protosystem}.{serial}"


def identity(protosystem: str, serial: int) -> str:
    """The UUID of a snapshot: RFC 4122, version 5, of its name."""
    return str(uuid.uuid5(_NAMESPACE, volume_name(protosystem, serial)))


def _read(server: Server, protosystem: str, serial: int) -> Snapshot | None:
    path = server.snapshot_manifest(protosystem, serial)
    try:
        value = read_json(path)
        return None if value is None else Snapshot(**{**value, "kernels": tuple(value["kernels"])})
    except (ValueError, TypeError, KeyError) as error:
        raise StatelessError(f"{path} is no manifest of a snapshot: {error}") from error


def snapshots(server: Server, protosystem: str) -> list[Snapshot]:
    """The snapshots of *protosystem*, oldest first."""
    directory = os.path.dirname(server.snapshot_manifest(protosystem, 1))
    names: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        names = os.listdir(directory)
    serials = sorted(int(name[:-5]) for name in names if re.fullmatch(r"[1-9][0-9]*\.json", name))
    found = (_read(server, protosystem, serial) for serial in serials)
    return [snapshot for snapshot in found if snapshot is not None]


def get(server: Server, protosystem: str, serial: int) -> Snapshot:
    """One snapshot; raises NotFound."""
    snapshot = _read(server, protosystem, serial)
    if snapshot is None:
        there = ", ".join(str(one.serial) for one in snapshots(server, protosystem)) or "none"
        raise NotFound(f"serial: protosystem {protosystem} has no snapshot {serial}; there is: {there}")
    return snapshot


def last_serial(server: Server, protosystem: str) -> int:
    """The last serial that was given; 0 if none was. Serials are never given twice."""
    return int(read(server.serial_counter(protosystem)) or "0")


@contextlib.contextmanager
def view_snapshot(server: Server, snapshot: Snapshot) -> t.Iterator[str]:
    """A readable tree of *snapshot* for this block: see :func:`.._mounts.view` for what the path is good for."""
    with view_volume(open_store(server), snapshot.volume, snapshot.filesystem) as tree:
        yield tree


@contextlib.contextmanager
def view_volume(store: Store, volume: str, filesystem: str) -> t.Iterator[str]:
    """Like :func:`view_snapshot`, for a volume that need not be on record yet."""
    with store.attached(volume), view_attached(store, volume, filesystem) as tree:
        yield tree


@contextlib.contextmanager
def view_attached(store: Store, volume: str, filesystem: str) -> t.Iterator[str]:
    """Like :func:`view_volume`, of one that is attached already."""
    what, options = store.mount_source(volume)
    with view(what, filesystem, (*read_only(filesystem), *options)) as tree:
        yield tree


def in_use(server: Server, protosystem: str, serial: int, store: Store | None = None) -> list[str]:
    """Why the snapshot must stay, in words; empty if nothing needs it.

    What is above this room is asked through its files: channel pointers, images, mounts.
    """
    reasons = []
    channels = os.path.dirname(server.channel(protosystem, "any"))
    names: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        names = sorted(os.listdir(channels))
    for name in names:
        text = read(os.path.join(channels, name)) if name.endswith(".ipxe") and not name.startswith(".") else None
        if text is not None and re.search(rf"^set stateless-serial {serial}$", text, re.MULTILINE):
            reasons.append(f"the channel {name[:-5]} points to it")
    if os.path.exists(os.path.join(server.image(protosystem, serial), "manifest.json")):
        reasons.append("it is published as an image")
    for mount in mounted_from((store or open_store(server)).devices(volume_name(protosystem, serial))):
        reasons.append(f"it is mounted at {mount.where}")
    return reasons
