# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of a read-only root: which files count, and what each of their lines names.

rwtab says what is writable until the next boot: ``empty``, ``dirs`` or ``files``, a space, a path. statetab says
what is kept: a path a line.
"""

from __future__ import annotations

import dataclasses
import os

from . import say
from .model import Dialect, Entry, Finding, Keep, Level, Line
from .tree import DIRECTORY, FILE, GLOB, LINK, Tree, clean

RWTAB = "/etc/rwtab"
STATETAB = "/etc/statetab"
#: What an initrd may add.
RWTAB_OF_INITRD = "/run/initramfs/rwtab"
#: What an initrd leaves to be copied to the scratch.
FROM_INITRD = "/run/initramfs/state"
#: Paths whose state does not follow the image, in this with .d: our service's alone, since statetab has no room for it.
ONCE = "/etc/stateless/statetab-once"
#: Made by the machine, whatever the image has: kept as it is, never taken from a later one.
NOT_THE_IMAGES = ("/etc/machine-id",)

#: Files in rwtab.d and statetab.d whose names end so count for nobody.
IGNORED_SUFFIXES = ("~", ".bak", ".old", ".orig", ".rpmnew", ".rpmorig", ".rpmsave")
#: Nor do these, which dpkg and ucf leave, for our own service.
IGNORED_BY_OURS = (".dpkg-old", ".dpkg-dist", ".dpkg-new", ".dpkg-tmp", ".ucf-old", ".ucf-dist", ".ucf-new")

_KEEP = {keep.value: keep for keep in Keep}


@dataclasses.dataclass(frozen=True)
class Read:
    """What was read: candidates for binds in order (their paths not yet followed), what comes to nothing, and why."""

    entries: tuple[Entry, ...]
    ignored: tuple[Entry, ...]
    findings: tuple[Finding, ...]


def is_ignored(name: str, dialect: Dialect) -> bool:
    """Whether a list of that name is passed over."""
    return name.endswith(IGNORED_SUFFIXES) or (dialect is Dialect.OWN and name.endswith(IGNORED_BY_OURS))


def files(tree: Tree, base: str, dialect: Dialect) -> tuple[list[str], list[Finding]]:
    """The lists that count: *base*, then those in *base*.d, then the initrd's; and what is wrong with the others.

    Of :data:`ONCE` there are only those in the directory.
    """
    found: list[str] = []
    findings: list[Finding] = []
    directory = base + ".d"
    candidates = [f"{directory}/{name}" for name in tree.names(directory) if not name.startswith(".")]
    if base != ONCE:
        candidates.insert(0, base)
    if base == RWTAB:
        candidates.append(RWTAB_OF_INITRD)
    for file in candidates:
        resolved = tree.resolve(file)
        kind = tree.kind(resolved) if resolved is not None else None
        # A name ending in .old beside /etc/rwtab itself is never looked at.
        if file.startswith(directory) and is_ignored(file, dialect):
            findings.append(say.list_of_ignored_name(file))
        elif kind == FILE and any(space in file for space in " \t\n") and dialect is not Dialect.OWN:
            findings.append(say.list_with_space(file))
        elif kind == FILE:
            found.append(file)
        elif kind is not None or file.startswith(directory):
            findings.append(say.list_is_no_file(file, kind or "a link to nothing"))
    return found, findings


def read_lines(tree: Tree, file: str) -> tuple[list[Line], Finding | None]:
    """The lines of one list; none of a list that cannot be read, which is a finding."""
    try:
        text = tree.read(file) or ""
    except OSError as error:
        return [], say.list_unreadable(file, error.strerror or str(error))
    return lines(file, text), None


def lines(file: str, text: str) -> list[Line]:
    """*text* as the lines of *file*."""
    parts = text.split("\n")
    last = parts.pop()
    found = [Line(file, number, part) for number, part in enumerate(parts, 1)]
    return [*found, Line(file, len(found) + 1, last, False)] if last else found


def read_overrides(tree: Tree, file: str, state: str | None) -> tuple[list[Line], Finding | None]:
    """The lines that count of the statetab *file*: those of a file of that name beneath *state*, if there is one.

    :arg state: where, outside of the tree, the filesystem of the state is mounted; ``None``: it is not known yet.
    """
    override = Tree(state) if state is not None else None
    found = override.resolve(file) if override is not None else None
    if override is None or found is None or override.kind(found) != FILE:
        return read_lines(tree, file)
    read, problem = read_lines(override, file)
    shown = override.host(file)
    return [dataclasses.replace(line, file=shown) for line in read], problem or say.overridden(file, shown)


def read_own_of_state(state: str) -> tuple[list[Line], Finding | None]:
    """The lines of the statetab that the state itself brings: the file ``files`` at its top."""
    own = Tree(state)
    if own.resolve("/files") is None or own.is_directory("/files"):
        return [], None
    read, problem = read_lines(own, "/files")
    return [dataclasses.replace(line, file=own.host("/files")) for line in read], problem


def of_state_alone(tree: Tree, state: str) -> list[Finding]:
    """Findings for lists in the state that replace none of the image, and so do not count."""
    own = Tree(state)
    found = [f"{STATETAB}.d/{name}" for name in own.names(f"{STATETAB}.d") if not name.startswith(".")]
    return [say.list_of_state_alone(own.host(file), file) for file in found if tree.resolve(file) is None]


def once(tree: Tree) -> Read:
    """The paths of which the state does not follow the image, one a line; neither patterns nor links are followed."""
    entries: list[Entry] = []
    ignored: list[Entry] = []
    counting, findings = files(tree, ONCE, Dialect.OWN)
    for file in counting:
        found, problem = read_lines(tree, file)
        findings += [problem] if problem is not None else []
        for line in found:
            text = line.text.strip(" \t\r")
            if text and not text.startswith("#"):
                read = _read(line, [text], None, [])
                entries += read.entries
                ignored += read.ignored
                findings += read.findings
    return Read(tuple(entries), tuple(ignored), tuple(findings))


def rwtab_line(line: Line, dialect: Dialect, tree: Tree) -> Read:
    """What one line of rwtab names."""
    text, notes = _text(line, dialect)
    words = text.split(None, 1)
    if not words or words[0].startswith("#"):
        return Read((), (), ())
    if any(map(is_error, notes)):
        return _nothing(line, text, _KEEP.get(words[0]), notes)
    keep = _KEEP.get(words[0])
    if keep is None:
        return _nothing(line, text, None, [say.unknown_type(line, words[0])])
    if len(words) == 1:
        return _nothing(line, "", keep, [say.no_path(line)])
    if not line.ended:
        notes.append(say.no_newline(line, dialect))
        if dialect is not Dialect.OWN:
            return _nothing(line, words[1], keep, notes)
    rest = words[1].rstrip(" \t")
    if dialect is Dialect.EL7 and "\\" in rest:
        notes.append(say.backslash(line))
        rest = rest.replace("\\", "")
    first = rest.split()[0]
    if dialect is Dialect.OWN:
        paths = _literal_or_matches(rest, tree) or (_literal_or_matches(first, tree) if first != rest else [])
        if paths and paths not in ([rest], [first]):
            notes.append(say.pattern(line, len(paths), dialect))
        paths = paths or [first]
        if first != rest and not rest[len(first) :].lstrip().startswith("#"):
            notes.append(say.space(line, first, dialect, whole=paths != [first]))
    else:
        if first != rest and not rest[len(first) :].lstrip().startswith("#"):
            notes.append(say.space(line, first, dialect, whole=False))
        matches = _matches(first, tree)
        if matches:
            notes.append(say.pattern(line, len(matches), dialect))
        paths = matches[:1] or [first]
    return _read(line, paths, keep, notes)


def statetab_line(line: Line, dialect: Dialect, tree: Tree) -> Read:
    """What one line of statetab names."""
    if line.text.startswith("#"):
        return Read((), (), ())
    text, notes = _text(line, dialect)
    text = text.strip(" \t")
    if not text:
        return Read((), (), ())
    if text.startswith("#"):
        return _nothing(line, text, None, [say.comment_with_indent(line)])
    if any(map(is_error, notes)):
        return _nothing(line, text, None, notes)
    words = text.split()
    if dialect is Dialect.EL9:
        # The whole line, whatever is in it.
        if not GLOB.isdisjoint(text) and tree.resolve(text) is None:
            notes.append(say.pattern_in_statetab(line))
        return _read(line, [text], None, notes)
    if dialect is Dialect.OWN:
        paths = _literal_or_matches(text, tree)
        if paths or len(words) == 1:
            if paths not in ([], [text]):
                notes.append(say.pattern(line, len(paths), dialect))
            return _read(line, paths or [text], None, notes)
        # Perhaps written for EL7, which splits the line.
        notes.append(say.split(line, dialect))
        paths = [path for word in words for path in _literal_or_matches(word, tree)]
        return _read(line, paths or [text], None, notes)
    if len(words) > 1:
        notes.append(say.split(line, dialect))
    paths = []
    for word in words:
        matches = _matches(word, tree)
        if matches:
            notes.append(say.pattern(line, len(matches), dialect))
        paths += matches or [word]
    return _read(line, paths, None, notes)


def _text(line: Line, dialect: Dialect) -> tuple[str, list[Finding]]:
    """The text of *line* without the carriage return that some editors leave, if who reads it can do without."""
    text = line.text.lstrip(" \t")
    if not text.endswith("\r") or text.startswith("#"):
        return text, []
    text = text.rstrip("\r")
    return text, [say.carriage_return(line, dialect)] if text.strip() else []


def _literal_or_matches(path: str, tree: Tree) -> list[str]:
    """What *path* names: itself if there is such a path, else what it matches as a pattern."""
    if not path.startswith("/"):
        return []
    return [path] if tree.resolve(path) is not None else _matches(path, tree)


def _matches(path: str, tree: Tree) -> list[str]:
    return tree.glob(path) if path.startswith("/") and not GLOB.isdisjoint(path) else []


def _read(line: Line, paths: list[str], keep: Keep | None, notes: list[Finding]) -> Read:
    """Sort *paths* into those that can be looked for and those that nobody should try."""
    entries: list[Entry] = []
    ignored: list[Entry] = []
    for path in paths:
        entry = Entry(path, keep, line.file, line.number, line.text.strip())
        problem = say.impossible(entry)
        if problem is not None:
            notes.append(problem)
            ignored.append(entry)
        else:
            entries.append(dataclasses.replace(entry, path=clean(path)))
    return Read(tuple(entries), tuple(ignored), tuple(notes))


def _nothing(line: Line, path: str, keep: Keep | None, notes: list[Finding]) -> Read:
    return Read((), (Entry(path, keep, line.file, line.number, line.text.strip()),), tuple(notes))


def follow(entry: Entry, tree: Tree, dialect: Dialect) -> tuple[Entry | None, Finding | None]:
    """*entry* with the links on its way followed; ``None`` if it comes to nothing. And what to say about it."""
    resolved = tree.resolve(entry.path)
    if resolved is None:
        return None, say.missing(entry, link=_ends_in_link(entry.path, tree))
    if resolved == entry.path:
        return entry, None
    if _ends_in_link(entry.path, tree):
        note = say.link(entry, resolved, dialect)
        return (dataclasses.replace(entry, path=resolved) if dialect is Dialect.OWN else None), note
    # A link on the way there misleads nobody but the test for what is beneath what.
    return dataclasses.replace(entry, path=resolved), say.link_on_the_way(entry, resolved)


def _ends_in_link(path: str, tree: Tree) -> bool:
    directory = tree.resolve(os.path.dirname(path))
    if directory is None or tree.kind(directory) != DIRECTORY:
        return False
    return tree.kind(f"{directory.rstrip('/')}/{os.path.basename(path)}") == LINK


def is_error(finding: Finding) -> bool:
    """Whether *finding* is about something that cannot work."""
    return finding.level is Level.ERROR
