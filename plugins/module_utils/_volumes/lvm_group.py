# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volume groups: which there are, with their tags and disks, and how one with a thin pool is made."""

from __future__ import annotations

import dataclasses
import typing as t

from .._command import run, run_json
from .lvm import ENVIRONMENT, REPORT


@dataclasses.dataclass(frozen=True)
class Group:
    """A volume group."""

    name: str
    tags: tuple[str, ...] = ()
    #: bytes that no logical volume uses
    free: int = 0
    #: the devices that it lies on
    devices: tuple[str, ...] = ()


def groups() -> list[Group]:
    """All volume groups of this host, by name."""
    report = run_json(["pvs", *REPORT, "--options", "pv_name,vg_name,vg_tags,vg_free"], env=ENVIRONMENT)
    found: dict[str, Group] = {}
    for row in (row for part in report["report"] for row in part["pv"]):
        name = row["vg_name"]
        if name:
            devices = (*found[name].devices, row["pv_name"]) if name in found else (row["pv_name"],)
            tags = tuple(sorted(filter(None, row["vg_tags"].split(","))))
            found[name] = Group(name, tags, int(row["vg_free"]), devices)
    return [group for _name, group in sorted(found.items())]


def create(name: str, device: str, tags: t.Iterable[str]) -> None:
    """Make a volume group on one device, which has nothing on it any more."""
    words = [word for tag in tags for word in ("--addtag", tag)]
    # the same everywhere, however large the disk is: what the sizes were computed with
    _lvm("vgcreate", "--yes", "--physicalextentsize", "4m", *words, name, device)


def create_linear(vg: str, name: str, size: int, tag: str) -> None:
    """Make an ordinary volume of *size* bytes."""
    _lvm("lvcreate", "--yes", "--wipesignatures", "y", "--addtag", tag, "--size", f"{size}b", "--name", name, vg)


def create_pool(vg: str, name: str, size: int, metadata: int, chunk: int, tag: str) -> None:
    """Make a thin pool of *size* bytes, with *metadata* bytes for its own use, and as much again to repair that into.

    New chunks read as zeros. If it were ever full, a write would fail at once instead of waiting for somebody.
    """
    options = ["--type", "thin-pool", "--chunksize", f"{chunk}b", "--poolmetadatasize", f"{metadata}b"]
    options += ["--poolmetadataspare", "y", "--zero", "y", "--discards", "passdown"]
    # lvcreate(8) of LVM 2.03.16 refuses the option of that name
    options += ["--config", "activation/error_when_full=1"]
    _lvm("lvcreate", "--yes", *options, "--addtag", tag, "--size", f"{size}b", "--name", name, vg)


def change_tags(vg: str, add: t.Iterable[str] = (), remove: t.Iterable[str] = ()) -> None:
    """Give a volume group tags, and take some away, in one step."""
    words = [word for tag in add for word in ("--addtag", tag)]
    words += [word for tag in remove for word in ("--deltag", tag)]
    _lvm("vgchange", *words, vg)


def deactivate(vg: str) -> None:
    """Have no device of the group any more; LVM refuses if one is open."""
    _lvm("vgchange", "--activate", "n", vg)


def _lvm(*argv: str) -> None:
    run(argv, env=ENVIRONMENT, to_its_end=True)
