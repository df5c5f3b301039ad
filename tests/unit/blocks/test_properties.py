# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import filecmp
import pathlib
import tempfile
import typing as t

import hypothesis
import hypothesis.strategies as st
import pytest

from ansible_collections.stateless.linux.plugins.module_utils._blocks.similar import Group
from ansible_collections.stateless.linux.tests.unit.blocks.web import Web, serving
from ansible_collections.stateless.linux.tests.unit.blocks.world import World

#: Blocks of a volume: few different ones, so that they are moved, shared and resemble one another.
VOLUMES = st.lists(st.integers(0, 45), min_size=1, max_size=40)
GROUPS = st.lists(
    st.builds(
        Group,
        st.lists(st.tuples(st.integers(0, 39), st.integers(1, 9)), max_size=3),
        st.lists(st.tuples(st.integers(0, 39), st.integers(1, 9)), max_size=3),
    ),
    max_size=3,
)


class Store(t.NamedTuple):
    world: World
    web: Web


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Web]:
    with serving(tmp_path_factory.mktemp("web")) as web:
        yield web


@hypothesis.given(volumes=st.lists(VOLUMES, min_size=1, max_size=5), groups=GROUPS, data=st.data())
@hypothesis.settings(max_examples=60, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
def test_every_serial_comes_from_every_other_and_from_nothing(
    server: Web, volumes: list[list[int]], groups: list[Group], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory(dir=server.root) as directory:
        world = World(pathlib.Path(directory))
        url = f"{server.url}/{pathlib.Path(directory).name}/public"
        for serial, numbers in enumerate(volumes, 1):
            world.volume(serial, numbers)
            parent = data.draw(st.sampled_from([None, *range(1, serial)]))
            world.publish(serial, parent, groups if parent else ())
        for own in (None, *range(1, len(volumes) + 1)):
            local = world.client(str(own))
            if own is not None:
                world.update(url, local, own, None, world.directory / "own")
            for serial in range(1, len(volumes) + 1):
                target = world.directory / "target"
                world.update(url, local, serial, own, target)
                assert filecmp.cmp(target, world.volumes[serial], shallow=False)
