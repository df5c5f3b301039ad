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
from .._errors import NotFound
from .._files import read, remove, write
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


def pointing_at(server: Server, protosystem: str, serial: int) -> list[str]:
    """The names of the channels that point at a serial."""
    return [name for name, pointed in channels(server, protosystem).items() if pointed == serial]


def plan_point(server: Server, protosystem: str, channel: str, serial: int) -> list[Step]:
    """The steps by which *channel* points at *serial*; none if it does so already."""
    path = server.channel(protosystem, channel)
    script = ipxe.channel_script(protosystem, channel, serial)
    if read(path) == script:
        return []
    return [Step(f"point channel {channel} at serial {serial}", lambda: write(path, script))]


def plan_remove(server: Server, protosystem: str, channel: str) -> list[Step]:
    """The steps by which *channel* does not exist."""
    path = server.channel(protosystem, channel)
    if not os.path.exists(path):
        return []
    return [Step(f"remove channel {channel}", lambda: remove(path))]


def get(server: Server, protosystem: str, channel: str) -> int:
    """The serial that one channel points at; raises NotFound."""
    there = channels(server, protosystem)
    if channel not in there:
        raise NotFound(f"channel: {protosystem} has no channel {channel}; there is: {', '.join(there) or 'none'}")
    return there[channel]
