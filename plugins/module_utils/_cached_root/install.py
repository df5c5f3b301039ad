# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a blank disk the disk of a caching client, which boots a root that is fetched onto it."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from .. import _files, _mounts
from .._blocks.local import Local
from .._blocks.update import Update
from .._command import run, run_json
from .._errors import InUse, InvalidValue, StatelessError
from .._volumes import lvm, lvm_group, lvm_report
from . import boot, disk, layout, loader, volumes
from .disk import Found
from .entries import Image
from .machine import Machine
from .room import need
from .stage import Staged, stage

#: Instead of a disk: the only one that is blank.
AUTO = "auto"
VG = "stateless"
_LABEL = "stateless"


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What is to be installed."""

    #: or :data:`AUTO`
    disk: str
    image: Image
    #: take away whatever is on the disk
    erase: bool = False
    #: bytes; None: by the size of the disk
    state: int | None = None
    #: the volume group's name
    vg: str = VG
    #: the label that the image finds its state by
    label: str = _LABEL
    #: files that state has from the beginning, by path: their content, for root alone
    kept: t.Mapping[str, bytes] = dataclasses.field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.erase and self.disk == AUTO:
            raise InvalidValue("disk", AUTO, "what is erased is said by name")


@dataclasses.dataclass(frozen=True)
class Planned:
    """What is to be done, and all that could be found out before."""

    wanted: Wanted
    found: Found
    sizes: layout.Sizes
    uefi: bool
    #: a killed run has begun this
    resumed: bool
    #: the volume groups that are on the disk
    groups: tuple[str, ...] = ()

    def as_text(self) -> str:
        """What is going to happen."""
        name, serial = self.wanted.image
        how = "GRUB, BIOS" if not self.uefi else "systemd-boot, UEFI"
        return (
            f"{self.found.device.said}: {name} {serial}, {how}, {self.sizes.pool >> 20} MiB for roots, "
            f"{self.sizes.state >> 20} MiB of state{'; an interrupted installation goes on' if self.resumed else ''}"
        )


def plan(machine: Machine, wanted: Wanted) -> Planned:
    """Look at everything; nothing is changed.

    :raises InUse: there is something on the disk.
    :raises StatelessError: it cannot be done, or what is to be fetched cannot be had.
    """
    site, trusting = machine.site(wanted.image[0]), machine.trusting(wanted.image[0])
    found = disk.look(wanted.disk) if wanted.disk != AUTO else None
    uefi = loader.is_uefi()
    loader.check(uefi)
    groups = lvm_group.groups()
    if found is None:
        wanted = dataclasses.replace(wanted, disk=blank(wanted, groups))
        found = disk.look(wanted.disk)
    on_disk = _groups_on(found, groups)
    resumed = taken(found, wanted, on_disk)
    others = [group for group in groups if group.name == wanted.vg and group not in on_disk]
    if others:
        raise InUse(f"the volume group {wanted.vg} is on {', '.join(others[0].devices)}: name another with --vg")
    own = Local(wanted.image[0], "")
    update = Update(site, own, wanted.image[1], None, None, trusting)
    made = update.plan(update.look_up())
    if made.manifest.boot is None:
        raise InvalidValue("serial", wanted.image[1], "it has no kernel: nothing can boot it")
    size = found.device.size
    names = tuple(group.name for group in on_disk)
    state = wanted.state if wanted.state is not None else layout.default_state(size)
    return Planned(wanted, found, layout.sizes(size, state, need(made.changes).data), uefi, resumed, names)


def blank(wanted: Wanted, groups: t.Sequence[lvm_group.Group]) -> str:
    """The only disk that is blank, or has what a killed run left.

    :raises InUse: there is none.
    :raises InvalidValue: there are several.
    """
    free, reasons = [], []
    for path in disk.fixed():
        try:
            found = disk.look(path)
            taken(found, wanted, _groups_on(found, groups))
            free.append(path)
        except StatelessError as error:
            reasons.append(str(error))
    if not free:
        raise InUse(f"no disk of this machine is blank: {'; '.join(reasons) or 'there is none'}")
    if len(free) > 1:
        raise InvalidValue("disk", AUTO, f"several are blank, say which is meant: {', '.join(free)}")
    return free[0]


def taken(found: Found, wanted: Wanted, groups: t.Sequence[lvm_group.Group]) -> bool:
    """Whether a killed run has begun with the disk, and is gone on with.

    :arg groups: those on it.
    :raises InUse: it may not be taken.
    """
    if found.is_ours and any(volumes.INSTALLING in group.tags for group in groups):
        return True
    # what a run has left that was killed before there was a volume group
    begun = found.is_ours and disk.part(found, layout.LVM).filesystem == ""
    disk.check(found, wanted.erase or begun)
    return False


def _groups_on(found: Found, groups: t.Iterable[lvm_group.Group]) -> list[lvm_group.Group]:
    own = {device.path for device in found.device.all()}
    return [group for group in groups if own & set(group.devices)]


def act(machine: Machine, planned: Planned) -> Staged:
    """Do it. A run that is killed is gone on with by the next."""
    wanted, progress = planned.wanted, machine.progress
    if not planned.resumed:
        for group in planned.groups:
            # LVM refuses if something uses it
            lvm_group.deactivate(group)
        progress.step(f"partition {wanted.disk}")
        disk.partition(planned.found.device)
    found = disk.look(wanted.disk)
    esp, boots, physical = (disk.part(found, one) for one in (layout.ESP, layout.BOOT, layout.LVM))
    if not planned.resumed:
        loader.make_filesystem(esp.path, "SLESP")
        loader.make_filesystem(boots.path, "SLBOOT")
        progress.step(f"make the volume group {wanted.vg}")
        volumes.make_group(wanted.vg, physical.path, boots.uuid)
    volumes.make_volumes(wanted.vg, planned.sizes)
    state = lvm_report.path(wanted.vg, volumes.STATE)
    _make_state(wanted.vg, state, wanted.label)
    progress.step(f"install {'systemd-boot' if planned.uefi else 'GRUB'}")
    loader.install(planned.uefi, found.device.path, esp.path, boots.path)
    with _mounts.view(state, "ext4", ("rw",)) as where:
        keep(where, wanted.kept)
        installed = dataclasses.replace(
            machine,
            vg=wanted.vg,
            store=volumes.LvmRoots(wanted.vg),
            boot=lambda writable: boot.opened(boots.path, writable),
            places=dataclasses.replace(machine.places, state=where),
            running=None,
        )
        staged = stage(installed, wanted.image, again=True)
    volumes.installed(wanted.vg)
    return staged


def _make_state(vg: str, device: str, label: str) -> None:
    """Make the filesystem of state, unless a killed run has."""
    if not lvm.read(vg).volumes[volumes.STATE].active:
        lvm.activate(vg, volumes.STATE)
    signatures = run_json(["wipefs", "--json", "--no-act", "--", device])["signatures"]
    if "ext4" not in [one["type"] for one in signatures]:
        run(["mkfs.ext4", "-q", "-F", "-L", label, "-m", "0", device])


def keep(state: str, files: t.Mapping[str, bytes]) -> None:
    """Have files in the state that is mounted at *state*, by path; root alone may read them."""
    for path, content in files.items():
        target = state + path
        # like the directories of the image, which the service takes over with all that is in them
        os.makedirs(os.path.dirname(os.path.dirname(target)), exist_ok=True)
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        _files.write(target, content, 0o600)


def check_size(option: str, value: int) -> int:
    """Return *value* if state can have so many bytes, else raise InvalidValue."""
    if value < 64 * layout.MIB:
        raise InvalidValue(option, value, "state takes at least 64 MiB")
    return value
