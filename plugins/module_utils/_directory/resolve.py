# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client should run, and because of which entry: one rule for modules, boot scripts, inventory and clients.

What is said counts in this order: by the client, by its groups (the lowest priority first), by the entry of all clients
(which also is for machines without an entry). The first that names a protosystem decides that; the first of those that
name no other protosystem, and name a snapshot or a channel, decides that; a snapshot counts before a channel of the
same entry. If none does, it is the protosystem's default channel. Format and kernel arguments come from the first that
names them.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._image.manifest import FORMATS
from .fleet import Client, Fleet, Protosystem, Running
from .values import Said


@dataclasses.dataclass(frozen=True)
class Level:
    """One that may say what is to run."""

    said: Said
    dn: str
    #: what it is, for people
    name: str


@dataclasses.dataclass(frozen=True)
class Answer:
    """What is to run. None: nobody says, or :attr:`problem` says why it is not known."""

    protosystem: str | None = None
    channel: str | None = None
    serial: int | None = None
    digest: str | None = None
    format: str | None = None
    kernel_arguments: tuple[str, ...] = ()
    #: by field: the DN of the entry that decided it
    because: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: the same in words
    reason: str = ""
    #: why a client that starts now does not get it; empty if it does
    problem: str = ""

    def as_dict(self) -> dict[str, t.Any]:
        """Plain data."""
        return {**vars(self), "kernel_arguments": list(self.kernel_arguments), "because": dict(self.because)}


def levels(fleet: Fleet, client: Client | None) -> list[Level]:
    """Who may say what *client* is to run, in order. None: a machine without an entry."""
    own = [Level(client.said, client.dn, f"client {client.name}")] if client else []
    groups = client.groups if client else ()
    default = Level(fleet.default, fleet.default_dn, "the entry of all clients")
    return [*own, *(Level(one.said, one.dn, f"group {one.name} (priority {one.priority})") for one in groups), default]


def resolve(asked: t.Sequence[Level], protosystems: t.Mapping[str, Protosystem]) -> Answer:
    """What is to run, where *asked* say so, in this order."""
    first = next((level for level in asked if level.said.protosystem), None)
    if first is None:
        names = ", ".join(level.name for level in asked)
        return Answer(problem=f"nothing is assigned: no protosystem is named by {names}")
    name = first.said.protosystem
    because = {"protosystem": first.dn}
    protosystem = protosystems.get(name)
    chosen = _choose(asked, name, protosystem)
    because.update(chosen.because)
    snapshot = protosystem.snapshots.get(chosen.serial) if protosystem and chosen.serial is not None else None
    formats = snapshot.formats if snapshot else ()
    booting = next((level for level in asked if level.said.format), None)
    if booting:
        because["format"] = booting.dn
    # Nobody says: the first that there is, of those that need least of the client.
    format_ = booting.said.format if booting else next((one for one in FORMATS if one in formats), FORMATS[0])
    more = next((level for level in asked if level.said.kernel_arguments), None)
    if more:
        because["kernel_arguments"] = more.dn
    problem = chosen.problem
    if not problem and snapshot is None:
        problem = f"there is no snapshot {chosen.serial} of {name} in the directory"
    if not problem and format_ not in formats:
        problem = (
            f"snapshot {chosen.serial} of {name} is published as {', '.join(formats) or 'nothing'}, not as {format_}"
        )
    return Answer(
        name,
        chosen.channel,
        chosen.serial,
        snapshot.digest if snapshot else None,
        format_,
        more.said.kernel_arguments if more else (),
        because,
        "; ".join(filter(None, (f"{first.name} names protosystem {name}", chosen.reason))),
        problem,
    )


@dataclasses.dataclass(frozen=True)
class _Choice:
    """Which snapshot of a protosystem: that part of an :class:`Answer`."""

    channel: str | None = None
    serial: int | None = None
    because: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    reason: str = ""
    problem: str = ""


def _choose(asked: t.Sequence[Level], name: str, protosystem: Protosystem | None) -> _Choice:
    for level in asked:
        if level.said.protosystem not in ("", name):
            continue
        # A number means nothing without the protosystem whose snapshot it is.
        if level.said.serial and level.said.protosystem:
            serial = level.said.serial
            return _Choice(None, serial, {"serial": level.dn}, f"{level.name} names snapshot {serial}")
        if level.said.channel:
            return _follow(level.said.channel, name, protosystem, level.dn, f"{level.name} names")
    if protosystem is None:
        return _Choice(problem=f"there is no protosystem {name} in the directory")
    if not protosystem.default_channel:
        return _Choice(problem=f"nobody names a channel or a snapshot of {name}, and it has no default channel")
    return _follow(protosystem.default_channel, name, protosystem, protosystem.dn, "the protosystem's default is")


def _follow(channel: str, name: str, protosystem: Protosystem | None, dn: str, why: str) -> _Choice:
    because = {"channel": dn}
    reason = f"{why} channel {channel}"
    if protosystem is None:
        return _Choice(channel, None, because, reason, f"there is no protosystem {name} in the directory")
    serial = protosystem.channels.get(channel)
    if serial is None:
        there = ", ".join(protosystem.channels) or "none"
        return _Choice(channel, None, because, reason, f"{name} has no channel {channel}; there is: {there}")
    because["serial"] = f"cn={channel},{protosystem.dn}"
    return _Choice(channel, serial, because, f"{reason}, which points at {serial}")


def stale(running: Running, answer: Answer) -> bool | None:
    """Whether a reboot would change what a client runs. None: it has not reported, or what it should run is not known.

    By content: two snapshots that are alike are the same, whenever they were taken. Only where one of them has no
    digest, it is their numbers that count.
    """
    if running.serial is None or answer.serial is None or running.protosystem is None:
        return None
    if running.digest and answer.digest:
        return running.digest.lower() != answer.digest.lower()
    return (running.protosystem, running.serial) != (answer.protosystem, answer.serial)
