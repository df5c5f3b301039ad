# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import filecmp
import http.server
import os
import pathlib
import shutil
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._blocks import apply, packing, retain
from ansible_collections.stateless.linux.plugins.module_utils._blocks.depths import DEEPEST
from ansible_collections.stateless.linux.plugins.module_utils._blocks.fetch import FetchFailed, Site
from ansible_collections.stateless.linux.plugins.module_utils._blocks.group import Group
from ansible_collections.stateless.linux.plugins.module_utils._blocks.index import Index, Run
from ansible_collections.stateless.linux.plugins.module_utils._blocks.mend import Mending
from ansible_collections.stateless.linux.plugins.module_utils._blocks.update import Update
from ansible_collections.stateless.linux.plugins.module_utils._blocks.values import Damaged
from ansible_collections.stateless.linux.plugins.module_utils._blocks.volume import Volume
from ansible_collections.stateless.linux.tests.unit.blocks.web import Answer, Web, serving
from ansible_collections.stateless.linux.tests.unit.blocks.world import BLOCK, PATIENT, World, believe, block

#: Different kinds of content, so that there are several frames.
FIRST = [*range(100, 1400), 0, 0, *range(2000, 3300)]
SECOND = [*FIRST[:50], *range(5000, 5020), *FIRST[70:-40], *FIRST[50:70], 0, 0]


@pytest.fixture
def world(tmp_path: pathlib.Path) -> World:
    made = World(tmp_path / "world")
    made.volume(1, FIRST)
    made.volume(2, SECOND)
    return made


@pytest.fixture
def web(world: World) -> t.Iterator[Web]:
    with serving(pathlib.Path(world.place.public)) as running:
        yield running


def test_the_next_serial_is_three_requests_and_what_is_new(world: World, web: Web, tmp_path: pathlib.Path) -> None:
    world.publish(1)
    world.publish(2, 1)
    local = world.client("one")
    world.update(web.url, local, 1, None, tmp_path / "own")
    web.requests.clear()
    wanted, site = world.update(web.url, local, 2, 1, tmp_path / "target")
    assert filecmp.cmp(tmp_path / "target", world.volumes[2], shallow=False)
    assert len(web.requests) == site.requests == 3
    frames = [fetch for span in wanted.plan.spans for fetch in span.fetches]
    assert sum(fetch.frame.blocks() for fetch in frames) == 20
    # twenty blocks that cannot be compressed, and little else
    assert site.bytes < 21 * BLOCK + 3000
    assert (sum(run.length for run in wanted.plan.moves), sum(n for _at, n in wanted.plan.zeros)) == (20, 2)


def test_zeros_are_holes(world: World, web: Web, tmp_path: pathlib.Path) -> None:
    world.volume(1, [5, *[0] * 1000, 6])
    world.volume(2, [0] * 1002)
    world.publish(1)
    world.publish(2, 1)
    local = world.client("one")
    world.update(web.url, local, 1, None, tmp_path / "target")
    assert (tmp_path / "target").stat().st_blocks * 512 <= 4 * BLOCK
    world.update(web.url, local, 2, 1, tmp_path / "target")
    assert filecmp.cmp(tmp_path / "target", world.volumes[2], shallow=False)


def test_an_interrupted_run_goes_on(
    world: World, web: Web, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "_NOTED", 1)
    monkeypatch.setitem(packing.LEVELS, "default", packing.LEVELS["default"]._replace(plain_blocks=512))
    (pack,) = world.publish(1).packs
    frames = world.place.table(pack).frames
    assert len(frames) > 2

    def away(path: str, answer: Answer, _handler: http.server.BaseHTTPRequestHandler) -> Answer | None:
        if path.endswith("pack") and "bytes=0-" not in web.requests[-1]:
            answer.body = answer.body[: max(0, frames[2].offset - pack.head - web.sent_of_frames)]
            web.sent_of_frames += len(answer.body)
        return answer

    web.fault = away
    local = world.client("one")
    target = tmp_path / "target"
    with pytest.raises(FetchFailed):
        world.update(web.url, local, 1, None, target)
    web.fault = None
    web.requests.clear()
    update = Update(Site([web.url], PATIENT), local, 1, None, None, believe)
    wanted = update.plan(update.look_up())
    with Volume(str(target), writable=True) as volume:
        update.apply(wanted, volume, str(tmp_path), resumed=True)
    assert filecmp.cmp(target, world.volumes[1], shallow=False)
    last = frames[-1]
    assert web.requests[-1] == f"/{pack.file} bytes={frames[2].offset}-{last.offset + last.size - 1}"


def test_a_root_that_somebody_wrote_to_is_found_out(world: World, web: Web, tmp_path: pathlib.Path) -> None:
    world.publish(1)
    world.publish(2, 1)
    local = world.client("one")
    own = tmp_path / "own"
    world.update(web.url, local, 1, None, own)
    with own.open("r+b") as stream:
        stream.seek(60 * BLOCK + 17)
        stream.write(b"\0\0\0")
        stream.seek(1301 * BLOCK)
        stream.write(b"x")
    # block 60 is moved by the update: it is not spread
    shutil.copy(own, world.volumes[1])
    with pytest.raises(Damaged, match="are not as they were"):
        world.update(web.url, local, 2, 1, tmp_path / "target")
    update = Update(Site([web.url], PATIENT), local, 1, local.root(1), None, believe)
    with Volume(str(own), writable=True) as volume:
        mending = Mending(update, volume)
        differences = mending.differences()
        assert differences == [Run(60, 1, 61), Run(1301, 1, 0)]
        mending.run(differences, str(tmp_path))
        assert mending.differences() == []
    world.volume(1, FIRST)
    assert filecmp.cmp(own, world.volumes[1], shallow=False)


def test_packs_that_are_rewritten_meanwhile_are_looked_up_again(world: World, web: Web, tmp_path: pathlib.Path) -> None:
    world.volume(2, FIRST[:1000])
    for serial, parent in ((1, None), (2, 1)):
        world.publish(serial, parent)
    named = {pack.file for pack in world.place.manifest(2).packs}

    def meanwhile(path: str, answer: Answer, _handler: http.server.BaseHTTPRequestHandler) -> Answer | None:
        if path == "/2.manifest":
            web.fault = None
            retain.remove(world.place, 1, bytes)
        return answer

    web.fault = meanwhile
    update = Update(Site([web.url], PATIENT), world.client("one"), 2, None, None, believe)
    target = tmp_path / "target"
    target.touch()
    with Volume(str(target), writable=True) as volume:
        update.run(volume, str(tmp_path))
    assert filecmp.cmp(target, world.volumes[2], shallow=False)
    assert named - set(os.listdir(world.place.public))
    assert web.requests.count("/2.manifest") == 2


def test_nobody_has_to_follow_references_for_ever(tmp_path: pathlib.Path) -> None:
    world = World(tmp_path / "world")
    last = 3 * DEEPEST
    for serial in range(1, last + 1):
        world.volume(serial, [10 + serial % 10, 100 * serial])
        world.publish(serial, serial - 1 if serial > 1 else None, [Group([(0, 1)], [(0, 1)])])
    with serving(pathlib.Path(world.place.public)) as web:
        wanted, _site = world.update(web.url, world.client("new"), last, None, tmp_path / "target")
    assert filecmp.cmp(tmp_path / "target", world.volumes[last], shallow=False)
    # of each of the two blocks
    assert sum(len(span.fetches) for span in wanted.plan.spans) <= 2 * DEEPEST


def test_a_device_that_is_too_small_is_refused(world: World, web: Web, tmp_path: pathlib.Path) -> None:
    world.publish(1)
    update = Update(Site([web.url], PATIENT), world.client("one"), 1, None, None, believe)
    wanted = update.plan(update.look_up())
    with Volume(str(world.volumes[1]), writable=True) as volume:
        with pytest.raises(Damaged, match="outside of it"):
            volume.write(len(FIRST), block(7))
        with pytest.raises(Damaged, match="outside of it"):
            volume.zero(len(FIRST) - 1, 2)
    assert wanted.index == Index.of(len(FIRST), wanted.changes)
    shutil.rmtree(tmp_path / "world/client-one", ignore_errors=True)
