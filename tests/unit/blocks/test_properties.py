# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import filecmp
import os
import pathlib
import tempfile
import typing as t

import hypothesis
import hypothesis.strategies as st
import pytest

from ansible_collections.stateless.linux.plugins.module_utils._blocks import retain
from ansible_collections.stateless.linux.plugins.module_utils._blocks.group import Group
from ansible_collections.stateless.linux.tests.unit.blocks.web import Web, serving
from ansible_collections.stateless.linux.tests.unit.blocks.world import TIMES, World

#: Blocks of a volume: few different ones, so that they are moved, shared and resemble one another.
VOLUMES = st.lists(st.integers(0, 45), min_size=1, max_size=40)
RANGES = st.lists(st.tuples(st.integers(0, 39), st.integers(1, 9)), max_size=3)
GROUPS = st.lists(st.builds(Group, RANGES, RANGES), max_size=3)
#: Serials are published, with a parent if there is one; their packs made again; and removed.
PUBLISH = st.tuples(VOLUMES, GROUPS, st.integers(0, 5))
REMOVE = st.tuples(st.just("remove"), st.integers(0, 5))
IMPROVE = st.tuples(st.just("improve"), st.integers(0, 5))
ACTIONS = st.lists(st.one_of(PUBLISH, PUBLISH, IMPROVE, REMOVE), min_size=1, max_size=7)

settings = hypothesis.settings(
    max_examples=25 * TIMES,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.reuse, hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Web]:
    with serving(tmp_path_factory.mktemp("web")) as web:
        yield web


def acted(world: World, actions: t.Sequence[t.Any]) -> list[int]:
    """Do the actions; the serials that are left."""
    serial = 0
    for action in actions:
        there = world.place.serials()
        if len(action) == 3:
            numbers, groups, which = action
            serial += 1
            # the first choice is none
            parents = [None, *there]
            parent = parents[which % len(parents)]
            world.volume(serial, numbers)
            world.publish(serial, parent, groups if parent else ())
        elif there and action[0] == "remove":
            retain.remove(world.place, there[action[1] % len(there)], bytes)
        elif there:
            world.improve(there[action[1] % len(there)])
    return world.place.serials()


@hypothesis.given(actions=ACTIONS)
@hypothesis.example(actions=[([45, 42, 7, 37], [], 0), ([45, 42, 7], [], 1)])  # shorter, and nothing else
@settings
def test_any_serial_comes_from_any_other_and_from_nothing(server: Web, actions: list[t.Any]) -> None:
    with tempfile.TemporaryDirectory(dir=server.root) as directory:
        world = World(pathlib.Path(directory))
        url = f"{server.url}/{pathlib.Path(directory).name}/public"
        serials = acted(world, actions)
        for own in (None, *serials):
            local = world.client(str(own))
            if own is not None:
                world.update(url, local, own, None, world.directory / "own")
            for serial in serials:
                target = world.directory / "target"
                wanted, _site = world.update(url, local, serial, own, target)
                assert filecmp.cmp(target, world.volumes[serial], shallow=False)
                # the same, however it came to be
                assert wanted.index == world.place.index(world.place.manifest(serial))


@hypothesis.given(actions=ACTIONS)
@settings
def test_the_files_are_exactly_those_that_manifests_name(actions: list[t.Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        world = World(pathlib.Path(directory))
        serials = acted(world, actions)
        manifests = world.place.manifests()
        named = {pack.file for one in manifests.values() for pack in one.packs}
        named |= {one.index.file for one in manifests.values()} | {f"{serial}.manifest" for serial in serials}
        assert set(os.listdir(world.place.public)) == named
        for one in manifests.values():
            needed: set[int] = set()
            for run in world.place.index(one).runs():
                needed.update(range(run.first, run.first + run.length))
            frames = [(pack.file, frame) for pack in one.packs for frame in world.place.table(pack).frames]
            for name, frame in sorted(frames, key=lambda pair: pair[1].holds[0][0], reverse=True):
                held = {content for first, count in frame.holds for content in range(first, first + count)}
                if held & needed:
                    for first, count in frame.references:
                        needed.update(range(first, first + count))
                    frames = [pair for pair in frames if pair[0] != name]
            # every pack has something that the serial needs; or it is the step, which has the delta
            step = one.step()
            assert {name for name, _frame in frames} <= ({step.file} if step else set())
