# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking a snapshot: serial, volume, manifest, in this order."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import time
import typing as t

from .._command import run
from .._files import write, write_json
from .._mounts import view
from .describe import kernels, os_release
from .digest import Cache, Changing, digest
from .freeze import frozen
from .manifest import Snapshot, identity, last_serial, view_volume, volume_name

if t.TYPE_CHECKING:
    from .._protosystem.record import Record
    from .._server import Server
    from .._volumes.store import Store


def next_serial(server: Server, protosystem: str, volumes: t.Iterable[str]) -> int:
    """The serial that the next snapshot gets. *volumes*: a restored counter must not lead to a name that is taken."""
    taken = [int(name.rpartition(".")[2]) for name in volumes if is_snapshot_of(protosystem, name)]
    return max([last_serial(server, protosystem), *taken]) + 1


def is_snapshot_of(protosystem: str, volume: str) -> bool:
    """Whether *volume* has the name of a snapshot of *protosystem*."""
    name, _dot, serial = volume.rpartition(".")
    return name == protosystem and serial.isdigit()


def live_digest(server: Server, protosystem: str, cache: Cache) -> str | None:
    """The digest of the protosystem as it is now; None if it changes meanwhile, so that nothing can be said."""
    try:
        # a bind mount of its own: what else is mounted in the protosystem does not belong to it
        with view(server.protosystem_mount(protosystem), "none", ("bind",)) as tree:
            return digest(tree, cache)
    except Changing:
        return None


@dataclasses.dataclass
class Taking:
    """A snapshot in the making; :attr:`result` and :attr:`seconds` are there after :meth:`act`."""

    server: Server
    store: Store
    record: Record
    serial: int
    comment: str
    #: None: compute no digest
    cache: Cache | None
    result: Snapshot | None = None
    #: seconds for which writers had to wait, at most
    seconds: float = 0.0

    @property
    def volume(self) -> str:
        """The name of the new volume."""
        return volume_name(self.record.name, self.serial)

    def act(self) -> None:
        """Take it. What was begun is undone if it fails; the serial is used up all the same."""
        write(self.server.serial_counter(self.record.name), f"{self.serial}\n")
        try:
            created = self._copy()
            self.result = self._describe(created)
            manifest = self.server.snapshot_manifest(self.record.name, self.serial)
            write_json(manifest, self.result.as_dict())
        except BaseException:
            self.result = None
            if self.volume in self.store.volumes():
                self.store.remove(self.volume)
            raise
        if self.cache is not None:
            self.cache.save()

    def _copy(self) -> int:
        """Make the volume; returns the time, in nanoseconds since the epoch, when that began."""
        # most of the writing happens before everybody has to wait for it
        run(["sync", "--file-system", self.server.protosystem_mount(self.record.name)])
        now, began = time.time_ns(), time.monotonic()
        self.store.snapshot(self.record.name, self.volume, self._standstill())
        # what the standstill took, if the store needed it
        self.seconds = self.seconds or round(time.monotonic() - began, 3)
        return now

    @contextlib.contextmanager
    def _standstill(self) -> t.Iterator[None]:
        began = time.monotonic()
        with frozen(self.server.protosystem_mount(self.record.name)):
            yield
        self.seconds = round(time.monotonic() - began, 3)

    def _describe(self, created: int) -> Snapshot:
        volume = self.store.get(self.volume)
        with view_volume(self.store, self.volume, self.record.filesystem) as tree:
            space = os.statvfs(tree)
            versions = list(kernels(tree))
            return Snapshot(
                protosystem=self.record.name,
                serial=self.serial,
                created=timestamp(created),
                comment=self.comment,
                kernel=versions[-1] if versions else "",
                kernels=tuple(versions),
                os=os_release(tree),
                filesystem=self.record.filesystem,
                size=volume.size,
                used=(space.f_blocks - space.f_bfree) * space.f_frsize,
                uuid=identity(self.record.name, self.serial),
                digest=None if self.cache is None else digest(tree, self.cache, created),
            )

    def expected(self) -> Snapshot:
        """What check mode says of it: what is known before it is taken."""
        return Snapshot(
            protosystem=self.record.name,
            serial=self.serial,
            created=timestamp(time.time_ns()),
            comment=self.comment,
            kernel="",
            kernels=(),
            os={},
            filesystem=self.record.filesystem,
            size=self.record.size,
            used=0,
            uuid=identity(self.record.name, self.serial),
            digest=None,
        )


def timestamp(nanoseconds: int) -> str:
    """A time since the epoch as ISO 8601, UTC, to the second."""
    return datetime.datetime.fromtimestamp(nanoseconds // 10**9, datetime.timezone.utc).isoformat()
