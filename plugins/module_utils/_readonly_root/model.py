# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a read-only root is made of, as values: settings, entries of lists, what they come to, and what is wrong.

The same values serve the modules, which write and check the files, and the client's service, which honours
them: what the planner says is what the service does.
"""

from __future__ import annotations

import dataclasses
import enum


class Keep(enum.Enum):
    """What of the image a scratch path starts with; the value is the word that rwtab has for it."""

    NOTHING = "empty"
    DIRECTORIES = "dirs"
    EVERYTHING = "files"


class Dialect(enum.Enum):
    """Who reads the files at boot: they differ in what they make of the same line."""

    #: initscripts up to EL8: booleans are the literal ``yes``; statetab is split at spaces, its globs are expanded
    EL7 = "el7"
    #: initscripts of EL9 and later: more spellings of a boolean; a line of statetab is one path
    EL9 = "el9"
    #: this collection's own service
    OWN = "own"


class Level(enum.Enum):
    """How bad a finding is."""

    #: the entry cannot work
    ERROR = "error"
    #: it works, but perhaps not as its author expects
    WARNING = "warning"


@dataclasses.dataclass(frozen=True)
class Line:
    """*text* of line *number* of the list *file*, without the newline; *ended*: there was one."""

    file: str
    number: int
    text: str
    ended: bool = True


@dataclasses.dataclass(frozen=True)
class Entry:
    """One path that a line of a list names.

    :ivar path: in a :class:`Bind`: what is copied and bound, with every symbolic link on the way followed. In what
        comes to nothing: as the one who reads it at boot (see :class:`Dialect`) understands it.
    :ivar keep: for an entry of rwtab; ``None`` for one of statetab.
    :ivar file: the list, as seen from the root, such as ``/etc/rwtab.d/site``.
    :ivar line: its line number there, from 1.
    """

    path: str
    keep: Keep | None
    file: str
    line: int
    #: the line itself, without spaces around it
    written: str = ""


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something wrong, or surprising, in the settings or lists.

    :ivar code: a short name that stays the same, such as ``swallowed``, for programs.
    :ivar file: where it is, and *line* (0: the whole file).
    :ivar entry: the line or the setting itself.
    :ivar reason: what happens at boot, a whole sentence.
    :ivar remedy: what to do instead, a whole sentence.
    """

    level: Level
    code: str
    file: str
    line: int
    entry: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.file}, line {self.line}" if self.line else self.file
        return f"{place}: {self.entry!r}: {self.reason} {self.remedy}"


@dataclasses.dataclass(frozen=True)
class Settings:
    """``/etc/sysconfig/readonly-root``, with its defaults; options are raw arguments of mount(8)."""

    enabled: bool = False
    temporary_state: bool = False
    rw_mount: str = "/var/lib/stateless/writable"
    rw_label: str = "stateless-rw"
    rw_options: str = ""
    state_mount: str = "/var/lib/stateless/state"
    state_label: str = "stateless-state"
    state_options: str = ""
    client_state: str = ""
    slave_mounts: bool = True


@dataclasses.dataclass(frozen=True)
class Bind:
    """One path that becomes writable.

    :ivar path: where it is bound.
    :ivar source: from where: *path* beneath the scratch or the state mount.
    :ivar kind: ``scratch`` or ``state``.
    :ivar entries: what is copied to *source* beforehand, in this order: for scratch the outermost entry and
        all that are beneath it; for state the one entry.
    """

    path: str
    source: str
    kind: str
    entries: tuple[Entry, ...]


@dataclasses.dataclass(frozen=True)
class Layout:
    """What the settings and lists of a root come to at boot.

    :ivar binds: in the order in which they are made: scratch first, then state, which lies over it.
        Empty where the root is writable and no temporary state is wanted.
    :ivar ignored: entries that come to nothing, each with a finding in *findings*.
    """

    dialect: Dialect
    settings: Settings
    binds: tuple[Bind, ...]
    ignored: tuple[Entry, ...]
    findings: tuple[Finding, ...]
