# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan in the making: entries that should be so, and the steps to it."""

from __future__ import annotations

import dataclasses
import typing as t

from ..._plan import Plan, Step
from ..session import Session
from ..values import Raw, texts
from .entries import Attributes, Entry, changes, encoded, shown


@dataclasses.dataclass
class Draft:
    """Collects what is not as it should be. Nothing is changed before the plan is acted on.

    :arg session: what entries are read and changed through.
    """

    session: Session
    before: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    after: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    steps: list[Step] = dataclasses.field(default_factory=list)

    def step(self, text: str, act: t.Callable[[], object]) -> None:
        """One more thing to do."""
        self.steps.append(Step(text, act))

    def entry(self, entry: Entry, found: Raw | None, dn: t.Callable[[], str] | None = None) -> None:
        """Have *entry*, where *found* is now (None: nothing).

        :arg dn: where it will be, for an entry below one that gets its final name only when it is made.
        """
        if found is None:
            new = entry.new()
            self.after[entry.dn] = shown(entry.dn, new)
            self.step(f"add {entry.dn}", lambda: self.session.add(dn() if dn else entry.dn, encoded(new)))
            return
        wrong = entry.wrong(found)
        if wrong:
            self.change(entry.dn, found, wrong)

    def change(self, dn: str, found: Raw, wrong: Attributes) -> None:
        """Give attributes of the entry *dn*, which is *found* now, the values of *wrong*."""
        now = {name: texts(found, name) for name in wrong if name.lower() in found}
        self.before.setdefault(dn, {}).update(shown(dn, now))
        self.after.setdefault(dn, {}).update(shown(dn, wrong))
        self.step(f"change {', '.join(wrong)} of {dn}", lambda: self.session.modify(dn, changes(dn, found, wrong)))

    def remove(self, dn: str, found: Raw) -> None:
        """Remove the entry *dn*, which is *found* now."""
        self.before[dn] = shown(dn, {name: texts(found, name) for name in found})
        self.step(f"remove {dn}", lambda: self.session.delete(dn))

    def plan(self) -> Plan:
        """What was collected."""
        return Plan(self.before, self.after, self.steps)
