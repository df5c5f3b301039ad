# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan, then act: what a task would change, as a value, apart from changing it."""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing to do: what it is, in the administrator's words, and how."""

    text: str
    act: t.Callable[[], object]


@dataclasses.dataclass(frozen=True)
class Plan:
    """The way from *before* to *after*.

    *before* and *after* are plain data (what diff mode shows); no steps means nothing to change.
    """

    before: t.Mapping[str, t.Any]
    after: t.Mapping[str, t.Any]
    steps: t.Sequence[Step] = ()

    @property
    def changed(self) -> bool:
        """Whether acting would change anything."""
        return bool(self.steps)

    def act(self) -> None:
        """Do every step, in order."""
        for step in self.steps:
            step.act()


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a module's work came to.

    :arg plan: what was done, or in check mode would have been.
    :arg result: the module's documented return values; in check mode as they would be.
    """

    plan: Plan
    result: t.Mapping[str, t.Any]
    warnings: t.Sequence[str] = ()
