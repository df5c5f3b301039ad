# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client should run, because of which entry, and whether a reboot would change it."""

from __future__ import annotations

import typing as t

import ldap
import pytest

from ansible_collections.stateless.linux.plugins.module_utils._directory import clients, groups
from ansible_collections.stateless.linux.plugins.module_utils._directory.fleet import (
    Protosystem,
    Running,
    Snapshot,
    read,
)
from ansible_collections.stateless.linux.plugins.module_utils._directory.info import information
from ansible_collections.stateless.linux.plugins.module_utils._directory.resolve import (
    Answer,
    Level,
    levels,
    resolve,
    stale,
)
from ansible_collections.stateless.linux.plugins.module_utils._directory.session import connect
from ansible_collections.stateless.linux.plugins.module_utils._directory.values import Said
from ansible_collections.stateless.linux.tests.unit.directory.served import SECRET, TREE, Directory

SNAPSHOTS = {number: Snapshot(number, f"sha256:{number}", None, None, ("nfs", "ram")) for number in (1, 2, 3)}
DESK = Protosystem("desk", "cn=desk", "", "stable", {"stable": 1, "testing": 2}, SNAPSHOTS)
KIOSK = Protosystem("kiosk", "cn=kiosk", "", "", {"stable": 3}, SNAPSHOTS)
FLEET = {"desk": DESK, "kiosk": KIOSK}
NOTHING = Said()

#: What client, first group, second group and all clients say: protosystem, channel, serial, and who decided these.
CASES: dict[str, tuple[list[Said], tuple[t.Any, ...], list[str]]] = {
    "the client's own snapshot": (
        [Said(protosystem="desk", serial=3, channel="testing"), Said(protosystem="kiosk", channel="stable")],
        ("desk", None, 3),
        ["0", "0"],
    ),
    "its channel": (
        [Said(protosystem="desk", channel="testing"), Said(protosystem="desk", serial=3)],
        ("desk", "testing", 2),
        ["0", "cn=testing,cn=desk"],
    ),
    "its channel of a group's protosystem": (
        [Said(channel="testing"), NOTHING, Said(protosystem="desk", channel="stable")],
        ("desk", "testing", 2),
        ["2", "cn=testing,cn=desk"],
    ),
    "the first group": (
        [NOTHING, Said(protosystem="kiosk", channel="stable"), Said(protosystem="desk", channel="testing")],
        ("kiosk", "stable", 3),
        ["1", "cn=stable,cn=kiosk"],
    ),
    "a group's snapshot of another protosystem does not count": (
        [Said(protosystem="desk"), Said(protosystem="kiosk", serial=2), Said(protosystem="desk", serial=3)],
        ("desk", None, 3),
        ["0", "2"],
    ),
    "a number without a protosystem does not count": (
        [Said(serial=3), Said(protosystem="desk")],
        ("desk", "stable", 1),
        ["1", "cn=stable,cn=desk"],
    ),
    "all clients": (
        [NOTHING, NOTHING, NOTHING, Said(protosystem="desk", channel="testing")],
        ("desk", "testing", 2),
        ["3", "cn=testing,cn=desk"],
    ),
    "the protosystem's default": ([Said(protosystem="desk")], ("desk", "stable", 1), ["0", "cn=stable,cn=desk"]),
}
#: Nothing can be run, and why.
PROBLEMS: dict[str, tuple[list[Said], str]] = {
    "nobody says": ([NOTHING, NOTHING], "no protosystem is named by 0, 1"),
    "no protosystem": ([Said(protosystem="none", channel="stable")], "there is no protosystem none"),
    "nor a default": ([Said(protosystem="none")], "there is no protosystem none"),
    "no channel": ([Said(protosystem="desk", channel="old")], "desk has no channel old; there is: stable, testing"),
    "no default channel": ([Said(protosystem="kiosk")], "nobody names a channel or a snapshot of kiosk"),
    "no snapshot": ([Said(protosystem="desk", serial=9)], "there is no snapshot 9 of desk"),
    "no such format": ([Said(protosystem="desk", format="iso")], "is published as nfs, ram, not as iso"),
}


def asked(said: list[Said]) -> list[Level]:
    return [Level(one, str(number), str(number)) for number, one in enumerate(said)]


@pytest.mark.parametrize("case", CASES)
def test_the_first_that_says_something_counts(case: str) -> None:
    said, run, because = CASES[case]
    answer = resolve(asked(said), FLEET)
    assert (answer.protosystem, answer.channel, answer.serial) == run
    assert [answer.because["protosystem"], answer.because["serial"]] == because
    assert answer.digest == f"sha256:{answer.serial}"
    assert answer.problem == ""


@pytest.mark.parametrize("case", PROBLEMS)
def test_what_cannot_be_run_is_explained(case: str) -> None:
    said, problem = PROBLEMS[case]
    assert problem in resolve(asked(said), FLEET).problem


def test_format_and_arguments_come_from_the_first_that_names_them() -> None:
    said = [Said(format="ram"), Said(protosystem="desk", format="nfs", kernel_arguments=("quiet",))]
    answer = resolve(asked(said), FLEET)
    assert (answer.format, answer.kernel_arguments) == ("ram", ("quiet",))
    assert (answer.because["format"], answer.because["kernel_arguments"]) == ("0", "1")
    only_ram = {"desk": Protosystem("desk", "cn=desk", "", "a", {"a": 1}, {1: Snapshot(1, None, None, None, ("ram",))})}
    assert resolve(asked([Said(protosystem="desk")]), only_ram).format == "ram"


@pytest.mark.parametrize(
    ("running", "answer", "expected"),
    [
        (Running("desk", 1, "sha256:a"), Answer("desk", serial=2, digest="SHA256:A"), False),
        (Running("desk", 2, "sha256:a"), Answer("desk", serial=2, digest="sha256:b"), True),
        (Running("desk", 2), Answer("desk", serial=2, digest="sha256:b"), False),
        (Running("desk", 1), Answer("desk", serial=2), True),
        (Running("kiosk", 2), Answer("desk", serial=2), True),
        (Running(), Answer("desk", serial=2), None),
        (Running("desk", 1, "sha256:a"), Answer("desk"), None),
    ],
)
def test_staleness_is_a_matter_of_content(running: Running, answer: Answer, expected: bool | None) -> None:
    assert stale(running, answer) is expected


@pytest.fixture
def fleet(directory: Directory) -> t.Iterator[Directory]:
    directory.protosystem("desk", "stable", {"stable": 1, "testing": 2}, {1: "sha256:a", 2: "sha256:b", 3: "sha256:a"})
    said = {"protosystem": "desk"}
    wanted = [groups.Wanted("all", said=said), groups.Wanted("early", priority=1, said={"channel": "testing"})]
    groups.state(directory.session, TREE, wanted, False)
    machines = [
        clients.Wanted("pc1", mac=["525400000001"], groups=["all"], password=SECRET),
        clients.Wanted("pc2", mac=["525400000002"], groups=["all", "early"], password=SECRET),
        clients.Wanted("pc3", said={"protosystem": "desk", "serial": 3}),
    ]
    clients.state(directory.session, directory.passwords, TREE, machines, False)
    directory.assign_all(statelessAssignedProtosystem="desk")
    yield directory
    directory.assign_all(statelessAssignedProtosystem="")


def test_the_directory_says_what_each_client_should_run_and_why(fleet: Directory) -> None:
    report = {
        "statelessRunningProtosystem": b"desk",
        "statelessRunningSerial": b"3",
        "statelessRunningDigest": b"sha256:a",
    }
    for name in ("pc1", "pc2"):
        changes = [(ldap.MOD_REPLACE, attribute, [value]) for attribute, value in report.items()]
        machine = connect(fleet.login(dn=TREE.client(name)))
        machine.modify(TREE.client(name), [*changes, (ldap.MOD_REPLACE, "statelessReported", [b"20261123093112Z"])])
    found = information(connect(fleet.login("clients", "watch")), TREE, [], [])
    by_name = {one["name"]: one for one in found["clients"]}
    assert {name: one["run"]["serial"] for name, one in by_name.items()} == {"pc1": 1, "pc2": 2, "pc3": 3}
    assert {name: one["stale"] for name, one in by_name.items()} == {"pc1": False, "pc2": True, "pc3": None}
    assert by_name["pc2"]["groups"] == ["early", "all"]
    assert by_name["pc2"]["run"]["because"] == {
        "protosystem": "cn=all,ou=groups,o=stateless",
        "channel": "cn=early,ou=groups,o=stateless",
        "serial": "cn=testing,cn=desk,ou=protosystems,o=stateless",
    }
    assert by_name["pc2"]["run"]["reason"] == (
        "group all (priority 100) names protosystem desk; "
        "group early (priority 1) names channel testing, which points at 2"
    )
    assert by_name["pc1"]["running"]["reported"] == "2026-11-23T09:31:12+00:00"
    assert found["default"]["run"]["serial"] == 1
    assert found["groups"][1]["members"] == ["pc1", "pc2"]
    (desk,) = found["protosystems"]
    assert (desk["channels"], desk["snapshots"][1]["formats"]) == ({"stable": 1, "testing": 2}, ["nfs", "ram"])


def test_the_narrow_answer_is_the_same_and_a_client_gets_it_for_itself(fleet: Directory) -> None:
    watch = connect(fleet.login("clients", "watch"))
    whole = {one["name"]: one for one in information(watch, TREE, [], [])["clients"]}
    some = information(watch, TREE, ["PC3"], ["52-54-00-00-00-02"])
    assert some["clients"] == [whole["pc2"], whole["pc3"]]
    assert [group["name"] for group in some["groups"]] == ["early", "all"]
    assert information(watch, TREE, ["nobody"], [])["clients"] == []

    itself = connect(fleet.login(dn=TREE.client("pc2")))
    (mine,) = information(itself, TREE, [], ["525400000002"])["clients"]
    assert mine == whole["pc2"]
    assert information(itself, TREE, ["pc1"], [])["clients"] == []


def test_a_client_reads_only_what_it_may_run(fleet: Directory) -> None:
    whole = read(fleet.session, TREE)
    for client in whole.clients:
        found = read(fleet.session, TREE, [client.name], brief=True)
        (one,) = found.clients
        answer = resolve(levels(whole, client), whole.protosystems)
        assert resolve(levels(found, one), found.protosystems) == answer
        assert answer.serial in found.protosystems["desk"].snapshots
        assert found.protosystems["desk"].channels == whole.protosystems["desk"].channels
        assert len(found.protosystems["desk"].snapshots) < 3
    fleet.assign_all(statelessAssignedProtosystem="none")
    try:
        assert set(read(fleet.session, TREE, ["pc1"], brief=True).protosystems) == {"desk"}
    finally:
        fleet.assign_all(statelessAssignedProtosystem="desk")


def test_what_is_read_of_many_is_what_is_read_of_few(fleet: Directory) -> None:
    more = [clients.Wanted(f"x{number}", groups=["early"]) for number in range(10)]
    few = read(fleet.session, TREE)
    clients.state(fleet.session, fleet.passwords, TREE, more, False)
    many = read(fleet.session, TREE)

    def runs(of: t.Any) -> dict[str, Answer]:
        return {one.name: resolve(levels(of, one), of.protosystems) for one in of.clients}

    assert {name: one for name, one in runs(many).items() if not name.startswith("x")} == runs(few)
    assert {one.serial for name, one in runs(many).items() if name.startswith("x")} == {2}
