# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of LVM's commands the store ``lvm`` runs; here, none is run. The scenario vm has the real ones."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._errors import NotFound
from ansible_collections.stateless.linux.plugins.module_utils._volumes import lvm
from ansible_collections.stateless.linux.plugins.module_utils._volumes.lvm_report import LogicalVolume, VolumeGroup
from ansible_collections.stateless.linux.plugins.module_utils._volumes.thin import TAG, ThinStore

SNAPSHOT = LogicalVolume("vg", "", "", 1, pool="pool", tags=(TAG,), activation_skip=True)


class Host:
    """What LVM says is there, and what it was told, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.volumes: dict[str, LogicalVolume] = {}
        self.told: list[list[str]] = []
        monkeypatch.setattr(lvm, "read", self._read)
        monkeypatch.setattr(lvm, "_lvm", lambda *argv: self.told.append(list(argv)))

    def _read(self, vg: str) -> VolumeGroup:
        self.told.append(["lvs"])
        return VolumeGroup(vg, volumes=self.volumes)

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
        for name in ("lab.1", "lab.3"):
            host.have(name, active=True)
    assert host.told == [["lvs"], ["lvchange", "--activate", "n", "vg/lab.1", "vg/lab.3"]]


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
    assert host.told == [["lvs"], ["lvs"]]
