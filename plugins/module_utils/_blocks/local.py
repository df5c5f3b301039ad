# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client knows of the roots that it has: for each serial, manifest, index, and pages; and digests, of all."""

from __future__ import annotations

import contextlib
import dataclasses
import os

from .. import _files
from . import index, manifest
from .index import Index
from .manifest import Manifest
from .tree import Digests
from .values import Damaged


@dataclasses.dataclass
class Root:
    """A root that was checked as a whole."""

    manifest: Manifest
    index: Index
    pages: bytearray


@dataclasses.dataclass
class Local:
    """The directory of a protosystem on a client, which it makes; it can be made anew of the roots themselves."""

    protosystem: str
    directory: str

    def digests(self) -> Digests:
        """The digests of contents."""
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        return Digests(os.path.join(self.directory, "digests"))

    def root(self, serial: int) -> Root | None:
        """What is known of a serial; None: nothing, or nothing that can be used."""
        with contextlib.suppress(FileNotFoundError, Damaged):
            text = self._read(serial, "manifest")
            found = manifest.decode(self.path(serial, "manifest"), text, self.protosystem, serial)
            path = self.path(serial, "index")
            return Root(
                found,
                index.decode(path, self._read(serial, "index"), found.contents),
                bytearray(self._read(serial, "pages")),
            )
        return None

    def keep(self, root: Root) -> None:
        """Remember a root; its manifest last."""
        serial = root.manifest.serial
        _files.write(self.path(serial, "index"), index.encode(root.index), 0o600)
        _files.write(self.path(serial, "pages"), bytes(root.pages), 0o600)
        _files.write(self.path(serial, "manifest"), manifest.encode(root.manifest), 0o600)

    def progress(self, serial: int, plan: str) -> int:
        """How many frames of a *plan* (what identifies it) are written to the volume that is to become *serial*."""
        found = _files.read_json(self.path(serial, "progress"))
        return int(found["frames"]) if isinstance(found, dict) and found.get("plan") == plan else 0

    def keep_progress(self, serial: int, plan: str, frames: int) -> None:
        """Note that."""
        _files.write_json(self.path(serial, "progress"), {"plan": plan, "frames": frames}, 0o600)

    def forget(self, serial: int) -> None:
        """A root is gone, or whatever was on the way to one."""
        for kind in ("manifest", "index", "pages", "progress"):
            _files.remove(self.path(serial, kind))

    def path(self, serial: int, kind: str) -> str:
        """The file that has what is known of a serial."""
        return os.path.join(self.directory, f"{serial}.{kind}")

    def _read(self, serial: int, kind: str) -> bytes:
        with open(self.path(serial, kind), "rb") as stream:
            return stream.read()
