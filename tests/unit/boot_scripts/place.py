# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server in a directory, for tests of its boot scripts."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

from ansible_collections.stateless.linux.plugins.module_utils._image import manifest
from ansible_collections.stateless.linux.plugins.module_utils._image.manifest import Image
from ansible_collections.stateless.linux.plugins.module_utils._protosystem.record import Record
from ansible_collections.stateless.linux.plugins.module_utils._server import Server


class LocalServer(Server):
    """Everything below one directory, the locks as well."""

    @property
    def boot_lock(self) -> str:
        return os.path.join(self.state, "boot")

    def change_lock(self, protosystem: str) -> str:
        return os.path.join(self.state, f"{protosystem}.change")


def local(place: pathlib.Path) -> LocalServer:
    """A server that has the protosystem desk, of which nothing is published."""
    made = LocalServer(store="file", root=str(place / "srv"), state=str(place / "lib"))
    Record("desk", "ext4", 1, "", {}).write(made)
    return made


def client(name: str, *macs: str, **more: t.Any) -> dict[str, t.Any]:
    """One of the option ``clients``, with the defaults that the module gives it."""
    said = {"protosystem": "desk", "channel": "stable", "format": "nfs", "arguments": []}
    return {"name": name, "mac": list(macs), "address": None, **said, **more}


def mac(number: int) -> str:
    return f"52:54:00:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


def tree(server: Server) -> dict[str, str]:
    """All files in the directory of boot scripts, and what is in them."""
    boot = pathlib.Path(server.boot)
    return {str(path.relative_to(boot)): path.read_text() for path in sorted(boot.rglob("*")) if path.is_file()}


def publish(server: Server, protosystem: str, serial: int, *formats: str) -> None:
    """Lay down an image as far as its manifest."""
    made: dict[str, dict[str, t.Any]] = {name: {} for name in formats or ("nfs", "ram")}
    directory = server.image(protosystem, serial)
    os.makedirs(directory)
    manifest.store(directory, Image(protosystem, serial, "2026-11-23T00:00:00+00:00", "6.1", {}, None, made, {}))


def directory_json(place: pathlib.Path, **settings: t.Any) -> str:
    path = place / "directory.json"
    path.write_text(json.dumps(settings))
    return str(path)
