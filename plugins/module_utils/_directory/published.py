# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is published, said in the directory: the follower of the rooms of protosystems and images.

Entries of snapshots and images follow the files. Of channels, the directory says where they point, and files follow.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._errors import InvalidValue
from .._image.follow import Following
from .._names import check_name
from .._plan import Plan, Step
from . import settings
from .change import Change, Wanted, Writer
from .connection import LdapFailed, ldap
from .session import Session
from .tree import Tree
from .values import Raw, dn_key, key, name_of, number, texts, values

if t.TYPE_CHECKING:
    from .._image.follow import Published
    from .._image.manifest import Image

_CLASSES = "objectClass"
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\+00:00")
#: No channel can have this name, so that taking it away changes nothing: whether that may be done is all that is asked.
_NOTHING = "may this identity write here?"


def configured(path: str = settings.CONFIGURATION) -> Directory | None:
    """The directory of this server; None if it has none. Nobody is asked yet.

    :raises StatelessError: its settings are wrong.
    """
    found = settings.load(path)
    return None if found is None else Directory(found.connect, found.tree)


@dataclasses.dataclass(frozen=True)
class _Entry:
    """An entry as it is to be."""

    dn: str
    #: what it is, in words
    what: str
    #: what it is made with, beyond :attr:`said`: classes and name
    made: Wanted
    #: the attributes that are ours
    said: Wanted


class Directory:
    """Says of protosystems in the directory what is published of them.

    Made for one run: each protosystem is read once. Everything but the steps only reads.

    :arg connect: logs in.
    """

    def __init__(self, connect: t.Callable[[], Session], tree: Tree) -> None:
        self._connect = connect
        self._tree = tree
        self._writer = Writer(connect)
        self._session: Session | None = None
        self._found: dict[str, dict[str, Raw]] = {}

    # -- as the rooms ask

    def channels(self, protosystem: str) -> dict[str, int]:
        """Where the channels of *protosystem* are meant to point. What is no channel's name is left out."""
        return {name: serial for name, (_dn, serial) in self._channels(protosystem).items()}

    def users(self, protosystem: str, serial: int) -> list[str]:
        """The clients and groups, in words, that have this snapshot assigned itself."""
        wanted = [protosystem, str(serial)]
        test = ldap.filter.filter_format("(&(statelessAssignedProtosystem=%s)(statelessAssignedSerial=%s))", wanted)
        return self._assigned(test)

    def plan(self, published: Published) -> Following:
        """The steps by which the entries of a protosystem are those of what is *published*."""
        name = published.protosystem
        top = self._top(name, published.default_channel)
        first = [change for change in [self._change(name, top)] if change.changes]
        entries = self._entries(published)
        come = [change for change in (self._change(name, one) for one in entries) if change.changes]
        go = self._gone(name, [top, *entries], published)
        changes = [*first, *come, *go]
        if changes:
            self._check_writable(name)
        return Following(
            [self._step(change) for change in first],
            [self._step(change) for change in come],
            [self._step(change) for change in go],
            *_sides(changes),
        )

    def protosystem(self, name: str, default_channel: str) -> Plan:
        """The way to an entry of the protosystem *name* with this default channel."""
        change = self._change(name, self._top(name, default_channel))
        changes = [change] if change.changes else []
        if changes:
            self._check_writable(name)
        return Plan(*_sides(changes), [self._step(one) for one in changes])

    def no_protosystem(self, name: str) -> tuple[Plan, list[str]]:
        """The way to no entry of the protosystem *name*, and warnings."""
        changes = [self._removal(name, dn) for dn in self._deepest_first(name)]
        warnings = []
        if changes:
            self._check_writable(name)
            test = ldap.filter.filter_format("(statelessAssignedProtosystem=%s)", [name])
            assigned = self._assigned(test)
            if assigned:
                warnings = [f"{name} is still what the directory has them boot: {', '.join(assigned)}"]
        return Plan(*_sides(changes), [self._step(one) for one in changes]), warnings

    # -- what is there

    def _read(self, protosystem: str) -> dict[str, Raw]:
        """The entry of a protosystem and all below it, by DN; none if there is none."""
        if self._session is None:
            self._session = self._connect()
        if protosystem not in self._found:
            base = self._tree.protosystem(protosystem)
            self._found[protosystem] = dict(self._session.search(base, "sub", "(objectClass=*)", ("*",)))
        return self._found[protosystem]

    def _channels(self, protosystem: str) -> dict[str, tuple[str, int]]:
        """The channels in the directory, by name: the DN of each, and its serial."""
        above = dn_key(self._tree.protosystem(protosystem))
        found = {}
        for dn, raw in self._read(protosystem).items():
            serial = number(raw, "statelessSerial")
            if dn_key(dn)[1:] != above or serial is None or "statelesschannel" not in map(key, texts(raw, _CLASSES)):
                continue
            # cn has no case: another spelling is no other channel, and files have but one
            name = key(name_of(dn))
            try:
                found[check_name("channel", name)] = (dn, serial)
            except InvalidValue:
                continue
        return found

    def _assigned(self, test: str) -> list[str]:
        if self._session is None:
            self._session = self._connect()
        kinds = {dn_key(self._tree.clients): "client", dn_key(self._tree.groups): "group"}
        found = []
        for base in (self._tree.clients, self._tree.groups):
            for dn, _raw in self._session.search(base, "sub", test, ("1.1",)):
                above = kinds.get(dn_key(dn)[1:])
                found.append(f"{above} {name_of(dn)}" if above else "all clients")
        return found

    def _deepest_first(self, protosystem: str) -> list[str]:
        return sorted(self._read(protosystem), key=lambda dn: len(dn_key(dn)), reverse=True)

    def _check_writable(self, protosystem: str) -> None:
        """Ask the directory to take away what is not there: it says first whether it would.

        Of a protosystem without an entry nothing can be asked: making that is the first step then.

        :raises LdapFailed: this identity may not write, or this server only has a copy.
        """
        dn = next(iter(self._deepest_first(protosystem)[-1:]), None)
        if dn is None or self._session is None:
            return
        try:
            self._session.modify(dn, [(ldap.MOD_DELETE, "statelessDefaultChannel", [_NOTHING.encode()])])
        except LdapFailed as error:
            if error.kind != "NO_SUCH_ATTRIBUTE":
                raise

    # -- what is to be

    def _top(self, name: str, default_channel: str | None) -> _Entry:
        said = {} if default_channel is None else {"statelessDefaultChannel": values(default_channel)}
        made = {_CLASSES: [b"statelessProtosystem"], "cn": [name.encode()]}
        return _Entry(self._tree.protosystem(name), f"protosystem {name}", made, said)

    def _entries(self, published: Published) -> list[_Entry]:
        """The entries below that of a protosystem, each after that above it, channels last."""
        name = published.protosystem
        found = []
        for serial, image in published.images.items():
            found.append(self._snapshot(image, published.taken.get(serial, "")))
            found += [self._image(image, one) for one in sorted(image.formats)]
        for channel, serial in published.channels.items():
            made = {_CLASSES: [b"statelessChannel"], "cn": [channel.encode()]}
            what = f"channel {channel} of {name}"
            found.append(
                _Entry(self._tree.channel(name, channel), what, made, {"statelessSerial": values(str(serial))})
            )
        return found

    def _snapshot(self, image: Image, taken: str) -> _Entry:
        said = {
            "statelessDigest": _ascii(image.digest or ""),
            "statelessCreated": _time(taken),
            "statelessKernel": _ascii(image.kernel),
        }
        made = {_CLASSES: [b"statelessSnapshot"], "statelessSerial": values(str(image.serial))}
        what = f"snapshot {image.serial} of {image.protosystem}"
        return _Entry(self._tree.snapshot(image.protosystem, image.serial), what, made, said)

    def _image(self, image: Image, format_: str) -> _Entry:
        made = {_CLASSES: [b"statelessImage"], "statelessFormat": values(format_)}
        what = f"image {image.serial} of {image.protosystem} as {format_}"
        dn = self._tree.image(image.protosystem, image.serial, format_)
        return _Entry(dn, what, made, {"statelessCreated": _time(image.created)})

    # -- the way there

    def _change(self, protosystem: str, entry: _Entry) -> Change:
        """What becomes of *entry*, which may be there in another spelling."""
        there = {dn_key(dn): (dn, raw) for dn, raw in self._read(protosystem).items()}
        dn, raw = there.get(dn_key(entry.dn), (entry.dn, None))
        return Change(dn, entry.what, raw, entry.said if raw is not None else {**entry.made, **entry.said})

    def _gone(self, protosystem: str, entries: t.Iterable[_Entry], published: Published) -> list[Change]:
        """The channels that are no more, and the snapshots with whatever is below them; what else is there stays."""
        wanted = {dn_key(entry.dn) for entry in entries}
        depth = len(dn_key(self._tree.protosystem(protosystem)))
        there = self._channels(protosystem)
        channels = {dn_key(dn) for name, (dn, _serial) in there.items() if name not in published.channels}
        found = []
        for dn in self._deepest_first(protosystem):
            at = dn_key(dn)
            snapshot = at[-depth - 1 :] if len(at) > depth else ()
            ours = snapshot and snapshot[0][0] == "statelessserial"
            format_ = ours and len(at) == depth + 2 and at[0][0] == "statelessformat"
            if at in channels or (ours and snapshot not in wanted) or (format_ and at not in wanted):
                found.append(self._removal(protosystem, dn))
        return sorted(found, key=lambda change: dn_key(change.dn) not in channels)

    def _removal(self, protosystem: str, dn: str) -> Change:
        return Change(dn, f"entry {dn}", self._read(protosystem)[dn], None)

    def _step(self, change: Change) -> Step:
        return change.step(self._writer)


def _sides(changes: t.Iterable[Change]) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """What diff mode shows of *changes*: both sides, by DN."""
    before: dict[str, t.Any] = {}
    after: dict[str, t.Any] = {}
    for change in changes:
        had, has = change.shown()
        before.update({change.dn: had} if change.before is not None else {})
        after.update({change.dn: has} if change.after is not None else {})
    return before, after


def _ascii(value: str) -> list[bytes]:
    """The value of an attribute that has ASCII only; none for the empty text."""
    return [value.encode("ascii", "backslashreplace")] if value else []


def _time(value: str) -> list[bytes]:
    """A time, ISO 8601 in UTC, as LDAP writes it (RFC 4517, generalizedTime); none if it is not known."""
    found = _TIME.fullmatch(value)
    return ["".join([*found.groups(), "Z"]).encode()] if found else []
