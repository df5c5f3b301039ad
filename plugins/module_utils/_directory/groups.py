# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module directory_group does: read what is there, plan, act."""

from __future__ import annotations

import dataclasses
import typing as t

from .._errors import InUse, InvalidValue, NotFound
from .._plan import Outcome, Plan, Step
from .session import Session, any_of
from .tree import Tree, escape
from .values import (
    DEFAULT_PRIORITY,
    GROUP_CLASSES,
    SAID,
    Raw,
    Said,
    changes,
    check_label,
    check_names,
    check_renamable,
    check_said,
    class_changes,
    dn_key,
    key,
    members_of,
    name_of,
    number,
    texts,
)

_PRIORITY = "statelessPriority"
#: What any reader of a priority can hold.
_FURTHEST = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The options for one group. None: as it is; an empty value takes away."""

    name: str
    #: what the group was called before
    previous_name: str | None = None
    #: names of clients
    members: t.Sequence[str] | None = None
    priority: int | None = None
    #: what is to run and the description, by :data:`.values.FIELDS`
    said: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    #: whether *members* is whole
    exact: bool = False
    present: bool = True


@dataclasses.dataclass(frozen=True)
class _Group:
    """What a group is, or is to be."""

    name: str
    said: Said
    priority: int
    members: tuple[str, ...]

    def as_dict(self) -> dict[str, t.Any]:
        members = sorted(self.members, key=key)
        return {"name": self.name, "priority": self.priority, "members": members, **self.said.as_dict()}


def checked(options: t.Sequence[Wanted]) -> None:
    """Raise InvalidValue if something can never work, whatever the directory has."""
    check_names("group", ((one.name, one.previous_name) for one in options))
    for one in options:
        for member in one.members or ():
            check_label("members", member)
        check_said(one.said)
        if abs(one.priority or 0) > _FURTHEST:
            raise InvalidValue("priority", one.priority, f"give a number between -{_FURTHEST} and {_FURTHEST}")


def state(session: Session, tree: Tree, options: t.Sequence[Wanted], check: bool) -> Outcome:
    """Have groups as they are wanted; in *check* mode only say what would change."""
    checked(options)
    found = _read(session, tree, options)
    clients = _clients(session, tree, options)
    missing = [name for one in options for name in one.members or () if key(name) not in clients]
    if missing and not check:
        raise NotFound(f"members: there is no client {missing[0]!r} below {tree.clients}: make it first")
    # A task before this one may have made them, had it not been in check mode, too.
    warnings = [f"there is no client {name!r} yet" for name in dict.fromkeys(missing)]
    before: dict[str, t.Any] = {}
    after: dict[str, t.Any] = {}
    result: list[dict[str, t.Any]] = []
    steps: list[Step] = []
    for one in options:
        at, raw = _entry(one, found)
        now = _group(tree, one.name, raw)
        if one.present:
            then, more = _having(session, tree, one, at, raw, now, clients)
            result.append(then.as_dict())
        else:
            then, more = None, [_removing(session, at)] if at else []
        if more:
            steps += more
            before.update({one.name: {**now.as_dict(), "name": name_of(at)}} if at else {})
            after.update({one.name: then.as_dict()} if then else {})
    plan = Plan(before, after, tuple(steps))
    if not check:
        plan.act()
    return Outcome(plan, {"groups": result}, warnings)


def _read(session: Session, tree: Tree, options: t.Sequence[Wanted]) -> dict[str, tuple[str, Raw]]:
    pairs = [("cn", name) for one in options for name in (one.name, one.previous_name) if name is not None]
    found = session.search(tree.groups, "one", any_of(pairs), ("objectClass", "cn", "member", _PRIORITY, *SAID))
    return {key(name_of(dn)): (dn, raw) for dn, raw in found}


def _clients(session: Session, tree: Tree, options: t.Sequence[Wanted]) -> dict[str, str]:
    """The DNs of the clients that are to be members, and maybe of others."""
    pairs = [("cn", name) for one in options for name in one.members or ()]
    found = session.search(tree.clients, "one", any_of(pairs), ("cn",)) if pairs else []
    return {key(name_of(dn)): dn for dn, _raw in found}


def _entry(wanted: Wanted, found: t.Mapping[str, tuple[str, Raw]]) -> tuple[str, Raw]:
    """Where the group is, and what it has."""
    here, before = found.get(key(wanted.name)), wanted.previous_name
    old = found.get(key(before)) if before is not None and wanted.present else None
    if here and old and here != old:
        raise InUse(f"previous_name: there are both {before!r} and {wanted.name!r}: remove one of the groups first")
    if old:
        check_renamable(old[0])
    return old or here or ("", {})


def members(tree: Tree, raw: Raw) -> list[str]:
    """The members of a group: names of clients, and the whole DN of whatever else a site has made one."""
    placeholder, clients = dn_key(tree.groups), dn_key(tree.clients)
    found = ((dn, dn_key(dn)) for dn in texts(raw, "member"))
    return [name_of(dn) if at[1:] == clients else dn for dn, at in found if at != placeholder]


def priority(raw: Raw) -> int:
    """Where the group stands among others; the lowest counts first."""
    found = number(raw, _PRIORITY)
    return DEFAULT_PRIORITY if found is None else found


def _group(tree: Tree, name: str, raw: Raw) -> _Group:
    return _Group(name, Said.of(raw), priority(raw), tuple(members(tree, raw)))


def _removing(session: Session, dn: str) -> Step:
    return Step(f"remove group {name_of(dn)}", lambda: session.delete(dn))


def _having(
    session: Session, tree: Tree, wanted: Wanted, at: str, raw: Raw, now: _Group, clients: t.Mapping[str, str]
) -> tuple[_Group, list[Step]]:
    """What the group will be, and the steps to it: at most one rename and one change."""
    said = now.said.changed(wanted.said, f"group {wanted.name}")
    present = members_of(raw)
    # A group must have a member (RFC 4519): the entry that holds the groups is one of each.
    placeholder = {dn_key(tree.groups): tree.groups.encode()}
    dns = [clients.get(key(name), tree.client(name)) for name in wanted.members or ()]
    named = {dn_key(dn): dn.encode() for dn in dns}
    kept = {} if wanted.exact and wanted.members is not None else present
    whole = {
        **placeholder,
        **named,
        **kept,
        **{one: present[one] for one in present if one in named or one in placeholder},
    }
    attributes = {**said.attributes(), "member": list(whole.values())}
    if wanted.priority is not None and wanted.priority != now.priority:
        attributes[_PRIORITY] = [str(wanted.priority).encode()]
    rank = now.priority if wanted.priority is None else wanted.priority
    then = _Group(wanted.name, said, rank, tuple(members(tree, {"member": attributes["member"]})))
    rdn = f"cn={escape(wanted.name)}"
    dn = f"{rdn},{tree.groups}"
    if not at:
        entry = {"objectClass": [one.encode() for one in GROUP_CLASSES], "cn": [wanted.name.encode()], **attributes}
        values = {attribute: found for attribute, found in entry.items() if found}
        return then, [Step(f"add group {wanted.name}", lambda: session.add(dn, values))]
    steps = []
    if wanted.previous_name is not None and name_of(at) != wanted.name:
        steps.append(Step(f"rename group {name_of(at)} to {wanted.name}", lambda: session.rename(at, rdn)))
    else:
        dn = at
    news = [*class_changes(raw, GROUP_CLASSES), *changes(raw, attributes)]
    if news:
        what = ", ".join(dict.fromkeys(one[1] for one in news))
        steps.append(Step(f"change {what} of group {wanted.name}", lambda: session.modify(dn, news)))
    return then, steps
