# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A publisher and clients of small volumes, as the tests need them."""

from __future__ import annotations

import contextlib
import os
import pathlib
import random
import shutil
import typing as t

from ansible_collections.stateless.linux.plugins.module_utils._blocks import changes, improve, packing, publish
from ansible_collections.stateless.linux.plugins.module_utils._blocks.boot import Boot
from ansible_collections.stateless.linux.plugins.module_utils._blocks.fetch import Patience, Site
from ansible_collections.stateless.linux.plugins.module_utils._blocks.group import Group
from ansible_collections.stateless.linux.plugins.module_utils._blocks.held import Holder
from ansible_collections.stateless.linux.plugins.module_utils._blocks.local import Local
from ansible_collections.stateless.linux.plugins.module_utils._blocks.manifest import Manifest
from ansible_collections.stateless.linux.plugins.module_utils._blocks.place import Place
from ansible_collections.stateless.linux.plugins.module_utils._blocks.update import Update, Wanted
from ansible_collections.stateless.linux.plugins.module_utils._blocks.volume import Volume

BLOCK = 4096
#: A busy machine is no bad server; but a mirror that has failed need not be left alone for long.
PATIENT = Patience(answer=120, silence=120, rate=1, rounds=2, pause=0.01)
#: For servers that are to be given up.
HASTY = Patience(answer=1, silence=0.5, rate=1e6, rounds=2, pause=0.01)
NAME = "lab"
#: How many times as many examples tests of what is read from the network make: for an hour of it now and then.
TIMES = int(os.environ.get("STATELESS_EXAMPLES", "1"))


def block(number: int) -> bytes:
    """A block: 0 is zeros; those of the same ten resemble one another."""
    if number == 0:
        return bytes(BLOCK)
    data = bytearray(random.Random(number // 10).randbytes(BLOCK))
    data[:8] = number.to_bytes(8, "big")
    return bytes(data)


def believe(_what: str, _text: bytes, _signatures: t.Sequence[bytes]) -> None:
    """A check that trusts everybody."""


class World:
    """Volumes by serial, and their store."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.place = Place(NAME, str(directory / "public"), str(directory / "private"))
        self.volumes: dict[int, pathlib.Path] = {}
        #: how a serial is booted, of those that are
        self.boots: dict[int, Boot] = {}
        for one in ("public", "private", "spool"):
            (directory / one).mkdir(parents=True)

    def volume(self, serial: int, numbers: t.Sequence[int]) -> pathlib.Path:
        """Make the volume of a serial."""
        path = self.directory / f"{serial}.img"
        path.write_bytes(b"".join(map(block, numbers)))
        self.volumes[serial] = path
        return path

    def publish(
        self,
        serial: int,
        parent: int | None = None,
        groups: t.Sequence[Group] = (),
        level: str = "default",
        sign: t.Callable[[bytes], bytes] = bytes,
    ) -> Manifest:
        """Publish a serial's volume, by comparison with its parent's."""
        with contextlib.ExitStack() as stack:
            volume = stack.enter_context(Volume(str(self.volumes[serial])))
            before = None
            changed = list(volume.allocated())
            if parent is not None:
                manifest = self.place.manifest(parent)
                old = stack.enter_context(Volume(str(self.volumes[parent])))
                before = publish.Parent(manifest, Holder(self.place.index(manifest), old))
                changed = list(changes.compared(old, volume))
            return publish.Publishing(
                self.place,
                serial,
                volume,
                before,
                changed,
                groups,
                packing.LEVELS[level],
                sign,
                self.boots.get(serial),
            ).run()

    def improve(self, serial: int, sign: t.Callable[[bytes], bytes] = bytes) -> None:
        """Make the packs of a serial again."""
        parent = self.place.manifest(serial).parent
        with contextlib.ExitStack() as stack:
            volume = stack.enter_context(Volume(str(self.volumes[serial])))
            old = stack.enter_context(Volume(str(self.volumes[parent]))) if parent in self.place.serials() else None
            if parent is None or old is not None:
                improve.Improving(self.place, serial, volume, old, packing.LEVELS["thorough"], sign).run()

    def client(self, name: str) -> Local:
        """What a client knows."""
        return Local(NAME, str(self.directory / f"client-{name}"))

    def update(self, url: str, local: Local, serial: int, own: int | None, target: pathlib.Path) -> tuple[Wanted, Site]:
        """Bring a client from one serial to another, which becomes *target*."""
        with contextlib.ExitStack() as stack:
            volume = None
            if own is None:
                target.write_bytes(b"")
            else:
                shutil.copy(self.volumes[own], target)
                volume = stack.enter_context(Volume(str(self.volumes[own])))
            site = Site([url], PATIENT)
            update = Update(site, local, serial, local.root(own) if own is not None else None, volume, believe)
            wanted = update.plan(update.look_up())
            writable = stack.enter_context(Volume(str(target), writable=True))
            update.apply(wanted, writable, str(self.directory / "spool"))
            return wanted, site
