# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._boot import arguments, ipxe
from ansible_collections.stateless.linux.plugins.module_utils._errors import InvalidValue, StatelessError


@pytest.mark.parametrize(
    "argument", ["quiet", "console=ttyS0,115200", "rd.luks=0", "a=b=c", "mac=${net0/mac}", "x=a;b"]
)
def test_an_argument_that_is_one_word_is_taken(argument: str) -> None:
    assert arguments.check_arguments("kernel_arguments", [argument]) == [argument]


@pytest.mark.parametrize("argument", ["", "a b", "a\nboot", 'a="b', "a='b", "&&", "||", "#x", "a#b", "a\\b", "é", "-x"])
def test_an_argument_that_would_break_the_script_is_refused(argument: str) -> None:
    with pytest.raises(InvalidValue, match="kernel_arguments"):
        arguments.check_arguments("kernel_arguments", ["quiet", argument])


def test_a_client_learns_what_it_is() -> None:
    for image_format, made in (
        ("nfs", arguments.nfs_arguments("kiosk", 7, "/srv/stateless/snapshots/kiosk/7")),
        ("ram", arguments.ram_arguments("kiosk", 7, "root.squashfs")),
    ):
        assert {"stateless.protosystem=kiosk", "stateless.serial=7", f"stateless.format={image_format}"} <= set(made)
        assert "ro" in made
        assert made == arguments.check_arguments("arguments", made)


def test_a_client_reads_what_it_is_again() -> None:
    for made in (
        arguments.nfs_arguments("kiosk", 7, "/srv/stateless/snapshots/kiosk/7", "sha256:0a"),
        arguments.ram_arguments("kiosk", 7, "root.squashfs", "sha256:0a"),
    ):
        said = arguments.told(" ".join(["initrd=initrd", *made, "stateless.watch", "quiet"]))
        assert {**said, "format": "any"} == {
            "protosystem": "kiosk",
            "serial": "7",
            "format": "any",
            "digest": "sha256:0a",
        }
        assert made == arguments.check_arguments("arguments", made)
    # A snapshot whose digest was not computed.
    assert "digest" not in arguments.told(" ".join(arguments.ram_arguments("kiosk", 7, "root.squashfs")))
    assert arguments.told("stateless.serial=1 stateless.serial=2") == {"serial": "2"}
    assert arguments.told("") == {}


@pytest.mark.parametrize("name", ["pc1", "Reception, 1st floor", "a=b%20c", "${net0/mac}", "m\u00fcller", "#\"'\\"])
def test_a_client_learns_its_name_however_it_is_written(name: str) -> None:
    made = arguments.client_arguments(name, ["stateless.client=other"], False)
    assert arguments.told(" ".join(made)) == {"client": name}


def test_each_format_names_its_root() -> None:
    nfs = arguments.nfs_arguments("kiosk", 7, "/srv/stateless/snapshots/kiosk/7")
    assert nfs[0].startswith("root=nfs4:${stateless-server}:/srv/stateless/snapshots/kiosk/7:ro")
    ram = arguments.ram_arguments("kiosk", 7, "root.erofs")
    assert ram[0] == "root=live:${stateless-url}/images/kiosk/7/root.erofs"


@pytest.mark.parametrize("extra", [[], ["quiet"], ["quiet", "console=ttyS0,115200"]])
def test_the_arguments_of_an_image_can_be_read_again(extra: list[str]) -> None:
    script = ipxe.image_script("kiosk", 7, "ram", ["root=live:x"], extra)
    assert ipxe.kernel_arguments(script) == extra


def test_the_clients_arguments_come_last() -> None:
    script = ipxe.image_script("kiosk", 7, "ram", ["root=live:x", "ro"], ["quiet"])
    assert "kernel vmlinuz initrd=initrd root=live:x ro quiet ${stateless-arguments} || goto failed\n" in script
    assert script.startswith("#!ipxe\n")


def test_another_text_is_no_image_script() -> None:
    assert ipxe.kernel_arguments("#!ipxe\nshell\n") is None


@pytest.mark.parametrize("serial", [1, 42])
def test_a_channel_can_be_read_again(serial: int) -> None:
    script = ipxe.channel_script("kiosk", "stable", serial)
    assert ipxe.channel_serial(script, "stable.ipxe") == serial


def test_a_caching_client_boots_its_disk_unless_somebody_chooses_to_install() -> None:
    script = ipxe.disk_script("kiosk", 7, ["quiet"])
    assert ipxe.kernel_arguments(script) == ["quiet"]
    lines = script.splitlines()
    labels = {line for line in lines if line.startswith(":")}
    assert labels == {":install", ":failed", ":disk"}
    # what cannot be shown, is not chosen, or chosen with nobody there, goes to the disk
    (menu,) = [line for line in lines if line.startswith("menu ")]
    (choose,) = [line for line in lines if line.startswith("choose ")]
    assert menu.endswith(" || goto disk")
    assert choose.startswith("choose --default disk --timeout ")
    assert choose.endswith(" && goto ${stateless-choice} || goto disk")
    assert [line.split()[1] for line in lines if line.startswith("item ")] == ["disk", "install"]
    assert lines[lines.index(":disk") + 1 :] == ["echo kiosk 7 (blocks): going on to the next boot device", "exit 1"]
    # nothing comes to the installation but by its label
    assert lines[lines.index(":install") - 1] == choose
    assert lines[lines.index(":install") + 1 : lines.index(":failed")] == [
        "set stateless-arguments ${stateless-arguments} stateless.install=auto",
        "chain --replace ram.ipxe || goto failed",
    ]
    assert lines[lines.index(":disk") - 1] == "reboot"
    assert arguments.told("quiet stateless.client=pc1 stateless.install=auto")["install"] == "auto"


@pytest.mark.parametrize(
    "text", ["", "#!ipxe\n", "set stateless-serial 0\n", "set stateless-serial x\n", "# set stateless-serial 3\n"]
)
def test_a_file_that_is_no_channel_is_named(text: str) -> None:
    with pytest.raises(StatelessError, match=r"stable\.ipxe is no channel"):
        ipxe.channel_serial(text, "stable.ipxe")
