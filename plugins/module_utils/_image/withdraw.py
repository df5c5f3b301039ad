# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take an image, or a channel, away."""

from __future__ import annotations

import dataclasses
import typing as t

from .._errors import InUse, InvalidValue
from .._names import check_name, check_serial
from .._plan import Outcome, Plan, Step
from .._protosystem import record as records
from .._snapshot import manifest as snapshots
from .._volumes.choose import open_store
from . import blocks_kept, channels, follow, leftovers, public, share
from .build import hide, show
from .follow import NOBODY

if t.TYPE_CHECKING:
    from .._server import Server
    from .._volumes.store import Store
    from .follow import Follower
    from .manifest import Image


def absent(
    server: Server,
    protosystem: str,
    serial: int | None,
    channel: str | None,
    force: bool,
    check: bool,
    lock_timeout: float = 60.0,
    follower: Follower = NOBODY,
) -> Outcome:
    """Withdraw the image *serial*, or remove the channel *channel*: one of them, the other is None.

    :arg force: withdraw it from clients that run it, or are to.
    :raises InUse: a channel points at the image, or clients run it.
    """
    check_name("protosystem", protosystem)
    if (serial is None) == (channel is None):
        raise InvalidValue(
            "state", "absent", "say serial to withdraw an image, or channel to remove a channel, and not both"
        )
    if channel is not None:
        check_name("channel", channel)
    if serial is not None:
        check_serial("serial", serial)
    with records.changing(server, protosystem, lock_timeout):
        store = open_store(server)
        images = follow.images(server, protosystem)
        pointers = channels.channels(server, protosystem)
        meant = {**pointers, **follower.channels(protosystem)}
        before: dict[str, t.Any] = {}
        if channel in meant:
            before = {"channels": {channel: pointers.pop(channel, meant[channel])}}
            meant.pop(channel)
        settled, warnings = channels.settled(protosystem, pointers, meant, images)
        image = images.pop(serial, None) if serial is not None else None
        if image is not None:
            before = {"image": {"serial": serial, "formats": sorted(image.formats)}}
            _check_unused(server, image, follower, [settled, meant], force)
        following = follower.plan(follow.published(server, protosystem, images, meant))
        steps = [*following.first, *leftovers.plan(server, store, protosystem, serial, warnings)]
        steps += [*following.come, *channels.plan_all(server, protosystem, settled), *following.go]
        if channel is not None:
            steps += channels.plan_remove(server, protosystem, channel)
        if serial is not None:
            steps += _plan_withdraw(server, store, protosystem, serial, image, force)
            if image is not None:
                # what belongs to no image, leftovers have
                steps += blocks_kept.plan_withdraw(server, protosystem, serial)
        plan = following.around(Plan(before, {}, tuple(steps)))
        if not check:
            plan.act()
    return Outcome(plan, {"image": None, "channels": settled}, tuple(dict.fromkeys(warnings)))


def _check_unused(
    server: Server, image: Image, follower: Follower, pointers: t.Sequence[t.Mapping[str, int]], force: bool
) -> None:
    """Raise InUse if clients boot or run *image*."""
    start = f"serial: image {image.serial} of {image.protosystem} cannot be withdrawn"
    pointing = sorted({name for one in pointers for name, serial in one.items() if serial == image.serial})
    if pointing:
        raise InUse(f"{start}, a channel points at it ({', '.join(pointing)}): point it elsewhere or remove it first")
    assigned = follower.users(image.protosystem, image.serial)
    if assigned and not force:
        raise InUse(
            f"{start}, it is what the directory has them boot ({', '.join(assigned)}): assign something else first, "
            "or say force"
        )
    users = share.users(server, image.protosystem, image.serial)
    if users and not force:
        raise InUse(
            f"{start}, clients run it over NFS ({', '.join(sorted(users.values()))}): restart them with another image "
            "first, or say force"
        )


def _plan_withdraw(
    server: Server, store: Store, protosystem: str, serial: int, image: Image | None, force: bool
) -> list[Step]:
    """The steps by which no client finds the image any more, or has it open; *image*: None if it is not published."""
    unshare = share.plan_unshared(server, store, protosystem, serial, force)
    if image is None:
        return unshare
    text = f"withdraw image {serial} of {protosystem}"
    hiding = Step(text, lambda: hide(server, image), lambda: show(server, image))
    if unshare and "nfs" in image.formats:
        unshare[0] = dataclasses.replace(unshare[0], undo=lambda: _share(server, store, image))
    old = leftovers.beside(server, protosystem, serial, "old")
    return [hiding, *unshare, Step(f"remove its files ({old})", lambda: public.remove_tree(old), final=True)]


def _share(server: Server, store: Store, image: Image) -> None:
    for step in share.plan_shared(server, store, snapshots.get(server, image.protosystem, image.serial)):
        step.act()
