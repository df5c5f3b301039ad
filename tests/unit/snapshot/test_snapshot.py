# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._errors import (
    InUse,
    InvalidValue,
    NotFound,
    StatelessError,
)
from ansible_collections.stateless.linux.plugins.module_utils._server import Server
from ansible_collections.stateless.linux.plugins.module_utils._snapshot import describe, manifest, state, take
from ansible_collections.stateless.linux.plugins.module_utils._volumes.file import FileStore


class SomeServer(Server):
    """A server whose locks are in its own directory too."""

    def content_lock(self, protosystem: str) -> str:
        return os.path.join(self.state, f"{protosystem}.content")

    def change_lock(self, protosystem: str) -> str:
        return os.path.join(self.state, f"{protosystem}.change")


@pytest.fixture
def server(tmp_path: pathlib.Path) -> Server:
    """A server with the snapshots 1 to 4 of the protosystem lab, as files without a filesystem in them."""
    server = SomeServer(store="file", root=str(tmp_path / "srv"), state=str(tmp_path / "lib"))
    store = FileStore(server.root)
    store.create("lab", 1024**2)
    for serial in range(1, 5):
        store.snapshot("lab", f"lab.{serial}", contextlib.nullcontext())
        record(server, serial)
    return server


def record(server: Server, serial: int, protosystem: str = "lab") -> None:
    path = pathlib.Path(server.snapshot_manifest(protosystem, serial))
    path.parent.mkdir(parents=True, exist_ok=True)
    made = manifest.Snapshot(
        protosystem, serial, "2026-11-23T09:00:00+00:00", "", "6.1", ("6.1",), {"id": "debian"}, "ext4", 1, 1, "u", None
    )
    path.write_text(json.dumps(made.as_dict()))


def channel(server: Server, name: str, serial: int) -> None:
    path = pathlib.Path(server.channel("lab", name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!ipxe\nset stateless-serial {serial}\nchain x\n")


def volumes(server: Server) -> list[str]:
    return sorted(FileStore(server.root).volumes())


def test_snapshots_are_listed_by_number(server: Server) -> None:
    record(server, 10)
    pathlib.Path(server.snapshot_manifest("lab", 1)).with_name(".stateless-2.json:x").write_text("{")
    assert [snapshot.serial for snapshot in manifest.snapshots(server, "lab")] == [1, 2, 3, 4, 10]
    assert manifest.get(server, "lab", 10).kernels == ("6.1",)
    with pytest.raises(NotFound, match=r"no snapshot 5; there is: 1, 2, 3, 4, 10"):
        manifest.get(server, "lab", 5)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"kernels": [], "colour": "red"}'])
def test_a_damaged_manifest_is_named(server: Server, text: str) -> None:
    path = pathlib.Path(server.snapshot_manifest("lab", 2))
    path.write_text(text)
    with pytest.raises(StatelessError, match=f"{path} is no manifest"):
        manifest.snapshots(server, "lab")


def test_a_serial_is_never_given_twice(server: Server) -> None:
    assert take.next_serial(server, "lab", []) == 1
    # a counter that was lost or restored from an old backup
    assert take.next_serial(server, "lab", ["lab", "lab.3", "lab.new", "lab-x.9", "la.9"]) == 4
    counter = pathlib.Path(server.serial_counter("lab"))
    counter.parent.mkdir()
    counter.write_text("7\n")
    assert take.next_serial(server, "lab", ["lab.3"]) == 8


def test_a_uuid_is_of_one_snapshot_for_ever() -> None:
    assert manifest.identity("lab", 1) == "82d581f5-215b-57ea-9820-67827baf3f13"
    assert manifest.identity("lab", 2) != manifest.identity("lab", 1)


def test_what_needs_a_snapshot_is_found_in_files(server: Server) -> None:
    channel(server, "stable", 1)
    channel(server, "testing", 11)
    assert manifest.in_use(server, "lab", 1) == ["the channel stable points to it"]
    assert manifest.in_use(server, "lab", 2) == []
    image = pathlib.Path(server.image("lab", 2))
    image.mkdir(parents=True)
    assert manifest.in_use(server, "lab", 2) == []
    (image / "manifest.json").write_text("{}")
    assert manifest.in_use(server, "lab", 2) == ["it is published as an image"]


def test_a_snapshot_is_removed(server: Server) -> None:
    checked = state.absent(server, "lab", 2, None, check=True)
    assert checked.plan.changed
    assert volumes(server) == ["lab", "lab.1", "lab.2", "lab.3", "lab.4"]
    outcome = state.absent(server, "lab", 2, None, check=False)
    assert outcome.result == {"removed": [2], "kept_in_use": []}
    assert outcome.plan.after == checked.plan.after == {"snapshots": [1, 3, 4]}
    assert volumes(server) == ["lab", "lab.1", "lab.3", "lab.4"]
    assert not state.absent(server, "lab", 2, None, check=False).plan.changed


def test_a_snapshot_in_use_stays(server: Server) -> None:
    channel(server, "stable", 2)
    with pytest.raises(InUse, match="snapshot 2 of lab must stay: the channel stable points to it"):
        state.absent(server, "lab", 2, None, check=False)
    assert "lab.2" in volumes(server)


def test_the_last_ones_are_kept_and_those_in_use(server: Server) -> None:
    channel(server, "stable", 1)
    outcome = state.absent(server, "lab", None, 1, check=False)
    assert outcome.result == {
        "removed": [2, 3],
        "kept_in_use": [{"serial": 1, "reasons": ["the channel stable points to it"]}],
    }
    assert volumes(server) == ["lab", "lab.1", "lab.4"]
    assert not state.absent(server, "lab", None, 1, check=False).plan.changed


def test_what_a_killed_run_left_is_removed(server: Server) -> None:
    store = FileStore(server.root)
    store.snapshot("lab", "lab.5", contextlib.nullcontext())
    unfinished = pathlib.Path(store.directory, ".lab.6.img.new")
    unfinished.touch()
    half = pathlib.Path(server.snapshot_manifest("lab", 1)).with_name(".stateless-5.json:x")
    half.touch()
    store.create("lab-x.1", 1)
    assert state.absent(server, "lab", None, 9, check=True).plan.changed
    assert unfinished.exists()
    state.absent(server, "lab", None, 9, check=False)
    assert not unfinished.exists()
    assert not half.exists()
    assert volumes(server) == ["lab", "lab-x.1", "lab.1", "lab.2", "lab.3", "lab.4"]


def test_a_removal_that_was_killed_is_finished(server: Server) -> None:
    os.unlink(server.snapshot_manifest("lab", 3))
    state.absent(server, "lab", None, 9, check=False)
    assert volumes(server) == ["lab", "lab.1", "lab.2", "lab.4"]


@pytest.mark.parametrize(("name", "serial", "keep"), [("Lab", 1, None), ("lab", 0, None), ("lab", None, 0)])
def test_bad_options_are_refused(server: Server, name: str, serial: int | None, keep: int | None) -> None:
    with pytest.raises(InvalidValue):
        state.absent(server, name, serial, keep, check=False)


def test_the_newest_kernel_is_found(tmp_path: pathlib.Path) -> None:
    for path in (
        "boot/vmlinuz-6.1.0-9-amd64",
        "boot/vmlinuz-6.1.0-10-amd64",
        "boot/vmlinuz-0-rescue-1234",
        "boot/initrd.img-6.1.0-11-amd64",
        "usr/lib/modules/6.2.1/vmlinuz",
        "usr/lib/modules/6.9.1/modules.dep",
    ):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / "boot" / "vmlinuz-9").symlink_to("/etc/passwd")
    assert list(describe.kernels(str(tmp_path)).items()) == [
        ("6.1.0-9-amd64", "boot/vmlinuz-6.1.0-9-amd64"),
        ("6.1.0-10-amd64", "boot/vmlinuz-6.1.0-10-amd64"),
        ("6.2.1", "usr/lib/modules/6.2.1/vmlinuz"),
    ]


@pytest.mark.parametrize("place", ["etc/os-release", "usr/lib/os-release"])
def test_the_distribution_is_read(tmp_path: pathlib.Path, place: str) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text('ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\nHOME_URL=x\nbroken"\n')
    if place.startswith("usr"):
        (tmp_path / "etc" / "os-release").symlink_to("/etc/os-release")
    assert describe.os_release(str(tmp_path)) == {"id": "debian", "version_id": "12", "pretty_name": "Debian 12"}


def test_no_distribution_is_no_failure(tmp_path: pathlib.Path) -> None:
    assert set(describe.os_release(str(tmp_path)).values()) == {""}


def as_dict(snapshot: t.Any) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", snapshot.as_dict())


def test_information_is_what_the_module_returns(server: Server) -> None:
    assert [one["serial"] for one in state.information(server, "lab", None)] == [1, 2, 3, 4]
    (one,) = state.information(server, "lab", 3)
    assert one == {**as_dict(manifest.get(server, "lab", 3)), "in_use": []}
    assert state.information(server, "lab", 9) == []
    assert state.information(server, None, None) == []
