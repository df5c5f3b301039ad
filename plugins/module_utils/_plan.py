# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan, then act: what a task would change, as a value, apart from changing it."""

from __future__ import annotations

import dataclasses
import typing as t

from ._errors import StatelessError


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing to do: what it is, in the administrator's words, and how."""

    text: str
    act: t.Callable[[], object]
    #: has it as it was before, whether :attr:`act` came to its end, or part of the way; None: nothing is to be done
    undo: t.Callable[[], object] | None = None
    #: what was done before it is not undone any more, since it takes away what that would need
    final: bool = False


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
        """Do every step, in order. If one fails, what can be undone of those before it is, the last first.

        :raises StatelessError: a step failed, and undoing did, too.
        """
        begun: list[Step] = []
        for step in self.steps:
            begun = [step] if step.final else [*begun, step]
            try:
                step.act()
            except BaseException as error:
                failed = _undo(begun)
                if failed and isinstance(error, StatelessError):
                    raise StatelessError(f"{error}; not undone, so that the next run has to: {failed}") from error
                raise


def _undo(steps: t.Sequence[Step]) -> str:
    """Undo *steps*, the last first, all that can be; return what could not, and why."""
    failed = []
    for step in reversed(steps):
        try:
            if step.undo is not None:
                step.undo()
        except (StatelessError, OSError) as error:
            failed.append(f"{step.text} ({error})")
    return "; ".join(failed)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a module's work came to.

    :arg plan: what was done, or in check mode would have been.
    :arg result: the module's documented return values; in check mode as they would be.
    """

    plan: Plan
    result: t.Mapping[str, t.Any]
    warnings: t.Sequence[str] = ()
