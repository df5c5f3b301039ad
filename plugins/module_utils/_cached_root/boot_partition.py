# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot partition, while it is mounted: entries, kernels and initrds. What both boot loaders have in common.

It is FAT, where a rename over a file is no single step, and where names have no colon: nothing is written over, and
what is being written has a name that no loader reads.
"""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import hashlib
import os
import shlex
import shutil
import typing as t

from .. import _files
from .._errors import StatelessError
from .entries import Entry, Image, parse

ENTRIES = "loader/entries"
#: A kernel argument that an entry has for as long as it is on trial.
TRIAL = "stateless.trial"
#: Kernels and initrds: a directory for each protosystem, and in it one for each serial.
FILES = "stateless"
KERNEL, INITRD = "linux", "initrd"
_NEW = ".new"
_PIECE = 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Source:
    """A file that is to be copied, and what its content is."""

    path: str
    size: int
    #: SHA-256, in hex
    sha256: str


class BootPartition(abc.ABC):
    """The boot partition that is mounted at *where*, as one boot loader has it."""

    #: what the name of an entry's file ends with
    suffix: str
    #: what the line of its file begins with that has the kernel's command line
    keyword: str

    def __init__(self, where: str) -> None:
        self.where = where

    # -- entries

    @abc.abstractmethod
    def entries(self) -> list[Entry]:
        """The entries, ascending by generation. One file that was not finished, or armed, is none."""

    @abc.abstractmethod
    def arm(self, entry: Entry, arguments: str) -> None:
        """Add an entry on trial, and have it booted next.

        :arg arguments: the kernel's command line, with :data:`TRIAL`.
        """

    @abc.abstractmethod
    def bless(self, entry: Entry) -> None:
        """The entry is good from now on."""

    @abc.abstractmethod
    def remove(self, entry: Entry) -> None:
        """The entry is gone."""

    def arguments(self, entry: Entry) -> list[str]:
        """The words of its kernel's command line, as far as they are its own; whatever somebody made of the file."""
        with open(self.file(entry), encoding="utf-8", errors="replace") as stream:
            lines = [line.split(maxsplit=1) for line in stream]
        text = next((line[1] for line in lines if len(line) == 2 and line[0] == self.keyword), "")
        try:
            return shlex.split(text)
        except ValueError:
            return text.split()

    def leftovers(self) -> list[str]:
        """Files of entries that are none (paths): of a killed run."""
        own = {self.file(entry) for entry in self.entries()}
        return [
            path
            for path in self._paths()
            if path not in own and (path.endswith(_NEW) or parse(os.path.basename(path)[: -len(self.suffix)]))
        ]

    def clear(self) -> None:
        """Remove these."""
        for path in self.leftovers():
            _files.remove(path)

    @abc.abstractmethod
    def file(self, entry: Entry) -> str:
        """The path of an entry's file."""

    def _paths(self) -> list[str]:
        """All files that may be entries of ours."""
        directory = os.path.join(self.where, ENTRIES)
        names: list[str] = []
        with contextlib.suppress(FileNotFoundError):
            names = sorted(os.listdir(directory))
        ends = (self.suffix, self.suffix + _NEW)
        return [
            os.path.join(directory, name) for name in names if name.startswith("stateless-") and name.endswith(ends)
        ]

    def _write(self, path: str, text: str) -> None:
        """A new file, which is there as a whole or not at all."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + _NEW, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(path + _NEW, path)
        _files.sync_filesystem(self.where)

    # -- kernels and initrds

    def images(self) -> list[Image]:
        """What there are files of, whole or not."""
        found = []
        base = os.path.join(self.where, FILES)
        with contextlib.suppress(FileNotFoundError):
            for protosystem in os.listdir(base):
                serials = filter(str.isdigit, os.listdir(os.path.join(base, protosystem)))
                found += [(protosystem, int(serial)) for serial in serials]
        return sorted(found)

    def directory(self, image: Image) -> str:
        """Where the files of an image are, below the partition's root."""
        return f"{FILES}/{image[0]}/{image[1]}"

    def missing(self, image: Image, sizes: t.Mapping[str, int]) -> int:
        """Bytes that :meth:`put` would write of files of these sizes, at least."""
        return sum(size for name, size in sizes.items() if self._size(image, name) != size)

    def put(self, image: Image, sources: t.Mapping[str, Source]) -> None:
        """Have the files of an image, by name. Those that are there, and right, stay.

        :raises StatelessError: one has another content than it should have, here or there.
        """
        directory = os.path.join(self.where, self.directory(image))
        os.makedirs(directory, exist_ok=True)
        for name, source in sources.items():
            path = os.path.join(directory, name)
            if self._size(image, name) != source.size or _digest(path) != source.sha256:
                self._copy(source, path)
        _files.sync_filesystem(self.where)
        for name, source in sources.items():
            path = os.path.join(directory, name)
            if _digest(path, cached=False) != source.sha256:
                raise StatelessError(f"{path} is not what was written to it: the disk is at fault")

    def take(self, image: Image) -> None:
        """Remove the files of an image; nothing happens if there are none."""
        path = os.path.join(self.where, self.directory(image))
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(path)
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(path))
        _files.sync_filesystem(self.where)

    def free(self) -> int:
        """Bytes that can be written."""
        return shutil.disk_usage(self.where).free

    def _size(self, image: Image, name: str) -> int | None:
        try:
            return os.stat(os.path.join(self.where, self.directory(image), name)).st_size
        except FileNotFoundError:
            return None

    def _copy(self, source: Source, path: str) -> None:
        _files.remove(path)
        done = hashlib.sha256()
        with open(source.path, "rb") as stream, open(path, "wb") as target:
            while data := stream.read(_PIECE):
                done.update(data)
                target.write(data)
            target.flush()
            os.fsync(target.fileno())
        if done.hexdigest() != source.sha256:
            raise StatelessError(f"{source.path} is not the file that the manifest names")


def _digest(path: str, *, cached: bool = True) -> str:
    """SHA-256 of a file, in hex.

    :arg cached: what the kernel has in memory will do; else the disk is asked.
    """
    found = hashlib.sha256()
    with open(path, "rb") as stream:
        if not cached:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while data := stream.read(_PIECE):
            found.update(data)
    return found.hexdigest()
