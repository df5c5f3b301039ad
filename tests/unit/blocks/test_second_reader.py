# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reader written from docs/blocks-format.md alone, with the programs zstd and ssh-keygen: nothing of the library."""

from __future__ import annotations

import hashlib
import itertools
import json
import pathlib
import struct
import subprocess
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._blocks.group import Group
from ansible_collections.stateless.linux.plugins.module_utils._blocks.signature import sign
from ansible_collections.stateless.linux.tests.unit.blocks.world import World

BLOCK = 4096


def unpacked(frame: bytes, work: pathlib.Path, prefix: bytes = b"") -> bytes:
    (work / "prefix").write_bytes(prefix)
    argv = ["zstd", "-q", "-dc", *([f"--patch-from={work / 'prefix'}"] if prefix else [])]
    return subprocess.run(argv, input=frame, stdout=subprocess.PIPE, check=True).stdout


class Document:
    """A document of columns."""

    def __init__(self, data: bytes, magic: bytes, numbers: int) -> None:
        assert data[:8] == magic
        version, *self.numbers = struct.unpack_from(f"<{1 + numbers}I", data, 8)
        assert version == 1
        self.left = data[12 + 4 * numbers :]

    def column(self, count: int) -> list[int]:
        values = struct.unpack_from(f"<{count}I", self.left)
        self.left = self.left[4 * count :]
        return list(values)


def ascending(gap: t.Sequence[int], count: t.Sequence[int]) -> list[int]:
    starts, end = [], 0
    for one, length in zip(gap, count):
        starts.append(end + one)
        end += one + length
    return starts


def changes(data: bytes, magic: bytes) -> tuple[int, list[tuple[int, int, int]]]:
    """The blocks of the volume, and runs of position, count, id (0: zeros)."""
    document = Document(data, magic, 3)
    blocks, runs, zeros = document.numbers
    gap, count = document.column(runs), document.column(runs)
    zero_gap, zero_count = document.column(zeros), document.column(zeros)
    jump = document.column(runs)
    assert document.left == b""
    found = [(at, length, 0) for at, length in zip(ascending(zero_gap, zero_count), zero_count)]
    end = 1
    for at, length, distance in zip(ascending(gap, count), count, jump):
        first = (end + distance) % 2**32
        found.append((at, length, first))
        end = first + length
    return blocks, found


class Frame(t.NamedTuple):
    holds: list[int]
    references: list[int]
    data: bytes
    digest: bytes


def frames(data: bytes, table: bytes, start: int) -> list[Frame]:
    document = Document(table, b"SLBTABLE", 3)
    count, holds, references = document.numbers
    sizes, own, referred = (document.column(count) for _column in range(3))
    gap, length = document.column(holds), document.column(holds)
    held = iter(zip(ascending(gap, length), length))
    others = iter(list(zip(document.column(references), document.column(references))))
    made = []
    for number, size in enumerate(sizes):
        ids = [one for first, n in itertools.islice(held, own[number]) for one in range(first, first + n)]
        refs = [one for first, n in itertools.islice(others, referred[number]) for one in range(first, first + n)]
        digest = document.left[32 * number : 32 * number + 32]
        made.append(Frame(ids, refs, data[start : start + size], digest))
        start += size
    assert len(document.left) == 32 * count
    return made


class Reader:
    def __init__(self, public: pathlib.Path, work: pathlib.Path, trusted: pathlib.Path) -> None:
        self.public, self.work, self.trusted = public, work, trusted
        self.contents: dict[int, bytes] = {0: bytes(BLOCK)}

    def manifest(self, serial: int) -> t.Any:
        text, begin, rest = (
            (self.public / f"{serial}.manifest").read_bytes().partition(b"-----BEGIN SSH SIGNATURE-----")
        )
        (self.work / "signature").write_bytes(begin + rest)
        argv = ["ssh-keygen", "-Y", "verify", "-f", self.trusted, "-I", "lab", "-n", "blocks@stateless.linux"]
        subprocess.run([*argv, "-s", self.work / "signature"], input=text, check=True, stdout=subprocess.DEVNULL)
        value = json.loads(text)
        assert (value["format"], value["version"]) == ("stateless.linux blocks", 1)
        return value

    def head(self, pack: t.Any) -> tuple[bytes, list[bytes]]:
        data = (self.public / pack["file"]).read_bytes()
        top = data[: pack["head"]]
        assert hashlib.sha256(top).hexdigest() == pack["sha256"]
        parts = []
        while top:
            magic, size = struct.unpack_from("<II", top)
            assert magic == 0x184D2A50 + len(parts)
            parts.append(top[8 : 8 + size])
            top = top[8 + size :]
        return data, [unpacked(part, self.work) for part in parts]

    def from_nothing(self, manifest: t.Any) -> list[int]:
        """All packs; the ids of the volume's blocks."""
        found = []
        for pack in manifest["packs"]:
            data, parts = self.head(pack)
            found += frames(data, parts[0], pack["head"])
        for frame in sorted(found, key=lambda one: one.holds[0]):
            self.take(frame)
        data = (self.public / manifest["index"]["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == manifest["index"]["sha256"]
        blocks, runs = changes(unpacked(data, self.work), b"SLBWHOLE")
        return self.changed([], blocks, runs)

    def step(self, before: list[int], manifest: t.Any) -> list[int]:
        """The step pack alone."""
        (pack,) = (one for one in manifest["packs"] if one["step"])
        data, (table, delta) = self.head(pack)
        for frame in frames(data, table, pack["head"]):
            self.take(frame)
        return self.changed(before, *changes(delta, b"SLBDELTA"))

    def take(self, frame: Frame) -> None:
        assert max(frame.references, default=0) < min(frame.holds)
        data = unpacked(frame.data, self.work, b"".join(self.contents[one] for one in frame.references))
        blocks = [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]
        assert hashlib.sha256(b"".join(hashlib.sha256(one).digest() for one in blocks)).digest() == frame.digest
        assert len(blocks) == len(frame.holds)
        self.contents.update(zip(frame.holds, blocks))

    def changed(self, before: list[int], blocks: int, runs: list[tuple[int, int, int]]) -> list[int]:
        after = [*before[:blocks], *[0] * (blocks - len(before))]
        for at, count, first in runs:
            after[at : at + count] = range(first, first + count) if first else [0] * count
        return after

    def root(self, ids: list[int]) -> str:
        level = [hashlib.sha256(self.contents[one]).digest() if one else bytes(32) for one in ids] or [bytes(32)]
        while True:
            pages = [b"".join(level[at : at + 256]).ljust(8192, b"\0") for at in range(0, len(level), 256)]
            if len(level) == 1:
                break
            level = [hashlib.sha256(page).digest() if any(page) else bytes(32) for page in pages]
        return hashlib.sha256(b"SLBROOT\0" + struct.pack("<Q", len(ids)) + level[0]).hexdigest()


@pytest.mark.parametrize("improved", [False, True])
def test_the_document_is_enough(tmp_path: pathlib.Path, improved: bool) -> None:
    world = World(tmp_path / "world")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (tmp_path / "trusted").write_text(f"lab {(tmp_path / 'key.pub').read_text()}")

    def signing(text: bytes) -> bytes:
        return sign(text, [str(key)])

    world.volume(1, [1, 2, 3, 0, 0, *range(100, 400), 3])
    world.volume(2, [1, 4, 0, *range(100, 200), 500, 600, *range(101, 201), 0, 0, 12])
    world.publish(1, sign=signing)
    world.publish(2, 1, [Group([(1, 1)], [(1, 2)])], sign=signing)
    if improved:
        world.improve(2, signing)
    reader = Reader(pathlib.Path(world.place.public), tmp_path, tmp_path / "trusted")
    first, second = reader.manifest(1), reader.manifest(2)
    ids = reader.from_nothing(first)
    assert reader.root(ids) == first["root"]
    assert b"".join(reader.contents[one] for one in ids) == world.volumes[1].read_bytes()
    stepped = reader.step(ids, second)
    assert reader.root(stepped) == second["root"]
    assert b"".join(reader.contents[one] for one in stepped) == world.volumes[2].read_bytes()
    reader.contents = {0: bytes(BLOCK)}
    assert reader.from_nothing(second) == stepped
    assert reader.root(stepped) == second["root"]
