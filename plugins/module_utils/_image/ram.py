# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The root filesystem of the format ``ram``: one squashfs or EROFS file."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import typing as t

from .._command import CommandFailed, find, run
from .._errors import InvalidValue
from .._mounts import STAND, inside
from .._volumes.choose import open_store
from .._volumes.filesystem import read_only

if t.TYPE_CHECKING:
    from .._server import Server
    from .._snapshot.manifest import Snapshot

#: By filesystem: the program that makes it, and the package that brings it.
_PROGRAM = {"squashfs": ("mksquashfs", "squashfs-tools"), "erofs": ("mkfs.erofs", "erofs-utils")}
#: By filesystem: the compression that is used unless another is asked for. What the kernels of Debian 12 and of
#: RHEL 9 can read; of those, what makes the smallest files.
_DEFAULT = {"squashfs": "zstd", "erofs": "lz4"}
#: The level that is used unless another is asked for, where the program's own is a bad bargain: of a Debian system,
#: zstd 15 makes a file that is 3 % smaller than that of zstd 6, in ten times the time.
_DEFAULT_LEVEL = {("squashfs", "zstd"): 6}
#: Names of compressions as mkfs.erofs(1) has them; lz4hc is lz4 for whoever reads it.
_EROFS_NAMES = {"lz4": "lz4hc", "xz": "lzma", "zstd": "zstd"}
#: The highest level of each compression that has levels.
_LEVELS = {("squashfs", "zstd"): 22, ("erofs", "lz4"): 12, ("erofs", "xz"): 9, ("erofs", "zstd"): 22}


@dataclasses.dataclass(frozen=True)
class Ram:
    """What the administrator asks for; None for what is to be as usual."""

    filesystem: str | None = None
    compression: str | None = None
    level: int | None = None

    @property
    def settings(self) -> dict[str, t.Any]:
        """How the file is made, with nothing left open but a level (then the program's own)."""
        filesystem = self.filesystem or "squashfs"
        compression = self.compression or _DEFAULT[filesystem]
        level = _DEFAULT_LEVEL.get((filesystem, compression)) if self.level is None else self.level
        return {"filesystem": filesystem, "compression": compression, "compression_level": level}

    def check(self) -> None:
        """Raise InvalidValue or ProgramMissing if this host cannot make such a file."""
        settings = self.settings
        filesystem, compression = settings["filesystem"], settings["compression"]
        find(*_PROGRAM[filesystem])
        if self.level is not None:
            highest = _LEVELS.get((filesystem, compression))
            if highest is None:
                raise InvalidValue(
                    "ram_compression_level", self.level, f"{compression} in {filesystem} has no levels: leave it out"
                )
            if not 1 <= self.level <= highest:
                raise InvalidValue(
                    "ram_compression_level", self.level, f"{compression} in {filesystem} has the levels 1 to {highest}"
                )
        # what the program was built with, it tells to people only: try
        with tempfile.TemporaryDirectory() as directory:
            source = os.path.join(directory, "source")
            os.mkdir(source)
            try:
                run(command(settings, source, os.path.join(directory, "made")))
            except CommandFailed as error:
                raise InvalidValue(
                    "ram_compression", compression, f"{error.argv[0]} of this server cannot: {error.stderr.strip()}"
                ) from error

    def check_made(self, made: t.Mapping[str, t.Any]) -> None:
        """Raise InvalidValue if the file is published already, and *made* in another way than is asked for."""
        for option, wanted, setting in (
            ("ram_filesystem", self.filesystem, "filesystem"),
            ("ram_compression", self.compression, "compression"),
            ("ram_compression_level", self.level, "compression_level"),
        ):
            if wanted is not None and wanted != made[setting]:
                raise InvalidValue(
                    option,
                    wanted,
                    f"the image is published already with {made[setting]}, and a published file never changes: "
                    "withdraw the image first, or publish a new snapshot",
                )


def file_name(settings: t.Mapping[str, t.Any]) -> str:
    """The name of the file in the image's directory."""
    return f"root.{settings['filesystem']}"


def command(settings: t.Mapping[str, t.Any], source: str, output: str) -> list[str]:
    """The command that makes *output* of the tree *source*.

    squashfs keeps extended attributes and file capabilities, but no POSIX ACLs; EROFS keeps all of them.
    """
    level = settings["compression_level"]
    if settings["filesystem"] == "squashfs":
        # without -exit-on-error, a file that cannot be read would come out empty
        argv = ["mksquashfs", source, output, "-noappend", "-no-progress", "-quiet", "-exit-on-error"]
        argv += ["-comp", settings["compression"]]
        if settings["compression"] == "lz4":
            argv += ["-Xhc"]
        return argv if level is None else [*argv, "-Xcompression-level", str(level)]
    name = _EROFS_NAMES[settings["compression"]]
    # -C: bytes that are compressed together (Linux 5.13); the default, 4096, gives much larger files
    compress = f"-z{name}" if level is None else f"-z{name},{level}"
    return ["mkfs.erofs", "--quiet", "--preserve-mtime", "-C65536", compress, output, source]


def build(server: Server, snapshot: Snapshot, settings: t.Mapping[str, t.Any], output: str) -> None:
    """Make the file *output* of the content of *snapshot*."""
    store = open_store(server)
    with store.attached(snapshot.volume):
        what, options = store.mount_source(snapshot.volume)
        # mkfs.erofs follows a link to what its text says, so a view will not do: the program gets the mount itself
        options = (*read_only(snapshot.filesystem), *options)
        run(inside(what, snapshot.filesystem, options, command(settings, STAND, output)))
