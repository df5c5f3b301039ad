# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files changed blocks belong to, read from an ext4 without mounting it; the kernel has made the filesystems."""

from __future__ import annotations

import os
import pathlib
import random
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._blocks import changes, ext4, similar
from ansible_collections.stateless.linux.plugins.module_utils._blocks.group import Group
from ansible_collections.stateless.linux.plugins.module_utils._blocks.ranges import Set
from ansible_collections.stateless.linux.plugins.module_utils._blocks.volume import Volume
from ansible_collections.stateless.linux.plugins.module_utils._mounts import view
from ansible_collections.stateless.linux.tests.unit.blocks.world import BLOCK

CHANCE = random.Random(4)
#: of each file: what it is first, and what it is then
OLD = {
    name: CHANCE.randbytes(20_000)
    for name in ("settings", "lib.so.1.2", "lib.so.7", "linked", "same", "deep.ko", "gone")
}
NEW = {name: data[:9000] + b"changed" + data[9000:] for name, data in OLD.items()}


def begin(root: pathlib.Path) -> None:
    (root / "etc").mkdir()
    # so many that the directory has an index, and is more than one block
    for number in range(300):
        (root / "etc" / f"a file of no interest, but with a long name: {number}").touch()
    for name in ("settings", "lib.so.1.2", "lib.so.7", "linked", "same"):
        (root / "etc" / name).write_bytes(OLD[name])
    os.link(root / "etc/linked", root / "other name")
    (root / "modules/6.1.0-1/kernel").mkdir(parents=True)
    (root / "modules/6.1.0-1/kernel/deep.ko").write_bytes(OLD["deep.ko"])
    (root / "gone").mkdir()
    (root / "gone/file").write_bytes(OLD["gone"])


def go_on(root: pathlib.Path) -> None:
    for name in ("settings", "linked"):
        (root / "etc" / "beside").write_bytes(NEW[name])
        os.rename(root / "etc" / "beside", root / "etc" / name)
    (root / "etc/lib.so.1.3").write_bytes(NEW["lib.so.1.2"])
    (root / "etc/lib.so.1.2").unlink()
    (root / "modules/6.1.0-2/kernel").mkdir(parents=True)
    (root / "modules/6.1.0-2/kernel/deep.ko").write_bytes(NEW["deep.ko"])
    number = (root / "gone").stat().st_ino
    shutil.rmtree(root / "gone")
    # these have the numbers of those
    (root / "new").mkdir()
    assert (root / "new").stat().st_ino == number
    (root / "new/file").write_bytes(b"new" * 5000)
    os.link(root / "etc/lib.so.1.3", root / "new/link")
    (root / "new/empty").touch()
    # written so that it is in many pieces, whose map does not fit into its inode
    with (root / "new/fragments").open("wb") as stream, (root / "new/between").open("wb") as other:
        for number in range(40):
            for file in (stream, other):
                file.seek(2 * BLOCK * number)
                file.write(bytes([number + 1]) * BLOCK)
                os.fsync(file.fileno())


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, pathlib.Path]:
    """Two states of a filesystem."""
    directory = tmp_path_factory.mktemp("ext4")
    before, after = directory / "before", directory / "after"
    with before.open("wb") as stream:
        stream.truncate(64 * 1024**2)
    subprocess.run(["mkfs.ext4", "-q", "-b", "4096", before], check=True)
    with view(str(before), "ext4", ("loop",)) as root:
        begin(pathlib.Path(root))
    shutil.copyfile(before, after)
    with view(str(after), "ext4", ("loop",)) as root:
        go_on(pathlib.Path(root))
    return before, after


def contents(volume: Volume, ranges: t.Iterable[tuple[int, int]]) -> bytes:
    return b"".join(volume.read(at, count) for at, count in ranges)


def changed(old: Volume, new: Volume) -> Set:
    return Set(changes.compared(old, new))


def test_files_that_changed_and_what_they_were(images: tuple[pathlib.Path, pathlib.Path]) -> None:
    with Volume(str(images[0])) as old, Volume(str(images[1])) as new:
        found = ext4.groups(old, new, changed(old, new))
        assert found is not None
        pairs = {
            contents(new, group.blocks).rstrip(b"\0"): contents(old, group.references).rstrip(b"\0") for group in found
        }
    pieces = b"".join(bytes([number + 1]) * BLOCK for number in range(40))
    assert pairs.pop(pieces) == b""
    assert pairs == {
        NEW["settings"]: OLD["settings"],
        NEW["linked"]: OLD["linked"],
        NEW["lib.so.1.2"]: OLD["lib.so.1.2"],
        NEW["deep.ko"]: OLD["deep.ko"],
        b"new" * 5000: b"",
    }


def test_it_finds_what_is_found_in_mounted_trees(images: tuple[pathlib.Path, pathlib.Path]) -> None:
    with (
        Volume(str(images[0])) as old,
        Volume(str(images[1])) as new,
        view(str(images[0]), "ext4", ("ro", "loop", "noload")) as before,
        view(str(images[1]), "ext4", ("ro", "loop", "noload")) as after,
    ):
        differing = changed(old, new)
        found = ext4.groups(old, new, differing)
        assert found is not None

        def told(groups: t.Iterable[Group]) -> list[tuple[bytes, bytes]]:
            return sorted((contents(new, one.blocks), contents(old, one.references)) for one in groups)

        # there, what has only got another number of names is looked at as well
        mounted = [
            group
            for group in similar.files(before, after, 0, similar.ALL)
            if any(list(differing.within(at, count)) for at, count in group.blocks)
        ]
        assert told(found) == told(mounted)


def test_nothing_is_mounted_but_another_filesystem(
    images: tuple[pathlib.Path, pathlib.Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def mounted() -> t.NoReturn:
        raise AssertionError("mounted")

    with Volume(str(images[0])) as old, Volume(str(images[1])) as new:
        differing = changed(old, new)
        assert similar.groups(old, new, differing, 0, mounted) == ext4.groups(old, new, differing)
        # of another filesystem, what is little is not worth it
        monkeypatch.setattr(ext4, "groups", lambda *_all: None)
        monkeypatch.setattr(similar, "WORTH", differing.total() + 1)
        assert similar.groups(old, new, differing, 0, mounted) == []
        monkeypatch.setattr(similar, "WORTH", differing.total())
        with pytest.raises(AssertionError, match="mounted"):
            similar.groups(old, new, differing, 0, mounted)


def test_volumes_that_are_no_states_of_an_ext4(
    images: tuple[pathlib.Path, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    other, blank = tmp_path / "other", tmp_path / "blank"
    for path in (other, blank):
        with path.open("wb") as stream:
            stream.truncate(64 * 1024**2)
    subprocess.run(["mkfs.ext4", "-q", "-b", "4096", other], check=True)
    for pair in ((images[0], other), (blank, images[1]), (images[0], blank)):
        with Volume(str(pair[0])) as old, Volume(str(pair[1])) as new:
            assert ext4.groups(old, new, changed(old, new)) is None


def test_small_blocks_are_not_read(tmp_path: pathlib.Path) -> None:
    image = tmp_path / "image"
    with image.open("wb") as stream:
        stream.truncate(8 * 1024**2)
    subprocess.run(["mkfs.ext4", "-q", "-b", "1024", image], check=True)
    with Volume(str(image)) as volume:
        assert ext4.groups(volume, volume, Set([(0, volume.blocks)])) is None


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_filesystem_is_a_guess_that_costs_bytes(
    images: tuple[pathlib.Path, pathlib.Path], tmp_path: pathlib.Path, seed: int
) -> None:
    chance = random.Random(seed)
    damaged = tmp_path / "damaged"
    shutil.copyfile(images[1], damaged)
    with Volume(str(images[0])) as old, Volume(str(damaged), writable=True) as new:
        places = [block for at, count in changed(old, new).ranges for block in range(at, at + count)]
        for block in chance.sample(places, len(places) // 2) + [0] * (seed % 2):
            data = bytearray(new.read(block, 1))
            for _byte in range(chance.choice((1, 10, 1000))):
                data[chance.randrange(BLOCK)] = chance.choice((0, 1, 0x7F, 0xFF, chance.randrange(256)))
            new.write(block, data)
        for group in ext4.groups(old, new, changed(old, new)) or ():
            for volume, ranges in ((new, group.blocks), (old, group.references)):
                assert all(count > 0 and at >= 0 and at + count <= volume.blocks for at, count in ranges)
