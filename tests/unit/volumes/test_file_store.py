# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._errors import NotFound
from ansible_collections.stateless.linux.plugins.module_utils._server import Server
from ansible_collections.stateless.linux.plugins.module_utils._volumes.choose import open_store
from ansible_collections.stateless.linux.plugins.module_utils._volumes.file import FileStore
from ansible_collections.stateless.linux.plugins.module_utils._volumes.store import NoRoom
from ansible_collections.stateless.linux.plugins.module_utils._volumes.thin import ThinStore


@pytest.fixture
def store(tmp_path: pathlib.Path) -> FileStore:
    store = FileStore(str(tmp_path))
    store.create("lab", 8 * 1024**2)
    with open(store.path("lab"), "r+b") as image:
        image.seek(4 * 1024**2)
        image.write(b"x" * 65536)
    return store


def test_a_server_opens_its_store() -> None:
    assert isinstance(open_store(Server(store="file")), FileStore)
    assert isinstance(open_store(Server(store="lvm", vg="vg0", pool="pool")), ThinStore)


def test_no_volumes_before_the_first(tmp_path: pathlib.Path) -> None:
    assert FileStore(str(tmp_path / "none")).volumes() == {}


def test_a_volume_is_sparse_and_private(store: FileStore) -> None:
    volume = store.get("lab")
    assert (volume.size, volume.read_only, volume.complete) == (8 * 1024**2, False, True)
    assert volume.used is not None
    assert 65536 <= volume.used < 1024**2
    assert os.stat(store.path("lab")).st_mode & 0o777 == 0o600
    assert os.stat(store.directory).st_mode & 0o777 == 0o700


def test_a_snapshot_is_a_sparse_read_only_copy_made_while_all_stands_still(store: FileStore) -> None:
    seen: list[t.Any] = []

    @contextlib.contextmanager
    def standstill() -> t.Iterator[None]:
        seen.append(sorted(store.volumes()))
        yield
        # the name is given when others may go on
        seen.append({name: volume.complete for name, volume in store.volumes().items()})

    store.snapshot("lab", "lab.1", standstill())
    assert seen == [["lab"], {"lab": True, "lab.1": False}]
    copy = store.get("lab.1")
    assert (copy.size, copy.read_only, copy.complete) == (8 * 1024**2, True, True)
    assert copy.used is not None
    assert copy.used < 1024**2
    assert pathlib.Path(store.path("lab.1")).read_bytes() == pathlib.Path(store.path("lab")).read_bytes()


def test_a_copy_that_fails_is_no_volume(store: FileStore) -> None:
    @contextlib.contextmanager
    def failing() -> t.Iterator[None]:
        yield
        raise RuntimeError("thawed too early")

    with pytest.raises(RuntimeError):
        store.snapshot("lab", "lab.1", failing())
    assert not store.get("lab.1").complete
    store.remove("lab.1")
    assert list(store.volumes()) == ["lab"]
    assert os.listdir(store.directory) == ["lab.img"]


def test_a_volume_is_renamed_grown_and_removed(store: FileStore) -> None:
    store.rename("lab", "other")
    store.grow("other", 16 * 1024**2)
    assert {name: volume.size for name, volume in store.volumes().items()} == {"other": 16 * 1024**2}
    assert store.attach("other") == [store.mount_source("other")[0]]
    store.remove("other")
    store.remove("other")
    assert store.volumes() == {}
    with pytest.raises(NotFound):
        store.attach("other")
    with pytest.raises(NotFound):
        store.get("other")


def test_a_volume_is_never_overwritten(store: FileStore) -> None:
    with pytest.raises(FileExistsError):
        store.create("lab", 1)


def test_a_copy_that_has_no_room_is_refused_before_it_begins(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(store.directory)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1024))
    if not store._clones(store.path("lab")):
        with pytest.raises(NoRoom, match="a copy of lab"):
            store.check_snapshot("lab")
    monkeypatch.setattr(store, "_clones", lambda path: True)
    store.check_snapshot("lab")
    with pytest.raises(NoRoom, match="reserve of 256 MiB are needed, 0 MiB are free"):
        store.check_create(1)
