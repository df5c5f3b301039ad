# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with the lists, in words: one function for each, so that the rules read without the prose."""

from __future__ import annotations

import typing as t

from .model import Bind, Dialect, Entry, Finding, Level, Line
from .tree import beneath

#: Filesystems that are nobody's to copy.
_SYSTEM = ("/proc", "/sys")
#: Filesystems that are writable without any list.
_WRITABLE = ("/run", "/dev")


def _of_line(line: Line, level: Level, code: str, reason: str, remedy: str) -> Finding:
    return Finding(level, code, line.file, line.number, line.text.strip(), reason, remedy)


def _of_entry(entry: Entry, level: Level, code: str, reason: str, remedy: str) -> Finding:
    return Finding(level, code, entry.file, entry.line, entry.written or entry.path, reason, remedy)


def _unless_ours(dialect: Dialect) -> Level:
    return Level.WARNING if dialect is Dialect.OWN else Level.ERROR


# Whole lists


def list_of_ignored_name(file: str) -> Finding:
    reason = "A list whose name ends so is ignored."
    return Finding(Level.WARNING, "skipped", file, 0, file, reason, "Rename it, or remove it.")


def list_with_space(file: str) -> Finding:
    reason = "A list with a space in its name is not read by the service of the distribution."
    return Finding(Level.ERROR, "list-name", file, 0, file, reason, "Rename it.")


def list_is_no_file(file: str, kind: str) -> Finding:
    reason = f"It is no file ({kind}), and is ignored."
    return Finding(Level.ERROR, "not-a-file", file, 0, file, reason, "Make it a file, or remove it.")


def list_unreadable(file: str, why: str) -> Finding:
    return Finding(Level.ERROR, "unreadable", file, 0, file, f"It cannot be read: {why}.", "Make it readable.")


def overridden(file: str, by: str) -> Finding:
    reason = f"This list does not count: {by} replaces it."
    return Finding(Level.WARNING, "override", file, 0, file, reason, f"Remove {by}, or change it as well.")


def list_gone(file: str, under: Bind) -> Finding:
    by = under.entries[0]
    reason = f"{under.path} ({by.file}, line {by.line}) is laid over it without it, before it is read."
    return Finding(Level.ERROR, "swallowed", file, 0, file, reason, f"Keep everything of {under.path} (files).")


def list_of_state_alone(file: str, name: str) -> Finding:
    reason = f"A list in the state counts only if the image has one of that name, and it has no {name}."
    remedy = f"Put its lines into the file named files at the top of the state, or make an empty {name} in the image."
    return Finding(Level.WARNING, "state-list", file, 0, file, reason, remedy)


# Lines


def unknown_type(line: Line, word: str) -> Finding:
    reason = f"A line that starts with {word!r} is ignored."
    if word == "state":
        reason += " (It is so in openSUSE's own format, which nobody else reads.)"
    return _of_line(line, Level.ERROR, "type", reason, "Start it with empty, dirs or files; a comment with #.")


def no_path(line: Line) -> Finding:
    return _of_line(line, Level.ERROR, "no-path", "The line names no path.", "Add the path, or remove the line.")


def no_newline(line: Line, dialect: Dialect) -> Finding:
    reason = "The last line does not end with a newline, and the service of EL7 to EL9 loses it."
    return _of_line(line, _unless_ours(dialect), "no-newline", reason, "End it with a newline.")


def carriage_return(line: Line, dialect: Dialect) -> Finding:
    reason = "The line ends with a carriage return, which the service of EL7 to EL9 takes for a part of the path."
    return _of_line(line, _unless_ours(dialect), "carriage-return", reason, "Save the file with Unix line ends.")


def backslash(line: Line) -> Finding:
    reason = "The service of EL7 and EL8 drops backslashes."
    return _of_line(line, Level.WARNING, "backslash", reason, "Name a directory above it.")


def space(line: Line, first: str, dialect: Dialect, whole: bool) -> Finding:
    reason = f"The path has a space: the service of EL7 to EL9 uses {first} alone"
    reason += ", our own the whole." if whole else ", and ours as well." if dialect is Dialect.OWN else "."
    return _of_line(line, _unless_ours(dialect), "space", reason, "Name a directory above it, without a space.")


def split(line: Line, dialect: Dialect) -> Finding:
    reason = "The service of EL7 and EL8 splits the line at spaces, into several paths; that of EL9 does not."
    level = Level.WARNING if dialect is Dialect.OWN else Level.ERROR
    return _of_line(line, level, "space", reason, "Write one path a line, without spaces.")


def pattern(line: Line, matches: int, dialect: Dialect) -> Finding:
    if line.file.startswith("/etc/rwtab") or line.file.startswith("/run"):
        reason = f"It is a pattern with {matches} matches, of which the service of EL7 to EL9 uses the first alone."
        level = Level.ERROR if dialect is not Dialect.OWN and matches > 1 else Level.WARNING
    else:
        reason = f"It is a pattern ({matches} matches): the service of EL7 and EL8 expands it, that of EL9 does not."
        level = Level.WARNING
    return _of_line(line, level, "pattern", reason, "Name each path on a line of its own, or the directory above.")


def pattern_in_statetab(line: Line) -> Finding:
    reason = "The service of EL9 does not expand patterns in statetab."
    return _of_line(
        line, Level.ERROR, "pattern", reason, "Name each path on a line of its own, or the directory above."
    )


def comment_with_indent(line: Line) -> Finding:
    reason = "In statetab, a comment counts as one only if # is the first character of the line."
    return _of_line(line, Level.WARNING, "comment", reason, "Remove the space before it.")


# Paths


def impossible(entry: Entry) -> Finding | None:
    """What makes *entry* one that nobody should try, from its path alone; ``None`` if nothing does."""
    path = entry.path
    names = path.split("/")
    if "\0" in path or "\n" in path or any(ord(character) < 32 or ord(character) == 127 for character in path):
        reason, code = "The path has a control character.", "control"
        return _of_entry(entry, Level.ERROR, code, reason, "Name a directory above it.")
    if not path.startswith("/"):
        return _of_entry(entry, Level.ERROR, "relative", "The path does not start with a slash.", "Write it from / on.")
    if ".." in names:
        return _of_entry(entry, Level.ERROR, "dotdot", "The path has .. in it.", "Write it without.")
    if not any(name not in ("", ".") for name in names):
        reason = "The root directory as a whole cannot be laid over itself."
        return _of_entry(entry, Level.ERROR, "root", reason, "Name the directories that must be writable.")
    return None


def missing(entry: Entry, link: bool) -> Finding:
    if link:
        reason, remedy = "It is a symbolic link that leads to nothing.", "Make what it leads to, in the image."
        return _of_entry(entry, Level.ERROR, "dangling", reason, remedy)
    reason = f"The image has no {entry.path}: nothing is made writable."
    remedy = "Make it in the image, or remove the entry if it is not needed."
    return _of_entry(entry, Level.WARNING, "missing", reason, remedy)


def gone(entry: Entry, under: Bind) -> Finding:
    by = under.entries[0]
    reason = (
        f"The image has {entry.path}, but {under.path} is laid over it before, without it"
        f" ({by.file}, line {by.line}): nothing is kept."
    )
    remedy = f"Add the line 'files {entry.path}' to a list in rwtab.d, or keep more of {under.path}."
    return _of_entry(entry, Level.ERROR, "swallowed", reason, remedy)


def unmatched(entry: Entry) -> Finding:
    """For a path that is to be copied once, and that is not in the state."""
    reason = f"No list of the state names {entry.path} or a directory above it: the line has no effect."
    remedy = "Write a path that is in statetab.d, or one beneath it; or remove the line."
    return _of_entry(entry, Level.WARNING, "unmatched", reason, remedy)


def link(entry: Entry, leads_to: str, dialect: Dialect) -> Finding:
    reason = f"It is a symbolic link to {leads_to}, and the service of EL7 to EL9 binds the wrong thing for a link."
    return _of_entry(entry, _unless_ours(dialect), "symlink", reason, f"Name {leads_to}.")


def link_on_the_way(entry: Entry, leads_to: str) -> Finding:
    reason = f"A symbolic link leads there; it is {leads_to} that becomes writable."
    return _of_entry(entry, Level.WARNING, "symlink-parent", reason, f"Name {leads_to}.")


def place(entry: Entry, mounts: t.Iterable[str]) -> Finding | None:
    """What makes the place of *entry*, its links followed, impossible or needless."""
    for mount in mounts:
        if mount == entry.path or beneath(entry.path, mount):
            reason = f"{mount} is where the copies themselves are, which is writable anyhow."
            return _of_entry(entry, Level.ERROR, "inside", reason, "Remove it.")
    for system in _SYSTEM:
        if entry.path == system or beneath(entry.path, system):
            return _of_entry(
                entry, Level.ERROR, "system", f"{system} is the kernel's, and no copy works.", "Remove it."
            )
    for system in _WRITABLE:
        if entry.path == system or beneath(entry.path, system):
            return _of_entry(entry, Level.WARNING, "writable", f"{system} is writable anyhow.", "Remove it.")
    return None


def covers(entry: Entry, mount: str, dialect: Dialect) -> Finding:
    """For an *entry* that *mount*, the scratch or the state, is beneath."""
    reason = f"It lies over {mount}, where its own copy is: the service of EL7 to EL9 binds nothing after it."
    remedy = f"Name directories beside {mount}, or mount that elsewhere (RW_MOUNT, STATE_MOUNT)."
    return _of_entry(entry, _unless_ours(dialect), "covers", reason, remedy)


def covered(entry: Entry, by: Entry) -> Finding:
    """For what comes after an entry that :func:`covers` is about."""
    reason = f"{by.path} ({by.file}, line {by.line}) hides its copy before it can be bound."
    return _of_entry(entry, Level.ERROR, "covered", reason, f"Name directories in {by.path} instead of that.")


# Among each other


def duplicate(entry: Entry, first: Entry, dialect: Dialect) -> Finding:
    reason = f"{entry.path} is named in {first.file}, line {first.line}, already"
    reason += ", and bound once." if dialect is Dialect.OWN else ", and bound twice."
    if entry.keep is not None and entry.keep is not first.keep:
        reason += " Everything that any of them keeps is kept."
    return _of_entry(entry, Level.WARNING, "duplicate", reason, "Remove one of them.")


def nested(entry: Entry, outer: Entry) -> Finding:
    """For an entry of rwtab beneath another one."""
    at = f"{outer.path} ({outer.file}, line {outer.line})"
    # What an outer one keeps is more than the inner one wants: the inner one has no effect.
    if _amount(entry) < _amount(outer):
        reason = f"It is beneath {at}, which keeps more: here the image's content stays as well."
        return _of_entry(entry, Level.WARNING, "swallowed", reason, f"Remove it, or split up {outer.path}.")
    reason = f"It is beneath {at}, and is bound with that."
    if _amount(outer) < 2:
        reason += f" {outer.path} then holds this and not what else the image has there."
    return _of_entry(entry, Level.WARNING, "nested", reason, f"Make sure that {outer.path} is meant so.")


def _amount(entry: Entry) -> int:
    return ["empty", "dirs", "files"].index(entry.keep.value) if entry.keep else 2


def nested_state(entry: Entry, outer: Entry) -> Finding:
    reason = f"It is beneath {outer.path} ({outer.file}, line {outer.line}), and is kept with that."
    return _of_entry(entry, Level.WARNING, "nested", reason, "Remove it.")


def outer_after_inner(entry: Entry, inner: Entry) -> Finding:
    reason = (
        f"{inner.path} ({inner.file}, line {inner.line}) comes first and makes {entry.path} in the state: that is never"
        " copied, and lacks everything else the image has there."
    )
    return _of_entry(entry, Level.ERROR, "order", reason, f"Remove the entry of {inner.path}.")


def misled(entry: Entry, by: Entry) -> Finding:
    """For upstream's test of what is beneath what."""
    reason = (
        f"{by.path} ({by.file}, line {by.line}) is a regular expression to the service of EL7 to EL9, which takes this"
        " path for one beneath that, and never binds it."
    )
    return _of_entry(entry, Level.ERROR, "regex", reason, f"Name a directory above both, or not {by.path}.")


def bound_apart(entry: Entry, outer: Entry) -> Finding:
    """For upstream's test of what is beneath what."""
    reason = (
        f"It is beneath {outer.path} ({outer.file}, line {outer.line}), but the service of EL7 to EL9 takes that for a"
        " regular expression, does not see it, and binds both."
    )
    return _of_entry(entry, Level.WARNING, "regex", reason, "Remove it.")


def hidden(entry: Entry, state: Bind) -> Finding:
    by = state.entries[0]
    reason = f"{state.path} ({by.file}, line {by.line}) is kept in the state, and lies over it: this is kept as well."
    return _of_entry(entry, Level.WARNING, "hidden", reason, f"Remove it, or keep less of {state.path}.")
