# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roots as LVM has them: what is read of a group, and the order of changes. LVM itself runs in the lab alone."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._cached_root import layout, volumes
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.volumes import LvmRoots, Root
from ansible_collections.stateless.linux.plugins.module_utils._errors import NotFound, StatelessError
from ansible_collections.stateless.linux.plugins.module_utils._volumes import lvm, lvm_group
from ansible_collections.stateless.linux.plugins.module_utils._volumes.lvm_report import LogicalVolume, VolumeGroup

GIB = 1 << 30
THIN = frozenset({"thin", "sparse"})


def volume(name: str, **said: t.Any) -> LogicalVolume:
    given = {"size": GIB, "layout": THIN, "pool": "roots", "tags": ("stateless.linux",), "data_percent": 25.0}
    return LogicalVolume("vg", name, f"uuid-{name}", **{**given, **said})


def pool(**said: t.Any) -> LogicalVolume:
    given = {
        "size": 10 * GIB,
        "layout": frozenset({"thin", "pool"}),
        "pool": "",
        "active": True,
        "data_percent": 50.0,
        "metadata_percent": 10.0,
        "metadata_size": 64 << 20,
    }
    return volume("roots", **{**given, **said})


class Lvm:
    """A volume group, and the commands that would have changed it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *found: LogicalVolume) -> None:
        self.volumes = {one.name: one for one in found}
        self.done: list[str] = []
        monkeypatch.setattr(lvm, "read", lambda vg: VolumeGroup(vg, 4 << 20, 0, self.volumes))
        for module in (lvm, lvm_group):
            monkeypatch.setattr(module, "run", lambda argv, **_options: self.done.append(" ".join(argv)))


def test_roots_are_told_from_what_else_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    Lvm(
        monkeypatch,
        pool(),
        volume("lab-desktop.1", read_only=True),
        volume("lab-desktop.2", origin="lab-desktop.1", tags=("stateless.linux", "stateless.unfinished")),
        volume("lab-desktop.3", origin="gone", data_percent=None),
        volume("lab-desktop"),
        volume("state", layout=frozenset({"linear"}), pool=""),
        volume("other.1", tags=()),
        volume("Bad.1"),
        volume("lab.07"),
    )
    found = LvmRoots("vg").read()
    assert found.roots == (
        Root("lab-desktop", 1, True, GIB, found.roots[0].used),
        Root("lab-desktop", 2, False, GIB, found.roots[1].used, ("lab-desktop", 1)),
        Root("lab-desktop", 3, True, GIB, GIB),
    )
    # lvs rounds: as much as it may be
    assert 0.25 * GIB < found.roots[0].used < 0.26 * GIB
    assert (found.pool.size, found.pool.metadata) == (10 * GIB, 64 << 20)
    assert 5 * GIB < found.pool.used < 5.1 * GIB


def test_a_group_without_its_pool_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    Lvm(monkeypatch, volume("lab.1"))
    with pytest.raises(StatelessError, match="no thin pool roots"):
        LvmRoots("vg").read()


def test_a_root_is_closed_to_writing_before_it_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    done = Lvm(monkeypatch, pool(), volume("lab.2", tags=("stateless.linux", "stateless.unfinished"))).done
    LvmRoots("vg").finish(("lab", 2))
    assert done == ["lvchange --permission r vg/lab.2", "lvchange --deltag stateless.unfinished vg/lab.2"]


def test_a_root_counts_no_more_before_it_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    done = Lvm(monkeypatch, pool(), volume("lab.2")).done
    LvmRoots("vg").remove(Root("lab", 2, True, GIB))
    assert done == ["lvchange --addtag stateless.unfinished vg/lab.2", "lvremove --yes vg/lab.2"]


def test_a_snapshot_is_unfinished_from_its_first_moment_and_as_large_as_need_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = Lvm(monkeypatch, pool(), volume("lab.1"), volume("lab.2")).done
    LvmRoots("vg").begin(("lab", 2), GIB + 1, ("lab", 1))
    create, extend = done
    assert create.startswith("lvcreate --snapshot --name lab.2 --permission rw ")
    assert "--addtag stateless.linux --addtag stateless.unfinished" in create
    assert "--setactivationskip y --activate y --ignoreactivationskip vg/lab.1" in create
    assert extend == f"lvextend --size {GIB + (4 << 20)}b vg/lab.2"


def test_what_a_killed_run_has_closed_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Lvm(monkeypatch, pool(), volume("lab.2", read_only=True), volume("lab.3"))
    for serial in (2, 3):
        LvmRoots("vg").resume(("lab", serial))
    # lvchange fails if there is nothing to change
    assert found.done == ["lvchange --permission rw vg/lab.2"]


def test_state_and_pool_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = layout.Sizes(512 << 20, 4 * GIB, 64 << 20)
    found = Lvm(monkeypatch)
    volumes.make_volumes("vg", sizes)
    state, made = found.done
    assert state.endswith(f"--addtag stateless.linux --size {512 << 20}b --name state vg")
    assert f"--size {4 * GIB}b --name roots vg" in made
    found = Lvm(monkeypatch, pool(), volume("state"))
    volumes.make_volumes("vg", sizes)
    assert found.done == []


def test_the_group_of_a_machine_is_found_by_its_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = ("stateless.boot=1234-ab", "stateless.linux")
    rows = [
        {"pv_name": "/dev/vda4", "vg_name": "stateless", "vg_tags": ",".join(ours), "vg_free": "0"},
        {"pv_name": "/dev/vdb", "vg_name": "data", "vg_tags": "", "vg_free": "4096"},
        {"pv_name": "/dev/vdc", "vg_name": "", "vg_tags": "", "vg_free": ""},
    ]
    monkeypatch.setattr(lvm_group, "run_json", lambda _argv, **_options: {"report": [{"pv": rows}]})
    assert volumes.find() == lvm_group.Group("stateless", ours, 0, ("/dev/vda4",))
    assert volumes.boot_of(volumes.find()) == "1234-ab"
    with pytest.raises(NotFound, match="not made a caching client"):
        volumes.find("data")
    rows[1]["vg_tags"] = "stateless.linux"
    with pytest.raises(StatelessError, match="several volume groups"):
        volumes.find()
