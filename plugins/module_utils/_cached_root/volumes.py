# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roots of a caching client: thin volumes ``NAME.SERIAL`` in the pool ``roots`` of a volume group of ours.

A root is complete if its volume has no tag :data:`UNFINISHED`; nobody, not even the kernel, writes to one then.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import typing as t

from .._errors import InvalidValue, NotFound, StatelessError
from .._names import check_name
from .._volumes import lvm, lvm_group, lvm_report
from .._volumes.lvm_report import LogicalVolume
from .entries import Image
from .layout import CHUNK, Sizes
from .room import Pool

#: lvm(8) tags. What is ours:
OURS = "stateless.linux"
#: A group whose installation was not finished.
INSTALLING = "stateless.installing"
#: A root that is being made.
UNFINISHED = "stateless.unfinished"
#: With a PARTUUID: the group's boot partition.
_BOOT = "stateless.boot="
POOL, STATE = "roots", "state"
_NAME = re.compile(r"([a-z0-9-]+)\.([1-9][0-9]{0,9})")
_EXTENT = 4 * 1024**2
#: lvm(8): LVM_SYSTEM_DIR.
_LVM, _LVM_SPARE = "/etc/lvm", "/run/stateless/lvm"


@dataclasses.dataclass(frozen=True)
class Root:
    """A root, or what is to become one."""

    protosystem: str
    serial: int
    #: it may be booted, and be taken a snapshot of
    is_complete: bool
    #: bytes
    size: int
    #: bytes of the pool that it has, alone or with others
    used: int = 0
    #: what it is a snapshot of, if that is still there
    origin: Image | None = None

    @property
    def image(self) -> Image:
        """What it is of."""
        return self.protosystem, self.serial


@dataclasses.dataclass(frozen=True)
class Roots:
    """What is in a group."""

    pool: Pool
    roots: tuple[Root, ...]

    def get(self, image: Image) -> Root | None:
        """One of them."""
        return next((root for root in self.roots if root.image == image), None)


def volume_name(image: Image) -> str:
    """The name of a root's volume."""
    return f"{image[0]}.{image[1]}"


def device(vg: str, image: Image) -> str:
    """The block device of a root, while it is active."""
    return lvm_report.path(vg, volume_name(image))


def find(vg: str | None = None) -> lvm_group.Group:
    """The volume group of this machine's roots.

    :arg vg: its name; None: there is only one of ours.
    :raises NotFound: there is none.
    """
    ours = [group for group in lvm_group.groups() if OURS in group.tags and vg in (None, group.name)]
    if not ours:
        raise NotFound(f"this machine has no volume group with the tag {OURS}: it was not made a caching client")
    if len(ours) > 1:
        names = ", ".join(group.name for group in ours)
        raise StatelessError(f"this machine has several volume groups with the tag {OURS}: {names}")
    return ours[0]


def boot_of(group: lvm_group.Group) -> str:
    """The PARTUUID of a group's boot partition; empty: it has none."""
    return next((tag[len(_BOOT) :] for tag in group.tags if tag.startswith(_BOOT)), "")


def make_group(vg: str, device_: str, boot: str) -> None:
    """Make a group, that is being installed, on an empty partition.

    :arg boot: the PARTUUID of its boot partition.
    """
    lvm_group.create(vg, device_, (OURS, INSTALLING, _BOOT + boot))


def make_volumes(vg: str, sizes: Sizes) -> None:
    """Make state and pool, those that are not there."""
    there = lvm.read(vg).volumes
    if STATE not in there:
        lvm_group.create_linear(vg, STATE, sizes.state, OURS)
    if POOL not in there:
        lvm_group.create_pool(vg, POOL, sizes.pool, sizes.metadata, CHUNK, OURS)


def installed(vg: str) -> None:
    """The installation is finished."""
    lvm_group.change_tags(vg, remove=[INSTALLING])


def let_lvm_work() -> None:
    """Give LVM a place of its own where the root is read-only: it cannot keep copies of its metadata there, and fails.

    For this process, and what it runs.
    """
    if os.path.isdir(_LVM) and not os.access(_LVM, os.W_OK):
        if not os.path.isdir(_LVM_SPARE):
            shutil.copytree(_LVM, _LVM_SPARE + ".new", dirs_exist_ok=True)
            os.rename(_LVM_SPARE + ".new", _LVM_SPARE)
        os.environ["LVM_SYSTEM_DIR"] = _LVM_SPARE


class Store(t.Protocol):
    """Where roots are."""

    def read(self) -> Roots:
        """What there is."""

    def path(self, image: Image) -> str:
        """The device of a root, which appears if need be."""

    def begin(self, image: Image, size: int, parent: Image | None) -> None:
        """Make a volume that is to become a root, of at least *size* bytes: like *parent*, or of zeros."""

    def resume(self, image: Image) -> None:
        """What is to become a root can be written to."""

    def finish(self, image: Image) -> None:
        """It is a root from now on; its content is on the disk, and nobody writes to it."""

    def remove(self, root: Root) -> None:
        """It is gone. From the first step on it is no root."""

    def rest(self, image: Image) -> None:
        """No device of it is needed any more, unless something uses it."""

    def writable(self, image: Image) -> t.ContextManager[str]:
        """The device of a root, that can be written to meanwhile."""


class LvmRoots:
    """The :class:`Store` that a machine has: the pool of the group *vg*."""

    def __init__(self, vg: str) -> None:
        self.vg = vg

    def read(self) -> Roots:
        """:raises StatelessError: there is no pool, or LVM does not know how full it is."""
        found = lvm.read(self.vg)
        pool = found.get(POOL)
        if pool is None or not pool.is_pool:
            raise StatelessError(f"the volume group {self.vg} has no thin pool {POOL}")
        if not pool.active:
            lvm.activate(self.vg, POOL)
            found = lvm.read(self.vg)
            pool = found.volumes[POOL]
        if pool.data_percent is None or pool.metadata_percent is None:
            raise StatelessError(f"LVM does not say how full the thin pool {pool.full_name} is")
        usage = Pool(
            pool.size,
            _share(pool.size, pool.data_percent),
            pool.metadata_size,
            _share(pool.metadata_size, pool.metadata_percent),
        )
        own = (volume for volume in found.tagged(OURS) if volume.is_thin and volume.pool == POOL)
        roots = (root for root in map(_root, own) if root is not None)
        return Roots(usage, tuple(sorted(roots, key=lambda root: root.image)))

    def path(self, image: Image) -> str:
        path = device(self.vg, image)
        if not os.path.exists(path):
            lvm.activate(self.vg, volume_name(image))
        return path

    def begin(self, image: Image, size: int, parent: Image | None) -> None:
        name = volume_name(image)
        if parent is None:
            lvm.create_thin(self.vg, POOL, name, size, (OURS, UNFINISHED))
            lvm.change(self.vg, name, activation_skip=True)
        else:
            lvm.create_snapshot(self.vg, volume_name(parent), name, tags=(OURS, UNFINISHED), active=True)
        if lvm.read(self.vg).volumes[name].size < size:
            lvm.extend(self.vg, name, -(-size // _EXTENT) * _EXTENT)

    def resume(self, image: Image) -> None:
        # it is read-only if a run was killed while it finished it
        self._let_write(volume_name(image))

    def finish(self, image: Image) -> None:
        lvm.change(self.vg, volume_name(image), read_only=True)
        lvm.change(self.vg, volume_name(image), remove_tags=(UNFINISHED,))

    def remove(self, root: Root) -> None:
        if root.is_complete:
            lvm.change(self.vg, volume_name(root.image), add_tags=(UNFINISHED,))
        lvm.remove(self.vg, volume_name(root.image))

    def rest(self, image: Image) -> None:
        with contextlib.suppress(StatelessError):
            lvm.deactivate(self.vg, volume_name(image))

    @contextlib.contextmanager
    def writable(self, image: Image) -> t.Iterator[str]:
        self._let_write(volume_name(image))
        try:
            yield self.path(image)
        finally:
            lvm.change(self.vg, volume_name(image), read_only=True)

    def _let_write(self, name: str) -> None:
        # lvchange(8) fails if there is nothing to change
        if lvm.read(self.vg).volumes[name].read_only:
            lvm.change(self.vg, name, read_only=False)


def _root(volume: LogicalVolume) -> Root | None:
    image = _image(volume.name)
    if image is None:
        return None
    used = _share(volume.size, volume.data_percent) if volume.data_percent is not None else volume.size
    return Root(*image, UNFINISHED not in volume.tags, volume.size, used, _image(volume.origin))


def _image(name: str) -> Image | None:
    match = _NAME.fullmatch(name)
    with contextlib.suppress(InvalidValue):
        return (check_name("volume", match[1]), int(match[2])) if match is not None else None
    return None


def _share(size: int, percent: float) -> int:
    # lvs(8) says two digits behind the point: as much as it may be
    return min(size, int(size * (percent + 0.01) / 100))
