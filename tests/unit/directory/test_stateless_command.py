# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``stateless`` of a client, asking a real slapd as that client, and without one that answers."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import typing as t

import ldap
import pytest

from ansible_collections.stateless.linux.plugins.module_utils._cached_root import decisions
from ansible_collections.stateless.linux.plugins.module_utils._client import ask, command, wanted
from ansible_collections.stateless.linux.plugins.module_utils._client import machine as machine_
from ansible_collections.stateless.linux.plugins.module_utils._directory.connection import LdapFailed
from ansible_collections.stateless.linux.plugins.module_utils._directory.info import information
from ansible_collections.stateless.linux.plugins.module_utils._directory.tree import REPORT
from ansible_collections.stateless.linux.plugins.module_utils._directory.values import CLIENT_CLASSES, GROUP_CLASSES
from ansible_collections.stateless.linux.plugins.module_utils._errors import StatelessError
from ansible_collections.stateless.linux.tests.unit.directory.machine import DIGEST, OTHER, Machine, status
from ansible_collections.stateless.linux.tests.unit.directory.served import SECRET, TREE, Directory

Capture = pytest.CaptureFixture[str]
Attributes = t.Mapping[str, t.Sequence[str]]


def enter(directory: Directory, dn: str, classes: t.Sequence[str], attributes: Attributes) -> None:
    raw = {name: [value.encode() for value in values] for name, values in attributes.items()}
    directory.root.add(dn, {"objectClass": [one.encode() for one in classes], **raw})


def client(directory: Directory, name: str = "pc1", **attributes: list[str]) -> None:
    more = {"macAddress": ["52:54:00:00:00:01"], "userPassword": [SECRET], **attributes}
    enter(directory, TREE.client(name), CLIENT_CLASSES, {"cn": [name], **more})


def group(directory: Directory, name: str, *members: str, **attributes: list[str]) -> None:
    named = [TREE.groups, *map(TREE.client, members)]
    enter(directory, TREE.group(name), GROUP_CLASSES, {"cn": [name], "member": named, **attributes})


@pytest.fixture
def place() -> t.Iterator[pathlib.Path]:
    """A directory that every user may look into, as / is."""
    made = pathlib.Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def pc(directory: Directory, place: pathlib.Path) -> Machine:
    """A machine that runs snapshot 1 of desk, of which there are 1, 2 (with the same content) and 3."""
    directory.protosystem("desk", "stable", {"stable": 1, "same": 2, "testing": 3}, {1: DIGEST, 2: DIGEST, 3: OTHER})
    found = Machine(place)
    shutil.copy(directory.authority.path, place / "ca.pem")
    (place / "ca.pem").chmod(0o644)
    found.settings(server_uri=directory.tls_uri, ca_path=str(place / "ca.pem"))
    found.password(f"{SECRET}\n")
    return found


def test_what_is_assigned_is_told_with_its_reason(directory: Directory, pc: Machine, capsys: Capture) -> None:
    """By the entry of all clients, then by a group, then by its own."""
    client(directory)
    code, value, text = status(pc, capsys)
    assert (code, value["stale"]) == (4, None)
    assert "nothing is assigned" in value["run"]["problem"]
    assert "would bring up nothing: nothing is assigned" in text

    directory.assign_all(statelessAssignedProtosystem="desk")
    try:
        code, value, text = status(pc, capsys)
        assert (code, value["stale"], value["run"]["serial"], value["source"]) == (0, False, 1, "directory")
        assert value["run"]["because"]["protosystem"] == TREE.clients
        assert "the entry of all clients names protosystem desk; the protosystem's default is channel stable" in text
        assert "client:     pc1\nruns:       desk 1 (ram), since 2025-11-23" in text
        assert "reboot:     changes nothing; it comes as nfs" in text

        group(directory, "lab", "pc1", statelessAssignedChannel=["testing"], statelessAssignedFormat=["ram"])
        code, value, text = status(pc, capsys)
        assert (code, value["stale"], value["run"]["serial"], value["run"]["digest"]) == (3, True, 3, OTHER)
        assert value["run"]["because"]["channel"] == TREE.group("lab")
        assert "group lab (priority 100) names channel testing, which points at 3" in text
        assert "reboot:     would bring up desk 3 (ram) instead" in text

        own = [(ldap.MOD_REPLACE, f"statelessAssigned{name}", [value]) for name, value in OWN.items()]
        directory.root.modify(TREE.client("pc1"), own)
        code, value, text = status(pc, capsys)
        assert (code, value["run"]["serial"], value["run"]["because"]["serial"]) == (0, 2, TREE.client("pc1"))
        assert "client pc1 names snapshot 2" in text
    finally:
        directory.assign_all(statelessAssignedProtosystem="")


def test_a_caching_client_is_told_its_kernel_arguments(directory: Directory, pc: Machine) -> None:
    """By the first that names some, as boot scripts have them."""
    client(directory, statelessAssignedProtosystem=["desk"], statelessAssignedFormat=["nfs"])
    group(directory, "lab", "pc1", statelessKernelArguments=["console=ttyS1  nosmt"])
    assert wanted.assigned(pc.places) == wanted.Wanted(("desk", 1), ("console=ttyS1", "nosmt"))
    directory.root.modify(TREE.client("pc1"), [(ldap.MOD_ADD, "statelessKernelArguments", [b"a$b"])])
    found = wanted.assigned(pc.places)
    with pytest.raises(StatelessError, match="the directory says what cannot be: kernel_arguments: 'a\\$b'"):
        found.own([])


OWN = {"Protosystem": b"desk", "Serial": b"2"}


@pytest.mark.parametrize(
    ("runs", "should", "code", "told"),
    [
        ((1, DIGEST), "same", 0, "changes nothing but the number: desk 2 (ram) has the same content"),
        ((2, DIGEST), "stable", 0, "changes nothing but the number: desk 1 (ram) has the same content"),
        ((9, OTHER), "testing", 0, "changes nothing but the number: desk 3 (ram) has the same content"),
        ((3, DIGEST), "testing", 3, "would bring up desk 3 (ram) instead"),
        ((1, None), "stable", 0, "changes nothing\n"),
        ((1, None), "same", 3, "would bring up desk 2 (ram) instead"),
        ((1, DIGEST), "none", 4, "would bring up nothing: desk has no channel none"),
    ],
)
def test_a_reboot_is_judged_by_content_not_by_number(
    directory: Directory,
    pc: Machine,
    capsys: Capture,
    runs: tuple[int, str | None],
    should: str,
    code: int,
    told: str,
) -> None:
    said = {"Protosystem": ["desk"], "Channel": [should], "Format": ["ram"]}
    client(directory, **{f"statelessAssigned{name}": value for name, value in said.items()})
    pc.boots(*runs)
    found, _value, text = status(pc, capsys)
    assert (found, told in text) == (code, True)


def test_a_report_is_written_as_the_client_itself(directory: Directory, pc: Machine, capsys: Capture) -> None:
    client(directory, statelessAssignedProtosystem=["desk"])
    failed = decisions.Decisions(frozenset({("desk", 9), ("desk", 10)}), why={("desk", 9): "no paper"})
    decisions.store(f"{pc.root}/var/lib/stateless/cached/decisions.json", failed)
    before = directory.dump(TREE.suffix)
    assert pc.run("report") == 0
    assert capsys.readouterr().out == f"reported desk 1 as {TREE.client('pc1')}\n"
    after = directory.dump(TREE.suffix)
    raw = after[TREE.client("pc1")]
    assert raw["statelessreported"][0].endswith(b"Z")
    assert {name: raw[name.lower()][0] for name in REPORT[:-1]} == {
        "statelessRunningProtosystem": b"desk",
        "statelessRunningSerial": b"1",
        "statelessRunningDigest": DIGEST.encode(),
        "statelessRunningFormat": b"ram",
        "statelessRunningSince": b"20251123080000Z",
        "statelessFailed": b"desk 9 (no paper), desk 10",
    }
    for name in REPORT:
        del raw[name.lower()]
    assert after == before
    (told,) = information(directory.session, TREE, ["pc1"], [])["clients"]
    assert (told["running"]["serial"], told["running"]["since"], told["stale"]) == (
        1,
        "2025-11-23T08:00:00+00:00",
        False,
    )

    # Of the next boot, the digest is not known: that of the last is not to be taken for it.
    pc.boots(3, None)
    assert pc.run("report") == 0
    (told,) = information(directory.session, TREE, ["pc1"], [])["clients"]
    assert (told["running"]["serial"], told["running"]["digest"], told["stale"]) == (3, None, True)


def test_another_s_entry_is_refused(directory: Directory, pc: Machine, capsys: Capture) -> None:
    """Whatever a machine calls itself: what counts is whose password it has."""
    client(directory)
    client(directory, "pc2", macAddress=["52:54:00:00:00:02"], userPassword=["another"])
    before = directory.dump(TREE.client("pc2"))
    running = machine_.look(pc.places)
    told = ask.ask(pc.places, running, 5)
    theirs = ask.Told(told.known, TREE.client("pc2"), told.client, told.session)
    with pytest.raises(LdapFailed, match=f"change {TREE.client('pc2')}: this identity may not do that"):
        ask.report(theirs, t.cast(t.Any, running.running), machine_.now())
    pc.boots(name="pc2")
    assert pc.run("report") == 1
    assert (
        "as cn=pc2,ou=clients,o=stateless: the password is wrong, or there is no such identity"
        in capsys.readouterr().err
    )
    code, value, _text = status(pc, capsys)
    assert (code, value["client"], value["run"], value["source"]) == (4, "pc2", None, None)
    assert "the password is wrong" in value["failure"]
    assert SECRET not in json.dumps(value, ensure_ascii=False)
    assert directory.dump(TREE.client("pc2")) == before


def test_a_certificate_says_who_it_is(directory: Directory, pc: Machine, capsys: Capture) -> None:
    client(directory, statelessAssignedProtosystem=["desk"], userPassword=["not told to the machine"])
    pc.boots(name=None)

    def holds(name: str, dn: str) -> None:
        issued = pathlib.Path(directory.authority.issue(f"machine-{name}", "127.0.0.1", dn=dn))
        for file in ("client.crt", "client.key"):
            pc.file(f"/etc/stateless/identity/{file}", issued.read_text(), 0o600)

    holds("pc1", TREE.client("pc1"))
    code, value, _text = status(pc, capsys)
    assert (code, value["client"], value["run"]["serial"], value["notes"]) == (0, "pc1", 1, [])
    assert pc.run("report") == 0

    capsys.readouterr()
    holds("pc7", TREE.client("pc7"))
    code, value, text = status(pc, capsys)
    assert (code, value["client"]) == (4, "pc7")
    assert f"there is no entry {TREE.client('pc7')}: this is what machines without one should run" in text
    assert pc.run("report") == 1
    assert "make it with the module directory_client" in capsys.readouterr().err

    holds("alice", TREE.identity("administrators", "alice"))
    assert pc.run("report") == 1
    assert "takes this machine for cn=alice,ou=administrators,ou=identities,o=stateless" in capsys.readouterr().err

    (pc.root / "etc/stateless/identity/client.key").unlink()
    assert pc.run("report") == 1
    assert "client_key: " in capsys.readouterr().err


def test_a_machine_with_the_password_of_another_is_noticed(directory: Directory, pc: Machine, capsys: Capture) -> None:
    client(directory, macAddress=["52:54:00:00:00:09"], statelessAssignedProtosystem=["desk"])
    code, value, _text = status(pc, capsys)
    assert code == 0
    assert value["notes"] == [
        "this machine has none of the MAC addresses of its entry (52:54:00:00:00:09): is it another one?"
    ]


# -- the directory is away


def full(stack: contextlib.ExitStack) -> int:
    """A port that takes no more connections: what comes is dropped, as by a firewall."""
    listener = stack.enter_context(socket.socket())
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    for _each in range(3):
        waiting = stack.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(listener.getsockname())
    return int(listener.getsockname()[1])


def silent(stack: contextlib.ExitStack) -> int:
    """A port that takes connections, and says nothing."""
    listener = stack.enter_context(socket.socket())
    listener.bind(("127.0.0.1", 0))
    listener.listen(50)
    return int(listener.getsockname()[1])


def closed(_stack: contextlib.ExitStack) -> int:
    return 1


@pytest.mark.parametrize(("away", "scheme"), [(full, "ldaps"), (silent, "ldaps"), (silent, "ldap"), (closed, "ldaps")])
def test_without_the_directory_it_is_what_was_known_last(
    directory: Directory,
    pc: Machine,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    away: t.Callable[[contextlib.ExitStack], int],
    scheme: str,
) -> None:
    client(directory, statelessAssignedProtosystem=["desk"], statelessAssignedChannel=["testing"])
    assert pc.run("report") == 0
    kept = pc.root / "var/lib/stateless/client/assigned.json"
    before = kept.read_bytes()
    monkeypatch.setattr(command, "_STATUS", (1, 2))
    monkeypatch.setattr(command, "_REPORT", (1, 2))
    settings = json.loads((pc.root / "etc/stateless/client.json").read_text())
    with contextlib.ExitStack() as stack:
        settings["server_uri"] = f"{scheme}://127.0.0.1:{away(stack)}"
        pc.settings(**settings, start_tls=scheme == "ldap")
        capsys.readouterr()
        assert pc.run("status", "--json") == 3
        value = json.loads(capsys.readouterr().out)
        assert (value["source"], value["run"]["serial"], value["client"]) == ("last known", 3, "pc1")
        assert "answer" in value["failure"]
        assert pc.run("report") == 4
        assert "stateless: " in capsys.readouterr().err
    assert kept.read_bytes() == before
    assert {path.name for path in kept.parent.iterdir()} == {"assigned.json", "lock"}


def test_what_another_client_knew_does_not_count(directory: Directory, pc: Machine, capsys: Capture) -> None:
    client(directory, statelessAssignedProtosystem=["desk"])
    assert pc.run("report") == 0
    pc.settings(server_uri="ldaps://127.0.0.1:1")
    assert pc.run("status") == 0
    pc.boots(name="pc2")
    capsys.readouterr()
    assert pc.run("status") == 4
    assert "reboot:     not known: the directory has not answered yet\n" in capsys.readouterr().out


def test_the_second_server_is_asked_if_the_first_is_away(directory: Directory, pc: Machine, capsys: Capture) -> None:
    client(directory, statelessAssignedProtosystem=["desk"])
    settings = json.loads((pc.root / "etc/stateless/client.json").read_text())
    with contextlib.ExitStack() as stack:
        pc.settings(**{**settings, "server_uri": f"ldaps://127.0.0.1:{full(stack)} {directory.tls_uri}"})
        assert pc.run("status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["source"] == "directory"


def reported(pc: Machine) -> subprocess.CompletedProcess[str]:
    """A report that was made, as often as the timer has to begin it: on a busy machine its time may be up before."""
    for _time in range(5):
        done = pc.start("report")
        if done.returncode == 0:
            return done
    raise AssertionError(done.stderr)


def test_nothing_hangs_in_a_network_that_swallows_everything(directory: Directory, pc: Machine) -> None:
    """The program as it is installed, with its own time limits, in a network of its own where no packet is answered."""
    client(directory, statelessAssignedProtosystem=["desk"], statelessAssignedChannel=["testing"])
    assert reported(pc).stderr == ""
    settings = json.loads((pc.root / "etc/stateless/client.json").read_text())
    pc.settings(**{**settings, "server_uri": "ldaps://192.0.2.9 ldaps://192.0.2.10 ldaps://192.0.2.11"})
    # What goes to lo for another host is not answered.
    network = 'ip link set lo up && ip route add 192.0.2.0/24 dev lo src 127.0.0.1 && exec "$@"'
    begin = time.monotonic()
    done = pc.start(
        "status", before=["unshare", *([] if os.geteuid() == 0 else ["-r"]), "-n", "sh", "-c", network, "sh"]
    )
    # Three addresses that do not answer take TCP six minutes. The program says 6 seconds; the rest is a busy machine's.
    assert time.monotonic() - begin < 60
    assert (done.returncode, done.stderr) == (3, "")
    assert "runs:       desk 1 (ram)" in done.stdout
    assert "reboot:     would bring up desk 3 (nfs) instead" in done.stdout
    assert "directory:  the directory does not answer within 6 seconds" in done.stdout
    assert "the last answer" in done.stdout


def test_anybody_may_know_what_was_known_last(directory: Directory, pc: Machine) -> None:
    """Only root has the password; what the directory said is no secret."""
    client(directory, statelessAssignedProtosystem=["desk"])
    assert reported(pc).stdout == f"reported desk 1 as {TREE.client('pc1')}\n"
    how: dict[str, t.Any] = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    (pc.root / "etc/credstore").chmod(0o700 if how else 0)
    done = pc.start("status", **how)
    assert (done.returncode, done.stderr) == (0, "")
    assert "directory:  only root can log in as this machine\n" in done.stdout
    assert "reboot:     changes nothing" in done.stdout
    assert "the last answer" in done.stdout
    done = pc.start("report", **how)
    assert (done.returncode, done.stderr) == (4, "stateless: only root can log in as this machine\n")
    (pc.root / "etc/credstore").chmod(0o755)


# -- hostile values


def test_a_name_from_elsewhere_does_nothing_to_the_terminal(directory: Directory, pc: Machine, capsys: Capture) -> None:
    bad = "x\x1b[2J\x07\x9b31m\u202e\r\nreboot: changes nothing"
    client(directory)
    group(directory, bad, "pc1", statelessAssignedProtosystem=["desk"], statelessAssignedChannel=["testing"])
    code, value, text = status(pc, capsys)
    assert (code, value["run"]["serial"]) == (3, 3)
    assert "group x\\x1b[2J\\x07\\x9b31m\\u202e\\r\\nreboot: changes nothing (priority 100) names" in text
    assert not {letter for letter in text if not letter.isprintable()} - {"\n"}
    assert [line for line in text.split("\n") if line.startswith("reboot:")] == [
        "reboot:     would bring up desk 3 (nfs) instead"
    ]
    assert pc.run("report") == 0
    kept = (pc.root / "var/lib/stateless/client/assigned.json").read_text()
    assert kept.isascii()


@pytest.mark.parametrize("word", ["a b", "*", "x)(cn=*", "pc,ou=x", "+a", "#1", "m\u00fcller", "Reception 1", '"q\\"'])
def test_any_name_is_the_client_s_own(directory: Directory, pc: Machine, capsys: Capture, word: str) -> None:
    client(directory, word, statelessAssignedProtosystem=["desk"])
    pc.boots(name=word)
    code, value, _text = status(pc, capsys)
    assert (code, value["client"]) == (0, word)
    assert pc.run("report") == 0
