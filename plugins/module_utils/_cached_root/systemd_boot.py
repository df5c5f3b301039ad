# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd-boot: entries of the Boot Loader Specification (type 1), whose tries the loader counts in their names."""

from __future__ import annotations

import os
import typing as t

from .. import _files
from .boot_partition import ENTRIES, INITRD, KERNEL, TRIAL, BootPartition
from .entries import Entry, parse

#: On the ESP. Without a default: the loader's own order is by version, and what has no tries left comes last.
LOADER_CONF = "timeout 2\n"


class SystemdBoot(BootPartition):
    """The boot partition of a machine with UEFI."""

    suffix = ".conf"
    keyword = "options"

    def entries(self) -> list[Entry]:
        # where a kill left an entry under two names, the good one counts
        found: dict[str, Entry] = {}
        for entry in self._counted():
            if entry.name not in found or entry.is_good:
                found[entry.name] = entry
        return sorted(found.values())

    def arm(self, entry: Entry, arguments: str) -> None:
        self._write(self.file(entry), self._text(entry, arguments))

    def bless(self, entry: Entry) -> None:
        good = Entry(entry.generation, entry.protosystem, entry.serial)
        if entry.is_good:
            return
        with open(self.file(entry), encoding="utf-8") as stream:
            text = stream.read()
        text = text.replace(f" {TRIAL}", "")
        # first the new name, then the old one goes: it is never without
        self._write(self.file(good), text)
        self.remove(entry)

    def remove(self, entry: Entry) -> None:
        _files.remove(self.file(entry))

    def file(self, entry: Entry) -> str:
        return os.path.join(self.where, ENTRIES, entry.counted + self.suffix)

    def _counted(self) -> t.Iterator[Entry]:
        for path in self._paths():
            entry = parse(os.path.basename(path)[: -len(self.suffix)]) if path.endswith(self.suffix) else None
            if entry is not None:
                yield entry

    def _text(self, entry: Entry, arguments: str) -> str:
        directory = self.directory(entry.image)
        return (
            f"title {entry.protosystem} {entry.serial}\n"
            "sort-key stateless\n"
            f"version {entry.generation}\n"
            f"linux /{directory}/{KERNEL}\n"
            f"initrd /{directory}/{INITRD}\n"
            f"options {arguments}\n"
        )
