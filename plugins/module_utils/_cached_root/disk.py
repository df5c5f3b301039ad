# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that is to be installed on: what is on it, and why it may not be taken. And its partitions."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from .._command import CommandFailed, find, run, run_json
from .._errors import InUse, InvalidValue, StatelessError
from . import layout

#: The kernel argument with which a machine takes neither state nor scratch from its disks.
INSTALL = "stateless.install"
_COLUMNS = "NAME,PATH,TYPE,SIZE,RO,FSTYPE,LABEL,PARTLABEL,PARTUUID,MOUNTPOINTS,MODEL,SERIAL"
#: lsblk(8): what can be partitioned.
_KINDS = ("disk", "loop", "md", "mpath")


@dataclasses.dataclass(frozen=True)
class Device:
    """A block device as lsblk(8) reports it, and what lies on it."""

    path: str
    kind: str
    #: bytes
    size: int
    read_only: bool = False
    filesystem: str = ""
    label: str = ""
    #: of a partition, its name and UUID in the table
    name: str = ""
    uuid: str = ""
    mounted: tuple[str, ...] = ()
    model: str = ""
    serial: str = ""
    #: partitions and, on these, other devices
    parts: tuple[Device, ...] = ()

    def all(self) -> t.Iterator[Device]:
        """It, and everything on it."""
        yield self
        for part in self.parts:
            yield from part.all()

    @property
    def said(self) -> str:
        """It in words."""
        known = " ".join(filter(None, (self.model, self.serial)))
        return f"{self.path} ({self.size / 1e9:.1f} GB{f', {known}' if known else ''})"


@dataclasses.dataclass(frozen=True)
class Found:
    """What is on a disk."""

    device: Device
    #: wipefs(8): the kind of each signature on the disk itself, such as ``gpt``, ``ext4``
    signatures: tuple[str, ...]

    @property
    def partitions(self) -> tuple[Device, ...]:
        """Its partitions."""
        return tuple(part for part in self.device.parts if part.kind == "part")

    @property
    def is_ours(self) -> bool:
        """Whether it has our partitions and no others."""
        return layout.is_ours(part.name for part in self.partitions)


def look(path: str) -> Found:
    """What is on the disk.

    :raises InvalidValue: it is no disk.
    """
    try:
        real = os.path.realpath(path, strict=True)
        report = run_json(["lsblk", "--json", "--bytes", "--paths", "--tree", "--output", _COLUMNS, "--", real])
    except FileNotFoundError as error:
        raise InvalidValue("disk", path, "there is no such device") from error
    except CommandFailed as error:
        raise InvalidValue("disk", path, f"it is no block device ({error.stderr.strip()})") from error
    device = _device(report["blockdevices"][0])
    if device.kind not in _KINDS:
        raise InvalidValue("disk", path, f"it is no whole disk but what lsblk calls {device.kind}")
    signatures = run_json(["wipefs", "--json", "--no-act", "--", real])["signatures"]
    return Found(device, tuple(dict.fromkeys(one["type"] for one in signatures)))


def fixed() -> list[str]:
    """The disks that may be chosen where nobody names one: none that can be taken out."""
    argv = ["lsblk", "--json", "--bytes", "--paths", "--nodeps", "--output", "PATH,TYPE,SIZE,RM,TRAN"]
    rows = [row for row in run_json(argv)["blockdevices"] if row["type"] == "disk" and int(row["size"])]
    paths = [row["path"] for row in rows if not row["rm"] and row["tran"] != "usb"]
    return [path for path in paths if not path.startswith("/dev/zram")]


def _device(row: t.Mapping[str, t.Any]) -> Device:
    return Device(
        row["path"],
        row["type"],
        int(row["size"]),
        bool(row["ro"]),
        row["fstype"] or "",
        row["label"] or "",
        row["partlabel"] or "",
        row["partuuid"] or "",
        tuple(one for one in row["mountpoints"] if one),
        (row["model"] or "").strip(),
        (row["serial"] or "").strip(),
        tuple(_device(child) for child in row.get("children", ())),
    )


def check(found: Found, erase: bool) -> None:
    """Raise an error if the disk may not be taken.

    :arg erase: whatever is on it may be lost.
    """
    device = found.device
    used = [f"{one.path} is mounted on {', '.join(one.mounted)}" for one in device.all() if one.mounted]
    # volumes that nobody uses can be deactivated, once it is clear that they may be lost
    kinds = (*_KINDS, "part", *(("lvm",) if erase else ()))
    used += [f"{one.path} is active" for one in device.all() if one.kind not in kinds]
    if device.read_only:
        raise InvalidValue("disk", device.path, "it is read-only")
    if used:
        raise InUse(f"{device.said} is in use: {'; '.join(used)}{_advice(device, erase)}")
    there = [f"{part.path} {part.name or part.filesystem or part.label}".strip() for part in found.partitions]
    there += [] if there else list(found.signatures)
    if there and not erase:
        raise InUse(f"{device.said} is not blank: it has {', '.join(there)}; --erase takes all of that away")


def _advice(device: Device, erase: bool) -> str:
    """What to do about a disk in use whose content may be lost."""
    mounted = {where for one in device.all() for where in one.mounted}
    if not erase or not mounted or "/" in mounted:
        return ""
    return (
        "; if this machine came over the network, and what is mounted is its state: restart it with the kernel "
        f"argument {INSTALL}, with which it leaves its disks alone"
    )


def partition(device: Device) -> None:
    """Make our partitions; what was on the disk is gone. A disk that is in use is refused by sfdisk(8) itself.

    :raises CommandFailed: it is in use.
    """
    find("sfdisk", "fdisk")
    for part in sorted((one for one in device.all() if one.kind == "part"), key=lambda one: one.path):
        run(["wipefs", "--all", "--quiet", "--", part.path])
    argv = ["sfdisk", "--wipe", "always", "--wipe-partitions", "always", "--quiet", "--", device.path]
    run(argv, stdin=layout.script())
    run(["udevadm", "settle", "--timeout=30"])


def part(found: Found, wanted: layout.Partition) -> Device:
    """One of our partitions.

    :raises StatelessError: it is not there.
    """
    for one in found.partitions:
        if one.name == wanted.name:
            return one
    raise StatelessError(f"{found.device.path} has no partition {wanted.name}: the kernel has not taken the new table")
