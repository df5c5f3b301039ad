# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The format blocks as the module image publishes it: real volumes of the store ``file``, keys and signatures.

But for one test, the tree with the kernel is a directory: mounting volumes is the scenarios' part.
"""

from __future__ import annotations

import contextlib
import dataclasses
import filecmp
import json
import os
import pathlib
import random
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._blocks import keys, place, signature, similar
from ansible_collections.stateless.linux.plugins.module_utils._blocks.fetch import Site
from ansible_collections.stateless.linux.plugins.module_utils._blocks.local import Local
from ansible_collections.stateless.linux.plugins.module_utils._blocks.update import Update, trusting
from ansible_collections.stateless.linux.plugins.module_utils._blocks.volume import Volume
from ansible_collections.stateless.linux.plugins.module_utils._errors import InvalidValue, NotFound, StatelessError
from ansible_collections.stateless.linux.plugins.module_utils._image import (
    blocks,
    build,
    manifest,
    ram,
    state,
    withdraw,
)
from ansible_collections.stateless.linux.plugins.module_utils._plan import Outcome
from ansible_collections.stateless.linux.plugins.module_utils._room import Full
from ansible_collections.stateless.linux.plugins.module_utils._server import Server
from ansible_collections.stateless.linux.plugins.module_utils._snapshot import manifest as snapshots
from ansible_collections.stateless.linux.plugins.module_utils._snapshot.manifest import Snapshot
from ansible_collections.stateless.linux.tests.unit.blocks.test_killed import killed_at
from ansible_collections.stateless.linux.tests.unit.blocks.web import serving
from ansible_collections.stateless.linux.tests.unit.blocks.world import PATIENT, block
from ansible_collections.stateless.linux.tests.unit.image.laid import a_server, a_tree, put_on_record

VOLUMES = {1: [1, 2, 3, 0, 11, 12, 21], 2: [1, 4, 2, 0, 13, 22, 31, 32], 3: [5, 4, 2, 33, 13, 22, 31]}


class Kiosk:
    """A server with three snapshots of kiosk."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.server: Server = a_server(directory)
        self.volumes = pathlib.Path(self.server.root, "volumes")
        self.volumes.mkdir(parents=True)
        counter = pathlib.Path(self.server.serial_counter("kiosk"))
        counter.parent.mkdir(parents=True)
        counter.write_text(f"{max(VOLUMES)}\n")
        for serial, numbers in VOLUMES.items():
            put_on_record(self.server, serial)
            self.volume(serial).write_bytes(b"".join(map(block, numbers)))
            a_tree(directory / "trees" / str(serial), "boot/vmlinuz-6.1", "boot/initrd.img-6.1")

    def volume(self, serial: int) -> pathlib.Path:
        return self.volumes / f"kiosk.{serial}.img"

    def keys(self, *names: str) -> Outcome:
        return keys.state(self.server, names, False)

    def publish(self, serial: int, *, check: bool = False, channel: str | None = None, **more: t.Any) -> Outcome:
        wanted = state.Wanted(serial, ["blocks"], channel, **more)
        return state.present(self.server, "kiosk", wanted, check)

    def withdraw(self, serial: int, *, check: bool = False) -> Outcome:
        return withdraw.absent(self.server, "kiosk", serial, None, False, check)

    def place(self) -> place.Place:
        return blocks.place_of(self.server, "kiosk")

    def files(self) -> dict[str, bytes]:
        """All that is published."""
        www = pathlib.Path(self.server.www)
        return {str(path.relative_to(www)): path.read_bytes() for path in www.rglob("*") if path.is_file()}

    def check_clients(self) -> None:
        """Bring a new client to each serial, and on to the next ones, by the keys that the server says."""
        with serving(pathlib.Path(self.server.www)) as web:
            url = f"{web.url}/images/kiosk/blocks"
            check = trusting("kiosk", self.server.trusted_keys)
            serials = self.place().serials()
            for first in serials:
                local = Local("kiosk", str(self.directory / f"client-{first}"))
                shutil.rmtree(local.directory, ignore_errors=True)
                own = None
                for serial in [one for one in serials if one >= first]:
                    target = self.directory / "target"
                    with contextlib.ExitStack() as stack:
                        volume = None
                        if own is None:
                            target.write_bytes(b"")
                        else:
                            shutil.copy(self.volume(own), target)
                            volume = stack.enter_context(Volume(str(self.volume(own))))
                        root = local.root(own) if own is not None else None
                        update = Update(Site([url], PATIENT), local, serial, root, volume, check)
                        writable = stack.enter_context(Volume(str(target), writable=True))
                        update.run(writable, str(self.directory))
                    assert filecmp.cmp(target, self.volume(serial), shallow=False)
                    own = serial


@pytest.fixture
def kiosk(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Kiosk:
    return laid(tmp_path, monkeypatch)


def laid(directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Kiosk:
    made = Kiosk(directory)

    @contextlib.contextmanager
    def view(_server: Server, snapshot: Snapshot) -> t.Iterator[str]:
        yield str(made.directory / "trees" / str(snapshot.serial))

    monkeypatch.setattr(snapshots, "view_snapshot", view)
    monkeypatch.setattr(build, "view_snapshot", view)
    monkeypatch.setattr(blocks, "_RESERVE", 0)
    return made


# -- keys


def test_keys_are_made_once_rotated_and_never_all_lost(kiosk: Kiosk) -> None:
    server = kiosk.server
    planned = keys.state(server, ["first"], True)
    assert planned.plan.changed and planned.result["keys"] == [{"name": "first", "public_key": None}]
    assert not os.path.exists(server.keys)
    made = kiosk.keys("first")
    path = pathlib.Path(server.keys, "first")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert os.listdir(server.keys) == ["first"]
    private = path.read_text()
    assert not kiosk.keys("first").plan.changed
    trusted = pathlib.Path(server.trusted_keys)
    assert trusted.read_text() == made.result["trusted_keys"]
    assert (
        trusted.read_text() == f'* namespaces="blocks@stateless.linux" {made.result["keys"][0]["public_key"]} first\n'
    )
    assert trusted.stat().st_mode & 0o777 == 0o644
    kiosk.keys("first", "second")
    assert path.read_text() == private
    assert len(trusted.read_text().splitlines()) == 2
    for wrong in (["third"], [], ["Third"], ["../x"], [str(number) for number in range(17)]):
        with pytest.raises(InvalidValue, match="names: "):
            keys.state(server, wrong, False)
    outcome = kiosk.keys("second")
    assert outcome.plan.before == {"keys": ["first", "second"]}
    assert os.listdir(server.keys) == ["second"]
    assert trusted.read_text() == outcome.result["trusted_keys"]
    assert "first" not in trusted.read_text()


def test_a_killed_run_leaves_keys_that_work(tmp_path: pathlib.Path) -> None:
    number, killed = 0, True
    while killed:
        server = a_server(tmp_path / str(number))
        keys.state(server, ["first"], False)
        had = pathlib.Path(server.keys, "first").read_text()
        killed = killed_at(number, lambda server=server: keys.state(server, ["first", "second"], False))  # type: ignore[misc]
        assert pathlib.Path(server.keys, "first").read_text() == had
        assert 1 <= len(keys.keys(server.keys)) <= 2
        keys.state(server, ["first", "second"], False)
        assert sorted(os.listdir(server.keys)) == ["first", "second"]
        assert pathlib.Path(server.trusted_keys).read_text() == keys.trusted(keys.keys(server.keys))
        number += 1
    assert number > 2


def test_a_key_that_is_none_is_named(kiosk: Kiosk) -> None:
    kiosk.keys("first")
    pathlib.Path(kiosk.server.keys, "broken").write_text("no key\n")
    pathlib.Path(kiosk.server.keys, "broken").chmod(0o600)
    with pytest.raises(StatelessError, match=r"keys/broken is no private key that can be used"):
        kiosk.publish(1)


# -- publishing


def test_clients_get_what_is_published(kiosk: Kiosk) -> None:
    kiosk.keys("first")
    planned = kiosk.publish(1, check=True, channel="stable")
    assert planned.plan.changed and kiosk.files() == {}
    assert planned.plan.after["image"]["blocks_level"] == "default"
    first = kiosk.publish(1, channel="stable").result["image"]
    assert first["formats"]["blocks"].pop("seconds") >= 0
    assert first["formats"]["blocks"].pop("new_bytes") > 0
    assert first["formats"]["blocks"] == {
        "file": "../blocks/1.manifest",
        "level": "default",
        "parent": None,
        "new_blocks": 6,
    }
    assert not kiosk.publish(1, channel="stable").plan.changed
    second = kiosk.publish(2, channel="stable", kernel_arguments=["console=ttyS0,115200"]).result["image"]
    assert second["formats"]["blocks"]["parent"] == 1
    assert second["formats"]["blocks"]["new_blocks"] == 5
    assert second["kernel_arguments"] == ["console=ttyS0,115200"]
    kiosk.publish(3)
    kiosk.check_clients()
    assert not kiosk.place().leftovers(kiosk.place().manifests())
    for path in pathlib.Path(kiosk.server.blocks("kiosk")).iterdir():
        assert path.stat().st_mode & 0o777 == 0o644
    assert os.stat(kiosk.server.blocks_records("kiosk")).st_mode & 0o777 == 0o700
    found = state.information(kiosk.server, "kiosk", 2)["images"]
    assert [one["formats"] for one in found] == [second["formats"]]
    script = pathlib.Path(kiosk.server.image("kiosk", 2), "blocks.ipxe").read_text()
    assert script.splitlines()[-1] == "exit 1"


def test_a_manifest_says_how_the_root_is_booted(kiosk: Kiosk) -> None:
    kiosk.keys("first")
    kiosk.publish(1, kernel_arguments=["quiet"])
    found = kiosk.place().manifest(1).boot
    assert found is not None
    files = manifest.get(kiosk.server, "kiosk", 1).files
    assert dataclasses.asdict(found.kernel) == {"path": "boot/vmlinuz-6.1", **files["vmlinuz"]}
    assert dataclasses.asdict(found.initrd) == {"path": "boot/initrd.img-6.1", **files["initrd"]}
    assert (found.version, found.filesystem, found.created) == ("6.1", "ext4", "2026-11-23T00:00:00+00:00")
    assert found.os == {"id": "debian", "version_id": "", "pretty_name": ""}
    digest = f"sha256:{1:064x}"
    assert found.digest == digest
    told = [
        "stateless.protosystem=kiosk",
        "stateless.serial=1",
        "stateless.format=blocks",
        f"stateless.digest={digest}",
    ]
    assert list(found.arguments) == [
        "ro",
        "rd.shell=0",
        "rd.emergency=reboot",
        "rd.retry=60",
        "panic=10",
        *told,
        "quiet",
    ]
    # they can be changed later, and the root stays what it is
    before = kiosk.place().manifest(1)
    outcome = state.present(kiosk.server, "kiosk", state.Wanted(1, kernel_arguments=["debug"]), False)
    assert outcome.plan.changed
    after = kiosk.place().manifest(1)
    assert after.boot is not None
    assert after.boot.arguments[-2:] == (f"stateless.digest={digest}", "debug")
    assert (after.root, after.packs) == (before.root, before.packs)
    again = state.present(kiosk.server, "kiosk", state.Wanted(1, kernel_arguments=["debug"]), False)
    assert not again.plan.changed
    kiosk.check_clients()


@pytest.mark.parametrize("arguments", [["ip=${net0/ip}"], ["x" * 600], ["a" * 400] * 4])
def test_arguments_that_a_manifest_cannot_have_are_refused(kiosk: Kiosk, arguments: list[str]) -> None:
    kiosk.keys("first")
    for check in (True, False):
        with pytest.raises(InvalidValue, match="kernel_arguments: "):
            kiosk.publish(1, kernel_arguments=arguments, check=check)
    assert kiosk.files() == {}
    kiosk.publish(1)
    before = kiosk.files()
    with pytest.raises(InvalidValue, match="kernel_arguments: "):
        kiosk.publish(1, kernel_arguments=arguments)
    assert kiosk.files() == before


def test_without_a_key_nothing_is_done(kiosk: Kiosk) -> None:
    for check in (True, False):
        with pytest.raises(NotFound, match=r"no key to sign with .*apply the role stateless\.linux\.server"):
            kiosk.publish(1, check=check)
    assert kiosk.files() == {}


def test_a_full_disk_is_foreseen(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    kiosk.keys("first")
    kiosk.publish(1)
    before = kiosk.files()
    usage = shutil.disk_usage("/")
    with monkeypatch.context() as patch:
        patch.setattr(blocks.shutil, "disk_usage", lambda _path: usage._replace(free=5 * 4096))
        with pytest.raises(Full, match=r"no room for the blocks of snapshot 2 of kiosk .* are needed, 0 MiB are free"):
            kiosk.publish(2, channel="stable")
    assert kiosk.files() == before
    assert kiosk.place().leftovers(kiosk.place().manifests()) == []
    kiosk.publish(2, channel="stable")
    kiosk.check_clients()


def test_blocks_are_added_to_an_image_that_keeps_the_rest(kiosk: Kiosk) -> None:
    kiosk.keys("first")
    kiosk.publish(1)
    # as if it had been published as something else alone
    directory = kiosk.server.image("kiosk", 1)
    image = manifest.get(kiosk.server, "kiosk", 1)
    manifest.store(
        directory, dataclasses.replace(image, formats={"ram": {"file": "root.squashfs", **ram.Ram().settings}})
    )
    os.rename(os.path.join(directory, "blocks.ipxe"), os.path.join(directory, "ram.ipxe"))
    outcome = state.present(kiosk.server, "kiosk", state.Wanted(1), False)
    assert "remove the blocks of serial 1 of kiosk, the rest of a run that was killed" in [
        step.text for step in outcome.plan.steps
    ]
    assert os.listdir(kiosk.server.blocks("kiosk")) == []
    before = {path.name: path.stat().st_mtime_ns for path in pathlib.Path(directory).iterdir()}
    added = kiosk.publish(1).result["image"]
    assert sorted(added["formats"]) == ["blocks", "ram"]
    after = {path.name: path.stat().st_mtime_ns for path in pathlib.Path(directory).iterdir()}
    assert {name for name in after if after[name] != before.get(name)} == {"manifest.json", "blocks.ipxe"}
    assert not kiosk.publish(1).plan.changed
    kiosk.check_clients()


def test_a_serial_is_published_against_the_newest_before_it(kiosk: Kiosk) -> None:
    kiosk.keys("first")
    for serial, parent in ((2, None), (1, None), (3, 2)):
        kiosk.publish(serial)
        assert kiosk.place().manifest(serial).parent == parent
    kiosk.check_clients()


def test_thorough_comes_after_the_channel_and_once(kiosk: Kiosk) -> None:
    kiosk.keys("first")
    kiosk.publish(1)
    outcome = kiosk.publish(2, channel="stable", blocks_level="thorough")
    texts = [step.text for step in outcome.plan.steps]
    assert texts[-2:] == ["point channel stable at serial 2", "make the blocks of serial 2 of kiosk smaller"]
    assert outcome.result["image"]["formats"]["blocks"]["level"] == "thorough"
    assert manifest.get(kiosk.server, "kiosk", 2).formats["blocks"]["level"] == "thorough"
    assert not kiosk.publish(2, blocks_level="thorough").plan.changed
    assert not kiosk.publish(2, blocks_level="default").plan.changed
    planned = kiosk.publish(1, blocks_level="thorough", check=True)
    assert planned.plan.before["image"]["blocks_level"] == "default"
    assert planned.plan.after["image"]["blocks_level"] == "thorough"
    kiosk.publish(1, blocks_level="thorough")
    kiosk.check_clients()
    kiosk.publish(3)
    kiosk.withdraw(1)
    state.present(kiosk.server, "kiosk", state.Wanted(3, channel="stable"), False)
    kiosk.withdraw(2)
    with pytest.raises(InvalidValue, match=r"blocks_level: 'thorough' .*serial 2 of kiosk, .* is withdrawn"):
        kiosk.publish(3, blocks_level="thorough")
    kiosk.check_clients()


# -- other keys


def test_what_is_published_is_signed_anew_when_keys_change(kiosk: Kiosk) -> None:
    kiosk.keys("first")
    kiosk.publish(1)
    kiosk.publish(2)
    old = pathlib.Path(kiosk.server.trusted_keys).read_text()
    kiosk.keys("first", "second")
    outcome = kiosk.publish(2)
    assert [step.text for step in outcome.plan.steps] == [
        f"sign the blocks of serial {serial} of kiosk by first, second" for serial in (1, 2)
    ]
    assert not kiosk.publish(2).plan.changed
    new = pathlib.Path(kiosk.server.trusted_keys).read_text().replace(old, "")
    for trusted in (old, new):
        pathlib.Path(kiosk.server.trusted_keys).write_text(trusted)
        kiosk.check_clients()
    kiosk.keys("second")
    kiosk.withdraw(1)
    pathlib.Path(kiosk.server.trusted_keys).write_text(new)
    kiosk.check_clients()
    pathlib.Path(kiosk.server.trusted_keys).write_text(old)
    with pytest.raises(signature.NotTrusted):
        kiosk.check_clients()


def test_lost_keys_are_told(kiosk: Kiosk) -> None:
    kiosk.keys("first")
    kiosk.publish(1)
    shutil.rmtree(kiosk.server.keys)
    outcome = state.present(kiosk.server, "kiosk", state.Wanted(1), False)
    assert any("has no key to sign with any more" in warning for warning in outcome.warnings)
    with pytest.raises(NotFound, match="no key to sign with"):
        withdraw.absent(kiosk.server, "kiosk", 1, None, False, False)


def test_lost_records_are_made_anew(kiosk: Kiosk) -> None:
    kiosk.keys("first")
    kiosk.publish(1)
    kiosk.publish(2)
    shutil.rmtree(kiosk.server.blocks_records("kiosk"))
    kiosk.publish(3)
    kiosk.check_clients()
    shutil.rmtree(kiosk.server.blocks_records("kiosk"))
    assert not state.present(kiosk.server, "kiosk", state.Wanted(1), True).plan.changed
    kiosk.withdraw(2)
    assert kiosk.place().serials() == [1, 3]
    assert os.stat(kiosk.server.blocks_records("kiosk")).st_mode & 0o777 == 0o700
    kiosk.check_clients()
    kiosk.publish(2)
    kiosk.check_clients()


def test_a_snapshot_that_is_not_what_was_published_is_no_parent(kiosk: Kiosk) -> None:
    kiosk.keys("first")
    kiosk.publish(1)
    shutil.rmtree(kiosk.server.blocks_records("kiosk"))
    kiosk.volume(1).write_bytes(kiosk.volume(2).read_bytes())
    with pytest.raises(StatelessError, match="it is not what was published as serial 1"):
        kiosk.publish(2)


# -- volumes that are mounted


def test_new_files_are_compressed_against_old_ones_of_mounted_volumes(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similar, "WORTH", 1)
    server = a_server(tmp_path)
    kiosk = object.__new__(Kiosk)
    kiosk.directory, kiosk.server, kiosk.volumes = tmp_path, server, tmp_path / "srv" / "volumes"
    kiosk.volumes.mkdir(parents=True)
    content = random.Random(1).randbytes(3_000_000)
    for serial in (1, 2):
        put_on_record(server, serial)
        tree = pathlib.Path(a_tree(tmp_path / "trees" / str(serial), "boot/vmlinuz-6.1", "boot/initrd.img-6.1"))
        (tree / f"lib.so.{serial}").write_bytes(content[::-1] if serial == 1 else b"new" + content[::-1])
        with kiosk.volume(serial).open("wb") as stream:
            stream.truncate(32 * 1024**2)
        subprocess.run(["mkfs.ext4", "-q", "-b", "4096", "-d", tree, kiosk.volume(serial)], check=True)
        kiosk.volume(serial).chmod(0o400)
    kiosk.keys("first")
    assert kiosk.publish(1).result["image"]["formats"]["blocks"]["new_bytes"] > len(content)
    # all of the file is elsewhere in the new volume, and three bytes on in its blocks
    two = kiosk.publish(2).result["image"]["formats"]["blocks"]
    assert two["new_blocks"] * 4096 > len(content)
    assert two["new_bytes"] < len(content) / 10
    kiosk.check_clients()
    found = kiosk.place().manifest(2).boot
    assert found is not None
    assert (found.kernel.path, found.kernel.size) == ("boot/vmlinuz-6.1", len("boot/vmlinuz-6.1"))
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        assert str(tmp_path) not in table.read()


# -- withdrawing


def test_withdrawing_takes_what_nothing_else_needs(kiosk: Kiosk) -> None:
    kiosk.keys("first")
    for serial in VOLUMES:
        kiosk.publish(serial)
    planned = kiosk.withdraw(1, check=True)
    assert planned.plan.steps[-1].text == "remove the blocks of serial 1 of kiosk"
    assert kiosk.place().serials() == [1, 2, 3]
    kiosk.withdraw(1)
    assert kiosk.place().serials() == [2, 3]
    assert not kiosk.withdraw(1).plan.changed
    kiosk.check_clients()
    kiosk.withdraw(3)
    kiosk.check_clients()
    kiosk.withdraw(2)
    assert os.listdir(kiosk.server.blocks("kiosk")) == []
    # ids go on where they were
    kiosk.publish(3)
    assert kiosk.place().manifest(3).contents > 12
    kiosk.check_clients()


# -- failures and kills


def begin(kiosk: Kiosk) -> None:
    kiosk.keys("first")
    kiosk.publish(1, channel="stable")
    kiosk.publish(2)


WORKS: dict[str, t.Callable[[Kiosk], object]] = {
    "publish": lambda kiosk: kiosk.publish(3, channel="stable"),
    "thorough": lambda kiosk: kiosk.publish(2, blocks_level="thorough"),
    "arguments": lambda kiosk: kiosk.publish(2, kernel_arguments=["quiet"]),
    "withdraw": lambda kiosk: kiosk.withdraw(2),
}


@pytest.mark.parametrize("name", list(WORKS))
def test_after_a_kill_clients_are_served_and_the_next_run_does_the_rest(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    origin = laid(tmp_path / "origin", monkeypatch)
    begin(origin)
    number, killed = 0, True
    while killed:
        shutil.copytree(tmp_path / "origin", tmp_path / str(number))
        kiosk = laid_again(tmp_path / str(number), monkeypatch)
        killed = killed_at(number, lambda kiosk=kiosk: WORKS[name](kiosk))  # type: ignore[misc]
        kiosk.check_clients()
        published = set(manifest.serials(kiosk.server, "kiosk"))
        assert published <= set(kiosk.place().serials()), "an image says that it has blocks, and it has none"
        # any run for the protosystem clears up
        state.present(kiosk.server, "kiosk", state.Wanted(1), False)
        assert set(kiosk.place().serials()) == set(manifest.serials(kiosk.server, "kiosk"))
        assert not state.present(kiosk.server, "kiosk", state.Wanted(1), False).plan.changed
        assert not os.path.exists(kiosk.place().untidy)
        WORKS[name](kiosk)
        kiosk.check_clients()
        assert not [path for path in kiosk.files() if "/." in path]
        shutil.rmtree(tmp_path / str(number))
        number += 1
    assert number > 2


def laid_again(directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Kiosk:
    """A copy of a server that is there."""
    made = object.__new__(Kiosk)
    made.directory = directory
    shutil.rmtree(directory / "lib" / "protosystems")
    made.server = a_server(directory)
    made.volumes = pathlib.Path(made.server.root, "volumes")

    @contextlib.contextmanager
    def view(_server: Server, snapshot: Snapshot) -> t.Iterator[str]:
        yield str(directory / "trees" / str(snapshot.serial))

    monkeypatch.setattr(snapshots, "view_snapshot", view)
    monkeypatch.setattr(build, "view_snapshot", view)
    return made


def test_what_fails_is_undone(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(kiosk)
    before = kiosk.files()
    number = 0
    while True:
        number += 1
        left = number

        def failing(real: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
            def call(*arguments: t.Any, **options: t.Any) -> t.Any:
                nonlocal left
                left -= 1
                if left == 0:
                    raise OSError(5, "Input/output error")
                return real(*arguments, **options)

            return call

        with monkeypatch.context() as patch:
            for name in ("rename", "pwrite"):
                patch.setattr(os, name, failing(getattr(os, name)))
            try:
                kiosk.publish(3, channel="stable")
                break
            except OSError as error:
                assert "Input/output error" in str(error)
        assert kiosk.files() == before, f"change {number} failed, and something is not as it was"
        kiosk.check_clients()
    assert number > 5
    kiosk.check_clients()
    assert json.loads(pathlib.Path(kiosk.server.image("kiosk", 3), "manifest.json").read_text())["formats"]["blocks"]
