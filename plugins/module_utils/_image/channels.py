# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels: one pointer file each, moved by one rename."""

from __future__ import annotations

import contextlib
import os
import re
import typing as t

from .._boot import ipxe
from .._files import read, remove, restore, write
from .._plan import Step

if t.TYPE_CHECKING:
    from .._server import Server


def channels(server: Server, protosystem: str) -> dict[str, int]:
    """The serial that each channel of *protosystem* points at, by the channel's name."""
    directory = os.path.dirname(server.channel(protosystem, "any"))
    names: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        names = sorted(os.listdir(directory))
    found = {}
    for name in names:
        path = os.path.join(directory, name)
        text = read(path) if re.fullmatch(r"[a-z0-9][a-z0-9-]*\.ipxe", name) else None
        if text is not None:
            found[name[: -len(".ipxe")]] = ipxe.channel_serial(text, path)
    return found


def settled(
    protosystem: str, pointers: t.Mapping[str, int], meant: t.Mapping[str, int], published: t.Container[int]
) -> tuple[dict[str, int], list[str]]:
    """Where the pointer files are to point, and warnings of what they cannot follow.

    :arg pointers: where they do.
    :arg meant: where channels are meant to point, which counts; a channel that only has a file keeps that.
    :arg published: the serials that a pointer can point at.
    """
    found, warnings = dict(pointers), []
    for name, serial in meant.items():
        if serial in published:
            found[name] = serial
        elif pointers.get(name) != serial:
            stays = f"stays at serial {pointers[name]}" if name in pointers else "has no file"
            warnings.append(
                f"channel {name} of {protosystem} is to point at serial {serial}, which is not published: it {stays}"
            )
    return dict(sorted(found.items())), warnings


def plan_all(server: Server, protosystem: str, pointers: t.Mapping[str, int]) -> list[Step]:
    """The steps by which each of these channels points where it should."""
    return [step for name, serial in pointers.items() for step in plan_point(server, protosystem, name, serial)]


def plan_point(server: Server, protosystem: str, channel: str, serial: int) -> list[Step]:
    """The steps by which *channel* points at *serial*; none if it does so already."""
    path = server.channel(protosystem, channel)
    script = ipxe.channel_script(protosystem, channel, serial)
    before = read(path)
    if before == script:
        return []
    text = f"point channel {channel} at serial {serial}"
    return [Step(text, lambda: write(path, script), lambda: restore(path, before))]


def plan_remove(server: Server, protosystem: str, channel: str) -> list[Step]:
    """The steps by which *channel* does not exist."""
    path = server.channel(protosystem, channel)
    before = read(path)
    if before is None:
        return []
    return [Step(f"remove channel {channel}", lambda: remove(path), lambda: restore(path, before))]
