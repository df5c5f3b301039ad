# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said of an LVM snapshot volume, and what is refused, with the reason.

Nothing here changes anything; every refusal is a StatelessError.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._errors import InUse, InvalidValue, StatelessError
from .lvm_report import LogicalVolume, VolumeGroup
from .lvm_values import check_existing_name, check_new_name, check_tag, check_vg_name, parse_size, show_size

#: Percent of a thin pool's data and metadata from which no snapshot is taken. Below it there must be room to notice
#: and extend. A pool without free metadata is the worse case: it fails all its volumes and may need lvconvert --repair.
POOL_DATA_LIMIT = 90.0
POOL_METADATA_LIMIT = 80.0

#: bytes: the chunk of a COW snapshot, and what one chunk's record in its exception tables takes
_CHUNK = 4096
_RECORD = 16


class NoSpace(StatelessError):
    """The thin pool or the volume group has no room for the snapshot."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a task says of a snapshot; ``None`` is what it leaves as it is."""

    vg: str
    name: str
    state: str = "present"
    origin: str | None = None
    kind: str | None = None
    size: str | None = None
    read_only: bool | None = None
    active: bool | None = None
    activation_skip: bool | None = None
    tags: t.Sequence[str] | None = None
    replace_invalid: bool = False
    pool_data_limit: float = POOL_DATA_LIMIT
    pool_metadata_limit: float = POOL_METADATA_LIMIT


def check(wanted: Wanted) -> None:
    """Raise InvalidValue if an option has a value that cannot work, whatever there is."""
    check_vg_name("vg", wanted.vg)
    check_new_name("name", wanted.vg, wanted.name, cow=wanted.kind == "cow")
    if wanted.origin is not None:
        check_existing_name("origin", wanted.origin)
        if wanted.origin == wanted.name:
            raise InvalidValue("name", wanted.name, "a snapshot needs another name than its origin")
    for tag in wanted.tags or ():
        check_tag("tags", tag)
    if wanted.size is not None:
        parse_size("size", wanted.size)
        if wanted.kind == "thin":
            raise no_thin_size(wanted)
    for option in ("pool_data_limit", "pool_metadata_limit"):
        if not 0 < getattr(wanted, option) <= 100:
            raise InvalidValue(option, getattr(wanted, option), "use a share above 0 and up to 100 percent")


def kind_of(snapshot: LogicalVolume) -> str:
    """``cow`` or ``thin``."""
    return "cow" if snapshot.is_cow else "thin"


def check_same(current: LogicalVolume, wanted: Wanted) -> None:
    """Raise an error unless *current* is the snapshot that the task means."""
    if not current.is_snapshot:
        what = (
            "a pool" if current.is_pool else "an internal volume" if current.hidden else "a logical volume of its own"
        )
        forgotten = ""
        if current.is_thin:
            forgotten = (
                "; if it was a snapshot, LVM has forgotten it: it does when the origin is removed, "
                "or another snapshot merged into it"
            )
        raise InUse(f"name: {current.full_name} is in use by something that is no snapshot: {what}{forgotten}")
    if wanted.origin is not None and current.origin != wanted.origin:
        raise InUse(f"name: {current.full_name} is a snapshot of {current.origin}, not of {wanted.origin}")
    kind = kind_of(current)
    if wanted.kind is not None and wanted.kind != kind:
        raise InvalidValue("kind", wanted.kind, f"{current.full_name} exists and is a {kind} snapshot: remove it first")
    if wanted.size is not None and kind == "thin":
        raise no_thin_size(wanted)


def check_origin(group: VolumeGroup, origin: LogicalVolume, kind: str) -> None:
    if origin.is_pool:
        raise InvalidValue("origin", origin.name, "it is a pool; take a snapshot of a volume in it")
    if origin.hidden or "private" in origin.roles:
        raise InvalidValue("origin", origin.name, "it is an internal volume of LVM")
    if origin.is_cow:
        raise InvalidValue("origin", origin.name, f"it is a COW snapshot of {origin.origin}; LVM takes none of these")
    if kind == "thin" and not origin.is_thin:
        raise InvalidValue("kind", kind, f"{origin.full_name} is not in a thin pool; use cow, with a size")
    if kind == "cow":
        for one in group.snapshots_of(origin.name):
            if one.merging:
                raise InUse(f"{origin.full_name} takes no new snapshot: {one.name} is being merged into it")


def check_pool(group: VolumeGroup, origin: LogicalVolume, wanted: Wanted) -> None:
    pool = group.volumes[origin.pool]
    for what, used, option in (
        ("data", pool.data_percent, "pool_data_limit"),
        ("metadata", pool.metadata_percent, "pool_metadata_limit"),
    ):
        limit = getattr(wanted, option)
        if used is None and limit < 100:
            raise NoSpace(
                f"the thin pool {pool.full_name} is not active, so how full it is cannot be known: "
                f"activate it or {origin.name}, or set {option} to 100 to do without"
            )
        if used is not None and used >= limit:
            raise NoSpace(
                f"the thin pool {pool.full_name} uses {used:g} % of its {what}, and {option} is {limit:g} %: "
                "extend the pool, remove volumes, or raise the limit"
            )


def check_free(group: VolumeGroup, wanted: Wanted, needed: int) -> None:
    if needed > group.free:
        have = f"the volume group {wanted.vg} has {show_size(group.free)} free"
        raise NoSpace(f"size: {wanted.size!r} takes {show_size(needed)}, but {have}")


def check_cow_active(origin: LogicalVolume, wanted: Wanted) -> None:
    if wanted.active is not None and wanted.active != origin.active:
        now = "active" if origin.active else "inactive"
        raise InvalidValue(
            "active", wanted.active, f"a COW snapshot is active when its origin is; {origin.name} is {now}"
        )


def check_closed(current: LogicalVolume, what: str) -> None:
    if current.open:
        raise InUse(f"{current.full_name} cannot be {what}: {current.path} is open (mounted, or used by a program)")


def no_thin_size(wanted: Wanted) -> InvalidValue:
    reason = "a thin snapshot takes its space from the pool; leave size out, or say kind cow for one with its own space"
    return InvalidValue("size", wanted.size, reason)


def cow_size(group: VolumeGroup, origin: LogicalVolume, wanted: Wanted) -> int:
    """Bytes for the differences: what is wanted in whole extents, at most what the origin can ever need."""
    if wanted.size is None:
        raise InvalidValue("size", None, "a COW snapshot needs a size: bytes, with a unit, or a share such as 20%")
    return min(parse_size("size", wanted.size).bytes_of(origin.size, group.extent_size), largest_cow(group, origin))


def largest_cow(group: VolumeGroup, origin: LogicalVolume) -> int:
    """Bytes that a COW snapshot of *origin* can use; LVM reduces a larger size to it (and says so on stderr).

    A header, all chunks of the origin, and their exception tables, each of one chunk.
    """
    chunks = -(-origin.size // _CHUNK)
    tables = -(-chunks // (_CHUNK // _RECORD))
    return -(-(1 + chunks + tables) * _CHUNK // group.extent_size) * group.extent_size
