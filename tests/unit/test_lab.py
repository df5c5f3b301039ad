# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the test lab that need neither root nor a host; the rest is shown by tests/lab/selftest."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import yaml

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

from lab import base, process, proxy, report, ssh, state  # noqa: E402

KEY = "ssh-ed25519 AAAA lab"


@pytest.fixture
def lab(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> state.Lab:
    monkeypatch.setattr(state, "STATE", tmp_path)
    monkeypatch.setattr(ssh, "key", lambda: tmp_path / "id")
    monkeypatch.setattr(ssh, "public_key", lambda: KEY)
    return state.claim("one")


def test_the_base_of_a_vm_has_what_the_role_installs() -> None:
    variables = yaml.safe_load((TESTS.parent / "roles/server/vars/Debian.yml").read_text())
    wanted = [name for key, names in variables.items() if key.startswith("__server_packages") for name in names]
    assert base.words("packages-server.txt") == sorted(wanted)


@pytest.mark.parametrize("name", ["", "A", "../x", "a.b", "1a", "a" * 25, "a b", "a\n"])
def test_a_name_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(process.LabError, match="LAB: "):
        state.check_name("LAB", name)


def test_labs_get_different_networks(lab: state.Lab) -> None:
    other = state.claim("two")
    assert lab.subnet != other.subnet
    assert [found.name for found in state.all_labs()] == ["one", "two"]


def test_a_host_of_another_clone_is_known_by_what_both_know(lab: state.Lab) -> None:
    host = state.Host("one", "pc", "client", 1, "52:54:00:00:00:01", disks=["256M:stateless"])
    host.save()
    record = host.dir / "host.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "colour": "green"}))
    assert lab.hosts() == [host]


def test_the_inventory_is_yaml_with_server_and_clients(lab: state.Lab) -> None:
    server = state.Host("one", "server", "vm", 0, lab.mac(0), lab.address(2), release="trixie", disks=["8G", "1G"])
    client = state.Host("one", "pc", "client", 1, "52:54:00:00:00:01")
    for host in (server, client):
        host.save()
    everything = yaml.safe_load(report.inventory(lab))["all"]
    assert everything["vars"]["lab_http_proxy"] == proxy.URL
    assert everything["vars"]["lab_public_key"] == KEY
    assert everything["vars"]["lab_subnet"] == lab.subnet
    assert everything["hosts"]["server"]["ansible_host"] == lab.address(2)
    assert everything["hosts"]["server"]["lab_disks"] == ["/dev/vdb", "/dev/vdc"]
    pc = everything["children"]["clients"]["hosts"]["pc"]
    assert pc["lab_mac"] == "52:54:00:00:00:01"
    assert "ansible_host" not in pc, "its address is not known before it was seen"


def test_a_process_of_the_same_pid_is_another(tmp_path: pathlib.Path) -> None:
    one = process.spawn(["sleep", "60"], tmp_path / "record", tmp_path / "log")
    other = dataclasses.replace(one, start=one.start + 1)
    assert [one.alive, other.alive] == [True, False]
    other.end()
    assert [one.alive] == [True]
    one.end()
    assert [one.alive] == [False]
    assert process.Process.read(tmp_path / "record") == one


def test_an_interrupt_waits_until_a_program_is_known() -> None:
    old = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    reached: list[str] = []
    try:
        process.catch_interrupts()
        with pytest.raises(KeyboardInterrupt), process.uninterrupted():
            signal.raise_signal(signal.SIGTERM)
            reached.append("end")
    finally:
        for number, handler in old:
            signal.signal(number, handler)
    assert reached == ["end"]


def test_a_program_that_takes_too_long_is_killed() -> None:
    begun = time.monotonic()
    with pytest.raises(process.LabError, match="no end after 1 seconds"):
        process.run("sleep", "60", timeout=1)
    assert time.monotonic() - begun < 30


def test_the_command_line_names_a_bad_value() -> None:
    done = subprocess.run(
        [str(TESTS / "lab/lab"), "up", "x", "--disk", "huge"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "'huge' is no size such as 512M or 8G" in done.stderr
