# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take an image, or a channel, away."""

from __future__ import annotations

import os
import typing as t

from .._errors import InUse, InvalidValue
from .._files import sync_directory
from .._names import check_name, check_serial
from .._plan import Outcome, Plan, Step
from .._protosystem import record as records
from .._volumes.choose import open_store
from . import channels, leftovers, manifest, public, share

if t.TYPE_CHECKING:
    from .._server import Server


def absent(
    server: Server,
    protosystem: str,
    serial: int | None,
    channel: str | None,
    force: bool,
    check: bool,
    lock_timeout: float = 60.0,
) -> Outcome:
    """Withdraw the image *serial*, or remove the channel *channel*: one of them, the other is None.

    :arg force: withdraw it from clients that run it.
    :raises InUse: a channel points at the image, or clients run it.
    """
    check_name("protosystem", protosystem)
    if (serial is None) == (channel is None):
        raise InvalidValue(
            "state", "absent", "say serial to withdraw an image, or channel to remove a channel, and not both"
        )
    with records.changing(server, protosystem, lock_timeout):
        store = open_store(server)
        pointers = channels.channels(server, protosystem)
        warnings: list[str] = []
        steps = leftovers.plan(server, store, protosystem, serial, warnings)
        before: dict[str, t.Any] = {}
        if channel is not None:
            check_name("channel", channel)
            steps += channels.plan_remove(server, protosystem, channel)
            before = {"channels": {channel: pointers[channel]}} if channel in pointers else {}
            pointers.pop(channel, None)
        if serial is not None:
            check_serial("serial", serial)
            image = manifest.find(server, protosystem, serial)
            if image is not None:
                before = {"image": {"serial": serial, "formats": sorted(image.formats)}}
                steps += _plan_withdraw(server, protosystem, serial, force)
            steps += share.plan_unshared(server, store, protosystem, serial, force)
            if image is not None:
                old = leftovers.beside(server, protosystem, serial, "old")
                steps.append(Step(f"remove its files ({old})", lambda: public.remove_tree(old)))
        plan = Plan(before, {}, tuple(steps))
        if not check:
            plan.act()
    return Outcome(plan, {"image": None, "channels": pointers}, tuple(dict.fromkeys(warnings)))


def _plan_withdraw(server: Server, protosystem: str, serial: int, force: bool) -> list[Step]:
    """The steps by which no client finds the image any more, or has it open."""
    pointing = channels.pointing_at(server, protosystem, serial)
    if pointing:
        raise InUse(
            f"serial: image {serial} of {protosystem} cannot be withdrawn, a channel points at it "
            f"({', '.join(pointing)}): point it elsewhere or remove it first"
        )
    users = share.users(server, protosystem, serial)
    if users and not force:
        raise InUse(
            f"serial: image {serial} of {protosystem} cannot be withdrawn, clients run it over NFS "
            f"({', '.join(sorted(users.values()))}): restart them with another image first, or say force"
        )
    return [Step(f"withdraw image {serial} of {protosystem}", lambda: _hide(server, protosystem, serial))]


def _hide(server: Server, protosystem: str, serial: int) -> None:
    directory = server.image(protosystem, serial)
    os.rename(directory, leftovers.beside(server, protosystem, serial, "old"))
    sync_directory(os.path.dirname(directory))
