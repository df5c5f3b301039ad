# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib

import pytest

from ansible_collections.stateless.linux.plugins.module_utils import _mounts
from ansible_collections.stateless.linux.plugins.module_utils._mounts import MountUnit, mounted_at, mounts

TABLE = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 7:3 / /srv/a\040b ro,noatime shared:7 master:2 - xfs /dev/loop3 ro,nouuid
31 22 0:40 /sub /srv/bind rw - tmpfs tmpfs rw
"""


def test_the_mount_table_is_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "table").write_text(TABLE)
    found = mounts(str(tmp_path / "table"))
    assert [mount.where for mount in found] == ["/", "/srv/a b", "/srv/bind"]
    assert found[1] == _mounts.Mount("/srv/a b", "7:3", "xfs", "/dev/loop3", ("ro", "noatime"))


def test_proc_is_mounted_and_a_directory_in_it_is_not() -> None:
    found = mounted_at("/proc")
    assert found is not None
    assert found.fstype == "proc"
    assert not _mounts.is_mounted("/proc/self")


def test_a_unit_file_says_it_all() -> None:
    unit = MountUnit("/srv/100%/x", "/dev/vg/x", "xfs", ("ro", "nouuid"), "A mount")
    assert unit.content.splitlines()[1:] == [
        "[Unit]",
        "Description=A mount",
        "",
        "[Mount]",
        "What=/dev/vg/x",
        "Where=/srv/100%%/x",
        "Type=xfs",
        "Options=ro,nouuid",
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]


def test_a_missing_mount_is_planned_and_an_unknown_one_is_not_removed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_mounts, "UNITS", str(tmp_path))
    unit = MountUnit("/srv/a-b", "/dev/vg/x", "xfs", ("ro",), "A mount")
    assert unit.name == r"srv-a\x2db.mount"
    assert [step.text for step in unit.plan_ensure()] == [r"mount /srv/a-b (srv-a\x2db.mount)"]
    assert unit.plan_absent() == []
    (tmp_path / unit.name).write_text("")
    assert [step.text for step in unit.plan_absent()] == [r"unmount /srv/a-b (srv-a\x2db.mount)"]


def test_a_program_inside_gets_its_words_untouched() -> None:
    command = _mounts.inside("/dev/x", "ext4", ("loop", "discard"), ["tar", "--file", "a b; {}"])
    assert command[-7:] == ["ext4", "loop,discard", "/dev/x", _mounts.STAND, "tar", "--file", "a b; {}"]
