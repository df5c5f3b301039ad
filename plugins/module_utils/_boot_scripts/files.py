# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files: which there are, which have to change, and how; all of them at once."""

from __future__ import annotations

import dataclasses
import os
import stat
import typing as t

from .._boot.ipxe import is_for
from .._files import clear_unfinished, sync_directory, write_all
from .._image.public import make_directory
from .._plan import Step
from .wanted import CLIENTS, DEFAULT, Scripts

_MODE = 0o644
#: Of so many scripts, a diff has the text; of the others, the names.
_SHOWN = 10


@dataclasses.dataclass(frozen=True)
class There:
    """The scripts in the directory *boot*."""

    boot: str
    #: by name
    texts: t.Mapping[str, str]
    #: the names of those that not everybody may read, or that are links
    unreadable: t.Collection[str]
    #: whether a killed run has left something
    unfinished: bool

    @classmethod
    def read(cls, boot: str) -> There:
        """Read them all."""
        texts: dict[str, str] = {}
        unreadable: set[str] = set()
        unfinished = False
        for directory, prefix in ((boot, ""), (os.path.join(boot, CLIENTS), f"{CLIENTS}/")):
            for entry in sorted(_entries(directory), key=lambda one: one.name):
                name = f"{prefix}{entry.name}"
                if entry.name.startswith(f".stateless-{'' if prefix else f'{DEFAULT}:'}"):
                    unfinished = True
                elif (prefix or name == DEFAULT) and name.endswith(".ipxe") and not entry.is_dir(follow_symlinks=False):
                    texts[name], good = _read(entry.path)
                    if not good:
                        unreadable.add(name)
        return cls(boot, texts, unreadable, unfinished)


@dataclasses.dataclass(frozen=True)
class Changes:
    """What has to be done that the scripts are as they should be."""

    there: There
    #: the new texts, by name
    write: t.Mapping[str, str]
    remove: t.Sequence[str]
    #: what stays, since it is not known what it should be
    kept: t.Sequence[str]

    @classmethod
    def find(cls, there: There, scripts: Scripts) -> Changes:
        """Compare what is *there* with what is wanted."""
        write: dict[str, str] = {}
        kept = []
        for name, script in scripts.files.items():
            text = there.texts.get(name)
            if script.spare and text is not None and any(is_for(text, client) for client in script.clients):
                kept.append(name)
            elif text != script.text or name in there.unreadable:
                write[name] = script.text
        return cls(there, dict(sorted(write.items())), [one for one in there.texts if one not in scripts.files], kept)

    def steps(self) -> list[Step]:
        """How; each script is the old or the new whenever that ends, and the next run does the rest."""
        steps = [Step("clear what a killed run has left", self._clear)] if self.there.unfinished else []
        if self.write:
            steps.append(Step(f"write {_counted(self.write)}", self._write))
        if self.remove:
            steps.append(Step(f"remove {_counted(self.remove)}", self._remove))
        return steps

    def shown(self) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
        """Before and after, for a diff."""
        before: dict[str, t.Any] = {}
        after: dict[str, t.Any] = {}
        for number, name in enumerate((*self.write, *self.remove)):
            old, new = self.there.texts.get(name), self.write.get(name)
            if old is not None:
                before[name] = old.splitlines() if number < _SHOWN else "as it was"
            if new is not None:
                after[name] = new.splitlines() if number < _SHOWN else "changed" if old is not None else "new"
        return before, after

    def _clear(self) -> None:
        clear_unfinished(self.there.boot, DEFAULT)
        clear_unfinished(os.path.join(self.there.boot, CLIENTS))

    def _write(self) -> None:
        make_directory(os.path.join(self.there.boot, CLIENTS))
        write_all({os.path.join(self.there.boot, name): text for name, text in self.write.items()}, _MODE)

    def _remove(self) -> None:
        for name in self.remove:
            os.unlink(os.path.join(self.there.boot, name))
        sync_directory(os.path.join(self.there.boot, CLIENTS))


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def _read(path: str) -> tuple[str, bool]:
    """The text of a file, and whether it is a file that everybody may read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # a link, which is replaced
        return "", False
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            return "", False
        return stream.read().decode("utf-8", "backslashreplace"), stat.S_IMODE(found.st_mode) == _MODE


def _counted(names: t.Collection[str]) -> str:
    return f"boot script {next(iter(names))}" if len(names) == 1 else f"{len(names)} boot scripts"
