# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that has lost what it knew of its root."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._blocks.adopt import Adopting
from ansible_collections.stateless.linux.plugins.module_utils._blocks.fetch import Site
from ansible_collections.stateless.linux.plugins.module_utils._blocks.update import Update
from ansible_collections.stateless.linux.plugins.module_utils._blocks.values import Damaged
from ansible_collections.stateless.linux.plugins.module_utils._blocks.volume import Volume
from ansible_collections.stateless.linux.tests.unit.blocks.web import Web, serving
from ansible_collections.stateless.linux.tests.unit.blocks.world import BLOCK, PATIENT, World, believe

FIRST, SECOND = [1, 2, 2, 0, 0, 11, 12, 1, 0], [1, 3, 2, 0, 13, 11, 12, 1, 0]


@pytest.fixture
def world(tmp_path: pathlib.Path) -> World:
    found = World(tmp_path)
    found.volume(1, FIRST)
    found.volume(2, SECOND)
    found.publish(1)
    found.publish(2, 1)
    return found


@contextlib.contextmanager
def adopting(world: World, name: str, volume: pathlib.Path) -> t.Iterator[tuple[Adopting, Web]]:
    with serving(pathlib.Path(world.place.public)) as web, Volume(str(volume)) as opened:
        yield Adopting(Update(Site([web.url], PATIENT), world.client(name), 1, None, None, believe), opened), web


def test_a_root_is_known_again_and_the_next_one_costs_what_changed(world: World) -> None:
    with adopting(world, "a", world.volumes[1]) as (adopt, web):
        found = adopt.run()
        assert found.manifest.serial == 1
        # no pack is needed for it
        assert all(".pack" not in request for request in web.requests)
        local = world.client("a")
        assert local.root(1) == found
        wanted, _site = world.update(web.url, local, 2, 1, world.directory / "target")
        assert (world.directory / "target").read_bytes() == world.volumes[2].read_bytes()
        assert sum(run.length for run in wanted.changes) == 2


@pytest.mark.parametrize("block", [0, 3, 6, 8])
def test_a_volume_that_is_another_is_not_taken_for_it(world: World, block: int) -> None:
    broken = world.directory / "broken"
    shutil.copy(world.volumes[1], broken)
    with broken.open("r+b") as stream:
        stream.seek(block * BLOCK + 100)
        stream.write(b"something else")
    with adopting(world, "a", broken) as (adopt, _web), pytest.raises(Damaged):
        adopt.run()
    local = world.client("a")
    assert local.root(1) is None
    # and no digest of it counts for the contents
    assert set(pathlib.Path(local.directory).iterdir()) == {pathlib.Path(local.directory, "digests")}
    assert not any((pathlib.Path(local.directory) / "digests").read_bytes())
