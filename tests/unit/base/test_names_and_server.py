# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and a server's settings: what cannot work is refused with the option, the value, and what would."""

from __future__ import annotations

import json
import pathlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.stateless.linux.plugins.module_utils import _names, _server
from ansible_collections.stateless.linux.plugins.module_utils._errors import InvalidValue, NotFound


@pytest.mark.parametrize("name", ["a", "7", "lab-desktop", "a" * 63, "x--y"])
def test_a_name_is_taken_as_it_is(name: str) -> None:
    assert _names.check_name("name", name) == name


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "A", "a.1", "a_b", "a/b", "..", "a\n", "é", "a" * 64, "snapshot1", "pvmove0", "a b"]
)
def test_a_name_that_cannot_work_is_refused(name: str) -> None:
    with pytest.raises(InvalidValue, match=f"^protosystem: {re.escape(repr(name))} cannot be used: "):
        _names.check_name("protosystem", name)


@given(st.text())
def test_a_name_that_is_taken_needs_no_quoting(name: str) -> None:
    try:
        taken = _names.check_name("name", name)
    except InvalidValue:
        return
    assert set(taken) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@pytest.mark.parametrize("serial", [0, -1, True])
def test_a_serial_starts_at_one(serial: int) -> None:
    with pytest.raises(InvalidValue, match="serial"):
        _names.check_serial("serial", serial)
    assert _names.check_serial("serial", 1) == 1


def test_a_host_without_settings_is_no_server(tmp_path: pathlib.Path) -> None:
    with pytest.raises(NotFound, match=r"apply the role stateless\.linux\.server"):
        _server.load(str(tmp_path / "server.json"))


def test_settings_are_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "server.json"
    path.write_text(json.dumps({"store": "lvm", "vg": "vg0", "pool": "thin", "nfs_clients": ["10.0.0.0/24"]}))
    server = _server.load(str(path))
    assert (server.store, server.vg, server.pool, server.nfs_clients) == ("lvm", "vg0", "thin", ("10.0.0.0/24",))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"store": "zfs"}, "store: 'zfs'"),
        ({}, "store: None"),
        ({"store": "lvm", "pool": "thin"}, "vg: None"),
        ({"store": "lvm", "vg": "vg0", "pool": ""}, "pool: ''"),
        ({"store": "file", "pol": "thin"}, "pol: 'thin'"),
    ],
)
def test_a_setting_that_cannot_work_is_named(settings: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidValue, match=re.escape(named)):
        _server.from_settings(settings)


def test_no_two_things_of_a_server_share_a_path() -> None:
    server = _server.Server(store="file")
    paths = [
        *(server.protosystem_mount("a"), server.protosystem_record("a"), server.serial_counter("a")),
        *(server.snapshot_mount("a", 1), server.snapshot_manifest("a", 1), server.snapshot_mount("a", 11)),
        *(server.image("a", 1), server.channel("a", "1"), server.content_lock("a"), server.change_lock("a")),
    ]
    assert len(set(paths)) == len(paths)
