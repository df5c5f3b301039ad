# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files as docs/blocks-format.md has them, read by other programs, and by this one if they are damaged."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import pathlib
import random
import struct
import subprocess
import typing as t

import hypothesis
import hypothesis.strategies as st
import pytest

from ansible_collections.stateless.linux.plugins.module_utils._blocks import (
    boot,
    index,
    manifest,
    pack,
    packing,
    tree,
    zstd,
)
from ansible_collections.stateless.linux.plugins.module_utils._blocks.index import Index, Run
from ansible_collections.stateless.linux.plugins.module_utils._blocks.values import MAX_DELTA, MAX_TABLE, Damaged
from ansible_collections.stateless.linux.tests.unit.blocks.world import BLOCK, NAME, TIMES, World, block


@pytest.fixture
def world(tmp_path: pathlib.Path) -> World:
    return World(tmp_path / "world")


def test_a_pack_is_a_zstd_file_in_the_seekable_format(world: World) -> None:
    numbers = [5, 0, 17, 5, 23]
    world.volume(1, numbers)
    (of,) = world.publish(1).packs
    path = pathlib.Path(world.place.public) / of.file
    said = subprocess.run(["zstd", "-dc", path], stdout=subprocess.PIPE, check=True).stdout
    assert said == block(5) + block(17) + block(23)
    data = path.read_bytes()
    entries, descriptor, magic = struct.unpack("<IBI", data[-9:])
    assert (descriptor, magic) == (0, 0x8F92EAB1)
    sizes = list(struct.iter_unpack("<II", data[-9 - 8 * entries : -9]))
    assert struct.unpack("<II", data[-17 - 8 * entries : -9 - 8 * entries]) == (0x184D2A5E, 8 * entries + 9)
    assert sum(size for size, _content in sizes) + 17 + 8 * entries == of.size == len(data)
    assert sizes[0] == (of.head, 0)
    assert sum(content for _size, content in sizes) == len(said)


def test_the_root_of_the_hash_tree_is_what_the_document_says() -> None:
    """By another way: level by level, all of it."""
    blocks = 300
    where = {3: block(8), 299: block(9)}
    level = [hashlib.sha256(where[at]).digest() if at in where else bytes(32) for at in range(blocks)]
    while len(level) > 1:
        pages = [level[at : at + 256] for at in range(0, len(level), 256)]
        level = [
            bytes(32) if not any(map(any, page)) else hashlib.sha256(b"".join(page).ljust(8192, b"\0")).digest()
            for page in pages
        ]
    expected = hashlib.sha256(b"SLBROOT\0" + struct.pack("<Q", blocks) + level[0]).hexdigest()
    digests = {1: hashlib.sha256(where[3]).digest(), 2: hashlib.sha256(where[299]).digest()}

    def get(first: int, count: int) -> bytes:
        return b"".join(digests[content] for content in range(first, first + count))

    whole = Index.of(blocks, [Run(3, 1, 1), Run(299, 1, 2)])
    assert tree.root(blocks, bytes(tree.pages_of(whole, get))).hex() == expected


def test_the_root_of_nothing_is_that_of_zeros() -> None:
    expected = hashlib.sha256(b"SLBROOT\0" + struct.pack("<Q", 7) + bytes(32)).digest()
    assert tree.root(7, bytes(tree.pages_of(Index.empty(7), lambda _first, _count: b""))) == expected


RUNS = st.lists(st.tuples(st.integers(0, 4), st.integers(1, 5), st.integers(0, 60)), max_size=12)


def runs_of(drawn: t.Sequence[tuple[int, int, int]]) -> tuple[int, list[Run]]:
    at = 0
    made = []
    for gap, count, first in drawn:
        made.append(Run(at + gap, count, first))
        at += gap + count
    return at, made


@hypothesis.given(drawn=st.lists(RUNS, min_size=1, max_size=4), data=st.data())
def test_indexes_and_deltas_are_read_as_they_were_written(drawn: list[t.Any], data: st.DataObject) -> None:
    current, model = Index.empty(0), [0] * 120
    for one in drawn:
        end, changes = runs_of(one)
        blocks = data.draw(st.integers(end, 120))
        written = index.encode_changes(blocks, changes)
        assert written is not None
        read_blocks, read = index.decode_changes("delta", written, 100)
        current = current.changed(read_blocks, read)
        for run in changes:
            model[run.at : run.at + run.length] = [run.part(n, 1).first for n in range(run.length)]
        model[blocks:] = [0] * (120 - blocks)
        expected = [content for run in current.part(0, blocks) for content in _expanded(run)]
        assert expected == model[:blocks]
        assert index.decode("index", index.encode(current), 100) == current


def _expanded(run: Run) -> list[int]:
    return [run.part(number, 1).first for number in range(run.length)]


def reader(kind: str) -> t.Callable[[bytes], object]:
    """What reads such bytes."""
    return {
        "index": lambda data: index.decode("it", data, 100),
        "delta": lambda data: index.decode_changes("it", data, 100),
        "table": lambda data: pack.decode_table("it", data, 100, 0),
        "head": lambda data: pack.split_head("it", data),
        "manifest": lambda data: manifest.decode("it", manifest.split("it", data)[0], NAME, 1),
    }[kind]


@pytest.mark.parametrize("kind", ["index", "delta", "table", "head", "manifest"])
@hypothesis.given(data=st.binary(max_size=300))
@hypothesis.settings(max_examples=150 * TIMES)
def test_any_bytes_are_refused(kind: str, data: bytes) -> None:
    reads = reader(kind)
    for one in (data, zstd.Compressor(zstd.Effort(1)).frame(data)):
        if (kind, one) == ("head", b""):
            continue
        with pytest.raises(Damaged, match="it cannot be used: "):
            reads(one)


MAGICS = {"index": b"SLBWHOLE", "delta": b"SLBDELTA", "table": b"SLBTABLE"}


@pytest.mark.parametrize("kind", sorted(MAGICS))
@hypothesis.given(
    counts=st.tuples(*[st.integers(0, 6)] * 3),
    columns=st.lists(st.one_of(st.integers(0, 12), st.integers(0, 2**32 - 1)), max_size=60),
    tail=st.binary(max_size=64),
)
@hypothesis.settings(max_examples=150 * TIMES)
def test_any_columns_are_read_or_refused(
    kind: str, counts: tuple[int, int, int], columns: list[int], tail: bytes
) -> None:
    """What gets past the first checks: nothing but Damaged comes of it, or something within its limits."""
    data = MAGICS[kind] + struct.pack(f"<{4 + len(columns)}I", 1, *counts, *columns) + tail
    with contextlib.suppress(Damaged):
        check(reader(kind)(zstd.Compressor(zstd.Effort(1)).frame(data)))


def documents() -> dict[str, bytes]:
    """One of each kind, decompressed."""
    changes = [Run(2, 5, 7), Run(9, 1, 0), Run(10, 3, 40), Run(20, 2, 12)]
    delta = index.encode_changes(30, changes)
    assert delta is not None
    frames = [
        pack.Frame(0, 90, ((3, 4), (9, 2)), (), bytes(32)),
        pack.Frame(0, 70, ((20, 5),), ((3, 2), (9, 1)), bytes(32)),
    ]
    made = {
        "index": index.encode(Index.empty(30).changed(30, changes)),
        "delta": delta,
        "table": pack.encode_table(frames),
    }
    read = zstd.Decompressor()
    return {kind: read.document(kind, data, MAX_TABLE) for kind, data in made.items()}


@pytest.mark.parametrize("kind", sorted(MAGICS))
@hypothesis.given(data=st.data())
@hypothesis.settings(max_examples=150 * TIMES)
def test_a_changed_document_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    document = bytearray(documents()[kind])
    check(reader(kind)(zstd.Compressor(zstd.Effort(1)).frame(document)))
    for _change in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(document) // 4 - 1)) * 4
        number = data.draw(st.one_of(st.integers(0, 50), st.integers(0, 2**32 - 1)))
        document[at : at + 4] = number.to_bytes(4, "little")
    cut = data.draw(st.integers(0, 2)) and len(document) - data.draw(st.integers(0, len(document)))
    with contextlib.suppress(Damaged):
        check(reader(kind)(zstd.Compressor(zstd.Effort(1)).frame(document[: len(document) - cut])))


def check(found: object) -> None:
    """What was read is within its limits."""
    if isinstance(found, Index):
        check_changes(found.blocks, list(found.runs()))
    elif isinstance(found, pack.Table):
        end = 0
        for frame in found.frames:
            for first, count in frame.holds:
                assert first >= max(end, 1)
                end = first + count
            assert end <= 100
            assert all(0 < first < first + count <= frame.holds[0][0] for first, count in frame.references)
    else:
        blocks, changes = t.cast("tuple[int, list[Run]]", found)
        check_changes(blocks, changes)


def check_changes(blocks: int, changes: t.Sequence[Run]) -> None:
    end = 0
    for run in changes:
        assert run.at >= end
        assert run.length > 0
        assert run.first + run.length <= 100 or run.first == 0
        end = run.at + run.length
    assert end <= blocks


@pytest.mark.parametrize("kind", sorted(MAGICS))
def test_a_bomb_is_refused_before_it_is_decompressed(kind: str) -> None:
    bomb = zstd.Compressor(zstd.Effort(1)).frame(bytes(64 * 1024**2))
    assert len(bomb) < 10000
    with pytest.raises(Damaged, match="is the limit"):
        reader(kind)(bomb)
    assert max(MAX_DELTA, MAX_TABLE) < 64 * 1024**2


@hypothesis.given(data=st.data())
@hypothesis.settings(max_examples=100 * TIMES)
def test_a_manifest_with_another_value_is_read_or_refused(data: st.DataObject) -> None:
    digest = "0" * 64
    packs = (manifest.PackFile("1-a.pack", 100, 50, digest, 1, 5, step=True),)
    own = (boot.File("boot/vmlinuz-6.1", 5, digest), boot.File("boot/initrd.img-6.1", 5, digest))
    said = {"id": "debian", "version_id": "", "pretty_name": "Debian f\u00fcr alle"}
    arguments = ("ro", "console=ttyS0,115200")
    boots = boot.Boot("6.1", *own, "ext4", arguments, said, f"sha256:{digest}", "2026-11-23T09:31:12+00:00")
    good = manifest.Manifest(NAME, 2, 10, digest, 6, 1, manifest.IndexFile("2-a.index", 9, digest), packs, boots)
    assert manifest.decode("it", manifest.encode(good), NAME, 2) == good
    value = json.loads(manifest.encode(good))
    how = value["boot"]
    parts = [value, value["index"], value["packs"][0], how, how["kernel"], how["initrd"], how["os"]]
    part = data.draw(st.sampled_from(parts))
    key = data.draw(st.sampled_from(sorted(part)))
    part[key] = data.draw(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=9), st.just([]), st.just({}), st.floats())
    )
    try:
        read = manifest.decode("it", json.dumps(value).encode(), NAME, 2)
    except Damaged:
        return
    assert read.protosystem == NAME
    assert read.serial == 2
    for pack_file in read.packs:
        assert "/" not in pack_file.file
        assert pack_file.head <= pack_file.size
    assert dataclasses.asdict(read).keys() == dataclasses.asdict(good).keys()
    if read.boot is not None:
        assert all(one.isprintable() for one in read.boot.os.values())
        assert " " not in "".join(read.boot.arguments)


@pytest.mark.parametrize(
    ("key", "bad"),
    [
        ("path", "../etc/shadow"),
        ("path", "boot/../../etc/shadow"),
        ("path", "/etc/shadow"),
        ("path", "boot//vmlinuz"),
        ("path", "boot/a b"),
        ("path", "b" * 256),
        ("path", "boot/vmlinuz\n"),
        ("size", 0),
        ("size", 2**30 + 1),
        ("size", True),
        ("sha256", "0" * 63),
    ],
)
def test_a_kernel_of_another_form_is_refused(key: str, bad: object) -> None:
    file = {"path": "boot/vmlinuz", "size": 1, "sha256": "0" * 64}
    said = {"id": "", "version_id": "", "pretty_name": ""}
    value = {"version": "6.1", "kernel": file, "initrd": file, "filesystem": "xfs", "arguments": [], "os": said}
    value |= {"digest": None, "created": "2026-11-23T09:31:12+00:00"}
    assert boot.decode("it", value) is not None
    with pytest.raises(Damaged):
        boot.decode("it", {**value, "initrd": {**file, key: bad}})


@pytest.mark.parametrize(
    ("key", "bad"),
    [
        ("version", "6.1/x"),
        ("filesystem", "vfat"),
        ("arguments", ["a b"]),
        ("arguments", ["-x"]),
        ("arguments", ["a'"]),
        ("arguments", ["${x}"]),
        ("arguments", ["a\n"]),
        ("arguments", ["a"] * 257),
        ("arguments", ["a" * 400] * 4),
        ("os", {"id": "", "version_id": ""}),
        ("os", {"id": "", "version_id": "", "pretty_name": "a\nb"}),
        ("os", {"id": "", "version_id": "", "pretty_name": "a" * 201}),
        ("digest", "md5:0"),
        ("created", "yesterday"),
    ],
)
def test_what_does_not_boot_is_refused(key: str, bad: object) -> None:
    file = {"path": "boot/vmlinuz", "size": 1, "sha256": "0" * 64}
    said = {"id": "", "version_id": "", "pretty_name": ""}
    value = {"version": "6.1", "kernel": file, "initrd": file, "filesystem": "xfs", "arguments": [], "os": said}
    value |= {"digest": None, "created": "2026-11-23T09:31:12+00:00"}
    with pytest.raises(Damaged, match="boot: "):
        boot.decode("it", {**value, key: bad})


@hypothesis.given(frame=st.binary(max_size=200), prefix=st.sampled_from([b"", bytes(100)]))
@hypothesis.settings(max_examples=100 * TIMES)
def test_any_frame_fills_what_it_has_to_or_is_refused(frame: bytes, prefix: bytes) -> None:
    out = bytearray(BLOCK)
    with pytest.raises(Damaged):
        zstd.Decompressor().into("it", memoryview(out), frame, prefix)
    good = zstd.Compressor(zstd.Effort(3)).frame(block(3), prefix)
    for wrong in (good[:-1], good + b"\0", good + good, good[:9] + bytes(9) + good[18:]):
        with pytest.raises(Damaged):
            zstd.Decompressor().into("it", memoryview(bytearray(2 * BLOCK)), wrong, prefix)
    zstd.Decompressor().into("it", memoryview(out), good, prefix)
    assert out == block(3)


def test_all_of_a_prefix_is_found() -> None:
    """Pieces of its beginning, too short for long distance matching: small tables have forgotten them."""
    source = random.Random(5)
    prefix = source.randbytes(8 * 1024**2)
    starts = [source.randrange(1024**2) for _piece in range(4096)]
    data = b"".join(prefix[at : at + 48] + source.randbytes(8) for at in starts)
    effort = packing.LEVELS["default"].against
    frame = zstd.Compressor(effort).frame(data, prefix)
    small = dataclasses.replace(effort, hash_log=0, chain_log=0)
    assert len(frame) < len(zstd.Compressor(small).frame(data, prefix)) * 0.7
    out = bytearray(len(data))
    zstd.Decompressor().into("frame", memoryview(out), frame, prefix)
    assert out == data
