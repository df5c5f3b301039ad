# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans on a recorded volume group (lvs.json). That they do what they say is tested on real LVM, by molecule."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import typing as t

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.stateless.linux.plugins.module_utils._errors import StatelessError
from ansible_collections.stateless.linux.plugins.module_utils._volumes import (
    lvm_report,
    lvm_snapshot,
    lvm_snapshot_found,
)
from ansible_collections.stateless.linux.plugins.module_utils._volumes.lvm_snapshot_rules import Wanted, check
from ansible_collections.stateless.linux.plugins.modules import lvm_snapshot as module
from ansible_collections.stateless.linux.plugins.modules import lvm_snapshot_info as info_module

MIB = 1024**2
GROUP = lvm_report.parse(json.loads(pathlib.Path(__file__).with_name("lvs.json").read_text()))["vg0"]


def planned(group: lvm_report.VolumeGroup = GROUP, **wanted: t.Any) -> lvm_snapshot.Planned:
    said = Wanted(vg="vg0", **wanted)
    check(said)
    return lvm_snapshot.plan(group, said)


def actions(**wanted: t.Any) -> list[str]:
    return [step.text for step in planned(**wanted).plan.steps]


def after(**wanted: t.Any) -> lvm_report.LogicalVolume:
    return planned(**wanted).group.volumes[wanted["name"]]


def group_with(**changes: dict[str, t.Any]) -> lvm_report.VolumeGroup:
    """The recorded group with some of its volumes changed."""
    changed = {name: dataclasses.replace(GROUP.volumes[name], **values) for name, values in changes.items()}
    return dataclasses.replace(GROUP, volumes={**GROUP.volumes, **changed})


# -- created


def test_the_kind_follows_the_origin() -> None:
    assert actions(name="s", origin="root") == ["create the thin snapshot vg0/s of root"]
    assert actions(name="s", origin="t1") == ["create the thin snapshot vg0/s of t1"]
    assert actions(name="s", origin="var", size="10%") == ["create the cow snapshot vg0/s of var"]
    assert actions(name="s", origin="root", kind="cow", size="1M") == ["create the cow snapshot vg0/s of root"]


def test_a_new_thin_snapshot_has_lvms_defaults() -> None:
    new = after(name="s", origin="root", tags=["b", "a", "b"])
    assert (new.size, new.pool, new.tags) == (200 * MIB, "pool", ("a", "b"))
    assert (new.active, new.activation_skip, new.read_only) == (False, True, False)
    assert new.is_thin
    assert new.is_snapshot


def test_a_new_cow_snapshot_is_active_with_its_origin() -> None:
    new = after(name="s", origin="var", size="9M")
    assert (new.size, new.pool, new.active, new.activation_skip) == (12 * MIB, "", True, False)
    assert new.is_cow
    assert not after(name="s", origin="t1", kind="cow", size="9M").active


def test_a_cow_snapshot_is_no_larger_than_its_origin_can_need() -> None:
    # lvcreate of 100 MiB with 4 KiB chunks: "Reducing COW size 1.00 GiB down to maximum usable size 104.00 MiB"
    assert after(name="s", origin="var", size="1G").size == 104 * MIB
    assert after(name="s", origin="var", size="100%").size == 100 * MIB


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"name": "s", "origin": "nothing"}, "origin: there is no logical volume nothing in the volume group vg0"),
        ({"name": "s"}, "origin: None"),
        ({"name": "s", "origin": "pool"}, "it is a pool"),
        ({"name": "s", "origin": "pool_tdata", "size": "4M"}, "it is an internal volume"),
        ({"name": "s", "origin": "v1", "size": "4M"}, "it is a COW snapshot of var"),
        ({"name": "s", "origin": "var"}, "a COW snapshot needs a size"),
        ({"name": "s", "origin": "var", "kind": "thin"}, "vg0/var is not in a thin pool"),
        ({"name": "s", "origin": "root", "size": "4M"}, "size: '4M' cannot be used: a thin snapshot takes its space"),
        ({"name": "s", "origin": "var", "kind": "thin", "size": "4M"}, "a thin snapshot takes its space from the pool"),
        ({"name": "s", "origin": "srv", "size": "4M"}, "s1 is being merged into it"),
        ({"name": "s", "origin": "var", "size": "4M", "active": False}, "var is active"),
        ({"name": "s", "origin": "data"}, "the thin pool vg0/cold is not active"),
        ({"name": "s", "origin": "root", "pool_metadata_limit": 11.2}, "uses 11.23 % of its metadata"),
        ({"name": "s", "origin": "root", "pool_data_limit": 3.42}, "uses 3.42 % of its data"),
        ({"name": "s", "origin": "root", "pool_data_limit": 101}, "pool_data_limit: 101 cannot be used"),
        ({"name": "s" * 120, "origin": "var", "size": "4M"}, "too long by 1"),
        ({"name": "s", "origin": "s", "size": "4M"}, "another name than its origin"),
        ({"name": "srv", "origin": "var", "size": "4M"}, "vg0/srv is in use by something that is no snapshot"),
        ({"name": "home", "origin": "root"}, "LVM has forgotten it"),
        ({"name": "pool", "origin": "root"}, "no snapshot: a pool"),
        ({"name": "t1", "origin": "home"}, "vg0/t1 is a snapshot of root, not of home"),
        ({"name": "t1", "origin": "root", "kind": "cow", "size": "4M"}, "exists and is a thin snapshot"),
        ({"name": "t1", "origin": "root", "size": "4M"}, "a thin snapshot takes its space from the pool"),
        ({"name": "s1", "origin": "srv"}, "is being merged into vg0/srv and cannot be kept"),
        ({"name": "v1", "origin": "var", "size": "15%", "active": False}, "var is active"),
        ({"name": "v1", "origin": "var", "size": "12M"}, "LVM cannot shrink a snapshot"),
        ({"name": "t1", "origin": "root", "tags": ["a b"]}, "tags: 'a b' cannot be used"),
    ],
)
def test_what_cannot_be_is_refused(wanted: dict[str, t.Any], says: str) -> None:
    with pytest.raises(StatelessError, match=says.replace("(", r"\(")):
        planned(**wanted)


def test_no_more_than_the_free_space_is_taken() -> None:
    small = dataclasses.replace(GROUP, free=8 * MIB)
    assert planned(small, name="s", origin="var", size="8M").plan.changed
    assert planned(small, name="v1", origin="var", size="24M").plan.changed
    for wanted in ({"name": "s", "size": "12M"}, {"name": "v1", "size": "28M"}):
        with pytest.raises(StatelessError, match="takes 12 MiB, but the volume group vg0 has 8 MiB free"):
            planned(small, origin="var", **wanted)


def test_a_pool_that_is_full_is_protected_unless_told() -> None:
    full = group_with(pool={"data_percent": 90.0})
    with pytest.raises(StatelessError, match="uses 90 % of its data, and pool_data_limit is 90 %"):
        planned(full, name="s", origin="root")
    assert planned(full, name="s", origin="root", pool_data_limit=95).plan.changed
    assert planned(full, name="t1", origin="root").plan.changed is False
    assert actions(name="s", origin="data", pool_data_limit=100, pool_metadata_limit=100)


# -- changed


def test_nothing_said_nothing_changed() -> None:
    for name in ("t1", "t2", "c1", "v1", "s2"):
        made = planned(name=name, origin=GROUP.volumes[name].origin)
        assert not made.plan.changed
        assert made.group == GROUP


def test_only_what_differs_is_changed_and_shown() -> None:
    made = planned(name="t1", origin="root", tags=["c", "a"], read_only=True, activation_skip=False, active=True)
    assert [step.text for step in made.plan.steps] == [
        "add the tag c and remove the tag b/2=x",
        "clear the activation skip flag",
        "activate it",
    ]
    assert made.plan.before == {"vg0/t1": {"tags": ["a", "b/2=x"], "active": False, "activation_skip": True}}
    assert made.plan.after == {"vg0/t1": {"tags": ["a", "c"], "active": True, "activation_skip": False}}


def test_a_cow_snapshot_grows() -> None:
    assert actions(name="v1", origin="var", size="16M") == []
    made = planned(name="v1", origin="var", size="30%")
    assert [step.text for step in made.plan.steps] == ["grow it from 16 MiB to 32 MiB"]
    assert (made.plan.before, made.plan.after) == ({"vg0/v1": {"size": "16 MiB"}}, {"vg0/v1": {"size": "32 MiB"}})
    largest = group_with(v1={"size": 104 * MIB})
    assert not planned(largest, name="v1", origin="var", size="1G").plan.changed


def test_what_is_open_is_left_alone() -> None:
    mounted = group_with(t2={"open": True}, v1={"open": True})
    for wanted, says in (
        ({"name": "t2", "origin": "t1", "active": False}, "cannot be deactivated: /dev/vg0/t2 is open"),
        ({"name": "t2", "origin": "t1", "read_only": True}, "cannot be made read-only"),
        ({"name": "v1", "state": "absent"}, "cannot be removed"),
    ):
        with pytest.raises(StatelessError, match=says):
            planned(mounted, **wanted)
    assert planned(mounted, name="t2", origin="t1", tags=["x"], active=True).plan.changed


def test_an_invalid_snapshot_is_reported_and_replaced_only_if_asked() -> None:
    left = planned(name="v2", origin="var", size="1G", tags=["other"])
    assert not left.plan.changed
    assert "has become invalid: its content is lost" in left.warnings[0]
    made = planned(name="v2", origin="var", replace_invalid=True, size="4M", tags=["keep"])
    assert [step.text for step in made.plan.steps] == [
        "remove the invalid snapshot vg0/v2",
        "create the cow snapshot vg0/v2 of var",
    ]
    assert made.plan.before == {"vg0/v2": {"read_only": True, "valid": False}}
    assert made.plan.after == {"vg0/v2": {"read_only": False, "valid": True}}
    assert not made.group.volumes["v2"].invalid
    with pytest.raises(StatelessError, match="a COW snapshot needs a size"):
        planned(name="v2", origin="var", replace_invalid=True)
    with pytest.raises(StatelessError, match="cannot be replaced"):
        planned(group_with(v2={"open": True}), name="v2", origin="var", replace_invalid=True, size="4M")
    # its own space is free for the new one
    full = dataclasses.replace(GROUP, free=0)
    assert planned(full, name="v2", origin="var", replace_invalid=True, size="4M").plan.changed
    with pytest.raises(StatelessError, match="has 4 MiB free"):
        planned(full, name="v2", origin="var", replace_invalid=True, size="8M")


# -- absent


def test_a_snapshot_is_removed_and_nothing_else() -> None:
    assert actions(name="never", state="absent") == []
    assert actions(name="never", origin="nothing", state="absent") == []
    made = planned(name="t2", origin="t1", state="absent")
    assert [step.text for step in made.plan.steps] == ["remove the snapshot vg0/t2"]
    assert set(GROUP.volumes) - set(made.group.volumes) == {"t2"}
    assert made.plan.after == {}
    for name, says in (
        ("t1", "vg0/t1 cannot be removed: c1 would be lost with it"),
        ("s1", "is being merged into srv"),
        ("var", "is no snapshot"),
        ("root", "is no snapshot"),
        ("pool", "is no snapshot"),
    ):
        with pytest.raises(StatelessError, match=says):
            planned(name=name, state="absent")
    with pytest.raises(StatelessError, match="is a snapshot of t1, not of root"):
        planned(name="t2", origin="root", state="absent")
    external = group_with(t2={"roles": GROUP.volumes["t2"].roles | {"extthinorigin"}})
    with pytest.raises(StatelessError, match="external origin"):
        planned(external, name="t2", state="absent")


# -- merged


def test_a_merge_at_once() -> None:
    made = planned(name="v1", origin="var", state="merged")
    assert [step.text for step in made.plan.steps] == ["merge vg0/v1 into var"]
    assert "v1" not in made.group.volumes
    assert made.warnings[0].startswith("var has other snapshots (v2): the merge writes to the origin, which fills them")
    # a thin origin may be inactive
    assert actions(name="d1", state="merged") == ["merge vg0/d1 into data"]


@pytest.mark.parametrize(
    ("changes", "name", "reboot"),
    [
        ({"var": {"open": True}}, "v1", True),
        ({"v1": {"open": True}}, "v1", True),
        ({"var": {"active": False}}, "v1", False),
        ({"root": {"open": True}}, "t1", True),
        ({"t2": {"open": True}, "t1": {"active": True}}, "t2", True),
    ],
)
def test_a_merge_that_waits(changes: dict[str, dict[str, t.Any]], name: str, reboot: bool) -> None:
    group = group_with(**changes)
    made = planned(group, name=name, state="merged")
    assert made.plan.steps[0].text.endswith("when that is activated next")
    marked = made.group.volumes[name]
    assert marked.merging
    assert lvm_snapshot_found.merge_waits(made.group, marked) is reboot
    assert not planned(made.group, name=name, state="merged").plan.changed


def test_a_merge_that_runs_needs_no_reboot() -> None:
    running = group_with(srv={"data_percent": 31.6})
    assert not lvm_snapshot_found.merge_waits(running, running.volumes["s1"])


def test_what_cannot_be_merged() -> None:
    assert actions(name="never", state="merged") == []
    for wanted, says in (
        ({"name": "v2"}, "its content is lost"),
        ({"name": "s2"}, "s1 is being merged into srv already"),
        ({"name": "h2"}, "h1 is being merged into home already"),
        ({"name": "var"}, "is no snapshot"),
        ({"name": "never", "origin": "nothing"}, "there is no logical volume nothing"),
    ):
        with pytest.raises(StatelessError, match=says):
            planned(state="merged", **wanted)


# -- whatever is wanted


WANTED = st.fixed_dictionaries(
    {
        "name": st.sampled_from([*GROUP.volumes, "new", "a-b", "snapshot1"]),
        "state": st.sampled_from(["present", "absent", "merged"]),
    },
    optional={
        "origin": st.sampled_from([*GROUP.volumes, "nothing"]),
        "kind": st.sampled_from(["thin", "cow"]),
        "size": st.sampled_from(["4M", "16M", "50%", "1T", "x"]),
        "read_only": st.booleans(),
        "active": st.booleans(),
        "activation_skip": st.booleans(),
        "tags": st.lists(st.sampled_from("abc"), max_size=3),
        "replace_invalid": st.booleans(),
    },
)


@given(WANTED)
def test_a_plan_leads_where_there_is_nothing_left_to_do(wanted: dict[str, t.Any]) -> None:
    """Every plan either is refused, or comes to a state that the same task finds right."""
    try:
        made = planned(**wanted)
    except StatelessError as error:
        assert str(error)
        return
    assert made.plan.changed == (made.plan.before != made.plan.after)
    again = planned(made.group, **wanted)
    assert not again.plan.changed
    assert again.group == made.group
    # nothing but the snapshot itself is touched
    others = {name: one for name, one in GROUP.volumes.items() if name != wanted["name"]}
    assert {name: one for name, one in made.group.volumes.items() if name != wanted["name"]} == others


def test_both_modules_document_the_same_snapshot() -> None:
    state, info = yaml.safe_load(module.RETURN), yaml.safe_load(info_module.RETURN)
    documented = state["snapshot"]["contains"]
    described = lvm_snapshot_found.describe(GROUP, GROUP.volumes["t1"])
    assert set(documented) == set(info["snapshots"]["contains"]) == set(described) == set(state["snapshot"]["sample"])
    found = info["snapshots"]["contains"]
    for name, value in documented.items():
        if name != "created":  # check mode, which only one of them has
            assert value == found[name]


def test_the_documented_limits_are_the_librarys() -> None:
    options = yaml.safe_load(module.DOCUMENTATION)["options"]
    wanted = Wanted("vg0", "s")
    assert options["pool_data_limit"]["default"] == wanted.pool_data_limit
    assert options["pool_metadata_limit"]["default"] == wanted.pool_metadata_limit
    assert set(options) == {field.name for field in dataclasses.fields(Wanted)}
