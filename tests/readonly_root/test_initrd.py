# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hook of the initrd that gives a machine the identity it keeps in state, before systemd starts."""

from __future__ import annotations

import os
import pathlib
import shutil
import socket
import subprocess

import pytest
from roots import STAND, STATE, Root, apart, disk, mount, unmount

ROLE = pathlib.Path(__file__).parents[2] / "roles/client"
HOOK = ROLE / "files/all/usr/lib/dracut/modules.d/98stateless/stateless-identity.sh"
ID = "0123456789abcdef0123456789abcdef"
BOTH = "/etc/machine-id\n/etc/hostname\n"
FSTAB = "{device} {state} auto noauto 0 0\n"


def identity(
    settings: str = "READONLY=yes\n",
    statetab: str = BOTH,
    kept: str = f"{ID}\n",
    fstab: str = FSTAB,
    arguments: str = "ro",
    shell: str = "sh",
    host: str = "localhost",
) -> tuple[str, str]:
    """The machine-id and the name that are seen in the root after the hook, where the image has neither."""

    def pivot(device: str) -> tuple[str, str]:
        mount("-t", "tmpfs", "tmpfs", "/run")
        root = Root(arguments)
        for path, text in (("machine-id", ""), ("hostname", ""), ("statetab.d/x", statetab)):
            root.write(f"/etc/{path}", text)
        root.write("/etc/sysconfig/readonly-root", settings)
        root.write("/etc/fstab", fstab.format(device=device, state=STATE))
        mount(device, root.path + STATE)
        root.write(f"{STATE}/etc/hostname", "pc1\n")
        root.put(f"{STATE}/etc/machine-id", kept)
        unmount(root.path + STATE)
        mount("-o", "remount,ro", root.path)
        mount("--bind", f"{STAND}/cmdline", "/proc/cmdline")
        environment = {**os.environ, "NEWROOT": root.path, "PATH": f"{_nfs(device)}:{os.environ['PATH']}"}
        socket.sethostname(host)
        done = subprocess.run([shell, HOOK], env=environment, cwd="/run", capture_output=True, text=True, check=True)
        assert "syntax" not in done.stderr.lower()
        assert not os.path.exists("/run/ran")
        assert not os.path.ismount("/run/stateless/initrd/state")
        found = [pathlib.Path(f"{root.path}/etc/{name}").read_text().strip() for name in ("machine-id", "hostname")]
        return found[0], found[1]

    with disk("other", "16m") as device:
        return apart(lambda: pivot(device))


def _nfs(device: str) -> str:
    """A directory with a mount(8) that takes pc1's directory on a server for the *device*: no NFS server runs here.

    The scenario vm has a real one.
    """
    programs = pathlib.Path("/run/programs")
    programs.mkdir()
    text = f"""#!/bin/sh
        case "$*" in
            "-t nfs -o ro,nolock,soft,retry=0 nas:/state/pc1 /run/stateless/initrd/state")
                exec {shutil.which("mount")} -o ro {device} /run/stateless/initrd/state ;;
            *nfs*) exit 32 ;;
        esac
        exec {shutil.which("mount")} "$@"
        """
    (programs / "mount").write_text(text)
    (programs / "mount").chmod(0o755)
    return str(programs)


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_what_state_has_is_there_before_systemd_starts(shell: str) -> None:
    assert identity(shell=shell) == (ID, "pc1")


@pytest.mark.parametrize(
    ("settings", "arguments"),
    [
        ('export READONLY="on"  # a comment', "ro"),
        ("READONLY=no\nREADONLY='True'\n", "ro"),
        ("READONLY=no; TEMPORARY_STATE=yes\nTEMPORARY_STATE=yes;\n", "noreadonlyroot"),
        ("READONLY=no\n", "ro readonlyroot"),
        # What the shell could not read, or would run.
        ("if (\nREADONLY=yes\ntouch /run/ran\n$(touch /run/ran)\n", "ro"),
        ("READONLY=yes\nSTATE_MOUNT=\nSTATE_LABEL=`touch /run/ran`\n", "ro"),
    ],
)
def test_settings_count_as_for_the_service(settings: str, arguments: str) -> None:
    assert identity(settings, arguments=arguments) == (ID, "pc1")


@pytest.mark.parametrize(
    ("settings", "arguments"),
    [("READONLY=no\n", "ro"), ("READONLY=enabled\n", "ro"), ("READONLY=yes\n", "noreadonlyroot"), ("", "ro")],
)
def test_nothing_is_done_where_the_root_is_writable(settings: str, arguments: str) -> None:
    assert identity(settings, arguments=arguments) == ("", "")


def test_the_mount_point_of_the_state_may_be_another() -> None:
    elsewhere = "{device} /mnt/state ext4 noauto 0 0\n"
    assert identity("READONLY=yes\nSTATE_MOUNT='/mnt/state'\n", fstab=elsewhere) == (ID, "pc1")
    assert identity(fstab=elsewhere) == ("", "")


@pytest.mark.parametrize("fstab", ["", "/dev/nothing {state} ext4 noauto 0 0\n", "nas:/state {state} nfs noauto 0 0\n"])
def test_without_a_disk_the_boot_goes_on(fstab: str) -> None:
    assert identity(fstab=fstab) == ("", "")


BY_NFS = "READONLY=yes\nSTATE_LABEL=\nCLIENTSTATE=nas:/state\n"


def test_state_may_be_on_a_server_in_a_directory_with_the_name_of_the_host() -> None:
    # The name is what it is found by.
    assert identity(BY_NFS, fstab="", host="pc1") == (ID, "")
    assert identity(BY_NFS, statetab="/etc/hostname\n", fstab="", host="pc1") == ("", "")
    # Where there is a disk, that is it.
    assert identity(BY_NFS.replace("nas:", "other:"), host="pc1") == (ID, "pc1")


@pytest.mark.parametrize("host", ["pc2", "(none)", "localhost", ".pc1", "../pc1", "pc1/x"])
def test_without_such_a_directory_or_a_name_that_could_be_its_the_boot_goes_on(host: str) -> None:
    assert identity(BY_NFS, fstab="", host=host) == ("", "")


def test_only_what_a_list_names_is_taken() -> None:
    assert identity(statetab="/etc/hostname\n") == ("", "pc1")


@pytest.mark.parametrize("kept", ["", "nothing\n", ID[1:], f"{ID}0\n", "-> /etc/hostname"])
def test_what_is_no_machine_id_is_not_taken(kept: str) -> None:
    assert identity(kept=kept) == ("", "pc1")
