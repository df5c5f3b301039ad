# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is published here and what the directory says are brought together, as each run of the module image does it."""

from __future__ import annotations

import dataclasses
import typing as t

from .._directory.published import Directory
from .._errors import StatelessError
from .._image import channels, follow
from .._plan import Plan, Step
from .._protosystem import record as records

if t.TYPE_CHECKING:
    from .._directory.session import Session
    from .._directory.tree import Tree
    from .._server import Server


@dataclasses.dataclass
class Agreed:
    """What was done, or in check mode would have been."""

    steps: list[Step] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    #: both sides of a diff, by what is compared: ``directory`` (entries, by DN), ``channels`` (serials)
    before: dict[str, dict[str, t.Any]] = dataclasses.field(default_factory=dict)
    after: dict[str, dict[str, t.Any]] = dataclasses.field(default_factory=dict)

    def add(self, plan: Plan) -> None:
        """Add what becomes of one protosystem."""
        self.steps += plan.steps
        for side, more in ((self.before, plan.before), (self.after, plan.after)):
            for name, values in more.items():
                side.setdefault(name, {}).update(values)


def agree(server: Server, session: Session, tree: Tree, check: bool, timeout: float) -> Agreed:
    """Have pointer files, entries of images and channels agree, for each protosystem of this server.

    What cannot be brought together is a warning, and stays as it is.

    :arg timeout: seconds to wait for another run that changes the same protosystem.
    """
    found = Agreed()
    for name in records.names(server):
        try:
            plan, warnings = _plan(server, session, tree, name)
            if plan.changed:
                # What was read counts for nothing if somebody was at work on it.
                with records.changing(server, name, timeout):
                    plan, warnings = _plan(server, session, tree, name)
                    if not check:
                        plan.act()
        except (StatelessError, ValueError) as error:
            found.warnings.append(f"the channels and images of {name} are left as they are: {error}")
        else:
            found.add(plan)
            found.warnings += warnings
    return found


def _plan(server: Server, session: Session, tree: Tree, name: str) -> tuple[Plan, list[str]]:
    follower = Directory(lambda: session, tree)
    images = follow.images(server, name)
    pointers = channels.channels(server, name)
    meant = {**pointers, **follower.channels(name)}
    settled, warnings = channels.settled(name, pointers, meant, images)
    following = follower.plan(follow.published(server, name, images, meant))
    moves = channels.plan_all(server, name, settled)
    moved = [channel for channel, serial in settled.items() if pointers.get(channel) != serial]
    before = {f"{name}/{channel}": pointers[channel] for channel in moved if channel in pointers}
    after = {f"{name}/{channel}": settled[channel] for channel in moved}
    steps = [*following.first, *following.come, *moves, *following.go]
    plan = Plan({"channels": before} if before else {}, {"channels": after} if after else {}, steps)
    return following.around(plan), warnings
