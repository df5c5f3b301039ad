# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that fail: what was begun is undone, as far as it can be, and no further than a final step."""

from __future__ import annotations

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._errors import InUse, StatelessError
from ansible_collections.stateless.linux.plugins.module_utils._plan import Plan, Step


def steps(done: list[str], *names: str, final: str = "") -> list[Step]:
    return [
        Step(name, lambda name=name: done.append(name), lambda name=name: done.append(f"no {name}"), name == final)
        for name in names
    ]


def failing(error: BaseException, undo: BaseException | None = None, final: bool = False) -> Step:
    def fail(error: BaseException | None) -> None:
        if error is not None:
            raise error

    return Step("fail", lambda: fail(error), lambda: fail(undo), final)


def test_nothing_is_undone_of_what_goes_well() -> None:
    done: list[str] = []
    Plan({}, {}, steps(done, "a", "b")).act()
    assert done == ["a", "b"]


@pytest.mark.parametrize("error", [InUse("busy"), OSError(5, "broken"), KeyboardInterrupt()])
def test_what_was_done_is_undone_the_last_first(error: BaseException) -> None:
    done: list[str] = []
    with pytest.raises(type(error)) as caught:
        Plan({}, {}, [*steps(done, "a", "b"), Step("c", lambda: None), failing(error), *steps(done, "d")]).act()
    assert caught.value is error
    assert done == ["a", "b", "no b", "no a"]


@pytest.mark.parametrize("fails", [True, False])
def test_nothing_before_a_final_step_is_undone(fails: bool) -> None:
    done: list[str] = []
    last = [failing(InUse("busy"), final=True)] if fails else [*steps(done, "b", final="b"), failing(InUse("busy"))]
    with pytest.raises(InUse):
        Plan({}, {}, [*steps(done, "a"), *last]).act()
    assert done == (["a"] if fails else ["a", "b", "no b"])


def test_what_cannot_be_undone_is_told_and_the_rest_is_undone() -> None:
    done: list[str] = []
    plan = Plan({}, {}, [*steps(done, "a"), failing(InUse("busy"), StatelessError("away"))])
    with pytest.raises(StatelessError, match=r"^busy; not undone, so that the next run has to: fail \(away\)$"):
        plan.act()
    assert done == ["a", "no a"]
