# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries, the environment block of GRUB, and both boot loaders' files on a real FAT filesystem."""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.stateless.linux.plugins.module_utils._cached_root import boot, environment, grub, systemd_boot
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.boot_partition import BootPartition, Source
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.entries import (
    Entry,
    fallback,
    following,
    next_generation,
    parse,
)
from ansible_collections.stateless.linux.plugins.module_utils._errors import StatelessError
from ansible_collections.stateless.linux.tests.unit.cached_root.kill import killed_at

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True).filter(
    lambda name: not name.startswith(("snapshot", "pvmove"))
)
ENTRIES = st.builds(
    Entry, st.integers(1, 999_999), NAMES, st.integers(1, 10**9), st.none() | st.integers(0, 9), st.integers(0, 9)
)


# -- values


@given(ENTRIES)
def test_a_name_says_all_of_an_entry(entry: Entry) -> None:
    found = parse(entry.counted)
    assert found is not None
    assert (found.image, found.generation, found.left) == (entry.image, entry.generation, entry.left)
    assert found.done == (0 if entry.left is None else entry.done)
    assert parse(entry.name) == Entry(entry.generation, *entry.image)


@pytest.mark.parametrize("name", ["", "stateless-1-a-1", "stateless-000001-a-0", "stateless-000001-A-1", "x", "a+3"])
def test_other_names_are_none_of_ours(name: str) -> None:
    assert parse(name) is None


@given(st.lists(ENTRIES, min_size=1, max_size=6, unique_by=lambda entry: entry.generation))
def test_what_is_booted_next_has_not_failed_if_anything_has_not(entries: list[Entry]) -> None:
    chosen = following(entries)
    assert chosen is not None
    if any(not entry.has_failed for entry in entries):
        assert not chosen.has_failed
    newer = [entry for entry in entries if entry.generation > chosen.generation]
    assert all(entry.has_failed for entry in newer)
    behind = fallback(entries, chosen)
    assert behind is None or (behind.is_good and behind != chosen)
    assert next_generation(entries) > max(entry.generation for entry in entries)


# -- GRUB's block


def test_grub_reads_what_is_written_and_the_other_way(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "grubenv")
    environment.write(path, {"good": "stateless-000001-lab-1", "trial": "", "left": "3"})
    said = subprocess.run(["grub-editenv", path, "list"], check=True, capture_output=True, text=True).stdout
    assert said.split("\n") == ["good=stateless-000001-lab-1", "trial=", "left=3", ""]
    subprocess.run(["grub-editenv", path, "set", "left=2"], check=True)
    assert environment.read(path) == {"good": "stateless-000001-lab-1", "trial": "", "left": "2"}


def test_what_grub_cannot_read_is_not_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "grubenv"
    assert environment.read(str(path)) is None
    for content in (b"", b"#" * 1024, environment.encode({})[:-1], environment.encode({}) + b"#"):
        path.write_bytes(content)
        assert environment.read(str(path)) is None
    with pytest.raises(StatelessError, match="512"):
        environment.encode({"good": "x" * 600})
    with pytest.raises(StatelessError, match="cannot be"):
        environment.encode({"good": "a b"})


def test_only_the_first_sector_changes() -> None:
    one, other = (environment.encode({"good": name}) for name in ("a", "b" * 80))
    assert one[512:] == other[512:] == b"#" * 512


def test_grub_takes_its_configuration(tmp_path: pathlib.Path) -> None:
    loader = grub.Grub(str(tmp_path))
    os.mkdir(tmp_path / "grub")
    loader.arm(Entry(1, "lab", 1, 3), "root=/dev/vg/lab.1 ro odd={a;b} console=ttyS0,115200 pipe=a|b&c<d>")
    for text in (grub.CONFIG, pathlib.Path(loader.file(Entry(1, "lab", 1))).read_text()):
        subprocess.run(["grub-script-check"], input=text, check=True, text=True)
    assert "'odd={a;b}'" in pathlib.Path(loader.file(Entry(1, "lab", 1))).read_text()


# -- on a boot partition


@pytest.fixture(params=["systemd-boot", "grub"])
def partition(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> pathlib.Path:
    """A boot partition as the installation leaves it, but for its filesystem: not every kernel has FAT."""
    where = tmp_path / "boot"
    where.mkdir()
    if request.param == "grub":
        (where / "grub").mkdir()
        (where / "grub/grubenv").write_bytes(environment.encode({}))
        (where / "grub/grub.cfg").write_text(grub.CONFIG)
    assert isinstance(at(where), grub.Grub if request.param == "grub" else systemd_boot.SystemdBoot)
    return where


def at(partition: pathlib.Path) -> BootPartition:
    return boot.seen(str(partition))


def entries(partition: pathlib.Path) -> list[Entry]:
    return at(partition).entries()


def test_a_trial_becomes_good_and_an_older_one_stays_good(partition: pathlib.Path) -> None:
    first, second = Entry(1, "lab-a", 1, 3), Entry(2, "lab-a", 2, 3)
    found = at(partition)
    found.arm(first, "root=1")
    assert entries(partition) == [first]
    found = at(partition)
    found.bless(first)
    found.arm(second, "root=2")
    good = Entry(1, "lab-a", 1)
    assert entries(partition) == [good, second]
    assert following(entries(partition)) == second
    found = at(partition)
    found.bless(second)
    found.bless(Entry(2, "lab-a", 2))
    assert found.leftovers() == []
    assert entries(partition) == [good, Entry(2, "lab-a", 2)]
    found = at(partition)
    found.remove(good)
    assert entries(partition) == [Entry(2, "lab-a", 2)]


def test_a_trial_that_is_removed_leaves_the_good_one(partition: pathlib.Path) -> None:
    found = at(partition)
    found.arm(Entry(1, "lab", 1, 3), "root=1")
    found.bless(Entry(1, "lab", 1, 3))
    found.arm(Entry(2, "lab", 2, 3), "root=2")
    found.remove(Entry(2, "lab", 2, 3))
    assert entries(partition) == [Entry(1, "lab", 1)]


def change(partition: pathlib.Path) -> None:
    """Everything that is done to a boot partition, one after the other."""
    first, second, third = Entry(1, "lab", 1, 3), Entry(2, "lab", 2, 3), Entry(3, "lab", 3, 3)
    found = at(partition)
    found.arm(first, "root=1")
    found.bless(first)
    found.arm(second, "root=2")
    found.bless(second)
    found.arm(third, "root=3")
    found.remove(third)
    found.remove(Entry(1, "lab", 1))


def test_killed_anywhere_what_was_good_is_still_there(partition: pathlib.Path, tmp_path: pathlib.Path) -> None:
    clean = tmp_path / "clean"
    shutil.copytree(partition, clean)
    number = 0
    seen = set()
    while killed_at(number, lambda: change(partition)):
        found = at(partition)
        found.clear()
        assert found.leftovers() == []
        now = entries(partition)
        seen.add(tuple(now))
        assert sum(entry.is_trial for entry in now) <= 1
        if number > 0 and any(Entry(1, "lab", 1) in state for state in seen):
            assert any(entry.is_good for entry in now)
        shutil.rmtree(partition)
        shutil.copytree(clean, partition)
        number += 1
    assert entries(partition) == [Entry(2, "lab", 2)]
    assert {(Entry(1, "lab", 1), Entry(2, "lab", 2, 3)), (Entry(1, "lab", 1), Entry(2, "lab", 2))} <= seen


# -- kernels


def source(tmp_path: pathlib.Path, name: str, content: bytes) -> Source:
    path = tmp_path / name
    path.write_bytes(content)
    return Source(str(path), len(content), hashlib.sha256(content).hexdigest())


def test_files_are_written_once_and_again_where_they_are_wrong(partition: pathlib.Path, tmp_path: pathlib.Path) -> None:
    sources = {"linux": source(tmp_path, "k", b"kernel" * 1000), "initrd": source(tmp_path, "i", b"initrd" * 1000)}
    image = ("lab", 7)
    found = at(partition)
    assert found.missing(image, {name: one.size for name, one in sources.items()}) == 12000
    found.put(image, sources)
    assert found.images() == [image]
    assert found.missing(image, {name: one.size for name, one in sources.items()}) == 0
    path = pathlib.Path(found.where, "stateless/lab/7/linux")
    path.write_bytes(b"broken" * 1000)
    found.put(image, sources)
    assert path.read_bytes() == b"kernel" * 1000
    found.take(image)
    found.take(image)
    assert found.images() == []


def test_a_file_that_is_not_what_the_manifest_names_is_refused(partition: pathlib.Path, tmp_path: pathlib.Path) -> None:
    wrong = source(tmp_path, "k", b"kernel")
    pathlib.Path(wrong.path).write_bytes(b"kermit")
    with pytest.raises(StatelessError, match="not the file"):
        at(partition).put(("lab", 1), {"linux": wrong})
