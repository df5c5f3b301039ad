# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lvs(8) reports of logical volumes, as values. Nothing is parsed from text that is meant for people."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

#: What is asked of lvs(8), by name, so that a site's lvm.conf cannot change the answer.
FIELDS = (
    "vg_name,vg_extent_size,vg_free,lv_name,lv_uuid,lv_size,lv_metadata_size,lv_layout,lv_role,origin,pool_lv,lv_tags,"
    "lv_attr,lv_active,lv_device_open,lv_skip_activation,lv_merging,lv_merge_failed,lv_snapshot_invalid,"
    "data_percent,metadata_percent,lv_time,thin_id"
)


@dataclasses.dataclass(frozen=True)
class LogicalVolume:
    """One logical volume as lvs(8) reports it."""

    vg: str
    name: str
    uuid: str
    #: bytes; of a COW snapshot, of the space for its differences
    size: int
    #: lvs(8) lv_layout, such as ``thin``, ``sparse``, ``pool``, ``linear``
    layout: frozenset[str] = frozenset()
    #: lvs(8) lv_role, such as ``public``, ``snapshot``, ``thinsnapshot``, ``origin``
    roles: frozenset[str] = frozenset()
    #: the volume that this one is a snapshot of; empty if none, or if that one is gone
    origin: str = ""
    #: the thin (or cache) pool it lies in; empty if none
    pool: str = ""
    tags: tuple[str, ...] = ()
    read_only: bool = False
    active: bool = False
    #: its device is open: mounted, or used by a program or another device
    open: bool = False
    activation_skip: bool = False
    #: a snapshot that is being merged into its origin, or will be when that is activated next;
    #: or the origin of such a COW snapshot
    merging: bool = False
    merge_failed: bool = False
    #: a COW snapshot that is full: its content is lost
    invalid: bool = False
    #: internal, such as the data of a pool or a snapshot that is being merged
    hidden: bool = False
    #: percent; ``None`` if LVM does not know, because the volume is inactive
    data_percent: float | None = None
    metadata_percent: float | None = None
    #: bytes; of a thin pool, its metadata
    metadata_size: int = 0
    #: the number by which its pool knows a thin volume
    thin_id: int | None = None
    #: ISO 8601, UTC; empty if not known
    created: str = ""

    @property
    def path(self) -> str:
        """The block device of the volume (there while it is active)."""
        return path(self.vg, self.name)

    @property
    def full_name(self) -> str:
        """``VG/NAME``, as LVM's commands and messages have it."""
        return f"{self.vg}/{self.name}"

    @property
    def is_pool(self) -> bool:
        """Whether it is a thin, cache or VDO pool."""
        return "pool" in self.layout

    @property
    def is_thin(self) -> bool:
        """Whether it is a volume in a thin pool (not the pool)."""
        return "thin" in self.layout and not self.is_pool and "private" not in self.roles

    @property
    def is_cow(self) -> bool:
        """Whether it is a classic copy-on-write snapshot."""
        return "thicksnapshot" in self.roles

    @property
    def is_snapshot(self) -> bool:
        """Whether it is a snapshot of another volume, of either kind."""
        return self.is_cow or (self.is_thin and "thinsnapshot" in self.roles)


@dataclasses.dataclass(frozen=True)
class VolumeGroup:
    """A volume group and all its logical volumes, internal ones too."""

    name: str
    #: bytes
    extent_size: int = 0
    #: bytes that no logical volume uses
    free: int = 0
    volumes: t.Mapping[str, LogicalVolume] = dataclasses.field(default_factory=dict)

    def get(self, name: str) -> LogicalVolume | None:
        """The logical volume *name*; ``None`` if there is none."""
        return self.volumes.get(name)

    def tagged(self, tag: str) -> list[LogicalVolume]:
        """The logical volumes with *tag*, by name."""
        return [volume for _name, volume in sorted(self.volumes.items()) if tag in volume.tags]

    def snapshots_of(self, name: str) -> list[LogicalVolume]:
        """The snapshots of the volume *name*, by name."""
        return [
            volume for _name, volume in sorted(self.volumes.items()) if volume.origin == name and volume.is_snapshot
        ]


def path(vg: str, name: str) -> str:
    """The block device of a logical volume (there while it is active)."""
    return f"/dev/{vg}/{name}"


def parse(report: t.Any) -> dict[str, VolumeGroup]:
    """The volume groups in *report*, the JSON document that lvs(8) wrote."""
    rows = [row for part in report["report"] for row in part.get("lv", ())]
    groups: dict[str, VolumeGroup] = {}
    for row in rows:
        vg = row["vg_name"]
        if vg not in groups:
            groups[vg] = VolumeGroup(vg, int(row["vg_extent_size"]), int(row["vg_free"]), {})
        volume = _volume(row)
        t.cast("dict[str, LogicalVolume]", groups[vg].volumes)[volume.name] = volume
    return groups


def _volume(row: t.Mapping[str, str]) -> LogicalVolume:
    name = row["lv_name"]
    return LogicalVolume(
        vg=row["vg_name"],
        # internal volumes stand in brackets
        name=name.strip("[]"),
        uuid=row["lv_uuid"],
        size=int(row["lv_size"]),
        layout=frozenset(_words(row["lv_layout"])),
        roles=frozenset(_words(row["lv_role"])),
        origin=row["origin"].strip("[]"),
        pool=row["pool_lv"].strip("[]"),
        tags=tuple(sorted(_words(row["lv_tags"]))),
        # lv_permissions says "unknown" of an inactive volume; the second of lv_attr's letters is LVM's own record
        read_only=row["lv_attr"][1] == "r",
        active=row["lv_active"] not in ("", "0"),
        open=row["lv_device_open"] == "1",
        activation_skip=row["lv_skip_activation"] == "1",
        merging=row["lv_merging"] == "1",
        merge_failed=row["lv_merge_failed"] == "1",
        invalid=row["lv_snapshot_invalid"] == "1",
        hidden=name.startswith("["),
        data_percent=_number(row["data_percent"]),
        metadata_percent=_number(row["metadata_percent"]),
        metadata_size=int(row["lv_metadata_size"] or 0),
        created=_time(row["lv_time"]),
        thin_id=int(row["thin_id"]) if row.get("thin_id") else None,
    )


def _words(value: str) -> list[str]:
    return [word for word in value.split(",") if word]


def _number(value: str) -> float | None:
    return float(value) if value else None


def _time(value: str) -> str:
    if not value or value == "0":
        return ""
    return datetime.datetime.fromtimestamp(int(value), datetime.timezone.utc).isoformat()
