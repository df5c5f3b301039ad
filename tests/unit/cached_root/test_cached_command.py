# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command of a caching client, as far as it goes without a disk of its own; and what it says of one."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._cached_root import decisions, health, install, say
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.entries import Entry
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.plan import Situation
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.room import Pool
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.volumes import Root, Roots
from ansible_collections.stateless.linux.plugins.module_utils._client import command, identity
from ansible_collections.stateless.linux.plugins.module_utils._client.places import Places
from ansible_collections.stateless.linux.plugins.module_utils._client.words import Status

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def places(tmp_path: pathlib.Path) -> Places:
    """A machine that came over the network."""
    (tmp_path / "proc").mkdir()
    line = "initrd=initrd ro stateless.protosystem=lab stateless.serial=3 stateless.format=ram stateless.client=pc1\n"
    (tmp_path / "proc/cmdline").write_text(line)
    return Places(str(tmp_path), {})


def test_a_machine_from_the_network_has_no_health_to_judge(places: Places, capsys: Capture) -> None:
    assert command.run(["health"], places) == 0
    assert "not booted from its disk" in capsys.readouterr().out
    assert command.run(["health", "--json"], places) == 0
    assert json.loads(capsys.readouterr().out) == {"healthy": None}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["install", "/dev/null", "--serial", "1"], "urls"),
        (["install", "/dev/null", "--serial", "0"], "serial: 0 cannot be used"),
        (["install", "/dev/null", "--serial", "1", "--url", "ftp://a"], "use http://"),
        (["install", "/dev/null", "--serial", "1", "--url", "http://a", "--argument", "a b"], "argument: 'a b'"),
        (["install", "/dev/null", "--serial", "1", "--url", "http://a", "--state-size", "1M"], "at least 64 MiB"),
        (["install", "/dev/null", "--serial", "1", "--url", "http://a", "--limit", "fast"], "limit: 'fast'"),
        (["install", "/dev/null", "--serial", "1", "--url", "http://a", "--vg", "a/b"], "vg: 'a/b'"),
        (["update", "--protosystem", "A", "--serial", "1", "--url", "http://a"], "protosystem: 'A'"),
        (["verify"], "runs no root of its disk"),
        (["install", "--serial", "1", "--url", "http://a"], "disk: None cannot be used: name it"),
        (["install", "auto", "--serial", "1", "--url", "http://a", "--erase"], "what is erased is said by name"),
    ],
)
def test_what_cannot_work_is_refused_with_its_name(
    places: Places, capsys: Capture, arguments: list[str], said: str
) -> None:
    assert command.run(arguments, places) == 1
    assert said in capsys.readouterr().err


def test_a_machine_takes_to_its_disk_what_it_logs_in_with(places: Places, tmp_path: pathlib.Path) -> None:
    assert identity.kept(places) == {}
    for path, text in (("run/credstore/stateless.password", "s3cret"), ("etc/stateless/identity/client.key", "key")):
        file = pathlib.Path(places.root, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    kept = identity.kept(places)
    assert kept == {"/etc/stateless/identity/client.key": b"key", "/etc/credstore/stateless.password": b"s3cret"}
    install.keep(str(tmp_path / "state"), kept)
    secret = tmp_path / "state/etc/credstore/stateless.password"
    assert secret.read_bytes() == b"s3cret"
    assert (secret.stat().st_mode & 0o777, secret.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert "s3cret" not in repr(install.Wanted("/dev/sda", ("lab", 1), kept=kept))


def test_what_was_booted_to_install_is_what_is_installed(places: Places, capsys: Capture) -> None:
    """The menu's way: nobody is asked what, and the disk is said by the kernel's command line."""
    line = pathlib.Path(places.of("/proc/cmdline"))
    line.write_text(f"{line.read_text().strip()} stateless.install=/dev/null\n")
    # port 1: nobody publishes there
    assert command.run(["install", "--url", "http://127.0.0.1:1"], places) == 1
    assert "disk: '/dev/null' cannot be used: it is no block device" in capsys.readouterr().err
    line.write_text("ro stateless.install=auto\n")
    assert command.run(["install", "--url", "http://127.0.0.1:1"], places) == 1
    assert "serial: None cannot be used: this machine runs no image" in capsys.readouterr().err


def test_wrong_usage(places: Places, capsys: Capture) -> None:
    assert command.run(["install", "a", "b"], places) == 2
    assert command.run(["rollback", "x"], places) == 2
    assert command.run(["--help"], places) == 0
    assert "exit status of health" in capsys.readouterr().out


def test_what_is_on_the_disk_is_said() -> None:
    roots = Roots(
        Pool(20 * 10**9, 3 * 10**9, 0, 0),
        (
            *(Root("lab", serial, True, 1 << 30, 1 << 29) for serial in (1, 2, 3, 4)),
            Root("lab", 5, False, 1 << 30, 1 << 20),
        ),
    )
    entries = (Entry(1, "lab", 1), Entry(2, "lab", 2, 0), Entry(3, "lab", 3, 2))
    now = Situation(roots, entries, running=("lab", 1))
    broken = decisions.Decisions().blaming(("lab", 2), ["the unit a.service has failed", "\x1b[1mno paper\n"])
    found = say.described(now, broken)
    assert [one["state"] for one in found["roots"]] == ["good", "failed", "trial", "unused", "unfinished"]
    assert [one["serial"] for one in found["roots"] if one["next"]] == [3]
    assert say.lines(found) == [
        "lab 1: good, runs",
        "lab 2: failed (the unit a.service has failed;  [1mno paper )",
        "lab 3: trial, 2 tries left, booted next",
        "lab 4: unused",
        "lab 5: unfinished",
        "3.0 of 20.0 GB are used",
    ]
    status = Status(None, "pc1", None, disk=found)
    assert "disk:       lab 1: good, runs\n            lab 2: failed (the unit" in status.as_text()
    assert json.loads(status.as_json())["disk"] == found
    # while its last try runs, it has not failed yet
    found = say.described(dataclasses.replace(now, running=("lab", 2), generation=2), broken)
    assert say.lines(found)[:2] == ["lab 1: good", "lab 2: trial, runs"]


# -- health


def test_the_administrators_checks_are_run(tmp_path: pathlib.Path) -> None:
    assert health.checks(str(tmp_path / "none")) == []
    scripts = {
        "10-good": (0o755, "#!/bin/sh\nexit 0\n"),
        "20-bad": (0o755, "#!/bin/sh\necho one >&2; echo 'the printer is on fire' >&2; exit 3\n"),
        "30-silent": (0o755, "#!/bin/sh\nexit 4\n"),
        "40-no-program": (0o644, "exit 1\n"),
        ".hidden": (0o755, "#!/bin/sh\nexit 1\n"),
        "50-broken": (0o755, "no program\n"),
    }
    for name, (mode, text) in scripts.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    (tmp_path / "directory").mkdir()
    bad, silent, broken = health.checks(str(tmp_path))
    assert bad == f"{tmp_path}/20-bad: the printer is on fire"
    assert silent == f"{tmp_path}/30-silent: status 4"
    assert broken.startswith(f"{tmp_path}/50-broken: ")


def test_health_is_waited_for_but_not_for_ever() -> None:
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    answers = [["a"], ["b"], []]
    assert health.wait(lambda: answers.pop(0), 10, now=lambda: clock[0], sleep=sleep) == []
    assert clock == [10.0]
    assert health.wait(lambda: ["wrong"], 12, now=lambda: clock[0], sleep=sleep) == ["wrong"]
    assert clock == [22.0]
