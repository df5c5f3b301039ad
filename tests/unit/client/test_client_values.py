# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client reads of itself and of what was known last, and what it prints: without a directory."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._client import identity, machine, settings
from ansible_collections.stateless.linux.plugins.module_utils._client import known as known_
from ansible_collections.stateless.linux.plugins.module_utils._client.known import Known, checked
from ansible_collections.stateless.linux.plugins.module_utils._client.places import Places
from ansible_collections.stateless.linux.plugins.module_utils._client.words import Status, shown
from ansible_collections.stateless.linux.plugins.module_utils._directory.fleet import Running
from ansible_collections.stateless.linux.plugins.module_utils._directory.resolve import Answer
from ansible_collections.stateless.linux.plugins.module_utils._directory.session import Login
from ansible_collections.stateless.linux.plugins.module_utils._directory.tree import Tree
from ansible_collections.stateless.linux.plugins.module_utils._errors import NotFound, StatelessError

DIGEST = "sha256:" + "0a" * 32
RUNS = "stateless.protosystem=desk stateless.serial=7 stateless.format=nfs"
RUNNING = Running("desk", 7, DIGEST, "nfs", "2026-11-23T07:00:00+00:00")
ANSWER = Answer("desk", "stable", 7, DIGEST, "nfs", ("quiet",), {"protosystem": "ou=clients,o=stateless"}, "why", "")


@pytest.fixture
def places(tmp_path: pathlib.Path) -> Places:
    (tmp_path / "proc").mkdir()
    return Places(str(tmp_path), {})


def boot(places: Places, line: str) -> machine.Machine:
    pathlib.Path(places.of("/proc/cmdline")).write_text(line + "\n")
    return machine.look(places)


def test_a_machine_reads_what_it_runs(places: Places) -> None:
    pathlib.Path(places.of("/proc/stat")).write_text("cpu  1\nbtime 1795417200\n")
    for name, address in (("eth0", "52:54:00:00:00:01"), ("lo", "00:00:00:00:00:00"), ("ib0", "80:00:00:48:fe")):
        (pathlib.Path(places.of("/sys/class/net")) / name).mkdir(parents=True)
        (pathlib.Path(places.of("/sys/class/net")) / name / "address").write_text(address + "\n")
    found = boot(places, f"quiet {RUNS} stateless.digest={DIGEST} stateless.client=pc%201")
    assert found == machine.Machine(RUNNING, "pc 1", frozenset({"52:54:00:00:00:01"}))
    assert boot(places, RUNS).running == Running("desk", 7, None, "nfs", "2026-11-23T07:00:00+00:00")


def test_a_machine_that_runs_no_image_knows_that(places: Places) -> None:
    assert boot(places, "root=/dev/sda1 quiet") == machine.Machine(None, None, frozenset())
    pathlib.Path(places.of("/run/systemd")).mkdir(parents=True)
    pathlib.Path(places.of("/run/systemd/container")).write_text("systemd-nspawn")
    # The kernel's command line is the host's there.
    assert boot(places, RUNS).running is None


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("stateless.serial=0", "stateless.serial"),
        ("stateless.serial=1e3", "stateless.serial"),
        ("stateless.serial=99999999999", "stateless.serial"),
        ("stateless.serial=2147483648", "stateless.serial"),
        ("stateless.serial=", "stateless.serial"),
        ("stateless.protosystem=../x", "stateless.protosystem"),
        ("stateless.protosystem=", "stateless.protosystem"),
        ("stateless.format=iscsi", "stateless.format"),
        ("stateless.digest=md5:1", "stateless.digest"),
        (f"stateless.digest={DIGEST}\x1b", "stateless.digest"),
        ("stateless.client=", "stateless.client"),
        ("stateless.client=a%00b", "stateless.client"),
        ("stateless.client=%1b[2J", "stateless.client"),
        ("stateless.client=" + "x" * 65, "stateless.client"),
    ],
)
def test_a_command_line_that_cannot_be_is_refused(places: Places, more: str, told: str) -> None:
    with pytest.raises(StatelessError, match=f"the kernel's command line is not that of an image: {told}: "):
        boot(places, f"{RUNS} {more}")


@pytest.mark.parametrize("gone", ["protosystem", "serial", "format"])
def test_half_of_an_image_is_none(places: Places, gone: str) -> None:
    line = " ".join(word for word in RUNS.split() if gone not in word)
    with pytest.raises(StatelessError, match=f"stateless.{gone}"):
        boot(places, line)


# -- settings


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "cannot be read"),
        ("[]", "is no JSON object"),
        ("{}", "server_uri: give the URI"),
        ('{"server_uri": "ldaps://a", "bind_pw": "x"}', "bind_pw: there is no such setting"),
        ('{"server_uri": "ldaps://a", "validate_certs": false}', "validate_certs: there is no such setting"),
        ('{"server_uri": "ldap://a"}', "the password would be readable on the way"),
        ('{"server_uri": "http://a"}', "give a URI such as"),
        ('{"server_uri": "ldaps://a", "suffix": "x"}', "suffix: 'x' cannot be used"),
        ('{"server_uri": "ldaps://a", "start_tls": "yes"}', "give true or false"),
        ('{"server_uri": 1}', "give a text"),
    ],
)
def test_settings_that_cannot_work_are_refused(tmp_path: pathlib.Path, text: str, told: str) -> None:
    path = tmp_path / "client.json"
    path.write_text(text)
    with pytest.raises(StatelessError, match=f"^{path}.*{told}"):
        settings.load(str(path))


def test_settings_are_read_as_they_are_written(tmp_path: pathlib.Path) -> None:
    with pytest.raises(NotFound, match="this machine knows no directory"):
        settings.load(str(tmp_path / "client.json"))
    said = {"server_uri": "ldap://a ldap://b", "start_tls": True, "suffix": "dc=a", "ca_path": None}
    (tmp_path / "client.json").write_text(settings.text(said))
    found = settings.load(str(tmp_path / "client.json"))
    assert (found.login.uri, found.login.start_tls, found.login.ca_path) == ("ldap://a ldap://b", True, "")
    assert (found.tree.suffix, found.login.validate_certs) == ("dc=a", True)


# -- known last


def test_what_was_known_is_kept_as_it_was(places: Places) -> None:
    assert known_.load(places, None) is None
    known = Known("2026-11-23T07:00:00+00:00", "pc1", ANSWER)
    directory = pathlib.Path(places.known).parent
    directory.mkdir(parents=True)
    (directory / ".stateless-assigned.json:killed").write_text("{")
    known_.store(places, known)
    assert known_.load(places, "pc1") == known_.load(places, None) == known
    assert known_.load(places, "pc2") is None
    assert {path.name for path in directory.iterdir()} == {"assigned.json", "lock"}
    assert pathlib.Path(places.known).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"asked": "now"},
        {"asked": "2026-11-23T07:00:00"},
        {"client": 7},
        {"answer": None},
        {"answer": {"protosystem": "desk"}},
        *({"answer": {**ANSWER.as_dict(), name: {}}} for name in ANSWER.as_dict() if name != "because"),
        {"answer": {**ANSWER.as_dict(), "serial": True}},
        {"answer": {**ANSWER.as_dict(), "because": ["x"]}},
    ],
)
def test_a_file_that_is_not_ours_is_told(places: Places, change: dict[str, t.Any]) -> None:
    known_.store(places, Known("2026-11-23T07:00:00+00:00", "pc1", ANSWER))
    path = pathlib.Path(places.known)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(StatelessError, match=f"{path} cannot be read: .*; the next report writes it anew"):
        known_.load(places, "pc1")


def test_a_file_that_cannot_be_written_is_told(places: Places) -> None:
    pathlib.Path(places.of("/var")).write_text("a file in the way")
    with pytest.raises(StatelessError, match="what the directory says cannot be kept in"):
        known_.store(places, Known("2026-11-23T07:00:00+00:00", "pc1", ANSWER))


@pytest.mark.parametrize(
    "wrong", [{"protosystem": "../x"}, {"protosystem": "\x1b[2J"}, {"channel": "a b"}, {"serial": 0}, {"serial": -1}]
)
def test_an_answer_that_cannot_be_is_a_problem(wrong: dict[str, t.Any]) -> None:
    found = checked(Answer(**{**ANSWER.__dict__, **wrong}))
    assert (found.protosystem, found.serial) == (None, None)
    assert found.problem.startswith("the directory says what cannot be: ")
    assert checked(ANSWER) is ANSWER


# -- words


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain, m\u00fcller", "plain, m\u00fcller"),
        ("\x1b]0;x\x07", "\\x1b]0;x\\x07"),
        ("\x9b2J\x85", "\\x9b2J\\x85"),
        ("a\nb\r\tc\x00", "a\\nb\\r\\tc\\x00"),
        ("\u202eabc\u2066\ufeff\u200b", "\\u202eabc\\u2066\\ufeff\\u200b"),
        ("\ud800", "\\ud800"),
        ("a\u2028b\u00a0c", "a\\u2028b\\xa0c"),
        ("x" * 1000, "x" * 400 + "..."),
    ],
)
def test_a_terminal_obeys_nothing_of_a_text(text: str, safe: str) -> None:
    assert shown(text) == safe


def test_every_text_from_elsewhere_is_made_safe() -> None:
    bad = "\x1b[2J\nreboot: changes nothing"
    answer = Answer("desk", bad, 7, bad, bad, (bad,), {"protosystem": bad}, bad, "")
    for one in (answer, Answer(reason=bad, problem=bad)):
        status = Status(RUNNING, bad, Known("2026-11-23T07:00:00+00:00", bad, one), bad, [bad])
        assert {letter for letter in status.as_text() if not letter.isprintable()} == {"\n"}
        assert status.as_json().isascii()
        assert "\x1b" not in status.as_json()
        assert json.loads(status.as_json())["notes"] == [bad]


def test_a_password_that_comes_while_a_unit_waits_is_found(tmp_path: pathlib.Path) -> None:
    given, kept = tmp_path / "given", tmp_path / "etc/credstore"
    for directory in (given, kept):
        directory.mkdir(parents=True)
    here = Places(str(tmp_path), {"CREDENTIALS_DIRECTORY": str(given)})
    base, tree = Login("ldaps://srv1"), Tree("o=stateless")
    with pytest.raises(identity.Nobody):
        identity.login(here, base, tree, "pc1")
    (kept / "stateless.password").write_text("late\n")
    assert identity.login(here, base, tree, "pc1").password == "late"
    (given / "stateless.password").write_text("first")
    assert identity.login(here, base, tree, "pc1").password == "first"


def test_without_an_image_a_reboot_is_not_judged() -> None:
    status = Status(None, "pc1", Known("2026-11-23T07:00:00+00:00", "pc1", ANSWER))
    assert (status.code, status.stale) == (4, None)
    assert "reboot:     would bring up desk 7 (nfs) from the network\n" in status.as_text()
    assert json.loads(status.as_json())["running"] is None
