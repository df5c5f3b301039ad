# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a serial: what a client has to believe, and the signatures that say it may.

A text of JSON, followed by one or more signatures as ssh-keygen(1) writes them. What is signed is the text before the
first of them, byte for byte.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from . import boot
from .boot import Boot
from .values import MAX_BLOCKS, MAX_CONTENTS, MAX_MANIFEST, MAX_PACK, VERSION, damaged

_FORMAT = "stateless.linux blocks"
_BEGIN = b"-----BEGIN SSH SIGNATURE-----\n"
_END = b"-----END SSH SIGNATURE-----\n"
_MAX_PACKS = 4096
#: bytes of the compressed index, and of the head of a pack
_MAX_FILE = 64 * 1024**2
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,99}\.(?:pack|index)")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class PackFile:
    """A pack that a manifest names."""

    file: str
    #: bytes, and bytes of its head
    size: int
    head: int
    #: of the head, in hex
    sha256: str
    #: the least id that it holds, and one more than the largest
    first: int
    end: int
    #: its head has the index delta from the serial before
    step: bool = False


@dataclasses.dataclass(frozen=True)
class IndexFile:
    """The whole index."""

    file: str
    size: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What there is to know of a serial."""

    protosystem: str
    serial: int
    #: of the volume
    blocks: int
    #: the root of the volume's hash tree, in hex
    root: str
    #: ids of the store are below this
    contents: int
    #: the serial that the step pack's delta is against; None: there is no delta
    parent: int | None
    index: IndexFile
    packs: tuple[PackFile, ...]
    #: how it is booted; None: it is not a root that boots
    boot: Boot | None = None

    def step(self) -> PackFile | None:
        """The pack that has the delta."""
        return next((pack for pack in self.packs if pack.step), None)


def file_name(serial: int) -> str:
    """The name of a serial's manifest."""
    return f"{serial}.manifest"


def encode(manifest: Manifest) -> bytes:
    """The text to be signed."""
    value = {"format": _FORMAT, "version": VERSION, **dataclasses.asdict(manifest)}
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def split(what: str, data: bytes) -> tuple[bytes, list[bytes]]:
    """The signed text of a manifest file, and its signatures.

    :raises Damaged: it has another form.
    """
    if len(data) > MAX_MANIFEST:
        raise damaged(what, f"a manifest has at most {MAX_MANIFEST} bytes")
    text, *signatures = data.split(_BEGIN)
    if any(not one.endswith(_END) or one.count(_END) != 1 for one in signatures) or len(signatures) > 16:
        raise damaged(what, "it does not end with signatures")
    return text, [_BEGIN + one for one in signatures]


def decode(what: str, text: bytes, protosystem: str, serial: int) -> Manifest:
    """Read a manifest whose signature is right, and which has to be that of *serial* of *protosystem*.

    :raises Damaged: it is another's, or cannot be used.
    """
    try:
        value = json.loads(text.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise damaged(what, f"it is not JSON: {error}") from error
    reader = _Reader(what, value)
    if reader.text("format") != _FORMAT:
        raise damaged(what, "it is not a manifest of blocks")
    version = reader.number("version", 0, MAX_CONTENTS)
    if version != VERSION:
        raise damaged(what, f"its format has the version {version}, and this program knows version {VERSION}")
    said = reader.text("protosystem"), reader.number("serial", 1, 2**63)
    if said != (protosystem, serial):
        raise damaged(what, f"it is of {said[0]} {said[1]}, and not of {protosystem} {serial}")
    contents = reader.number("contents", 1, MAX_CONTENTS)
    parent = None if value.get("parent") is None else reader.number("parent", 1, serial - 1)
    packs = value.get("packs")
    if not isinstance(packs, list) or len(packs) > _MAX_PACKS:
        raise damaged(what, f"packs is not a list of at most {_MAX_PACKS}")
    manifest = Manifest(
        protosystem,
        serial,
        reader.number("blocks", 0, MAX_BLOCKS),
        reader.digest("root"),
        contents,
        parent,
        _index(_Reader(what, value.get("index"))),
        tuple(_pack(_Reader(what, pack), contents) for pack in packs),
        boot.decode(what, value.get("boot")),
    )
    names = [pack.file for pack in manifest.packs]
    if len(set(names)) != len(names):
        raise damaged(what, "it names a pack twice")
    if sum(pack.step for pack in manifest.packs) > 1 or (manifest.step() is None) != (parent is None):
        raise damaged(what, "its parent and its step pack do not match")
    return manifest


def _index(reader: _Reader) -> IndexFile:
    return IndexFile(reader.name("file"), reader.number("size", 1, _MAX_FILE), reader.digest("sha256"))


def _pack(reader: _Reader, contents: int) -> PackFile:
    size = reader.number("size", 1, MAX_PACK)
    end = reader.number("end", 0, contents)
    step = reader.value.get("step")
    if not isinstance(step, bool):
        raise damaged(reader.what, f"step is not true or false: {step!r:.100}")
    return PackFile(
        reader.name("file"),
        size,
        reader.number("head", 1, min(size, _MAX_FILE)),
        reader.digest("sha256"),
        reader.number("first", 0, end),
        end,
        step,
    )


class _Reader:
    """Values of a JSON object, each of the kind it has to be."""

    def __init__(self, what: str, value: t.Any) -> None:
        if not isinstance(value, dict):
            raise damaged(what, "a part of it is no JSON object")
        self.what = what
        self.value: dict[str, t.Any] = value

    def text(self, key: str) -> str:
        value = self.value.get(key)
        if not isinstance(value, str):
            raise damaged(self.what, f"{key} is not a text: {value!r:.100}")
        return value

    def number(self, key: str, least: int, most: int) -> int:
        value = self.value.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise damaged(self.what, f"{key} is not a number from {least} to {most}: {value!r:.100}")
        return value

    def digest(self, key: str) -> str:
        return self._match(key, _DIGEST, "a SHA-256 in hex")

    def name(self, key: str) -> str:
        return self._match(key, _NAME, "the name of a pack or an index")

    def _match(self, key: str, form: re.Pattern[str], expected: str) -> str:
        value = self.text(key)
        if form.fullmatch(value) is None:
            raise damaged(self.what, f"{key} is not {expected}: {value!r:.100}")
        return value
