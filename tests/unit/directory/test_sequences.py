# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever was said in which order, the entries are those of saying the last state at once; again, nothing changes."""

from __future__ import annotations

import dataclasses
import typing as t

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.stateless.linux.plugins.module_utils._directory import clients, groups
from ansible_collections.stateless.linux.plugins.module_utils._directory.values import FIELDS
from ansible_collections.stateless.linux.plugins.module_utils._errors import StatelessError
from ansible_collections.stateless.linux.tests.unit.directory.served import TREE, Directory

NAMES = ["pc1", 'a,b+"c"', "*)(cn=ä"]
GROUPS = ["lab", "#<é>;"]
MACS = [f"52:54:00:00:00:0{number}" for number in range(4)]
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
Item = dict[str, t.Any]
Model = dict[str, Item]

EMPTY: Item = {"description": "", "protosystem": "", "channel": "", "serial": 0, "format": "", "kernel_arguments": []}
SAID = {
    "description": TEXTS,
    "protosystem": st.sampled_from(["", "desk", "kiosk"]),
    "channel": st.sampled_from(["", "stable"]),
    "serial": st.sampled_from([0, 0, 3]),
    "format": st.sampled_from(["", "ram"]),
    "kernel_arguments": st.lists(st.sampled_from(["quiet", "a=1"]), max_size=2),
}


def optional(fields: dict[str, st.SearchStrategy[t.Any]]) -> st.SearchStrategy[Item]:
    return st.fixed_dictionaries({"exact": st.booleans()}, optional=fields)


CLIENT = optional(
    {
        **SAID,
        "mac": st.lists(st.sampled_from(MACS), max_size=2),
        "groups": st.lists(st.sampled_from(GROUPS), max_size=2),
        "present": st.just(False),
    }
)
GROUP = optional(
    {
        **SAID,
        "members": st.lists(st.sampled_from(NAMES), max_size=3),
        "priority": st.integers(-5, 200),
        "present": st.just(False),
    }
)


def calls(kind: str, names: list[str], item: st.SearchStrategy[Item]) -> st.SearchStrategy[tuple[str, dict[str, Item]]]:
    """Calls of a module: about some things, or a rename of one."""
    several = st.dictionaries(st.sampled_from(names), item, min_size=1, max_size=len(names))
    renamed = st.tuples(st.permutations(names), item).map(
        lambda one: {one[0][0]: {**one[1], "previous_name": one[0][1]}}
    )
    return st.tuples(st.just(kind), st.one_of(several, several, renamed))


CALLS = st.lists(st.one_of(calls("client", NAMES, CLIENT), calls("group", GROUPS, GROUP)), min_size=1, max_size=6)
#: Where most of them begin: there is something to change.
FIRST: list[tuple[str, dict[str, Item]]] = [
    ("group", {name: {"exact": False} for name in GROUPS}),
    ("client", {name: {"exact": False, "mac": [mac], "groups": ["lab"]} for name, mac in zip(NAMES, MACS)}),
]


def call(directory: Directory, kind: str, items: dict[str, Item]) -> bool:
    """State *items*; return whether anything changed."""
    module: t.Any = clients if kind == "client" else groups
    fields = {field.name for field in dataclasses.fields(module.Wanted)}
    wanted = [
        module.Wanted(
            name,
            said={one: value for one, value in item.items() if one in FIELDS},
            **{one: value for one, value in item.items() if one in fields},
        )
        for name, item in items.items()
    ]
    more = (directory.passwords,) if kind == "client" else ()
    return bool(module.state(directory.session, *more, TREE, wanted, False).plan.changed)


def follow(machines: Model, rooms: Model, kind: str, items: dict[str, Item]) -> None:
    """What a call that went well means: written down as the documentation says it, with nothing of LDAP."""
    things = machines if kind == "client" else rooms
    for name, item in items.items():
        before = item.get("previous_name")
        if not item.get("present", True):
            things.pop(name, None)
            for room in rooms.values():
                room["members"].discard(name) if kind == "client" else None
            continue
        if before in things and before != name:
            things[name] = things.pop(before)
            for room in rooms.values() if kind == "client" else ():
                room["members"] = {name if one == before else one for one in room["members"]}
        if name not in things:
            things[name] = {**EMPTY, "mac": set()} if kind == "client" else {**EMPTY, "members": set(), "priority": 100}
        thing = things[name]
        thing.update({one: item[one] for one in (*EMPTY, "priority") if one in item})
        for one in ("mac", "members"):
            if one in item:
                thing[one] = {*item[one]} if item["exact"] else thing[one] | {*item[one]}
        for room_name, room in rooms.items() if "groups" in item else ():
            if room_name in item["groups"]:
                room["members"].add(name)
            elif item["exact"]:
                room["members"].discard(name)


@settings(
    max_examples=60,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.sampled_from([FIRST, FIRST, []]), CALLS)
def test_the_last_state_is_all_that_counts(
    directory: Directory, first: list[tuple[str, dict[str, Item]]], said: list[tuple[str, dict[str, Item]]]
) -> None:
    directory.clear()
    machines: Model = {}
    rooms: Model = {}
    for kind, items in first + said:
        before = directory.dump()
        try:
            call(directory, kind, items)
        except StatelessError:
            assert directory.dump() == before, "a call that was refused has changed something"
            continue
        follow(machines, rooms, kind, items)
        entries = directory.dump()
        assert not call(directory, kind, items), "the same again changed something"
        assert directory.dump() == entries
    reached = directory.dump()

    directory.clear()
    assert not machines or call(directory, "client", machines)
    assert not rooms or call(directory, "group", rooms)
    at_once = directory.dump()
    # A priority of 100 need not be written down.
    for dump in (reached, at_once):
        for entry in dump.values():
            if entry.get("statelesspriority") == [b"100"]:
                del entry["statelesspriority"]
    assert reached == at_once
    assert not call(directory, "client", {name: {**item, "exact": True} for name, item in machines.items()})
    assert not call(directory, "group", {name: {**item, "exact": True} for name, item in rooms.items()})
