# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""LVM: what is there, read from its JSON reports, and the few commands that change it.

Reading costs one ``lvs`` (0.3 to 2 seconds on a small machine): read once, then ask the values.
The functions that act take names that exist and were read before; they check nothing again. Sizes are
bytes everywhere.
"""

from __future__ import annotations

import typing as t

from .._command import CommandFailed, run, run_json
from .._errors import NotFound
from .lvm_report import FIELDS, VolumeGroup, parse

#: A report as JSON, in bytes and without words.
REPORT = ("--reportformat", "json", "--units", "b", "--nosuffix", "--binary")
#: lv_time in seconds since the epoch, whatever lvm.conf and the time zone say.
_TIME = 'report/time_format="%s"'
#: LVM warns about every descriptor that it inherits; those of Ansible are none of its business.
ENVIRONMENT = {"LVM_SUPPRESS_FD_WARNINGS": "1"}


# -- reading


def read(vg: str) -> VolumeGroup:
    """Read the volume group *vg*.

    :raises NotFound: there is no such volume group.
    """
    try:
        groups = read_all(vg)
    except CommandFailed as error:
        # lvs says with a sentence and one status for everything that the group is missing: look instead.
        known = _volume_groups()
        if vg in known:
            raise
        raise NotFound(f"there is no volume group {vg} on this host{_known(known)}") from error
    # lvs has no row for an empty volume group
    return groups.get(vg) or _volume_groups()[vg]


def read_all(*vgs: str) -> dict[str, VolumeGroup]:
    """Read the volume groups *vgs*, or all of this host, that have a logical volume, by name."""
    argv = ["lvs", "--all", *REPORT, "--config", _TIME, "--options", FIELDS, *vgs]
    return parse(run_json(argv, env=ENVIRONMENT))


def pool_usage(vg: str, pool: str) -> tuple[float | None, float | None]:
    """Percent of its data and of its metadata that the thin pool uses; ``None`` if it is inactive.

    :raises NotFound: there is no such thin pool.
    """
    volume = read(vg).get(pool)
    if volume is None or not volume.is_pool:
        raise NotFound(f"there is no thin pool {pool} in the volume group {vg}")
    return volume.data_percent, volume.metadata_percent


def _volume_groups() -> dict[str, VolumeGroup]:
    argv = ["vgs", *REPORT, "--options", "vg_name,vg_extent_size,vg_free"]
    rows = [row for part in run_json(argv, env=ENVIRONMENT)["report"] for row in part["vg"]]
    return {
        row["vg_name"]: VolumeGroup(row["vg_name"], int(row["vg_extent_size"]), int(row["vg_free"])) for row in rows
    }


def _known(names: t.Iterable[str]) -> str:
    listed = ", ".join(sorted(names))
    return f" (there is {listed})" if listed else ""


# -- acting


def create_thin(vg: str, pool: str, name: str, size: int, tags: t.Iterable[str] = ()) -> None:
    """Create the thin volume *name* of *size* bytes (rounded up to whole extents), active and writable."""
    _lvm(
        "lvcreate",
        "--thin",
        "--virtualsize",
        f"{size}b",
        "--name",
        name,
        "--wipesignatures",
        "n",
        *_tags(tags),
        f"{vg}/{pool}",
    )


def create_snapshot(
    vg: str,
    origin: str,
    name: str,
    *,
    size: int | None = None,
    tags: t.Iterable[str] = (),
    read_only: bool = False,
    active: bool = False,
    activation_skip: bool | None = None,
) -> None:
    """Create the snapshot *name* of *origin*: thin, or, if it has a *size*, COW.

    :arg size: bytes for the differences of a COW snapshot.
    :arg active: of a thin snapshot; a COW snapshot is active exactly when its origin is.
    :arg activation_skip: ``None`` as LVM has it: set for a thin snapshot, not set for a COW one.
    """
    options = ["--snapshot", "--name", name, "--permission", "r" if read_only else "rw", *_tags(tags)]
    thin = size is None
    options += ["--setactivationskip", _flag(thin if activation_skip is None else activation_skip)]
    if thin:
        options += ["--activate", _flag(active), "--ignoreactivationskip"]
    else:
        options += ["--size", f"{size}b"]
    _lvm("lvcreate", *options, f"{vg}/{origin}")


def rename(vg: str, old: str, new: str) -> None:
    """Rename a logical volume; works while it is mounted."""
    _lvm("lvrename", vg, old, new)


def extend(vg: str, name: str, size: int) -> None:
    """Grow a logical volume (of a COW snapshot: the space for its differences) to *size* bytes."""
    _lvm("lvextend", "--size", f"{size}b", f"{vg}/{name}")


def remove(vg: str, name: str) -> None:
    """Remove a logical volume. LVM removes COW snapshots of it as well; it refuses one that is open."""
    _lvm("lvremove", "--yes", f"{vg}/{name}")


def activate(vg: str, *names: str) -> None:
    """Make the devices of volumes appear, the activation skip flag or not."""
    _lvm("lvchange", "--activate", "y", "--ignoreactivationskip", *(f"{vg}/{name}" for name in names))


def deactivate(vg: str, *names: str) -> None:
    """Make the devices of volumes disappear; LVM refuses one that is open."""
    _lvm("lvchange", "--activate", "n", *(f"{vg}/{name}" for name in names))


def change(
    vg: str,
    name: str,
    *,
    read_only: bool | None = None,
    activation_skip: bool | None = None,
    add_tags: t.Iterable[str] = (),
    remove_tags: t.Iterable[str] = (),
) -> None:
    """Change properties of a logical volume; what is ``None`` or empty stays."""
    options: list[str] = []
    if activation_skip is not None:
        options += ["--setactivationskip", _flag(activation_skip)]
    options += _tags(add_tags)
    for tag in remove_tags:
        options += ["--deltag", tag]
    if options:
        _lvm("lvchange", *options, f"{vg}/{name}")
    if read_only is not None:
        _lvm("lvchange", "--permission", "r" if read_only else "rw", f"{vg}/{name}")


def merge(vg: str, name: str) -> None:
    """Merge a snapshot into its origin: now, or, if one of them is open, when the origin is activated next."""
    _lvm("lvconvert", "--yes", "--merge", f"{vg}/{name}")


def _lvm(*argv: str) -> None:
    run(argv, env=ENVIRONMENT, to_its_end=True)


def _tags(tags: t.Iterable[str]) -> list[str]:
    return [word for tag in tags for word in ("--addtag", tag)]


def _flag(value: bool) -> str:
    return "y" if value else "n"
