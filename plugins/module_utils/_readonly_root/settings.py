# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``/etc/sysconfig/readonly-root``: read as the shell that sources it would, and edited in place.

It is a shell script to upstream's service. Here it is a list of assignments: nothing in it is run.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .model import Dialect, Settings
from .tree import clean

FILE = "/etc/sysconfig/readonly-root"

#: The keys, and which field of :class:`Settings` each is.
KEYS = {
    "READONLY": "enabled",
    "TEMPORARY_STATE": "temporary_state",
    "RW_MOUNT": "rw_mount",
    "RW_LABEL": "rw_label",
    "RW_OPTIONS": "rw_options",
    "STATE_LABEL": "state_label",
    "STATE_MOUNT": "state_mount",
    "STATE_OPTIONS": "state_options",
    "CLIENTSTATE": "client_state",
    "SLAVE_MOUNTS": "slave_mounts",
}
BOOLEANS = frozenset({"READONLY", "TEMPORARY_STATE", "SLAVE_MOUNTS"})

#: What counts as true; everything else is false.
_TRUE = frozenset({"t", "y", "yes", "on", "true", "1"})
#: What is surely meant as false.
_FALSE = frozenset({"", "f", "n", "no", "off", "false", "0"})

_ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=")
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")


@dataclasses.dataclass(frozen=True)
class Assignment:
    """``KEY=value`` in *line* (from 1); *expands*: the shell would replace something in the value, such as ``$x``."""

    key: str
    value: str
    line: int
    expands: bool = False


@dataclasses.dataclass(frozen=True)
class Parsed:
    """What the file says: assignments in order, and the lines (number and text) that are something else."""

    assignments: tuple[Assignment, ...]
    other: tuple[tuple[int, str], ...]

    def last(self, key: str) -> Assignment | None:
        """The assignment of *key* that counts."""
        found = [assignment for assignment in self.assignments if assignment.key == key]
        return found[-1] if found else None


def is_true(value: str, dialect: Dialect) -> bool:
    """Whether *value* switches something on for the one who reads it."""
    return value == "yes" if dialect is Dialect.EL7 else value.lower() in _TRUE


def is_plain_boolean(value: str) -> bool:
    """Whether everybody agrees on *value*."""
    return value == "yes" or value.lower() in _FALSE


def parse(text: str) -> Parsed:
    """Read the text of the file."""
    assignments: list[Assignment] = []
    other: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        found = _line(line, number)
        if found is None:
            other.append((number, line))
        else:
            assignments += found
    return Parsed(tuple(assignments), tuple(other))


def _line(line: str, number: int) -> list[Assignment] | None:
    """The assignments of one line; ``None`` if it is anything but assignments."""
    found: list[Assignment] = []
    at = 0
    while True:
        while at < len(line) and line[at] in " \t;":
            at += 1
        if at == len(line) or line[at] == "#":
            return found
        match = _ASSIGNMENT.match(line, at)
        if match is None:
            return None
        value = _value(line, match.end())
        if value is None:
            return None
        text, at, expands = value
        found.append(Assignment(match[1], text, number, expands))


def _value(line: str, at: int) -> tuple[str, int, bool] | None:
    """The word that starts at *at*, its end, and whether the shell would expand it; ``None`` if a quote stays open."""
    text = ""
    expands = False
    quote = ""
    while at < len(line) and (quote or line[at] not in " \t;&|<>()"):
        character = line[at]
        if character == "\\" and quote != "'" and at + 1 < len(line):
            at += 1
            text += line[at] if not quote or line[at] in '"\\$`' else "\\" + line[at]
        elif character in "'\"" and quote in ("", character):
            quote = "" if quote else character
        else:
            expands = expands or (character in "$`" and quote != "'")
            text += character
        at += 1
    if quote or (at < len(line) and line[at] in "&|<>()"):
        return None
    return text, at, expands


def settings(parsed: Parsed, dialect: Dialect, arguments: str = "") -> Settings:
    """What the file comes to at boot.

    :arg arguments: the kernel's, which may force READONLY (as upstream has it: anywhere in them, the second wins).
    """
    values: dict[str, t.Any] = {}
    for key, field in KEYS.items():
        found = parsed.last(key)
        # A mount point without a value would be nowhere: the default is what its author means.
        if found is not None and (found.value or key not in ("RW_MOUNT", "STATE_MOUNT")):
            values[field] = is_true(found.value, dialect) if key in BOOLEANS else found.value
    forced = force(arguments)
    if forced is not None:
        values["enabled"] = forced
    for field in ("rw_mount", "state_mount"):
        if field in values:
            values[field] = clean(values[field])
    return Settings(**values)


def force(arguments: str) -> bool | None:
    """Whether kernel arguments force a read-only root on or off; ``None``: neither."""
    if "noreadonlyroot" in arguments:
        return False
    return True if "readonlyroot" in arguments else None


def edit(text: str, changes: t.Mapping[str, str]) -> str:
    """The text with each key of *changes* set to its value; comments and everything else stay.

    An assignment is replaced where it counts (the last one); earlier ones of that key go. A key that is not there is
    put at the end.
    """
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    parsed = parse(text)
    for key, value in changes.items():
        wanted = f"{key}={quote(value)}"
        mine = [found.line for found in parsed.assignments if found.key == key]
        alone = {line for line in mine if sum(found.line == line for found in parsed.assignments) == 1}
        last = parsed.last(key)
        if last is not None and len(mine) == 1 and last.value == value and not last.expands:
            # Only the spelling of a boolean or of a word may differ from ours: it says the same to everybody.
            continue
        for line in mine:
            if line in alone and line != mine[-1]:
                lines[line - 1] = ""
        if mine and mine[-1] in alone:
            lines[mine[-1] - 1] = wanted
        else:
            # None, or it shares its line with another: the last one counts.
            lines.append(wanted)
    # Lines emptied above are dropped, those that were empty stay.
    before = text.split("\n")
    kept = [line for number, line in enumerate(lines) if line or number >= len(before) or not before[number]]
    return "\n".join(kept) + "\n" if kept else ""


def quote(value: str) -> str:
    """*value* as the shell reads it back."""
    return value if _PLAIN.fullmatch(value) else "'" + value.replace("'", "'\\''") + "'"
