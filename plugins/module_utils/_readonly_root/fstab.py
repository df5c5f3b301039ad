# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``/etc/fstab`` as far as a read-only root needs it: ``ro`` for / and back, and entries of scratch and state.

What a line was before is kept in a comment above it, so that it comes back as it was.
"""

from __future__ import annotations

import dataclasses
import re

from .._mounts import unescape

FILE = "/etc/fstab"

#: Before the line that a line of / was.
_WAS = "# stateless.linux readonly_root, before: "
#: Above a line that was not there.
_ADDED = "# stateless.linux readonly_root, added"

#: What / is, the kernel's arguments say; a remount asks only for the options.
_ROOT = "none / auto ro 0 0"


@dataclasses.dataclass(frozen=True)
class Mount:
    """A line of fstab(5); *number* is from 1, *ours*: this module added it."""

    source: str
    where: str
    type: str
    options: tuple[str, ...]
    number: int
    ours: bool = False


def parse(text: str) -> list[Mount]:
    """The lines of fstab that are no comments; one with fewer than two words is passed over, as mount(8) does."""
    found: list[Mount] = []
    lines = text.split("\n")
    for index, line in enumerate(lines):
        words = line.split()
        if len(words) < 2 or words[0].startswith("#"):
            continue
        options = tuple(words[3].split(",")) if len(words) > 3 else ("defaults",)
        where = _plain(words[1])
        ours = index > 0 and lines[index - 1] == _ADDED
        found.append(Mount(_plain(words[0]), where, words[2] if len(words) > 2 else "auto", options, index + 1, ours))
    return found


def _plain(word: str) -> str:
    """*word* without the escapes of fstab(5), and without a slash at its end."""
    text = unescape(word)
    return text.rstrip("/") or "/" if text.startswith("/") else text


def is_read_only(mount: Mount) -> bool:
    """Whether the options end up at ``ro``: of ``rw`` and ``ro``, the last counts."""
    return ([option for option in mount.options if option in ("ro", "rw", "defaults")] or ["rw"])[-1] == "ro"


def of(text: str, where: str) -> list[Mount]:
    """The lines whose mount point is *where*."""
    return [mount for mount in parse(text) if mount.where == where]


def with_root_read_only(text: str) -> str:
    """The text with ``ro`` for /; a line is added if there is none."""
    mounts = of(text, "/")
    lines = _lines(text)
    if not mounts:
        return _text([*lines, _ADDED, _ROOT])
    for mount in reversed(mounts):
        if not is_read_only(mount):
            was = lines[mount.number - 1]
            lines[mount.number - 1 : mount.number] = [_WAS + was, _read_only(was)]
    return _text(lines)


def with_root_writable(text: str) -> str:
    """The text with / as it was before :func:`with_root_read_only`, or writable if that is not known."""
    lines = _lines(text)
    for mount in reversed(of(text, "/")):
        at = mount.number - 1
        above = lines[at - 1] if at else ""
        if mount.ours and lines[at] == _ROOT:
            del lines[at - 1 : at + 1]
            continue
        if above.startswith(_WAS):
            was = above[len(_WAS) :]
            # What somebody changed since stays; only ro goes.
            lines[at - 1 : at + 1] = [was if _read_only(was) == lines[at] else _writable(lines[at])]
        elif is_read_only(mount):
            lines[at] = _writable(lines[at])
    return _text(lines)


def with_mount(text: str, where: str, source: str, kind: str, options: str) -> str:
    """The text with our line for *where*: the one that is there changed in place, or added.

    A line that this module did not add is left alone; whether there is one is the caller's to ask.
    """
    wanted = f"{source} {where} {kind} {options} 0 0"
    lines = _lines(text)
    mine = [mount for mount in of(text, where) if mount.ours]
    if not mine:
        return _text([*lines, _ADDED, wanted])
    lines[mine[0].number - 1] = wanted
    return _text(lines)


def without_mount(text: str, where: str) -> str:
    """The text without our line for *where*."""
    lines = _lines(text)
    for mount in reversed(of(text, where)):
        if mount.ours:
            del lines[mount.number - 2 : mount.number]
    return _text(lines)


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n" if lines else ""


def _with_options(line: str, options: list[str]) -> str:
    """*line* with other options and its spaces as they are."""
    parts = re.split(r"(\s+)", line.strip())
    indent = line[: len(line) - len(line.lstrip())]
    if len(parts) < 7:
        words = parts[0::2]
        return indent + " ".join([*words, *["auto"][len(words) - 2 :], ",".join(options)])
    parts[6] = ",".join(options)
    return indent + "".join(parts)


def _options(line: str) -> list[str]:
    words = line.split()
    return words[3].split(",") if len(words) > 3 else ["defaults"]


def _read_only(line: str) -> str:
    options = _options(line)
    if "rw" in options:
        changed = ["ro" if option == "rw" else option for option in options]
        # Of doubled ones, one is enough; after defaults, ro must be the last word.
        if "defaults" not in changed[changed.index("ro") :]:
            return _with_options(line, list(dict.fromkeys(changed)))
        options = [option for option in options if option != "rw"]
    return _with_options(line, [option for option in options if option != "ro"] + ["ro"])


def _writable(line: str) -> str:
    options = [option for option in _options(line) if option != "ro"]
    return _with_options(line, options or ["rw"])
