# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients and groups are stated in a real slapd, with the access rules and overlays that the role gives it."""

from __future__ import annotations

import typing as t

import ldap
import pytest

from ansible_collections.stateless.linux.plugins.module_utils._directory import clients, groups
from ansible_collections.stateless.linux.plugins.module_utils._directory.connection import LdapFailed
from ansible_collections.stateless.linux.plugins.module_utils._directory.session import Login, Passwords, connect
from ansible_collections.stateless.linux.plugins.module_utils._errors import (
    InUse,
    InvalidValue,
    NotFound,
)
from ansible_collections.stateless.linux.plugins.module_utils._plan import Outcome
from ansible_collections.stateless.linux.tests.unit.directory.served import SECRET, TREE, Directory

MAC1, MAC2, MAC3 = "52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03"
#: What means something in a filter or a DN, or looks as if; all of it is data.
ODD = [
    "*",
    "*)(cn=*",
    "a,b",
    "a+cn=b",
    'a"b',
    "a<b>c",
    "#a",
    "a;b",
    "a=b",
    "\\",
    "a\\2a",
    "Zürich",
    "日本",
    "é",
    "ß",
    "%s",
    "{{x}}",
]
#: What no name may be.
REFUSED = ["", " a", "a ", "a  b", "a\0b", "a\nb", "a\u00a0b", "\ud800", "\u200b", "x" * 65]


def client(name: str, **said: t.Any) -> clients.Wanted:
    own = {
        one: said.pop(one) for one in ("previous_name", "mac", "groups", "password", "exact", "present") if one in said
    }
    return clients.Wanted(name, said=said, **own)


def group(name: str, **said: t.Any) -> groups.Wanted:
    own = {one: said.pop(one) for one in ("previous_name", "members", "priority", "exact", "present") if one in said}
    return groups.Wanted(name, said=said, **own)


def state(directory: Directory, *wanted: clients.Wanted, check: bool = False) -> Outcome:
    return clients.state(directory.session, directory.passwords, TREE, wanted, check)


def have_groups(directory: Directory, *wanted: groups.Wanted, check: bool = False) -> Outcome:
    return groups.state(directory.session, TREE, wanted, check)


def names_in(directory: Directory, name: str) -> list[str]:
    (found,) = have_groups(directory, group(name)).result["groups"]
    return t.cast("list[str]", found["members"])


def test_what_is_said_becomes_so_in_one_change_and_the_rest_stays(directory: Directory) -> None:
    made = state(directory, client("pc1", mac=[MAC1], protosystem="desk", channel="stable", description=" A  b "))
    assert [step.text for step in made.plan.steps] == ["add client pc1"]
    entry = directory.dump(TREE.clients)["cn=pc1,ou=clients,o=stateless"]
    assert entry["macaddress"] == [MAC1.encode()]
    assert entry["description"] == [b" A  b "]
    assert entry["objectclass"] == [b"bootableDevice", b"device", b"ieee802Device", b"statelessClient"]

    changed = state(directory, client("pc1", mac=["5254.0000.0002"], channel="testing", serial=7))
    assert [step.text for step in changed.plan.steps] == [
        "change macAddress, statelessAssignedChannel, statelessAssignedSerial of client pc1"
    ]
    assert changed.plan.before["pc1"]["channel"] == "stable"
    assert changed.plan.after["pc1"]["channel"] == "testing"
    (found,) = changed.result["clients"]
    assert found == {
        "name": "pc1",
        "mac": [MAC1, MAC2],
        "groups": [],
        "description": " A  b ",
        "protosystem": "desk",
        "channel": "testing",
        "serial": 7,
        "format": None,
        "kernel_arguments": [],
    }
    again = state(directory, client("pc1", mac=["52-54-00-00-00-02"], channel="testing", serial=7))
    assert not again.plan.changed
    assert again.result == changed.result


def test_an_empty_value_takes_away_and_exact_means_the_whole_list(directory: Directory) -> None:
    have_groups(directory, group("lab"), group("door"))
    state(
        directory,
        client("pc1", mac=[MAC1, MAC2], groups=["lab"], protosystem="desk", serial=3, kernel_arguments=["quiet"]),
    )
    state(directory, client("pc1", mac=[MAC3], groups=["door"], exact=True))
    state(directory, client("pc1", exact=True, protosystem="", serial=0, kernel_arguments=[]))
    (found,) = state(directory, client("pc1")).result["clients"]
    assert (found["mac"], found["groups"]) == ([MAC3], ["door"])
    assert (found["protosystem"], found["serial"], found["kernel_arguments"]) == (None, None, [])
    state(directory, client("pc1", mac=[], groups=[], exact=True))
    (found,) = state(directory, client("pc1")).result["clients"]
    assert (found["mac"], found["groups"]) == ([], [])
    assert names_in(directory, "door") == []


def test_check_mode_tells_the_same_and_changes_nothing(directory: Directory) -> None:
    have_groups(directory, group("lab"))
    before = directory.dump()
    wanted = [client("pc1", mac=[MAC1], groups=["lab"]), client("pc2", mac=[MAC2], password="one")]
    told = state(directory, *wanted, check=True)
    assert directory.dump() == before
    done = state(directory, *wanted)
    assert [one.text for one in told.plan.steps] == [one.text for one in done.plan.steps]
    assert (told.plan.before, told.plan.after, told.result) == (done.plan.before, done.plan.after, done.result)


def test_what_a_task_before_would_have_made_is_only_missed_outside_check_mode(directory: Directory) -> None:
    assert state(directory, client("pc1", groups=["lab"]), check=True).warnings == ["there is no group 'lab' yet"]
    assert have_groups(directory, group("lab", members=["pc1"]), check=True).warnings == [
        "there is no client 'pc1' yet"
    ]
    with pytest.raises(NotFound, match="there is no group 'lab' below ou=groups,o=stateless"):
        state(directory, client("pc1", groups=["lab"]))
    with pytest.raises(NotFound, match="there is no client 'pc1' below ou=clients,o=stateless"):
        have_groups(directory, group("lab", members=["pc1"]))


def test_a_name_is_found_in_any_spelling(directory: Directory) -> None:
    state(directory, client("Zürich 1"))
    assert not state(directory, client("ZU\u0308RICH \uff11")).plan.changed
    state(directory, client("pc1", mac=["52:54:00:AB:CD:EF"]))
    assert not state(directory, client("PC1", mac=["5254.00ab.cdef"])).plan.changed
    state(directory, client("PC1", previous_name="pc1"))
    assert "cn=PC1,ou=clients,o=stateless" in directory.dump(TREE.clients)


def test_many_clients_are_one_search_and_a_change_for_each_that_differs(directory: Directory) -> None:
    have_groups(directory, group("lab"))
    wanted = [client(f"pc{number}", mac=[f"52540000{number:04x}"], groups=["lab"]) for number in range(600)]
    state(directory, *wanted[:599])
    outcome = state(directory, *wanted)
    assert [one.text for one in outcome.plan.steps] == ["add to group lab: pc599", "add client pc599"]
    assert not state(directory, *wanted).plan.changed


def test_a_renamed_client_stays_itself_and_in_its_groups(directory: Directory) -> None:
    have_groups(directory, group("lab"), group("door"))
    state(directory, client("old", mac=[MAC1], groups=["lab"], password="one"))
    directory.root.modify(TREE.client("old"), [(ldap.MOD_REPLACE, "statelessRunningSerial", [b"4"])])
    wanted = client("new (1)", previous_name="old", groups=["door"], channel="stable")
    outcome = state(directory, wanted)
    assert [one.text for one in outcome.plan.steps] == [
        "add to group door: new (1)",
        "add to group lab: new (1)",
        "rename client old to new (1)",
        "change statelessAssignedChannel of client new (1)",
        "remove from group lab: old",
    ]
    (entry,) = [raw for dn, raw in directory.dump(TREE.clients).items() if dn.startswith("cn=")]
    assert (entry["cn"], entry["statelessrunningserial"]) == ([b"new (1)"], [b"4"])
    assert names_in(directory, "lab") == names_in(directory, "door") == ["new (1)"]
    assert not state(directory, wanted).plan.changed
    state(directory, client("old"))
    with pytest.raises(InUse, match="there are both 'old' and 'new"):
        state(directory, wanted)


def test_an_address_is_one_client_s(directory: Directory) -> None:
    state(directory, client("pc1", mac=[MAC1]), client("pc2", mac=[MAC2]))
    before = directory.dump()
    for wanted in (client("pc3", mac=[MAC1]), client("pc2", mac=[MAC1], exact=True)):
        with pytest.raises(InUse, match=f"{MAC1} is an address of client 'pc1'"):
            state(directory, wanted)
    with pytest.raises(InvalidValue, match="gives it to two clients"):
        state(directory, client("pc4", mac=[MAC3]), client("pc5", mac=["52-54-00-00-00-03"]))
    assert directory.dump() == before
    state(directory, client("pc1", mac=[MAC2], exact=True), client("pc2", mac=[MAC1], exact=True))
    state(directory, client("pc1", present=False), client("pc3", mac=[MAC2]))
    found = directory.dump(TREE.clients)
    assert found["cn=pc2,ou=clients,o=stateless"]["macaddress"] == [MAC1.encode()]
    assert found["cn=pc3,ou=clients,o=stateless"]["macaddress"] == [MAC2.encode()]


def test_who_is_removed_leaves_its_groups(directory: Directory) -> None:
    have_groups(directory, group("lab"))
    state(directory, client("pc1", groups=["lab"]), client("pc2", groups=["lab"]))
    outcome = state(directory, client("pc1", present=False))
    assert [one.text for one in outcome.plan.steps] == ["remove from group lab: pc1", "remove client pc1"]
    assert outcome.result["clients"] == []
    assert names_in(directory, "lab") == ["pc2"]
    assert not state(directory, client("pc1", present=False)).plan.changed


def test_who_was_renamed_or_removed_by_another_program_is_put_right(directory: Directory) -> None:
    have_groups(directory, group("lab"))
    state(directory, client("a", groups=["lab"]), client("b", groups=["lab"]))
    directory.root.rename(TREE.client("a"), "cn=c")
    directory.root.delete(TREE.client("b"))
    assert names_in(directory, "lab") == ["a", "b"]
    state(directory, client("c", previous_name="a"))
    assert names_in(directory, "lab") == ["b", "c"]
    state(directory, client("b", present=False))
    assert names_in(directory, "lab") == ["c"]


def test_many_who_are_removed_and_come_back_at_once_are_in_their_groups(directory: Directory) -> None:
    have_groups(directory, group("lab"), group("door"))
    wanted = [client(f"pc{number}", groups=["lab", "door"]) for number in range(150)]
    for _again in range(2):
        state(directory, *wanted)
        state(directory, *(client(one.name, present=False) for one in wanted))
        assert names_in(directory, "lab") == names_in(directory, "door") == []
    state(directory, *wanted)
    assert not state(directory, *wanted).plan.changed
    renamed = [client(f"x{one.name}", previous_name=one.name) for one in wanted]
    state(directory, *renamed)
    assert not state(directory, *renamed).plan.changed
    assert len(names_in(directory, "lab")) == len(names_in(directory, "door")) == len(wanted)


STORIES: dict[str, tuple[list[clients.Wanted], list[clients.Wanted]]] = {
    "rename": (
        [client("a", mac=[MAC1], groups=["lab"]), client("b", groups=["lab"])],
        [client("z", previous_name="a", groups=["door"], serial=3, protosystem="desk")],
    ),
    "remove": ([client("a", groups=["lab", "door"]), client("b")], [client("a", present=False)]),
    "swap": (
        [client("a", mac=[MAC1]), client("b", mac=[MAC2])],
        [client("a", mac=[MAC2], exact=True), client("b", mac=[MAC1], exact=True)],
    ),
    "move": ([client("a", groups=["lab"])], [client("a", groups=["door"], exact=True), client("b", groups=["lab"])]),
}


@pytest.mark.parametrize("story", STORIES)
def test_a_run_that_is_killed_is_finished_by_the_next(directory: Directory, story: str) -> None:
    begin, end = STORIES[story]

    def prepare() -> None:
        directory.clear()
        have_groups(directory, group("lab"), group("door"))
        state(directory, *begin)

    prepare()
    steps = len(state(directory, *end).plan.steps)
    goal = directory.dump()
    assert steps > 1
    for cut in range(steps):
        prepare()
        for step in state(directory, *end, check=True).plan.steps[:cut]:
            step.act()
        if story in ("rename", "move"):
            found = [dn for dn in directory.dump(TREE.clients) if dn.startswith(("cn=a,", "cn=z,"))]
            filter_ = ldap.filter.filter_format("(member=%s)", found)
            assert directory.root.search(TREE.groups, "one", filter_, ("cn",)), "it has lost its groups"
        state(directory, *end)
        assert directory.dump() == goal, f"killed after {cut} steps"


@pytest.mark.parametrize("text", ODD)
def test_names_and_texts_are_data(directory: Directory, text: str) -> None:
    have_groups(directory, group("other"), group(text, description=text))
    state(directory, client("other", mac=[MAC2]))
    state(directory, client(text, mac=[MAC1], groups=[text], description=text, protosystem="desk", channel="stable"))
    (found,) = state(directory, client(text)).result["clients"]
    assert (found["name"], found["groups"], found["description"], found["mac"]) == (text, [text], text, [MAC1])
    assert names_in(directory, text) == [text]
    assert names_in(directory, "other") == []
    assert not have_groups(directory, group(text, members=[text], exact=True)).plan.changed
    state(directory, client(f"{text}x", previous_name=text))
    assert names_in(directory, text) == [f"{text}x"]
    state(directory, client(text, present=False))
    state(directory, client(f"{text}x", present=False))
    have_groups(directory, group(f"{text}y", previous_name=text))
    have_groups(directory, group(f"{text}y", present=False))
    left = [dn for dn in directory.dump() if dn.startswith("cn=") and "ou=identities" not in dn]
    assert sorted(left) == ["cn=other,ou=clients,o=stateless", "cn=other,ou=groups,o=stateless"]


WRONG: list[dict[str, t.Any]] = [
    *({"name": text} for text in REFUSED),
    *({"name": "a", "previous_name": text} for text in REFUSED),
    *({"name": "a", "groups": [text]} for text in REFUSED),
    *({"name": "a", "description": text} for text in ("a\0b", "\ud800", "x" * 1025)),
    *({"name": "a", "password": text} for text in ("", "a\0b", "\ud800", "a\nb", "x" * 257)),
    *({"name": "a", "mac": [text]} for text in [*ODD, *REFUSED, "52:54:00:00:00", f"{MAC1}:02", f"{MAC1})(cn=*"]),
    *({"name": "a", one: text} for one in ("protosystem", "channel") for text in [*ODD, *REFUSED[1:], "A", "-a"]),
    *({"name": "a", "format": text} for text in [*ODD, *REFUSED[1:], "NFS"]),
    *({"name": "a", "kernel_arguments": [text]} for text in ["a b", "", "a\0", "é", "a\n", '"a"', "a=${net0/mac}"]),
    *({"name": "a", "serial": number, "protosystem": "desk"} for number in (-1, 2**31)),
    {"name": "a", "serial": 7},
]


@pytest.mark.parametrize("options", WRONG)
def test_what_cannot_be_stored_is_refused_before_anything_changes(
    directory: Directory, options: dict[str, t.Any]
) -> None:
    before = directory.dump()
    option = list(options)[min(1, len(options) - 1)]
    with pytest.raises(InvalidValue, match=f"^{option}: .* cannot be used: "):
        state(directory, client("first"), client(**options))
    if set(options) <= {"name", "previous_name", "description", "serial", "protosystem"}:
        with pytest.raises(InvalidValue):
            have_groups(directory, group("first"), group(**options))
    assert directory.dump() == before


def test_a_password_is_hashed_checked_by_logging_in_and_never_shown(directory: Directory) -> None:
    login = directory.login
    secret = {"pc1": SECRET, "pc2": "tw\u00f6", "pc3": "$6$x"}
    made = state(directory, *(client(name, password=word) for name, word in secret.items()))
    for name, word in secret.items():
        connect(login(dn=TREE.client(name), password=word))
        (stored,) = directory.dump(TREE.clients)[TREE.client(name)]["userpassword"]
        assert stored.startswith(b"{CRYPT}$6$")
        for shown in (made.plan.before, made.plan.after, made.result, made.plan.steps, client(name, password=word)):
            assert word not in repr(shown)
    assert not state(directory, *(client(name, password=word) for name, word in secret.items())).plan.changed
    other = state(directory, client("pc1", password="another"))
    assert [one.text for one in other.plan.steps] == ["change userPassword of client pc1"]
    assert other.plan.before != other.plan.after
    with pytest.raises(LdapFailed, match="the password is wrong, or there is no such identity") as caught:
        connect(login(dn=TREE.client("pc1"), password=SECRET))
    assert SECRET not in str(caught.value)


def test_groups_are_stated_whole_or_in_part(directory: Directory) -> None:
    state(directory, client("pc1"), client("pc2"))
    made = have_groups(directory, group("lab", members=["pc1"], priority=10, protosystem="desk", channel="stable"))
    assert [one.text for one in made.plan.steps] == ["add group lab"]
    assert not have_groups(directory, group("LAB", members=["PC1"], priority=10)).plan.changed
    changed = have_groups(directory, group("lab", members=["pc2"], priority=5, channel="testing"))
    assert [one.text for one in changed.plan.steps] == [
        "change statelessAssignedChannel, member, statelessPriority of group lab"
    ]
    (found,) = changed.result["groups"]
    assert (found["members"], found["priority"], found["protosystem"]) == (["pc1", "pc2"], 5, "desk")
    have_groups(directory, group("lab", members=["pc2"], exact=True))
    assert names_in(directory, "lab") == ["pc2"]
    renamed = have_groups(directory, group("labs", previous_name="lab", members=[], exact=True))
    assert [one.text for one in renamed.plan.steps] == ["rename group lab to labs", "change member of group labs"]
    assert names_in(directory, "labs") == []
    assert not have_groups(directory, group("labs", previous_name="lab", members=[], exact=True)).plan.changed
    have_groups(directory, group("labs", present=False))
    assert not have_groups(directory, group("labs", present=False), group("lab", present=False)).plan.changed


def test_errors_of_ldap_are_told_in_words(directory: Directory) -> None:
    watch = connect(directory.login("clients", "watch"))
    with pytest.raises(
        LdapFailed, match=r"cn=watch,.*: add cn=pc1,ou=clients,o=stateless: this identity may not do that"
    ):
        clients.state(watch, directory.passwords, TREE, [client("pc1")], False)
    assert not [dn for dn in directory.dump(TREE.clients) if dn.startswith("cn=")]


def test_a_warning_says_that_a_snapshot_counts_before_a_channel(directory: Directory) -> None:
    state(directory, client("pc1", protosystem="desk", serial=3))
    assert "stays at serial 3" in state(directory, client("pc1", channel="stable")).warnings[0]
    assert state(directory, client("pc1", channel="stable", serial=0)).warnings == []


def test_an_entry_of_the_site_becomes_a_client_and_keeps_what_is_its_own(directory: Directory) -> None:
    site = {"objectClass": [b"device"], "cn": [b"PC 9", b"the ninth"], "serialNumber": [b"x"], "l": [b"room 1"]}
    directory.root.add("cn=PC 9+serialNumber=x,ou=clients,o=stateless", site)
    state(directory, client("pc 9", mac=[MAC1], protosystem="desk"))
    (entry,) = [raw for dn, raw in directory.dump(TREE.clients).items() if dn != TREE.clients]
    assert (entry["l"], entry["cn"], entry["macaddress"]) == ([b"room 1"], [b"PC 9", b"the ninth"], [MAC1.encode()])
    assert not state(directory, client("pc 9", mac=[MAC1], protosystem="desk")).plan.changed
    with pytest.raises(InUse, match="has several parts"):
        state(directory, client("pc10", previous_name="pc 9"))


def test_what_counts_for_all_others_is_stated_too(directory: Directory) -> None:
    def others(check: bool = False, **said: t.Any) -> Outcome:
        return clients.state(directory.session, directory.passwords, TREE, [], check, said)

    assert others(check=True, protosystem="kiosk").plan.changed
    made = others(protosystem="kiosk", channel="stable", description="the rest")
    assert len(made.plan.steps) == 1
    assert made.result["others"]["channel"] == made.plan.after[TREE.clients]["channel"] == "stable"
    assert not others(channel="stable").plan.changed
    assert not state(directory).plan.changed
    with pytest.raises(InvalidValue, match="serial: 3 cannot be used: others names no protosystem"):
        others(protosystem="", serial=3)
    gone = others(protosystem="", channel="", description="")
    assert gone.result["others"]["protosystem"] is None
    assert "statelessassignedchannel" not in directory.dump(TREE.clients)[TREE.clients]


def test_a_password_of_a_client_does_not_travel_in_the_clear(directory: Directory) -> None:
    before = directory.dump()
    plain = Passwords(Login(directory.plain_uri))
    with pytest.raises(InvalidValue, match=r"server_uri: .* the password would be readable on the way"):
        clients.state(directory.session, plain, TREE, [client("pc1", password="one")], False)
    assert directory.dump() == before
