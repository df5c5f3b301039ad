# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images as they are on record: one ``manifest.json`` each, whose existence makes the image exist."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import typing as t

from .._errors import NotFound, StatelessError
from .._files import read_json, write_json

if t.TYPE_CHECKING:
    from .._server import Server

#: The version of the manifest's form, its field ``schema``.
SCHEMA = 1
#: The formats, in the order in which they are named.
FORMATS = ("nfs", "ram", "blocks")


@dataclasses.dataclass(frozen=True)
class Image:
    """The manifest of an image."""

    protosystem: str
    serial: int
    #: when the image was first published: ISO 8601, UTC
    created: str
    #: version of the kernel that it boots (as uname -r says it)
    kernel: str
    #: of os-release(5): ``id``, ``version_id`` and ``pretty_name``
    os: t.Mapping[str, str]
    #: of the snapshot's content; None if it was not computed
    digest: str | None
    #: by name: what the format is made of
    formats: t.Mapping[str, t.Mapping[str, t.Any]]
    #: the files beside the manifest that never change: bytes and SHA-256 of each
    files: t.Mapping[str, t.Mapping[str, t.Any]]

    def as_dict(self) -> dict[str, t.Any]:
        """Plain data, as in the manifest and in the results of modules."""
        return {
            **dataclasses.asdict(self),
            "os": dict(self.os),
            "formats": {name: dict(value) for name, value in self.formats.items()},
            "files": {name: dict(value) for name, value in self.files.items()},
        }

    @property
    def names(self) -> set[str]:
        """The names of everything that belongs in the image's directory."""
        return {"manifest.json", *self.files, *(script_name(image_format) for image_format in self.formats)}


def script_name(image_format: str) -> str:
    """The name of the boot script of a format."""
    return f"{image_format}.ipxe"


def manifest_path(directory: str) -> str:
    """The manifest of the image in *directory*."""
    return os.path.join(directory, "manifest.json")


def store(directory: str, image: Image) -> None:
    """Write the manifest of *image* into *directory*, by rename."""
    write_json(manifest_path(directory), {"schema": SCHEMA, **image.as_dict()})


def find(server: Server, protosystem: str, serial: int) -> Image | None:
    """One image; None if the snapshot is not published."""
    path = manifest_path(server.image(protosystem, serial))
    value = read_json(path)
    if value is None:
        return None
    fields = {field.name for field in dataclasses.fields(Image)}
    if value.get("schema") != SCHEMA or set(value) != {"schema", *fields}:
        raise StatelessError(f"{path} was not written by this version of stateless.linux: withdraw the image with that")
    return Image(**{name: value[name] for name in fields})


def get(server: Server, protosystem: str, serial: int) -> Image:
    """One image; raises NotFound."""
    image = find(server, protosystem, serial)
    if image is None:
        there = ", ".join(str(other) for other in serials(server, protosystem)) or "none"
        raise NotFound(f"serial: snapshot {serial} of {protosystem} is not published; published is: {there}")
    return image


def serials(server: Server, protosystem: str) -> list[int]:
    """The serials of all published images of *protosystem*, oldest first."""
    directory = os.path.dirname(server.image(protosystem, 1))
    names: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        names = os.listdir(directory)
    numbers = sorted(int(name) for name in names if re.fullmatch(r"[1-9][0-9]*", name))
    return [serial for serial in numbers if os.path.exists(manifest_path(server.image(protosystem, serial)))]
