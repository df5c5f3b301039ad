# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Protosystems as they are on record: one file each, whose existence makes the protosystem exist."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from .._errors import NotFound, StatelessError
from .._files import lock, read_json, write_json

if t.TYPE_CHECKING:
    from .._server import Server

#: Of protosystems for which none is named, as of those whose record is older than that.
DEFAULT_CHANNEL = "stable"


@dataclasses.dataclass(frozen=True)
class Record:
    """What is on record of a protosystem."""

    name: str
    #: ``ext4`` or ``xfs``
    filesystem: str
    #: bytes that the filesystem was last made or grown to
    size: int
    #: when it was made: ISO 8601, UTC
    created: str
    #: what it was made from: one of ``bootstrap``, ``archive``, ``tree``, ``machine``, and the options of that
    source: t.Mapping[str, t.Any]
    #: the channel of clients for which none is named; empty: there is none
    default_channel: str = DEFAULT_CHANNEL

    def write(self, server: Server) -> None:
        """Make it so: from here on the protosystem exists."""
        write_json(server.protosystem_record(self.name), {**dataclasses.asdict(self), "source": dict(self.source)})


def names(server: Server) -> list[str]:
    """The names of all protosystems, sorted."""
    found: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        found = os.listdir(os.path.dirname(server.protosystem_record("any")))
    return sorted(name[:-5] for name in found if name.endswith(".json") and not name.startswith("."))


def find(server: Server, name: str) -> Record | None:
    """The record of a protosystem; None if there is no such protosystem."""
    path = server.protosystem_record(name)
    try:
        value = read_json(path)
        return None if value is None else Record(**value)
    except (ValueError, TypeError) as error:
        raise StatelessError(f"{path} is no record of a protosystem: {error}") from error


def get(server: Server, name: str) -> Record:
    """The record of a protosystem; raises NotFound."""
    record = find(server, name)
    if record is None:
        there = ", ".join(names(server)) or "none"
        raise NotFound(f"protosystem: there is no protosystem {name!r} on this server; there is: {there}")
    return record


def changing(server: Server, name: str, timeout: float) -> contextlib.AbstractContextManager[object]:
    """Hold the lock of the one run that changes *name*; waits up to *timeout* seconds, then raises Busy."""
    busy = f"another run is changing the protosystem {name}, its snapshots, images or channels: try again later"
    return lock(server.change_lock(name), busy, timeout=timeout)


def quiet(server: Server, name: str, timeout: float) -> contextlib.AbstractContextManager[object]:
    """Keep everybody out of the content of *name*; waits up to *timeout* seconds, then raises Busy."""
    busy = f"a play or program is at work inside the protosystem {name}: try again when it is done"
    return lock(server.content_lock(name), busy, timeout=timeout)
