# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server in one directory, with what tests find published on it."""

from __future__ import annotations

import json
import os
import pathlib

from ansible_collections.stateless.linux.plugins.module_utils._image import manifest, public, ram, state
from ansible_collections.stateless.linux.plugins.module_utils._image.manifest import Image
from ansible_collections.stateless.linux.plugins.module_utils._server import Server
from ansible_collections.stateless.linux.plugins.module_utils._snapshot.manifest import Snapshot


class LocalServer(Server):
    """Everything below one directory, the locks as well."""

    def change_lock(self, protosystem: str) -> str:
        return os.path.join(self.state, f"{protosystem}.change")

    @property
    def keys(self) -> str:
        return os.path.join(self.state, "keys")

    @property
    def trusted_keys(self) -> str:
        return os.path.join(self.state, "trusted-keys")

    @property
    def keys_lock(self) -> str:
        return os.path.join(self.state, "keys.lock")


def a_server(tmp_path: pathlib.Path) -> Server:
    """A server that has the protosystem kiosk, of which there is nothing yet."""
    made = LocalServer(store="file", root=str(tmp_path / "srv"), state=str(tmp_path / "lib"))
    record = pathlib.Path(made.protosystem_record("kiosk"))
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"name": "kiosk", "filesystem": "ext4", "size": 1, "created": "", "source": {}}))
    return made


def a_snapshot(serial: int = 3) -> Snapshot:
    return Snapshot(
        protosystem="kiosk",
        serial=serial,
        created="2026-11-23T00:00:00+00:00",
        comment="",
        kernel="6.1",
        kernels=("6.1",),
        os={"id": "debian"},
        filesystem="ext4",
        size=1,
        used=1,
        uuid="f38f9dd8-5eae-54e5-941b-688c1701bbb5",
        digest=f"sha256:{serial:064x}",
    )


def an_image(serial: int = 3, *formats: str) -> Image:
    settings = {"nfs": {"path": "/x"}, "ram": {"file": "root.squashfs", **ram.Ram().settings}}
    return Image(
        protosystem="kiosk",
        serial=serial,
        created="2026-11-23T00:00:00+00:00",
        kernel="6.1",
        os={"id": "debian"},
        digest=f"sha256:{serial:064x}",
        formats={name: settings[name] for name in formats or ("ram",)},
        files={"vmlinuz": {"size": 1, "sha256": "0"}},
    )


def publish(server: Server, serial: int = 3, *formats: str) -> pathlib.Path:
    """Lay down an image as Building leaves it."""
    image = an_image(serial, *formats)
    directory = pathlib.Path(server.image("kiosk", serial))
    public.make_directory(str(directory))
    for name in image.files:
        (directory / name).write_text("x")
    manifest.store(str(directory), image)
    for name in image.formats:
        (directory / f"{name}.ipxe").write_text(state.script(server, image, name, ["quiet"]))
    return directory


def a_tree(path: pathlib.Path, *names: str) -> str:
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(name)
    return str(path)


def put_on_record(server: Server, serial: int) -> None:
    path = pathlib.Path(server.snapshot_manifest("kiosk", serial))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(a_snapshot(serial).as_dict()))
