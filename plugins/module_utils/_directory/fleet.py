# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory as values: clients with their groups, and protosystems with what they have published."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .groups import members, priority
from .session import Session, any_of
from .tree import REPORT, Tree
from .values import SAID, DnKey, Raw, Said, addresses, dn_key, key, members_of, name_of, number, text, texts

#: So few clients are each asked for their groups, which a client may do for itself; of more, all groups are read.
_FEW = 5
#: The classes of what is below protosystems. They are always named: without, slapd looks at every entry that there is.
_POINTERS, _PUBLISHED = ("statelessProtosystem", "statelessChannel"), ("statelessSnapshot", "statelessImage")
_TIME = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})(?:[.,][0-9]+)?Z")


@dataclasses.dataclass(frozen=True)
class Running:
    """What a client has reported to run. None: it has not said."""

    protosystem: str | None = None
    serial: int | None = None
    digest: str | None = None
    format: str | None = None
    #: when it booted, and when it said so: ISO 8601, UTC
    since: str | None = None
    reported: str | None = None
    #: snapshots that it was not healthy with, and is back from: ``PROTOSYSTEM SERIAL``, separated by ", "
    failed: str | None = None


@dataclasses.dataclass(frozen=True)
class Group:
    """A group of clients."""

    name: str
    dn: str
    priority: int
    said: Said
    #: names of clients; None: whoever asks may not know
    members: tuple[str, ...] | None


@dataclasses.dataclass(frozen=True)
class Client:
    """A client; its groups are in the order in which they count."""

    name: str
    dn: str
    macs: tuple[str, ...]
    said: Said
    running: Running
    groups: tuple[Group, ...]


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A snapshot, and the formats in which it is published."""

    serial: int
    digest: str | None
    created: str | None
    kernel: str | None
    formats: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Protosystem:
    """A protosystem with its snapshots, by serial, and the serial that each of its channels points at."""

    name: str
    dn: str
    description: str
    default_channel: str
    channels: t.Mapping[str, int]
    snapshots: t.Mapping[int, Snapshot]


@dataclasses.dataclass(frozen=True)
class Fleet:
    """What was read of the directory."""

    clients: t.Sequence[Client]
    groups: t.Sequence[Group]
    #: by name
    protosystems: t.Mapping[str, Protosystem]
    #: what counts last, and for machines without an entry, and where that is said
    default: Said
    default_dn: str


def read(
    session: Session, tree: Tree, names: t.Sequence[str] = (), macs: t.Sequence[str] = (), brief: bool = False
) -> Fleet:
    """The whole directory, or, if *names* or *macs* are given, those clients and what counts for them.

    :arg brief: of protosystems, have only the snapshots that those clients may be meant to run. For one client that
        makes five searches, each a look-up in an index, whatever has been published.
    """
    narrow = bool(names or macs)
    pairs = [*(("cn", name) for name in names), *(("macAddress", mac) for mac in macs)]
    attributes = ("cn", "macAddress", *SAID, *REPORT)
    entries = session.search(
        tree.clients, "one", any_of(pairs) if narrow else "(objectClass=statelessClient)", attributes
    )
    if narrow:
        wanted = {*map(key, names)}, {*macs}
        entries = [one for one in entries if key(name_of(one[0])) in wanted[0] or wanted[1] & {*addresses(one[1])}]
    groups, of = _groups(session, tree, [dn for dn, _raw in entries], narrow)
    clients = [_client(dn, raw, of.get(dn_key(dn), [])) for dn, raw in entries]
    base = session.search(tree.clients, "base", "(objectClass=*)", SAID)
    default = Said.of(base[0][1]) if base else Said()
    said = [default, *(one.said for one in clients), *(one.said for one in groups)]
    named = [one.protosystem for one in said]
    if narrow and brief:
        protosystems = _brief_protosystems(session, tree, {*named} - {""}, said)
    else:
        protosystems = read_protosystems(session, tree, named if narrow else None)
    return Fleet(sorted(clients, key=lambda one: key(one.name)), groups, protosystems, default, tree.clients)


def _client(dn: str, raw: Raw, groups: t.Sequence[Group]) -> Client:
    running = Running(
        protosystem=text(raw, "statelessRunningProtosystem") or None,
        serial=number(raw, "statelessRunningSerial"),
        digest=text(raw, "statelessRunningDigest") or None,
        format=text(raw, "statelessRunningFormat") or None,
        since=_time(raw, "statelessRunningSince"),
        reported=_time(raw, "statelessReported"),
        failed=text(raw, "statelessFailed") or None,
    )
    return Client(name_of(dn), dn, tuple(addresses(raw)), Said.of(raw), running, tuple(groups))


def _groups(
    session: Session, tree: Tree, clients: t.Sequence[str], narrow: bool
) -> tuple[list[Group], dict[DnKey, list[Group]]]:
    """The groups in their order, and for each client's DN those that it is in."""
    attributes = ("cn", "member", "statelessPriority", *SAID)
    few = len(clients) <= _FEW
    alone = clients if few else ()
    asked = {dn: session.search(tree.groups, "one", any_of([("member", dn)]), attributes) for dn in alone}
    if few and narrow:
        entries = {dn: raw for found in asked.values() for dn, raw in found}
    else:
        entries = dict(session.search(tree.groups, "one", "(objectClass=statelessGroup)", attributes))
    groups = {dn: _group(tree, dn, raw) for dn, raw in entries.items()}
    ordered = sorted(groups.values(), key=lambda one: (one.priority, key(one.name)))
    of: dict[DnKey, list[Group]] = {}
    if few:
        for client, found in asked.items():
            mine = {dn for dn, _raw in found}
            of[dn_key(client)] = [one for one in ordered if one.dn in mine]
        return ordered, of
    for one in ordered:
        for member in members_of(entries[one.dn]):
            of.setdefault(member, []).append(one)
    return ordered, of


def _group(tree: Tree, dn: str, raw: Raw) -> Group:
    known = tuple(sorted(members(tree, raw), key=key)) if "member" in raw else None
    return Group(name_of(dn), dn, priority(raw), Said.of(raw), known)


def read_protosystems(session: Session, tree: Tree, names: t.Iterable[str] | None) -> dict[str, Protosystem]:
    """The protosystems *names*, or all."""
    bases = [tree.protosystems] if names is None else [tree.protosystem(name) for name in {*names} if name]
    wanted = any_of(("objectClass", one) for one in (*_POINTERS, *_PUBLISHED))
    return _protosystems(tree, [one for base in bases for one in session.search(base, "sub", wanted, ("*",))])


def _brief_protosystems(
    session: Session, tree: Tree, names: t.Iterable[str], said: t.Sequence[Said]
) -> dict[str, Protosystem]:
    """The protosystems *names* with their channels, and the snapshots that *said* may come to."""
    pointers, published = (any_of(("objectClass", one) for one in classes) for classes in (_POINTERS, _PUBLISHED))
    entries: list[tuple[str, Raw]] = []
    for name in names:
        found = session.search(tree.protosystem(name), "sub", pointers, ("*",))
        entries += found
        for protosystem in _protosystems(tree, found).values():
            followed = {protosystem.default_channel, *(one.channel for one in said)}
            serials = {serial for channel, serial in protosystem.channels.items() if channel in followed}
            for serial in serials.union(one.serial for one in said if one.serial):
                entries += session.search(tree.snapshot(name, serial), "sub", published, ("*",))
    return _protosystems(tree, entries)


def _protosystems(tree: Tree, entries: t.Sequence[tuple[str, Raw]]) -> dict[str, Protosystem]:
    """The protosystems among *entries*, by name, with what is below them."""
    depth = len(dn_key(tree.protosystems))
    below: dict[tuple[tuple[str, str], ...], list[tuple[str, Raw]]] = {}
    for dn, raw in entries:
        below.setdefault(dn_key(dn)[1:], []).append((dn, raw))
    tops = [(dn, raw) for dn, raw in entries if len(dn_key(dn)) == depth + 1]
    found = (_protosystem(dn, raw, below) for dn, raw in tops)
    return {one.name: one for one in sorted(found, key=lambda one: one.name)}


def _protosystem(
    dn: str, raw: Raw, below: t.Mapping[tuple[tuple[str, str], ...], t.Sequence[tuple[str, Raw]]]
) -> Protosystem:
    channels: dict[str, int] = {}
    snapshots: dict[int, Snapshot] = {}
    for at, entry in below.get(dn_key(dn), ()):
        classes = {one.lower() for one in texts(entry, "objectClass")}
        serial = number(entry, "statelessSerial")
        if serial is None:
            continue
        if "statelesschannel" in classes:
            channels[name_of(at)] = serial
        elif "statelesssnapshot" in classes:
            images = [name_of(image) for image, _raw in below.get(dn_key(at), ())]
            snapshots[serial] = Snapshot(
                serial,
                text(entry, "statelessDigest") or None,
                _time(entry, "statelessCreated"),
                text(entry, "statelessKernel") or None,
                tuple(sorted(images)),
            )
    return Protosystem(
        name_of(dn),
        dn,
        text(raw, "description"),
        text(raw, "statelessDefaultChannel"),
        dict(sorted(channels.items())),
        dict(sorted(snapshots.items())),
    )


def _time(raw: Raw, attribute: str) -> str | None:
    """A time as ISO 8601; LDAP writes it as YYYYMMDDHHMMSSZ (RFC 4517, generalizedTime)."""
    found = _TIME.fullmatch(text(raw, attribute))
    return "{}-{}-{}T{}:{}:{}+00:00".format(*found.groups()) if found else None
