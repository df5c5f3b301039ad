# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store ``file``: a sparse image file per volume, reflinked where the filesystem can.

``ROOT/volumes/NAME.img`` is the volume NAME; ``.NAME.img.new`` is one whose copying did not end.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import tempfile
import typing as t

from .._command import run
from .._errors import NotFound
from .._files import remove, sync_directory
from .._room import room_for
from .store import NoRoom, Store, Volume

#: ioctl_ficlone(2), linux/fs.h: _IOW(0x94, 9, int)
_FICLONE = 0x40049409
#: Bytes that a new volume or a copy leaves free on the server's own filesystem.
_RESERVE = 256 * 1024**2
_FILE = re.compile(r"(?P<complete>(?!\.)(?P<name>.+)\.img)|\.(?P<unfinished>.+)\.img\.new")


class FileStore(Store):
    """Volumes as files below ``ROOT/volumes``."""

    def __init__(self, root: str) -> None:
        self.directory = os.path.join(root, "volumes")

    def path(self, name: str) -> str:
        """The image file of a volume."""
        return os.path.join(self.directory, f"{name}.img")

    def _unfinished(self, name: str) -> str:
        return os.path.join(self.directory, f".{name}.img.new")

    def volumes(self) -> dict[str, Volume]:
        found: dict[str, Volume] = {}
        entries: list[os.DirEntry[str]] = []
        with contextlib.suppress(FileNotFoundError), os.scandir(self.directory) as scan:
            entries = sorted(scan, key=lambda entry: entry.name, reverse=True)
        for entry in entries:
            match = _FILE.fullmatch(entry.name)
            if match is None:
                continue
            name, status = match["name"] or match["unfinished"], entry.stat(follow_symlinks=False)
            found[name] = Volume(
                name=name,
                size=status.st_size,
                used=status.st_blocks * 512,
                read_only=not status.st_mode & 0o200,
                complete=match["complete"] is not None,
            )
        return found

    def check_create(self, size: int) -> None:
        # the file is sparse: it only has to be able to begin
        self._need(0, "a new volume")

    def create(self, name: str, size: int) -> None:
        with room_for(f"the volume {name}", self.directory):
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
            descriptor = os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.truncate(descriptor, size)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_directory(self.directory)

    def check_snapshot(self, origin: str) -> None:
        needed = self.get(origin).used or 0
        if not self._room(needed) and not self._clones(self.path(origin)):
            self._need(needed, f"a copy of {origin}")

    def _room(self, needed: int) -> bool:
        return shutil.disk_usage(self.directory).free >= needed + _RESERVE

    def _need(self, needed: int, what: str) -> None:
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        if not self._room(needed):
            free = shutil.disk_usage(self.directory).free
            raise NoRoom(
                f"no room for {what} in {self.directory}: {needed / 1024**2:.0f} MiB and a reserve of "
                f"{_RESERVE / 1024**2:.0f} MiB are needed, {free / 1024**2:.0f} MiB are free"
            )

    def _clones(self, path: str) -> bool:
        """Whether the filesystem can give a copy of *path* that shares its blocks."""
        with open(path, "rb") as origin, tempfile.TemporaryFile(dir=self.directory) as copy:
            try:
                fcntl.ioctl(copy.fileno(), _FICLONE, origin.fileno())
            except OSError:
                return False
        return True

    def snapshot(self, origin: str, name: str, standstill: t.ContextManager[object]) -> None:
        beside = self._unfinished(name)
        with room_for(f"a copy of {origin}", self.directory):
            with standstill:
                run(["cp", "--reflink=auto", "--sparse=always", "--", self.path(origin), beside])
            descriptor = os.open(beside, os.O_RDONLY)
            try:
                os.fchmod(descriptor, 0o400)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        os.rename(beside, self.path(name))
        sync_directory(self.directory)

    def rename(self, old: str, new: str) -> None:
        os.rename(self.path(old), self.path(new))
        sync_directory(self.directory)

    def grow(self, name: str, size: int) -> None:
        os.truncate(self.path(name), size)
        for device in self.devices(name):
            run(["losetup", "--set-capacity", device])

    def remove(self, name: str) -> None:
        remove(self._unfinished(name))
        remove(self.path(name))

    def attach(self, *names: str) -> list[str]:
        paths = [self.path(name) for name in names]
        for path in paths:
            if not os.path.exists(path):
                raise NotFound(f"the volume {path} does not exist")
        return paths

    def detach(self, *names: str) -> None:
        """Nothing to do: mount(8) makes the loop device, and the kernel drops it with the last mount."""

    def autoactivate(self, name: str, wanted: bool) -> None:
        """Nothing to do: a file is always there."""

    def mount_source(self, name: str) -> tuple[str, tuple[str, ...]]:
        return self.path(name), ("loop",)

    def differences(self, old: str | None, new: str) -> list[tuple[int, int]] | None:
        """None: ask the filesystem for the extents of both files, or compare them."""
        return None

    def devices(self, name: str) -> list[str]:
        path = self.path(name)
        if not os.path.exists(path):
            return []
        listed = run(["losetup", "--json", "--list", "--output", "NAME", "--associated", path])
        # with no loop device on the host, older versions print nothing at all
        return [device["name"] for device in json.loads(listed or "{}").get("loopdevices", [])]
