# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever says elsewhere what is published, and what it is told: the directory, which this room does not know."""

from __future__ import annotations

import dataclasses
import typing as t

from .._plan import Plan, Step
from .._protosystem import record as records
from .._snapshot import manifest as snapshots
from . import manifest

if t.TYPE_CHECKING:
    from .._server import Server
    from .manifest import Image


@dataclasses.dataclass(frozen=True)
class Published:
    """All that is published of a protosystem."""

    protosystem: str
    #: the channel of clients that name none; empty: there is none; None: not known
    default_channel: str | None
    #: by serial
    images: t.Mapping[int, Image]
    #: when their snapshots were taken, by serial: ISO 8601, UTC
    taken: t.Mapping[int, str]
    #: where channels are meant to point, by name, published or not
    channels: t.Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class Following:
    """The steps of a follower. *before* and *after*: what diff mode shows of them."""

    #: what has to be there before all else, and shows whether the follower can be written to at all
    first: t.Sequence[Step] = ()
    #: what follows an image that has become visible, and comes before a channel's pointer
    come: t.Sequence[Step] = ()
    #: what comes before an image or a channel goes
    go: t.Sequence[Step] = ()
    before: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    after: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)

    def around(self, plan: Plan) -> Plan:
        """*plan*, whose diff shows what follows, too."""
        return dataclasses.replace(
            plan, before={**plan.before, **_shown(self.before)}, after={**plan.after, **_shown(self.after)}
        )


def _shown(side: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {"directory": dict(side)} if side else {}


class Follower(t.Protocol):
    """Who says the same elsewhere. Its methods are called under the lock for changes, and change nothing."""

    def channels(self, protosystem: str) -> t.Mapping[str, int]:
        """Where channels are meant to point: this counts, files follow it."""

    def users(self, protosystem: str, serial: int) -> t.Sequence[str]:
        """Who is to run this snapshot whatever a channel says, in words."""

    def plan(self, published: Published) -> Following:
        """The steps by which the same is said elsewhere."""


class Nobody:
    """There is no directory: files say all."""

    def channels(self, protosystem: str) -> t.Mapping[str, int]:
        """See :meth:`Follower.channels`."""
        return {}

    def users(self, protosystem: str, serial: int) -> t.Sequence[str]:
        """See :meth:`Follower.users`."""
        return []

    def plan(self, published: Published) -> Following:
        """See :meth:`Follower.plan`."""
        return Following()


NOBODY = Nobody()


def published(
    server: Server, protosystem: str, images: t.Mapping[int, Image], channels: t.Mapping[str, int]
) -> Published:
    """What is to be told, once there are these *images* and *channels*."""
    record = records.find(server, protosystem)
    return Published(
        protosystem,
        None if record is None else record.default_channel,
        dict(sorted(images.items())),
        {one.serial: one.created for one in snapshots.snapshots(server, protosystem)},
        dict(sorted(channels.items())),
    )


def images(server: Server, protosystem: str) -> dict[int, Image]:
    """The images that there are, by serial."""
    return {serial: manifest.get(server, protosystem, serial) for serial in manifest.serials(server, protosystem)}
