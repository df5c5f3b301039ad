# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The format ``blocks``: what changed of a snapshot, for caching clients. See docs/blocks-format.md."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import shutil
import time
import typing as t

from .._blocks import boot, changes, keys, publish, retain, similar, zstd
from .._blocks.held import Holder
from .._blocks.packing import LEVELS
from .._blocks.place import Place
from .._blocks.ranges import Set
from .._blocks.values import BLOCK, Damaged
from .._blocks.volume import Volume
from .._boot.arguments import blocks_arguments
from .._errors import InvalidValue
from .._files import remove
from .._room import Full
from .._snapshot import manifest as snapshots
from .._volumes.choose import open_store
from . import public

if t.TYPE_CHECKING:
    from .._blocks.group import Group
    from .._blocks.manifest import Manifest
    from .._server import Server
    from .._snapshot.manifest import Snapshot
    from .._volumes.store import Store
    from .kernel import Kernel

#: Bytes that publishing leaves free.
_RESERVE = 64 * 1024**2


def place_of(server: Server, protosystem: str) -> Place:
    """Where blocks of *protosystem* are; the directories need not be there yet."""
    return Place(protosystem, server.blocks(protosystem), server.blocks_records(protosystem))


def serials(server: Server, protosystem: str) -> list[int]:
    """The serials whose blocks are published, ascending."""
    place = place_of(server, protosystem)
    return place.serials() if os.path.isdir(place.public) else []


def kernel_arguments(protosystem: str, serial: int, digest: str | None, extra: t.Sequence[str]) -> tuple[str, ...]:
    """All kernel arguments that the manifest says.

    :arg extra: the administrator's, for this image.
    :raises InvalidValue: a manifest cannot have them.
    """
    words = [*blocks_arguments(protosystem, serial, digest), *extra]
    try:
        return boot.arguments("kernel_arguments", words)
    except Damaged as error:
        raise InvalidValue(
            "kernel_arguments",
            list(extra),
            "with the format blocks, use words without $ (its clients do not boot by iPXE), of at most 512 characters, "
            f"and no more of them than a kernel takes ({error})",
        ) from error


@contextlib.contextmanager
def opened(store: Store, *names: str) -> t.Iterator[list[Volume]]:
    """Volumes of the store, to be read."""
    with contextlib.ExitStack() as stack:
        paths = stack.enter_context(store.attached(*names))
        yield [stack.enter_context(Volume(path)) for path in paths]


@dataclasses.dataclass
class Publication:
    """The blocks of a snapshot that are to be published.

    :arg extra: the administrator's kernel arguments.
    """

    server: Server
    snapshot: Snapshot
    kernel: Kernel
    extra: t.Sequence[str]

    def __post_init__(self) -> None:
        self.place = place_of(self.server, self.snapshot.protosystem)
        #: what the image's manifest says of the format, as far as it is known before it is published
        self.said = {"file": f"../blocks/{self.snapshot.serial}.manifest", "level": "default"}

    def check(self) -> None:
        """Raise StatelessError if this server, or this snapshot, cannot be published so."""
        keys.get(self.server.keys)
        zstd.check()
        # whatever size and digest of kernel and initrd will be
        self._boot({name: {"size": 1, "sha256": "0" * 64} for name in ("vmlinuz", "initrd")})

    def act(self, files: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
        """Publish; return what the image's manifest says of it.

        :arg files: ``size`` and ``sha256`` of the files ``vmlinuz`` and ``initrd``.
        :raises Full: there is not enough room; nothing was written.
        """
        began = time.monotonic()
        sign = keys.signing(keys.get(self.server.keys))
        public.make_directory(self.place.public)
        store = open_store(self.server)
        had = self.place.contents(self.place.manifests().values())
        with contextlib.ExitStack() as stack:
            old = self._parent(store)
            names = [self.snapshot.volume, *([old.volume] if old is not None else [])]
            volume, *others = stack.enter_context(opened(store, *names))
            parent, before = None, None
            if old is not None:
                before = others[0]
                found = self.place.manifest(old.serial)
                parent = publish.Parent(found, Holder(self.place.index(found), before))
            changed = self._changed(store, old, before, volume)
            self._check_room(changed.total())
            groups = self._groups(store, old, before, volume, changed)
            made = publish.Publishing(
                self.place,
                self.snapshot.serial,
                volume,
                parent,
                changed.ranges,
                groups,
                LEVELS["default"],
                sign,
                self._boot(files),
            ).run()
        return {
            **self.said,
            "parent": old.serial if old is not None else None,
            "new_blocks": made.contents - had,
            "new_bytes": own_bytes(made),
            "seconds": round(time.monotonic() - began, 3),
        }

    def undo(self) -> None:
        """Undo :meth:`act`, however far it came."""
        if self.snapshot.serial in serials(self.server, self.snapshot.protosystem):
            retain.remove(self.place, self.snapshot.serial, keys.signing(keys.get(self.server.keys)))
        elif os.path.isdir(self.place.public):
            for path in self.place.leftovers(self.place.manifests()):
                remove(path)

    def _parent(self, store: Store) -> Snapshot | None:
        """The snapshot whose clients are to fetch the least: the newest before this one that has blocks."""
        there = store.volumes()
        for serial in reversed(self.place.serials()):
            if serial < self.snapshot.serial and snapshots.volume_name(self.snapshot.protosystem, serial) in there:
                return snapshots.get(self.server, self.snapshot.protosystem, serial)
        return None

    def _changed(self, store: Store, old: Snapshot | None, before: Volume | None, now: Volume) -> Set:
        """Where the volume may differ from its parent's, or, without one, from zeros."""
        told = store.differences(None if old is None else old.volume, self.snapshot.volume)
        if told is not None:
            return Set((at // BLOCK, -(-(at + length) // BLOCK) - at // BLOCK) for at, length in told)
        return Set(now.allocated() if before is None else changes.between(before, now))

    def _check_room(self, blocks: int) -> None:
        # compressed, it is less than half of that, but it is written twice on the way
        needed, free = BLOCK * blocks, shutil.disk_usage(self.place.public).free
        if free < needed + _RESERVE:
            raise Full(
                f"no room for the blocks of snapshot {self.snapshot.serial} of {self.snapshot.protosystem} in "
                f"{self.place.public}: {needed / 1024**2:.0f} MiB that may have changed and a reserve of "
                f"{_RESERVE / 1024**2:.0f} MiB are needed, {free / 1024**2:.0f} MiB are free. Make room, for example "
                "by removing old snapshots and images, or make it larger, and run this again"
            )

    def _groups(
        self, store: Store, old: Snapshot | None, before: Volume | None, now: Volume, changed: Set
    ) -> list[Group]:
        """What belongs together: the blocks of a file, and those that the file had before. Both are attached."""
        if old is None or before is None:
            return []
        parent = old

        @contextlib.contextmanager
        def mounted() -> t.Iterator[tuple[str, str]]:
            with (
                snapshots.view_attached(store, parent.volume, parent.filesystem) as was,
                snapshots.view_attached(store, self.snapshot.volume, self.snapshot.filesystem) as tree,
            ):
                yield was, tree

        since = datetime.datetime.fromisoformat(parent.created).timestamp()
        return similar.groups(before, now, changed, since, mounted)

    def _boot(self, files: t.Mapping[str, t.Mapping[str, t.Any]]) -> boot.Boot:
        one = self.snapshot
        paths = {"vmlinuz": self.kernel.kernel, "initrd": self.kernel.initrd}
        kernel, initrd = (boot.File(path, files[name]["size"], files[name]["sha256"]) for name, path in paths.items())
        made = boot.Boot(
            version=self.kernel.version,
            kernel=kernel,
            initrd=initrd,
            filesystem=one.filesystem,
            arguments=kernel_arguments(one.protosystem, one.serial, one.digest, self.extra),
            os={name: boot.text(one.os.get(name, "")) for name in boot.OS},
            digest=one.digest,
            created=one.created,
        )
        # what no client would read is not published
        boot.decode(f"the manifest of snapshot {one.serial} of {one.protosystem}", dataclasses.asdict(made))
        return made


def own_bytes(made: Manifest) -> int:
    """Bytes of the pack that was made for a serial: what a client fetches that is one version behind."""
    step = made.step()
    own = [step] if step is not None else [one for one in made.packs if one.file.startswith(f"{made.serial}-")]
    return sum(one.size for one in own)
