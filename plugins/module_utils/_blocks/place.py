# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The publisher's store of a protosystem: what is public, and what it keeps for itself.

``public`` is served: ``SERIAL.manifest`` (a serial exists if, and only if, it does), ``*.index``, ``*.pack``.
``private`` has digests and lookup (``known.Known``), ``SERIAL.pages`` (the hash tree's lowest pages), ``depths``
(``depths.Depths``) and ``contents``. Whoever changes them holds a lock.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import typing as t

from .. import _files
from .._errors import NotFound
from . import index, manifest, pack, signature
from .manifest import Manifest, PackFile
from .values import damaged, sha256

_MANIFEST = re.compile(r"([1-9][0-9]*)\.manifest")
_OURS = re.compile(r".*\.(?:pack|index)")


@dataclasses.dataclass
class Place:
    """Where blocks of *protosystem* are."""

    protosystem: str
    public: str
    private: str

    def make_private(self) -> None:
        """Have the directory of records, which may be lost: all in it can be made anew."""
        os.makedirs(self.private, mode=0o700, exist_ok=True)

    def serials(self) -> list[int]:
        """The serials that are published, ascending."""
        found = (_MANIFEST.fullmatch(name) for name in os.listdir(self.public))
        return sorted(int(match[1]) for match in found if match is not None)

    def manifest(self, serial: int) -> Manifest:
        """What was published; raises NotFound."""
        path = os.path.join(self.public, manifest.file_name(serial))
        try:
            with open(path, "rb") as stream:
                data = stream.read()
        except FileNotFoundError:
            raise NotFound(f"blocks of {self.protosystem} {serial} are not published") from None
        return manifest.decode(path, manifest.split(path, data)[0], self.protosystem, serial)

    def manifests(self) -> dict[int, Manifest]:
        """All of them."""
        return {serial: self.manifest(serial) for serial in self.serials()}

    def signers(self, serial: int) -> set[str]:
        """The public keys by which its manifest is signed: :func:`.signature.signer`."""
        path = os.path.join(self.public, manifest.file_name(serial))
        with open(path, "rb") as stream:
            _text, signatures = manifest.split(path, stream.read())
        return {signature.signer(path, one) for one in signatures}

    def write_manifest(self, made: Manifest, sign: t.Callable[[bytes], bytes]) -> None:
        """Publish a serial, or what became of its packs."""
        path = os.path.join(self.public, manifest.file_name(made.serial))
        _files.write(path, sign(manifest.encode(made)))

    def index(self, of: Manifest) -> index.Index:
        """Its whole index."""
        data = self.read(of.index.file, 0, of.index.size)
        if sha256(data).hexdigest() != of.index.sha256:
            raise damaged(of.index.file, "its digest is not what the manifest says")
        return index.decode(of.index.file, data, of.contents)

    def table(self, of: PackFile) -> pack.Table:
        """The table of a pack."""
        return self._head(of)[0]

    def delta(self, of: PackFile) -> bytes | None:
        """The index delta in the head of a pack."""
        return self._head(of)[1]

    def _head(self, of: PackFile) -> tuple[pack.Table, bytes | None]:
        return _head(self.public, of)

    def read(self, file: str, start: int, size: int) -> bytes:
        """A part of a public file."""
        with open(os.path.join(self.public, file), "rb") as stream:
            stream.seek(start)
            return stream.read(size)

    def contents(self, manifests: t.Iterable[Manifest]) -> int:
        """The next id: larger than any that was ever published."""
        kept = _files.read(os.path.join(self.private, "contents"))
        return max([1, *(one.contents for one in manifests)] + ([int(kept)] if kept else []))

    def keep_contents(self, contents: int) -> None:
        """Remember the next id, before the manifests go that say so."""
        _files.write(os.path.join(self.private, "contents"), f"{contents}\n")

    def pages(self, serial: int) -> bytearray | None:
        """The lowest pages of a serial's hash tree, if they are kept."""
        try:
            with open(self._pages(serial), "rb") as stream:
                return bytearray(stream.read())
        except FileNotFoundError:
            return None

    def keep_pages(self, serial: int, pages: bytes) -> None:
        """Keep them."""
        _files.write(self._pages(serial), pages, 0o600)

    @property
    def untidy(self) -> str:
        """There while a serial is being removed, until nothing is left that only it needed."""
        return os.path.join(self.private, "untidy")

    def _pages(self, serial: int) -> str:
        return os.path.join(self.private, f"{serial}.pages")

    def leftovers(self, manifests: t.Mapping[int, Manifest]) -> list[str]:
        """Files that no manifest names: of a killed run, or of a serial that was removed."""
        named = {pack.file for one in manifests.values() for pack in one.packs}
        named |= {one.index.file for one in manifests.values()}
        left = [name for name in os.listdir(self.public) if _OURS.fullmatch(name) and name not in named]
        left += [name for name in os.listdir(self.public) if name.startswith(".stateless-")]
        paths = [os.path.join(self.public, name) for name in left]
        pages = {f"{serial}.pages" for serial in manifests}
        names = os.listdir(self.private) if os.path.isdir(self.private) else []
        left = [name for name in names if name.endswith(".pages") and name not in pages]
        left += [name for name in names if name.startswith(".stateless-")]
        return paths + [os.path.join(self.private, name) for name in left]


@functools.lru_cache(maxsize=256)
def _head(public: str, of: PackFile) -> tuple[pack.Table, bytes | None]:
    with open(os.path.join(public, of.file), "rb") as stream:
        data = stream.read(of.head)
    if sha256(data).hexdigest() != of.sha256:
        raise damaged(of.file, "the digest of its head is not what the manifest says")
    table, delta = pack.split_head(of.file, data)
    return pack.decode_table(of.file, table, 2**32, of.head), delta
