# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The room _image, as far as it is files: no volume, no mount, no NFS server. Those are met in molecule's scenarios."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import subprocess

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._boot import ipxe
from ansible_collections.stateless.linux.plugins.module_utils._errors import (
    InUse,
    InvalidValue,
    NotFound,
    StatelessError,
)
from ansible_collections.stateless.linux.plugins.module_utils._image import (
    channels,
    exports,
    kernel,
    leftovers,
    manifest,
    public,
    ram,
    state,
    withdraw,
)
from ansible_collections.stateless.linux.plugins.module_utils._image.build import Building
from ansible_collections.stateless.linux.plugins.module_utils._image.manifest import Image
from ansible_collections.stateless.linux.plugins.module_utils._server import Server
from ansible_collections.stateless.linux.plugins.module_utils._volumes.choose import open_store
from ansible_collections.stateless.linux.tests.unit.image.laid import (
    a_server,
    a_snapshot,
    a_tree,
    an_image,
    publish,
    put_on_record,
)


@pytest.fixture
def server(tmp_path: pathlib.Path) -> Server:
    return a_server(tmp_path)


def a_building(server: Server, image: Image, formats: list[str], found: kernel.Kernel | None) -> Building:
    return Building(server, a_snapshot(), image, formats, found, ["quiet"])


# -- manifests


def test_an_image_can_be_read_again(server: Server) -> None:
    publish(server)
    assert manifest.find(server, "kiosk", 3) == an_image()
    assert manifest.find(server, "kiosk", 4) is None
    with pytest.raises(NotFound, match=r"snapshot 4 of kiosk is not published; published is: 3"):
        manifest.get(server, "kiosk", 4)


@pytest.mark.parametrize("text", ['{"schema": 2}', '{"schema": 1}', "{}"])
def test_a_manifest_of_another_version_is_not_guessed_at(server: Server, text: str) -> None:
    directory = pathlib.Path(server.image("kiosk", 3))
    directory.mkdir(parents=True)
    (directory / "manifest.json").write_text(text)
    with pytest.raises(StatelessError, match="was not written by this version"):
        manifest.find(server, "kiosk", 3)


def test_serials_are_those_with_a_manifest(server: Server) -> None:
    for serial in (10, 2):
        publish(server, serial)
    images = pathlib.Path(server.image("kiosk", 1)).parent
    for name in ("1", ".4.new", "channels", "05"):
        (images / name).mkdir()
    assert manifest.serials(server, "kiosk") == [2, 10]


# -- channels


def test_a_channel_is_pointed_moved_and_removed(server: Server) -> None:
    assert channels.channels(server, "kiosk") == {}
    for serial in (1, 2):
        for step in channels.plan_point(server, "kiosk", "stable", serial):
            step.act()
        assert channels.channels(server, "kiosk") == {"stable": serial}
    assert channels.plan_point(server, "kiosk", "stable", 2) == []
    for step in channels.plan_remove(server, "kiosk", "stable"):
        step.act()
    assert channels.channels(server, "kiosk") == {}
    assert channels.plan_remove(server, "kiosk", "stable") == []


def test_an_unfinished_pointer_is_no_channel(server: Server) -> None:
    path = pathlib.Path(server.channel("kiosk", "stable"))
    path.parent.mkdir(parents=True)
    (path.parent / ".stateless-abc").write_text("half")
    assert channels.channels(server, "kiosk") == {}


# -- exports


def test_an_export_names_the_snapshot_by_its_own_identity() -> None:
    text = exports.content("/srv/a b/3", ["192.0.2.0/24", "*.lab"], "f38f9dd8-5eae-54e5-941b-688c1701bbb5")
    line = text.splitlines()[1]
    assert line.startswith('"/srv/a b/3" 192.0.2.0/24(')
    assert line.count("fsid=f38f9dd8-5eae-54e5-941b-688c1701bbb5") == 2
    assert "(ro," in line


def test_nfs_is_refused_where_nobody_may_mount(server: Server) -> None:
    with pytest.raises(InvalidValue, match="formats: 'nfs' cannot be used: the server lets nobody mount"):
        exports.check_possible(server)


def test_nfs_is_refused_without_a_running_nfs_server(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    program = tmp_path / "exportfs"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(exports, "NFSD", str(tmp_path))
    server = Server(store="file", nfs_clients=("*",))
    with pytest.raises(InvalidValue, match=r"no NFS server runs here.*publish the format ram instead"):
        exports.check_possible(server)
    (tmp_path / "threads").write_text("0\n")
    with pytest.raises(InvalidValue, match="no NFS server runs here"):
        exports.check_possible(server)
    (tmp_path / "threads").write_text("8\n")
    exports.check_possible(server)


# as Linux 6.1 writes them
STATES = """\
- 0x00000001bbcb9f6a9fdb2b7c00000000: { type: open, access: r-, deny: --, superblock: "fd:0a:13649", \
filename: "usr/bin/bash", owner: "open id:\\x00\\x00\\x008\\x00\\x00" }
- 0x00000001bbcb9f6a9fdb2b7c01000000: { type: deleg, access: r, superblock: "fd:0b:2" }
"""
INFO = 'clientid: 0x9fdb2b7cbbcb9f6a\naddress: "192.0.2.17:701"\nstatus: confirmed\nname: "Linux NFSv4.2 client"\n'


def test_open_files_name_their_filesystem() -> None:
    assert exports.devices(STATES) == {(0xFD, 0x0A), (0xFD, 0x0B)}
    assert exports.devices("") == set()


@pytest.mark.parametrize(
    ("info", "address"), [(INFO, "192.0.2.17"), ('address: "[2001:db8::1]:701"\n', "2001:db8::1"), ("", "unknown")]
)
def test_a_client_has_an_address(info: str, address: str) -> None:
    assert exports.address(info) == address


def test_clients_are_found_by_the_device(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setattr(exports, "NFSD", str(tmp_path))
    device = os.stat(tmp_path).st_dev
    for name, (major, minor) in {"5": (os.major(device), os.minor(device)), "6": (0xFE, 0xED)}.items():
        (tmp_path / "clients" / name).mkdir(parents=True)
        (tmp_path / "clients" / name / "info").write_text(INFO)
        (tmp_path / "clients" / name / "states").write_text(f'- 0x1: {{ superblock: "{major:02x}:{minor:02x}:7" }}\n')
    assert exports.clients(str(tmp_path)) == {str(tmp_path / "clients" / "5"): "192.0.2.17"}


# -- kernels


@pytest.mark.parametrize("initrd", ["boot/initrd.img-6.1.0-10-amd64", "boot/initramfs-6.1.0-10-amd64.img"])
def test_the_newest_kernel_is_booted(tmp_path: pathlib.Path, initrd: str) -> None:
    tree = a_tree(
        tmp_path, "boot/vmlinuz-6.1.0-9-amd64", "boot/initrd.img-6.1.0-9-amd64", "boot/vmlinuz-6.1.0-10-amd64", initrd
    )
    assert kernel.choose(tree, a_snapshot()) == kernel.Kernel("6.1.0-10-amd64", "boot/vmlinuz-6.1.0-10-amd64", initrd)


def test_a_snapshot_without_a_kernel_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(NotFound, match=r"no kernel in snapshot 3 of kiosk.*stateless\.linux\.client"):
        kernel.choose(str(tmp_path), a_snapshot())


def test_a_kernel_without_its_initrd_is_refused(tmp_path: pathlib.Path) -> None:
    tree = a_tree(tmp_path, "boot/vmlinuz-6.1", "boot/vmlinuz-6.0", "boot/initrd.img-6.0")
    with pytest.raises(NotFound, match=r"kernel 6\.1 .* has no initrd .*stateless\.linux\.client"):
        kernel.choose(tree, a_snapshot())


def test_an_initrd_that_leads_out_of_the_tree_is_none(tmp_path: pathlib.Path) -> None:
    tree = a_tree(tmp_path / "tree", "boot/vmlinuz-6.1")
    os.symlink("/etc/shadow", tmp_path / "tree" / "boot" / "initrd.img-6.1")
    with pytest.raises(NotFound, match="has no initrd"):
        kernel.choose(tree, a_snapshot())


# -- the filesystem of the format ram


@pytest.mark.parametrize(
    ("wanted", "option"),
    [
        (ram.Ram("squashfs", "xz", 3), "ram_compression_level"),
        (ram.Ram("squashfs", None, 23), "ram_compression_level"),
        (ram.Ram("erofs", None, 0), "ram_compression_level"),
    ],
)
def test_a_level_that_the_compression_has_not_is_refused(wanted: ram.Ram, option: str) -> None:
    with pytest.raises(InvalidValue, match=option):
        wanted.check()


@pytest.mark.parametrize(
    "wanted", [ram.Ram(), ram.Ram("squashfs", "lz4"), ram.Ram("squashfs", "zstd", 1), ram.Ram("erofs", "lz4", 3)]
)
def test_what_this_host_can_make_passes(wanted: ram.Ram) -> None:
    wanted.check()


@pytest.mark.parametrize("filesystem", ["squashfs", "erofs"])
def test_the_filesystem_is_made_of_the_tree(tmp_path: pathlib.Path, filesystem: str) -> None:
    settings = ram.Ram(filesystem).settings
    tree = a_tree(tmp_path / "tree", "etc/motd")
    output = tmp_path / ram.file_name(settings)
    subprocess.run(ram.command(settings, tree, str(output)), check=True, capture_output=True)
    kind = subprocess.run(["blkid", "-o", "value", "-s", "TYPE", output], check=True, capture_output=True, text=True)
    assert kind.stdout.strip() == filesystem


def test_what_is_published_is_not_made_in_another_way() -> None:
    made = an_image().formats["ram"]
    for wanted in (ram.Ram(), ram.Ram("squashfs", "zstd")):
        wanted.check_made(made)
    for wanted in (ram.Ram("erofs"), ram.Ram(None, "lz4"), ram.Ram(None, None, 3)):
        with pytest.raises(InvalidValue, match="a published file never changes"):
            wanted.check_made(made)


# -- files that everybody may read


def test_public_files_are_public_whatever_the_umask(tmp_path: pathlib.Path) -> None:
    before = os.umask(0o077)
    try:
        public.make_directory(str(tmp_path / "a" / "b"))
        (tmp_path / "a" / "b" / "source").write_bytes(b"kernel")
        public.copy(str(tmp_path / "a" / "b" / "source"), str(tmp_path / "a" / "b" / "vmlinuz"))
        found = public.finish(str(tmp_path / "a" / "b" / "vmlinuz"))
    finally:
        os.umask(before)
    assert found == {"size": 6, "sha256": hashlib.sha256(b"kernel").hexdigest()}
    assert [oct((tmp_path / name).stat().st_mode & 0o777) for name in ("a", "a/b", "a/b/vmlinuz")] == [
        "0o755",
        "0o755",
        "0o644",
    ]


def test_a_link_is_not_copied(tmp_path: pathlib.Path) -> None:
    os.symlink("/etc/passwd", tmp_path / "link")
    with pytest.raises(OSError, match="symbolic links"):
        public.copy(str(tmp_path / "link"), str(tmp_path / "copy"))


# -- publishing


def test_a_new_image_appears_whole(server: Server) -> None:
    building = a_building(
        server, an_image(3, "ram"), ["ram"], kernel.Kernel("6.1", "boot/vmlinuz-6.1", "boot/initrd.img-6.1")
    )
    public.make_directory(building.beside)
    a_tree(pathlib.Path(building.beside), "vmlinuz", "initrd", "root.squashfs")
    assert manifest.find(server, "kiosk", 3) is None
    building.plan()[-1].act()
    image = manifest.get(server, "kiosk", 3)
    directory = pathlib.Path(server.image("kiosk", 3))
    assert (
        set(os.listdir(directory)) == image.names == {"manifest.json", "vmlinuz", "initrd", "root.squashfs", "ram.ipxe"}
    )
    for name, found in image.files.items():
        content = (directory / name).read_bytes()
        assert found == {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert not os.path.exists(building.beside)


@pytest.mark.parametrize("image_format", ["nfs", "ram"])
def test_a_boot_script_tells_the_digest(server: Server, image_format: str) -> None:
    image = an_image(3, image_format)
    assert f" stateless.digest={image.digest} " in state.script(server, image, image_format, [])
    untold = dataclasses.replace(image, digest=None)
    assert "digest" not in state.script(server, untold, image_format, [])


def test_a_new_format_leaves_the_published_files(server: Server) -> None:
    directory = publish(server, 3, "nfs")
    before = {name: (directory / name).stat() for name in ("vmlinuz", "nfs.ipxe")}
    image = an_image(3, "nfs", "ram")
    building = a_building(server, image, ["ram"], None)
    public.make_directory(building.beside)
    a_tree(pathlib.Path(building.beside), "root.squashfs")
    building.plan()[-1].act()
    assert set(manifest.get(server, "kiosk", 3).formats) == {"nfs", "ram"}
    assert set(manifest.get(server, "kiosk", 3).files) == {"vmlinuz", "root.squashfs"}
    assert {name: (directory / name).stat() for name in before} == before
    assert not os.path.exists(building.beside)


def test_what_killed_runs_left_is_cleared_and_nothing_else(server: Server) -> None:
    directory = publish(server)
    images = directory.parent
    kept = {*os.listdir(directory)}
    a_tree(
        images,
        ".4.new/vmlinuz",
        ".2.old/vmlinuz",
        "5/vmlinuz",
        "3/root.erofs",
        "3/.stateless-x",
        "channels/.stateless-y",
    )
    a_tree(images, "notes/by-hand")
    channels.plan_point(server, "kiosk", "stable", 3)[0].act()
    for step in leftovers.plan(server, open_store(server), "kiosk", None, []):
        step.act()
    assert set(os.listdir(directory)) == kept
    assert set(os.listdir(images)) == {"3", "channels", "notes"}
    assert os.listdir(images / "channels") == ["stable.ipxe"]
    assert leftovers.plan(server, open_store(server), "kiosk", None, []) == []


# -- what the modules do


def test_a_channel_is_rolled_back_without_building(server: Server) -> None:
    for serial in (3, 4):
        put_on_record(server, serial)
        publish(server, serial)
    for serial in (4, 3):
        outcome = state.present(server, "kiosk", state.Wanted(serial, channel="stable"), check=False)
        assert outcome.plan.changed
        assert outcome.result["channels"] == {"stable": serial}
        assert outcome.result["image"]["channels"] == ["stable"]
    assert outcome.plan.before["channels"] == {"stable": 4}
    assert outcome.plan.after["channels"] == {"stable": 3}
    again = state.present(server, "kiosk", state.Wanted(3, channel="stable"), check=False)
    assert not again.plan.changed
    assert again.result == outcome.result
    assert state.information(server, "kiosk", 3) == {"images": [again.result["image"]], "channels": {"stable": 3}}


def test_check_mode_moves_nothing(server: Server) -> None:
    put_on_record(server, 3)
    publish(server)
    outcome = state.present(server, "kiosk", state.Wanted(3, channel="stable"), check=True)
    assert outcome.plan.changed
    assert outcome.result["channels"] == {"stable": 3}
    assert channels.channels(server, "kiosk") == {}


def test_check_mode_knows_of_the_snapshot_that_would_have_been_taken(server: Server) -> None:
    put_on_record(server, 3)
    counter = pathlib.Path(server.serial_counter("kiosk"))
    counter.parent.mkdir()
    counter.write_text("3\n")
    outcome = state.present(server, "kiosk", state.Wanted(4, ["ram"], "stable"), check=True)
    assert [step.text for step in outcome.plan.steps] == [
        "publish snapshot 4 of kiosk as ram",
        "point channel stable at serial 4",
    ]
    for check, serial in ((False, 4), (True, 5)):
        with pytest.raises(NotFound, match=f"has no snapshot {serial}"):
            state.present(server, "kiosk", state.Wanted(serial, ["ram"], "stable"), check=check)


def test_kernel_arguments_stay_unless_given(server: Server) -> None:
    put_on_record(server, 3)
    directory = publish(server)
    kept = state.present(server, "kiosk", state.Wanted(3), check=False)
    assert not kept.plan.changed
    assert kept.result["image"]["kernel_arguments"] == ["quiet"]
    changed = state.present(server, "kiosk", state.Wanted(3, kernel_arguments=["debug"]), check=False)
    assert changed.plan.changed
    assert ipxe.kernel_arguments((directory / "ram.ipxe").read_text()) == ["debug"]
    assert manifest.get(server, "kiosk", 3) == an_image()


def test_an_unpublished_snapshot_needs_formats(server: Server) -> None:
    put_on_record(server, 3)
    with pytest.raises(InvalidValue, match=r"formats: .* is not published yet"):
        state.present(server, "kiosk", state.Wanted(3, channel="stable"), check=False)
    assert not os.path.exists(server.www)


@pytest.mark.parametrize(
    ("protosystem", "wanted", "option"),
    [
        ("../x", state.Wanted(3), "protosystem"),
        ("kiosk", state.Wanted(0), "serial"),
        ("kiosk", state.Wanted(3, channel="../stable"), "channel"),
        ("kiosk", state.Wanted(3, kernel_arguments=["a b"]), "kernel_arguments"),
    ],
)
def test_bad_options_are_named(server: Server, protosystem: str, wanted: state.Wanted, option: str) -> None:
    with pytest.raises(InvalidValue, match=f"^{option}:"):
        state.present(server, protosystem, wanted, check=False)


def test_losing_a_format_is_warned_of(server: Server) -> None:
    for serial, formats in ((3, ("nfs", "ram")), (4, ("ram",))):
        put_on_record(server, serial)
        publish(server, serial, *formats)
    channels.plan_point(server, "kiosk", "stable", 3)[0].act()
    outcome = state.present(server, "kiosk", state.Wanted(4, channel="stable"), check=False)
    assert len(outcome.warnings) == 1
    assert "not published as nfs" in outcome.warnings[0]


# -- withdrawing


def test_an_image_with_a_channel_stays(server: Server) -> None:
    publish(server)
    channels.plan_point(server, "kiosk", "stable", 3)[0].act()
    with pytest.raises(InUse, match=r"a channel points at it \(stable\)"):
        withdraw.absent(server, "kiosk", 3, None, force=True, check=False)
    assert manifest.find(server, "kiosk", 3) is not None


def test_an_image_is_withdrawn_once(server: Server) -> None:
    directory = publish(server)
    checked = withdraw.absent(server, "kiosk", 3, None, force=False, check=True)
    assert checked.plan.changed
    assert directory.exists()
    outcome = withdraw.absent(server, "kiosk", 3, None, force=False, check=False)
    assert outcome.plan.changed
    assert outcome.plan.before == {"image": {"serial": 3, "formats": ["ram"]}}
    assert os.listdir(directory.parent) == []
    assert not withdraw.absent(server, "kiosk", 3, None, force=False, check=False).plan.changed


def test_a_channel_is_removed_and_its_image_stays(server: Server) -> None:
    publish(server)
    channels.plan_point(server, "kiosk", "stable", 3)[0].act()
    assert withdraw.absent(server, "kiosk", None, "stable", force=False, check=False).plan.changed
    assert channels.channels(server, "kiosk") == {}
    assert manifest.find(server, "kiosk", 3) is not None
    assert not withdraw.absent(server, "kiosk", None, "stable", force=False, check=False).plan.changed


@pytest.mark.parametrize(("serial", "channel"), [(None, None), (3, "stable")])
def test_one_thing_is_taken_away_at_a_time(server: Server, serial: int | None, channel: str | None) -> None:
    with pytest.raises(InvalidValue, match="say serial to withdraw an image, or channel"):
        withdraw.absent(server, "kiosk", serial, channel, force=False, check=False)
