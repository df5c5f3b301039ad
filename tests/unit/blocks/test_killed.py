# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A publisher that is killed, at every point where something becomes visible or vanishes."""

from __future__ import annotations

import filecmp
import os
import pathlib
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._blocks import retain
from ansible_collections.stateless.linux.tests.unit.blocks.web import serving
from ansible_collections.stateless.linux.tests.unit.blocks.world import World

VOLUMES = {1: [1, 2, 3, 0, 11, 12, 21], 2: [1, 4, 2, 0, 13, 22, 31, 32], 3: [5, 4, 2, 33, 13, 22, 31]}
#: what changes files so that others see it
CALLS = ("rename", "unlink", "ftruncate", "pwrite")


def killed_at(number: int, work: t.Callable[[], object]) -> bool:
    """Do *work* in a process that is gone before its call *number* of those; whether it got there."""
    child = os.fork()
    if child == 0:
        left = number

        def counting(real: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
            def call(*arguments: t.Any, **options: t.Any) -> t.Any:
                nonlocal left
                left -= 1
                if left < 0:
                    os._exit(9)
                return real(*arguments, **options)

            return call

        try:
            for name in CALLS:
                setattr(os, name, counting(getattr(os, name)))
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 9)
    return status == 9


WORKS: dict[str, t.Callable[[World], object]] = {
    "publish": lambda world: world.publish(3, 2),
    "improve": lambda world: world.improve(2),
    "remove": lambda world: retain.remove(world.place, 1, bytes),
}


@pytest.mark.parametrize("name", sorted(WORKS))
def test_a_killed_run_leaves_serials_that_work_and_the_next_one_finishes(tmp_path: pathlib.Path, name: str) -> None:
    number = 0
    while True:
        world = World(tmp_path / str(number))
        for serial, numbers in VOLUMES.items():
            world.volume(serial, numbers)
        world.publish(1)
        world.publish(2, 1)
        killed = killed_at(number, lambda world=world: WORKS[name](world))  # type: ignore[misc]
        # whatever is there works, before and after somebody goes on
        for again in (False, True):
            if again:
                if 3 not in world.place.serials():
                    world.publish(3, 2)
                retain.tidy(world.place, bytes)
            with serving(pathlib.Path(world.place.public)) as web:
                for serial in world.place.serials():
                    world.update(web.url, world.client("new"), serial, None, world.directory / "target")
                    assert filecmp.cmp(world.directory / "target", world.volumes[serial], shallow=False)
        assert world.place.leftovers(world.place.manifests()) == []
        if not killed:
            break
        number += 1
    assert number > 3
