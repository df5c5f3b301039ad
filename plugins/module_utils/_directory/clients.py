# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module directory_client does: read what is there, plan, act."""

from __future__ import annotations

import dataclasses
import typing as t

from .._errors import InUse, InvalidValue
from .._plan import Outcome, Plan, Step
from .connection import ldap
from .memberships import Memberships
from .others import plan as others_plan
from .passwords import Hashes, check_password
from .session import Passwords, Session, any_of
from .tree import Tree, escape, mac_address
from .values import (
    CLIENT_CLASSES,
    SAID,
    Raw,
    Said,
    address,
    addresses,
    changes,
    check_label,
    check_names,
    check_renamable,
    check_said,
    class_changes,
    key,
    name_of,
)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The options for one client. None: as it is; an empty value takes away."""

    name: str
    #: what the client was called before
    previous_name: str | None = None
    mac: t.Sequence[str] | None = None
    groups: t.Sequence[str] | None = None
    #: what is to run and the description, by :data:`.values.FIELDS`
    said: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    password: str | None = dataclasses.field(default=None, repr=False)
    #: whether *mac* and *groups* are whole
    exact: bool = False
    present: bool = True


@dataclasses.dataclass
class _Client:
    """One client on its way from what is to what is to be."""

    wanted: Wanted
    #: where its entry is; empty: there is none
    at: str
    #: where its entry is to be
    dn: str
    raw: Raw
    macs: list[str] = dataclasses.field(default_factory=list)
    said: Said = dataclasses.field(default_factory=Said)
    #: its password becomes another
    secret: bool = False
    #: of its addresses, those that are taken away first, since another client gets them
    given_up: list[str] = dataclasses.field(default_factory=list)
    #: there is another client with its previous name
    before_stays: bool = False


def checked(options: t.Sequence[Wanted]) -> list[Wanted]:
    """The clients as they are wanted, with each MAC address in its one spelling.

    :raises InvalidValue: something can never work, whatever the directory has.
    """
    check_names("client", ((one.name, one.previous_name) for one in options))
    holders: dict[str, str] = {}
    found = []
    for one in options:
        for group in one.groups or ():
            check_label("groups", group)
        check_said(one.said)
        if one.password is not None:
            check_password("password", one.password)
        macs = list(dict.fromkeys(mac_address("mac", mac) for mac in one.mac or ()))
        for mac in macs if one.present else ():
            if mac in holders:
                raise InvalidValue("mac", mac, f"the task gives it to two clients, {holders[mac]!r} and {one.name!r}")
            holders[mac] = one.name
        found.append(dataclasses.replace(one, mac=None if one.mac is None else macs))
    return found


def state(
    session: Session,
    passwords: Passwords,
    tree: Tree,
    options: t.Sequence[Wanted],
    check: bool,
    others: t.Mapping[str, t.Any] | None = None,
) -> Outcome:
    """Have clients as they are wanted; in *check* mode only say what would change.

    :arg others: what counts last, and for machines without an entry, by :data:`.values.FIELDS`; None: as it is.
    """
    wanted = checked(options)
    if any(one.password is not None for one in wanted):
        passwords.check()
    last, last_after, last_steps = others_plan(session, tree, others or {})
    found = _read(session, tree, wanted)
    clients = [_client(tree, one, found) for one in wanted]
    members = [dn for client in clients for dn in _dns(tree, client)]
    groups = [name for one in wanted for name in one.groups or ()]
    memberships = Memberships.read(session, tree, members, groups)
    before = {client.wanted.name: _shown(name_of(client.at), client, memberships) for client in clients if client.at}
    warnings = _missing_groups(memberships, groups, check)
    for client in clients:
        warnings += _want(tree, client, memberships, passwords)
    _move_addresses(clients, found)
    stay = [client for client in clients if client.wanted.present]
    after = {client.wanted.name: _shown(client.wanted.name, client, memberships) for client in stay}
    steps = [*memberships.first(), *_steps(session, clients), *memberships.last(), *last_steps]
    shown_before, shown_after = _changes(before, after, {client.wanted.name for client in clients if client.secret})
    if last_steps:
        shown_before[tree.clients], shown_after[tree.clients] = last.as_dict(), last_after.as_dict()
    plan = Plan(shown_before, shown_after, tuple(steps))
    if not check:
        plan.act()
    return Outcome(plan, {"clients": list(after.values()), "others": last_after.as_dict()}, warnings)


def _read(session: Session, tree: Tree, wanted: t.Sequence[Wanted]) -> dict[str, tuple[str, Raw]]:
    """The entries with a name or an address that is wanted, and maybe others, by what is equal for their names."""
    pairs = [("cn", name) for one in wanted for name in (one.name, one.previous_name) if name is not None]
    pairs += [("macAddress", mac) for one in wanted for mac in one.mac or ()]
    found = session.search(tree.clients, "one", any_of(pairs), ("objectClass", "cn", "macAddress", *SAID))
    return {key(name_of(dn)): (dn, raw) for dn, raw in found}


def _client(tree: Tree, wanted: Wanted, found: t.Mapping[str, tuple[str, Raw]]) -> _Client:
    at, raw = found.get(key(wanted.name), ("", {}))
    before = wanted.previous_name
    renamed = before is not None and wanted.present and (key(before) in found)
    if renamed and before is not None:
        if at and key(before) != key(wanted.name):
            raise InUse(
                f"previous_name: there are both {before!r} and {wanted.name!r}: remove one of the clients first"
            )
        at, raw = found[key(before)]
        check_renamable(at)
    dn = tree.client(wanted.name) if renamed or not at else at
    if renamed and name_of(at) == wanted.name:
        dn = at
    client = _Client(wanted, at, dn, raw)
    client.macs, client.said = addresses(raw), Said.of(raw)
    client.before_stays = before is not None and key(before) in found and not renamed
    return client


def _dns(tree: Tree, client: _Client) -> list[str]:
    """Where the client is, was and will be."""
    names = [client.wanted.name, *([client.wanted.previous_name] if client.wanted.previous_name else [])]
    if client.before_stays:
        del names[1:]
    return list(dict.fromkeys([*filter(None, (client.at, client.dn)), *(tree.client(name) for name in names)]))


def _shown(name: str, client: _Client, memberships: Memberships) -> dict[str, t.Any]:
    groups = {one for dn in (client.at, client.dn) if dn for one in memberships.names(dn)}
    return {"name": name, "mac": client.macs, "groups": sorted(groups, key=key), **client.said.as_dict()}


def _missing_groups(memberships: Memberships, groups: t.Sequence[str], check: bool) -> list[str]:
    if not check:
        memberships.check(groups)
    # A task before this one may have made them, had it not been in check mode, too.
    return [f"there is no group {name!r} yet" for name in dict.fromkeys(memberships.missing(groups))]


def _want(tree: Tree, client: _Client, memberships: Memberships, passwords: Passwords) -> list[str]:
    """Give *client* the values that it is to have; return warnings."""
    wanted = client.wanted
    others = [dn for dn in _dns(tree, client) if dn != client.dn]
    if not wanted.present:
        for dn in (client.dn, *others):
            memberships.gone(dn)
        return []
    if wanted.mac is not None:
        client.macs = sorted(set(wanted.mac) if wanted.exact else {*client.macs, *wanted.mac})
    client.said = client.said.changed(wanted.said, f"client {wanted.name}")
    memberships.have(client.dn, others, wanted.groups, wanted.exact)
    if wanted.password is not None:
        client.secret = not client.at or not passwords.holds(client.at, wanted.password)
    if client.said.serial and wanted.said.get("channel") and not wanted.said.get("serial"):
        return [f"client {wanted.name} stays at serial {client.said.serial}, whatever its channel: serial 0 ends that"]
    return []


def _move_addresses(clients: t.Sequence[_Client], found: t.Mapping[str, tuple[str, Raw]]) -> None:
    """Have clients of the task give up the addresses that others get.

    :raises InUse: a client keeps an address that another is to have.
    """
    holders = {mac: dn for dn, raw in found.values() for mac in addresses(raw)}
    by_dn = {client.at: client for client in clients if client.at}
    for client in clients:
        for mac in (client.wanted.mac or ()) if client.wanted.present else ():
            dn = holders.get(mac, client.at)
            if dn == client.at:
                continue
            other = by_dn.get(dn)
            if other is None or (other.wanted.present and mac in other.macs):
                raise InUse(
                    f"mac: {mac} is an address of client {name_of(dn)!r}, so {client.wanted.name!r} cannot have it:"
                    f" take it away there in the same task (mac without it, exact: true), or give"
                    f" previous_name: {name_of(dn)} if it is the same machine"
                )
            other.given_up.append(mac)


def _steps(session: Session, clients: t.Sequence[_Client]) -> list[Step]:
    """What happens to the clients' own entries."""
    hashes = Hashes({one.wanted.name: one.wanted.password or "" for one in clients if one.secret})
    removed = [one for one in clients if not one.wanted.present and one.at]
    giving = [one for one in clients if one.wanted.present and one.given_up]
    staying = [one for one in clients if one.wanted.present]
    return [
        *(_removing(session, one) for one in removed),
        *(_giving_up(session, one) for one in giving),
        *(step for one in staying for step in _having(session, one, hashes)),
    ]


def _removing(session: Session, client: _Client) -> Step:
    return Step(f"remove client {name_of(client.at)}", lambda: session.delete(client.at))


def _giving_up(session: Session, client: _Client) -> Step:
    present = client.raw.get("macaddress", [])
    gone = [value for value in present if address(value.decode()) in client.given_up]
    client.raw = {**client.raw, "macaddress": [value for value in present if value not in gone]}
    return Step(
        f"take {', '.join(client.given_up)} from client {name_of(client.at)}",
        lambda: session.modify(client.at, [(ldap.MOD_DELETE, "macAddress", gone)]),
    )


def _having(session: Session, client: _Client, hashes: Hashes) -> list[Step]:
    name = client.wanted.name
    wanted = {"macAddress": [mac.encode() for mac in client.macs], **client.said.attributes()}

    def secret() -> dict[str, list[bytes]]:
        return {"userPassword": [hashes.of(name).encode()]} if client.secret else {}

    if not client.at:
        entry = {"objectClass": [one.encode() for one in CLIENT_CLASSES], "cn": [name.encode()], **wanted}
        values = {attribute: found for attribute, found in entry.items() if found}
        return [Step(f"add client {name}", lambda: session.add(client.dn, {**values, **secret()}))]
    steps = []
    if client.dn != client.at:
        steps.append(
            Step(
                f"rename client {name_of(client.at)} to {name}", lambda: session.rename(client.at, f"cn={escape(name)}")
            )
        )
    news = [*class_changes(client.raw, CLIENT_CLASSES), *changes(client.raw, wanted)]
    if news or client.secret:
        what = ", ".join(dict.fromkeys([one[1] for one in news] + (["userPassword"] if client.secret else [])))

        def act() -> None:
            hidden = [(ldap.MOD_REPLACE, attribute, values) for attribute, values in secret().items()]
            session.modify(client.dn, [*news, *hidden])

        steps.append(Step(f"change {what} of client {name}", act))
    return steps


def _changes(
    before: dict[str, t.Any], after: dict[str, t.Any], secrets: set[str]
) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """The two sides of a plan, which show only the clients that change."""
    names = {name for name in (*before, *after) if before.get(name) != after.get(name) or name in secrets}
    hidden = {"password": "(hidden, another)"}
    return (
        {name: one for name, one in before.items() if name in names},
        {name: {**one, **(hidden if name in secrets else {})} for name, one in after.items() if name in names},
    )
