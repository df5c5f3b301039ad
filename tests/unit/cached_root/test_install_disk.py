# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk to be installed on: how it is divided, and what keeps it from being taken."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._cached_root import disk, install, layout
from ansible_collections.stateless.linux.plugins.module_utils._errors import InUse, InvalidValue
from ansible_collections.stateless.linux.plugins.module_utils._volumes.lvm_group import Group

Loop = t.Callable[[pathlib.Path], str]


@pytest.fixture
def blank(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "disk"
    with path.open("wb") as stream:
        stream.truncate(8 << 30)
    return path


def partitions(path: pathlib.Path) -> list[dict[str, t.Any]]:
    said = subprocess.run(["sfdisk", "--json", path], check=True, capture_output=True, text=True).stdout
    found: list[dict[str, t.Any]] = json.loads(said)["partitiontable"]["partitions"]
    return found


def test_sfdisk_makes_the_partitions(blank: pathlib.Path) -> None:
    subprocess.run(["sfdisk", "--quiet", blank], input=layout.script(), check=True, text=True)
    found = partitions(blank)
    assert [(one["name"], one["type"]) for one in found] == [(one.name, one.type) for one in layout.PARTITIONS]
    assert layout.is_ours(one["name"] for one in found)
    assert [one["size"] * 512 for one in found[:3]] == [256 << 20, 1 << 20, 1 << 30]
    assert all(one["start"] % 2048 == 0 for one in found)
    # what the sizes of volumes are computed from is there
    rest = found[3]["size"] * 512
    sizes = layout.sizes(8 << 30, 1 << 30, 1 << 30)
    assert sizes.state + sizes.pool + 2 * sizes.metadata <= rest - (4 << 20)


@pytest.mark.parametrize("size", [8 << 30, 16 << 30, 500 * 10**9, 4 << 40])
def test_volumes_fill_the_group(size: int) -> None:
    root = 2 << 30
    sizes = layout.sizes(size, layout.default_state(size), root)
    assert 1 << 30 <= sizes.state <= 32 << 30
    assert sizes.pool >= 2 * root
    # each of eight roots may have all its blocks for itself
    assert sizes.metadata >= 8 * (root // layout.CHUNK) * layout.PER_MAPPING
    assert all(one % (4 << 20) == 0 for one in (sizes.state, sizes.pool, sizes.metadata))
    taken = sizes.state + sizes.pool + 2 * sizes.metadata
    assert size - (2 << 30) < taken < size - (256 << 20) - (1 << 30)


def test_a_disk_that_is_too_small_is_refused_with_what_it_takes() -> None:
    with pytest.raises(InvalidValue, match="with its successor and the state, takes") as failure:
        layout.sizes(6 << 30, 1 << 30, 3 << 30)
    least = int(str(failure.value).split("takes ")[1].split()[0])
    layout.sizes(least, 1 << 30, 3 << 30)


def test_a_blank_disk_may_be_taken(blank: pathlib.Path, loop: Loop) -> None:
    found = disk.look(loop(blank))
    assert found.signatures == ()
    assert found.device.size == 8 << 30
    disk.check(found, erase=False)


@pytest.mark.parametrize("make", [["mkfs.ext4", "-q"], ["mkfs.xfs", "-q"], ["mkswap"], ["mkfs.fat", "-F", "32"]])
def test_a_disk_with_a_filesystem_is_refused_unless_told(blank: pathlib.Path, loop: Loop, make: list[str]) -> None:
    subprocess.run([*make, blank], check=True, capture_output=True)
    found = disk.look(loop(blank))
    with pytest.raises(InUse, match=r"is not blank: it has (ext4|xfs|swap|vfat); --erase"):
        disk.check(found, erase=False)
    disk.check(found, erase=True)


def test_a_disk_with_partitions_is_refused_unless_told(blank: pathlib.Path, loop: Loop) -> None:
    subprocess.run(["sfdisk", "--quiet", blank], input="label: gpt\nsize=1GiB, name=data\n", check=True, text=True)
    found = disk.look(loop(blank))
    with pytest.raises(InUse, match="is not blank: it has gpt"):
        disk.check(found, erase=False)


def test_a_disk_that_is_mounted_is_refused_whatever_is_told(
    blank: pathlib.Path, loop: Loop, tmp_path: pathlib.Path
) -> None:
    subprocess.run(["mkfs.ext4", "-q", blank], check=True)
    device = loop(blank)
    where = tmp_path / "mnt"
    where.mkdir()
    subprocess.run(["mount", device, where], check=True)
    try:
        with pytest.raises(InUse, match="is mounted on"):
            disk.check(disk.look(device), erase=True)
        # its content may be lost: so what is in the way is said
        with pytest.raises(InUse, match=r"kernel argument stateless\.install,"):
            disk.check(disk.look(device), erase=True)
        with pytest.raises(InUse) as refused:
            disk.check(disk.look(device), erase=False)
        assert "stateless.install" not in str(refused.value)
    finally:
        subprocess.run(["umount", where], check=True)


def test_the_only_blank_disk_is_found(tmp_path: pathlib.Path, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / name for name in ("data", "blank", "other")]
    for path in paths:
        with path.open("wb") as stream:
            stream.truncate(8 << 30)
    subprocess.run(["mkfs.ext4", "-q", paths[0]], check=True)
    devices = [loop(path) for path in paths]
    wanted = install.Wanted(install.AUTO, ("lab", 1))
    for there, said in ((devices[:1], "no disk of this machine is blank: .*is not blank"), ([], "there is none")):
        monkeypatch.setattr(disk, "fixed", lambda there=there: there)
        with pytest.raises(InUse, match=said):
            install.blank(wanted, [])
    monkeypatch.setattr(disk, "fixed", lambda: devices[:2])
    assert install.blank(wanted, []) == devices[1]
    monkeypatch.setattr(disk, "fixed", lambda: devices)
    with pytest.raises(InvalidValue, match=f"several are blank, say which is meant: {devices[1]}, {devices[2]}"):
        install.blank(wanted, [])
    with pytest.raises(InvalidValue, match="said by name"):
        dataclasses.replace(wanted, erase=True)


def test_what_a_killed_run_has_begun_is_gone_on_with() -> None:
    parts = [device(path=f"/dev/sdx{at}", kind="part", name=one.name) for at, one in enumerate(layout.PARTITIONS, 1)]
    wanted = install.Wanted(install.AUTO, ("lab", 1))
    assert not install.taken(disk.Found(device(parts=tuple(parts)), ("gpt",)), wanted, [])
    lvm = dataclasses.replace(parts[3], filesystem="LVM2_member")
    whole = disk.Found(device(parts=(*parts[:3], lvm)), ("gpt",))
    assert install.taken(whole, wanted, [Group("stateless", ("stateless.installing", "stateless.linux"))])
    with pytest.raises(InUse, match="is not blank: it has /dev/sdx1 stateless-esp"):
        install.taken(whole, wanted, [Group("stateless", ("stateless.linux",))])


def test_no_loop_device_is_chosen_by_itself(blank: pathlib.Path, loop: Loop) -> None:
    assert loop(blank) not in disk.fixed()


def test_what_is_no_disk_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InvalidValue, match="no such device"):
        disk.look(str(tmp_path / "none"))
    with pytest.raises(InvalidValue, match="no block device"):
        disk.look("/dev/null")


def device(**said: t.Any) -> disk.Device:
    return disk.Device(**{"path": "/dev/sdx", "kind": "disk", "size": 1 << 40, **said})


def test_the_disk_that_the_machine_runs_from_is_never_for_installing() -> None:
    found = disk.Found(device(parts=(device(path="/dev/sdx1", kind="part", mounted=("/", "/var/log")),)), ("gpt",))
    with pytest.raises(InUse, match=r"is mounted on /, /var/log$"):
        disk.check(found, erase=True)


def test_volumes_on_a_disk_keep_it() -> None:
    volume = device(path="/dev/mapper/vg-lv", kind="lvm")
    found = disk.Found(device(parts=(device(path="/dev/sdx1", kind="part", parts=(volume,)),)), ("gpt",))
    with pytest.raises(InUse, match="/dev/mapper/vg-lv is active"):
        disk.check(found, erase=False)
    disk.check(found, erase=True)
    array = disk.Found(device(parts=(device(path="/dev/md0", kind="raid1"),)), ("linux_raid_member",))
    with pytest.raises(InUse, match="/dev/md0 is active"):
        disk.check(array, erase=True)
    with pytest.raises(InvalidValue, match="read-only"):
        disk.check(disk.Found(device(read_only=True), ()), erase=True)
