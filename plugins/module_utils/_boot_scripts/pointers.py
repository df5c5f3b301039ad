# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The channels' pointer files follow what the directory says."""

from __future__ import annotations

import contextlib
import typing as t

from .._directory.fleet import Fleet, Protosystem, read_protosystems
from .._directory.session import Session
from .._directory.tree import Tree
from .._errors import StatelessError
from .._image import channels, manifest
from .._names import check_name, check_serial
from .._plan import Step
from .._protosystem.record import changing

if t.TYPE_CHECKING:
    from .._server import Server


class Pointers:
    """What has to change, found under the locks of the protosystems, which *locks* keeps until it is done."""

    def __init__(self, server: Server, locks: contextlib.ExitStack, timeout: float) -> None:
        self._server = server
        self._locks = locks
        self._timeout = timeout
        self.steps: list[Step] = []
        self.warnings: list[str] = []
        #: serials by PROTOSYSTEM/CHANNEL; one that was not there is not in the first
        self.before: dict[str, int] = {}
        self.after: dict[str, int] = {}

    def plan(self, session: Session, tree: Tree, fleet: Fleet) -> None:
        """Find what differs. What cannot be brought along is a warning, and stays as it is."""
        for name, protosystem in fleet.protosystems.items():
            try:
                check_name("protosystem", name)
                if not self._differing(protosystem):
                    continue
                # Whoever holds this points them at the moment: what was read before says nothing any more.
                self._locks.enter_context(changing(self._server, name, self._timeout))
                for now in read_protosystems(session, tree, [name]).values():
                    self._point(now)
            except StatelessError as error:
                self.warnings.append(f"the channels of {name!r} are left as they are: {error}")

    def _differing(self, protosystem: Protosystem) -> dict[str, int]:
        there = channels.channels(self._server, protosystem.name)
        return {one: serial for one, serial in protosystem.channels.items() if there.get(one) != serial}

    def _point(self, protosystem: Protosystem) -> None:
        there = channels.channels(self._server, protosystem.name)
        for channel, serial in self._differing(protosystem).items():
            name = f"{protosystem.name}/{channel}"
            try:
                check_name("channel", channel)
                check_serial("serial", serial)
                manifest.get(self._server, protosystem.name, serial)
            except (StatelessError, ValueError) as error:
                self.warnings.append(f"channel {name} stays as it is, though the directory has it at {serial}: {error}")
                continue
            self.steps += channels.plan_point(self._server, protosystem.name, channel, serial)
            if channel in there:
                self.before[name] = there[channel]
            self.after[name] = serial
