# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of LVM's commands the store ``lvm`` runs; here, none is run. The scenario vm has the real ones."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._command import CommandFailed
from ansible_collections.stateless.linux.plugins.module_utils._errors import NotFound
from ansible_collections.stateless.linux.plugins.module_utils._volumes import lvm
from ansible_collections.stateless.linux.plugins.module_utils._volumes.lvm_report import LogicalVolume, VolumeGroup
from ansible_collections.stateless.linux.plugins.module_utils._volumes.thin import TAG, ThinStore
from ansible_collections.stateless.linux.plugins.module_utils._volumes.thin_delta import Pool

SNAPSHOT = LogicalVolume("vg", "", "", 1, pool="pool", tags=(TAG,), activation_skip=True)


class Host:
    """What LVM says is there, and what it was told, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.volumes: dict[str, LogicalVolume] = {}
        self.told: list[list[str]] = []
        monkeypatch.setattr(lvm, "read", self._read)
        monkeypatch.setattr(lvm, "_lvm", self._told)
        self._failing: list[str] = []

    def _read(self, vg: str) -> VolumeGroup:
        self.told.append(["lvs"])
        return VolumeGroup(vg, volumes=self.volumes)

    def _told(self, *argv: str) -> None:
        self.told.append(list(argv))
        if argv[0] in self._failing:
            self._failing.remove(argv[0])
            raise CommandFailed(argv, 5, "no")

    def fail(self, program: str) -> None:
        """Have it fail once."""
        self._failing.append(program)

    def have(self, name: str, **values: t.Any) -> None:
        self.volumes[name] = dataclasses.replace(self.volumes.get(name, SNAPSHOT), name=name, **values)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


def test_volumes_are_attached_and_rest_again_all_at_once(host: Host) -> None:
    host.have("lab.1")
    host.have("lab.2", active=True, open=True)
    host.have("lab.3")
    with ThinStore("vg", "pool").attached("lab.1", "lab.2", "lab.3") as paths:
        assert paths == ["/dev/vg/lab.1", "/dev/vg/lab.2", "/dev/vg/lab.3"]
        assert host.told == [["lvs"], ["lvchange", "--activate", "y", "--ignoreactivationskip", "vg/lab.1", "vg/lab.3"]]
        host.told.clear()
    assert host.told == [["lvchange", "--activate", "n", "vg/lab.1", "vg/lab.3"]]


def test_what_somebody_has_come_to_use_stays_attached(host: Host) -> None:
    host.have("lab.1")
    host.have("lab.2")
    with ThinStore("vg", "pool").attached("lab.1", "lab.2"):
        host.told.clear()
        host.have("lab.1", active=True, open=True)
        host.have("lab.2", active=True)
        host.fail("lvchange")
    together, look, alone = host.told
    assert together == ["lvchange", "--activate", "n", "vg/lab.1", "vg/lab.2"]
    assert look == ["lvs"]
    assert alone == ["lvchange", "--activate", "n", "vg/lab.2"]


def test_what_comes_back_at_boot_or_is_gone_is_left_alone(host: Host) -> None:
    host.have("lab.1", active=True, activation_skip=False)
    ThinStore("vg", "pool").detach("lab.1", "lab.2")
    assert host.told == [["lvs"]]


def test_nothing_is_attached_if_one_is_not_there(host: Host) -> None:
    host.have("lab.1")
    host.have("lab.2", pool="other")
    with (
        pytest.raises(NotFound, match=r"no volume lab\.2 with the tag stateless\.linux in the thin pool vg/pool"),
        ThinStore("vg", "pool").attached("lab.1", "lab.2"),
    ):
        pytest.fail("attached")
    assert host.told == [["lvs"]]


def test_lvm_is_asked_again_after_every_change(host: Host) -> None:
    store = ThinStore("vg", "pool")
    host.have("lab")
    assert list(store.volumes()) == list(store.volumes()) == ["lab"]
    assert host.told == [["lvs"]]
    for change in (
        lambda: store.create("new", 1),
        lambda: store.snapshot("lab", "lab.1", contextlib.nullcontext()),
        lambda: store.rename("lab", "other"),
        lambda: store.grow("lab", 2),
        lambda: store.remove("lab"),
        lambda: store.autoactivate("lab", True),
    ):
        store.volumes()
        change()
        host.told.clear()
        host.have("lab")
        store.volumes()
        assert host.told == [["lvs"]]


def test_a_change_that_fails_is_looked_at_as_well(host: Host) -> None:
    store = ThinStore("vg", "pool")
    host.have("lab")
    store.volumes()
    host.fail("lvcreate")
    with pytest.raises(CommandFailed):
        store.create("new", 1)
    host.have("new")
    assert list(store.volumes()) == ["lab", "new"]


def test_the_pool_is_asked_by_its_numbers(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int | None, int]] = []
    monkeypatch.setattr(Pool, "differences", lambda _pool, old, new: asked.append((old, new)))
    host.have("lab.1", thin_id=7)
    host.have("lab.2", thin_id=9)
    store = ThinStore("vg", "pool")
    with store.attached("lab.1", "lab.2"):
        store.differences("lab.1", "lab.2")
        store.differences(None, "lab.2")
    assert asked == [(7, 9), (None, 9)]
    assert host.told.count(["lvs"]) == 1
    with pytest.raises(NotFound, match=r"no volume lab\.3 "):
        store.differences("lab.1", "lab.3")
