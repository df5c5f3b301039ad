# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With real filesystems: which files new blocks belong to, and what reflinked files share."""

from __future__ import annotations

import contextlib
import os
import pathlib
import random
import subprocess
import time
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._blocks import changes, similar
from ansible_collections.stateless.linux.plugins.module_utils._blocks.extents import extents
from ansible_collections.stateless.linux.plugins.module_utils._blocks.volume import Volume
from ansible_collections.stateless.linux.plugins.module_utils._mounts import view
from ansible_collections.stateless.linux.tests.unit.blocks.world import BLOCK, World


def ext4(image: pathlib.Path, tree: pathlib.Path) -> None:
    with image.open("wb") as stream:
        stream.truncate(32 * 1024**2)
    subprocess.run(["mkfs.ext4", "-q", "-b", "4096", "-d", tree, image], check=True)


@pytest.mark.parametrize("blocks", [similar.WORTH, similar.ALL])
def test_new_blocks_are_compressed_against_the_old_file_of_that_name(tmp_path: pathlib.Path, blocks: int) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    content = random.Random(1).randbytes(500_000)
    changed = bytearray(content)
    for at in range(0, len(changed), 1000):
        changed[at] ^= 1
    for tree, path, data in ((before, "usr/lib/lib.so.1.2", content), (after, "usr/lib/lib.so.1.3", bytes(changed))):
        (tree / path).parent.mkdir(parents=True)
        (tree / path).write_bytes(data)
        (tree / "same").write_bytes(content[::-1])
        # what has such a name is not looked for, and in nobody's way
        odd = os.path.join(os.fsencode(tree), b"caf\xe9")
        os.mkdir(odd)
        pathlib.Path(os.fsdecode(odd), "file").write_bytes(data)
    world = World(tmp_path / "world")
    for serial, tree in ((1, before), (2, after)):
        world.volumes[serial] = world.directory / f"{serial}.img"
        ext4(world.volumes[serial], tree)
    images = [str(world.volumes[serial]) for serial in (1, 2)]
    with view(images[0], "ext4", ("ro", "loop")) as old, view(images[1], "ext4", ("ro", "loop")) as new:
        groups = list(similar.files(old, new, time.time() - 600, blocks))
        assert not list(similar.files(old, new, time.time() + 600, blocks))
    pairs = [
        (content_of(images[1], group.blocks)[: len(changed)], content_of(images[0], group.references)[: len(content)])
        for group in groups
    ]
    assert (bytes(changed), content) in pairs
    world.publish(1)
    step = world.publish(2, 1, groups).step()
    assert step is not None
    assert step.size < 60_000


def content_of(image: str, ranges: t.Sequence[tuple[int, int]]) -> bytes:
    with Volume(image) as volume:
        return b"".join(volume.read(at, count) for at, count in ranges)


#: Filesystems that share extents: mkfs(8)'s words, and mount(8)'s.
SHARING = {
    "xfs": (["mkfs.xfs", "-q", "-m", "reflink=1"], ("loop",)),
    "btrfs": (["mkfs.btrfs", "-q"], ("loop",)),
}


@pytest.mark.parametrize("filesystem", SHARING)
def test_a_reflinked_file_differs_where_it_does_not_share(tmp_path: pathlib.Path, filesystem: str) -> None:
    with made(tmp_path / "image", filesystem) as root:
        old, new = pathlib.Path(root, "old"), pathlib.Path(root, "new")
        old.write_bytes(random.Random(1).randbytes(100 * BLOCK))
        subprocess.run(["cp", "--reflink=always", old, new], check=True)
        with new.open("r+b") as stream:
            stream.seek(10 * BLOCK + 5)
            stream.write(b"changed")
            stream.seek(50 * BLOCK)
            stream.write(bytes(2 * BLOCK))
            stream.truncate(102 * BLOCK)
        with Volume(str(old)) as before, Volume(str(new)) as after:
            found = changes.unshared(before, after)
            assert list(changes.compared(before, after)) == [(10, 1), (50, 2)]
            assert found is not None
            blocks = {block for at, count in found for block in range(at, at + count)}
            assert blocks >= {10, 50, 51}
            # what is shared, and what is zeros in both, is not even looked at
            assert blocks <= {10, 50, 51, 100, 101}
            assert len(blocks) < 20
            assert max(blocks) < after.blocks


@contextlib.contextmanager
def made(image: pathlib.Path, filesystem: str, *options: str) -> t.Iterator[str]:
    """A new filesystem, mounted."""
    argv, always = SHARING[filesystem]
    with image.open("wb") as stream:
        stream.truncate(512 * 1024**2)
    subprocess.run([*argv, image], check=True)
    with view(str(image), filesystem, (*always, *options)) as root:
        yield root


def test_what_is_compressed_or_lies_in_metadata_is_at_no_place(tmp_path: pathlib.Path) -> None:
    with made(tmp_path / "image", "btrfs", "compress-force=zstd") as root:
        old, new, tiny = (pathlib.Path(root, name) for name in ("old", "new", "tiny"))
        old.write_bytes(b"stateless" * 20 * BLOCK)
        subprocess.run(["cp", "--reflink=always", old, new], check=True)
        with new.open("r+b") as stream:
            stream.seek(70 * BLOCK)
            stream.write(b"changed")
        tiny.write_bytes(b"inline")
        for path, blocks in ((old, 180), (tiny, 1)):
            with path.open("rb") as stream:
                found = extents(stream.fileno())
            assert found is not None
            assert {one.physical for one in found} == {None}
            assert sum(-(-one.length // BLOCK) for one in found) == blocks
        # nothing tells that they share these: all is compared
        with Volume(str(old)) as before, Volume(str(new)) as after:
            assert changes.unshared(before, after) is None
            assert list(changes.between(before, after)) == [(70, 1)]
        # nor is it taken for the place of a file's blocks; but a block that is written alone is not compressed
        (pathlib.Path(root) / "empty").mkdir()
        groups = list(similar.files(f"{root}/empty", root, 0, similar.ALL))
        assert [group.sizes() for group in groups] == [(1, 0)]
