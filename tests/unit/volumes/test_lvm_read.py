# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""lvs.json was written by lvs of LVM 2.03.16, of a volume group made for it."""

from __future__ import annotations

import json
import pathlib

from ansible_collections.stateless.linux.plugins.module_utils._volumes import lvm_report, lvm_snapshot_found
from ansible_collections.stateless.linux.plugins.module_utils._volumes.lvm_report import VolumeGroup

MIB = 1024**2


def recorded() -> VolumeGroup:
    report = json.loads(pathlib.Path(__file__).with_name("lvs.json").read_text())
    return lvm_report.parse(report)["vg0"]


def test_the_volume_group() -> None:
    group = recorded()
    assert group.extent_size == 4 * MIB
    assert group.free > 1024 * MIB
    assert [one.name for one in group.tagged("keep")] == ["v2"]
    assert [one.name for one in group.snapshots_of("srv")] == ["s1", "s2"]
    assert group.get("none") is None


def test_kinds() -> None:
    volumes = recorded().volumes.values()
    assert {one.name for one in volumes if one.is_pool} == {"pool", "cold"}
    assert {one.name for one in volumes if one.is_thin} == {"root", "home", "data", "t1", "t2", "h1", "h2", "d1"}
    assert {one.name for one in volumes if one.is_cow} == {"c1", "v1", "v2", "s1", "s2"}
    assert {one.name for one in volumes if one.is_snapshot} == set("t1 t2 h1 h2 d1 c1 v1 v2 s1 s2".split())
    internal = {"pool_tdata", "pool_tmeta", "cold_tdata", "cold_tmeta", "lvol0_pmspare"}
    assert {one.name for one in volumes if one.hidden} == internal | {"s1", "h1"}


def test_thin_volumes_have_the_numbers_that_lvm_says() -> None:
    assert "thin_id" in lvm_report.FIELDS.split(",")
    report = json.loads(pathlib.Path(__file__).with_name("lvs.json").read_text())
    # the recorded one was not asked for them
    for row in report["report"][0]["lv"]:
        row["thin_id"] = {"t1": "7", "root": "2"}.get(row["lv_name"], "")
    volumes = lvm_report.parse(report)["vg0"].volumes
    assert {name: one.thin_id for name, one in volumes.items() if one.thin_id is not None} == {"t1": 7, "root": 2}


def test_states() -> None:
    volumes = recorded().volumes
    assert {name for name, one in volumes.items() if one.read_only} == {"t1", "v2"}
    assert {name for name, one in volumes.items() if one.is_snapshot and one.active} == {"t2", "v1", "v2", "s1", "s2"}
    assert {name for name, one in volumes.items() if one.activation_skip} == {"t1", "h1", "h2", "d1"}
    assert {name for name, one in volumes.items() if one.open and not one.hidden} == {"pool", "home", "srv"}
    assert {name for name, one in volumes.items() if one.merging} == {"s1", "srv", "h1"}
    assert {name for name, one in volumes.items() if one.invalid} == {"v2"}
    assert volumes["cold"].data_percent is None
    assert volumes["t1"].origin == "root"
    assert volumes["t1"].tags == ("a", "b/2=x")
    assert volumes["t1"].path == "/dev/vg0/t1"


def test_a_thin_snapshot_as_it_is_returned() -> None:
    group = recorded()
    described = lvm_snapshot_found.describe(group, group.volumes["t1"])
    assert described.pop("created").startswith("2026-11-23T00:3")
    assert described == {
        "vg": "vg0",
        "name": "t1",
        "path": "/dev/vg0/t1",
        "origin": "root",
        "kind": "thin",
        "pool": "pool",
        "size": 200 * MIB,
        "tags": ["a", "b/2=x"],
        "read_only": True,
        "active": False,
        "activation_skip": True,
        "data_percent": None,
        "metadata_percent": 11.23,
        "valid": True,
        "merging": False,
    }


def test_cow_snapshots_as_they_are_returned() -> None:
    group = recorded()
    valid = lvm_snapshot_found.describe(group, group.volumes["v1"])
    assert (valid["kind"], valid["pool"], valid["size"], valid["valid"]) == ("cow", None, 16 * MIB, True)
    assert (valid["data_percent"], valid["metadata_percent"]) == (31.42, None)
    invalid = lvm_snapshot_found.describe(group, group.volumes["v2"])
    assert (invalid["valid"], invalid["data_percent"]) == (False, 100)
    assert lvm_snapshot_found.describe(group, group.volumes["c1"])["valid"] is None


def test_merges_that_wait() -> None:
    group = recorded()
    assert lvm_snapshot_found.merge_waits(group, group.volumes["s1"])
    assert lvm_snapshot_found.merge_waits(group, group.volumes["h1"])
    assert not lvm_snapshot_found.merge_waits(group, group.volumes["s2"])
