# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What settings and lists come to at boot: the plan that the modules show and check, and that our service follows.

The service calls :func:`scratch` and :func:`state` one after the other, with a new :class:`Tree` for each, since state
is copied from what scratch has made. :func:`layout` does both beforehand, and sees through a :class:`View` what scratch
will have made.

A bind may lie over the very directory where the scratch or the state is mounted, such as /var/lib: our service keeps
both open and takes the copies from there, and never copies one of the two into itself. (Upstream's cannot.)
"""

from __future__ import annotations

import dataclasses
import os
import re

from .._errors import StatelessError
from . import lists, say
from . import settings as settings_
from .model import Bind, Dialect, Entry, Finding, Layout, Settings
from .tree import Tree, beneath
from .view import View


@dataclasses.dataclass(frozen=True)
class Part:
    """The scratch or the state half of a :class:`Layout`.

    :ivar once: the paths that are copied to the state once and do not follow the image, their links followed.
    """

    binds: tuple[Bind, ...]
    ignored: tuple[Entry, ...]
    findings: tuple[Finding, ...]
    once: frozenset[str] = frozenset()


def layout(tree: Tree, dialect: Dialect, arguments: str = "", state_root: str | None = None) -> Layout:
    """What the settings and lists of *tree* come to.

    :arg arguments: the kernel's, which may force a read-only root on or off.
    :arg state_root: where the state is mounted, outside of *tree*, for lists there that replace those of the image;
        ``None``: it is not known.
    """
    wanted = read_settings(tree, dialect, arguments)
    lost = scratch(tree, dialect, wanted)
    view = View(tree, lost.binds)
    kept = state(view, dialect, wanted, state_root)
    unseen = [
        say.list_gone(file, over)
        for file in lists.files(tree, lists.STATETAB, dialect)[0]
        for over in [view.under(file)]
        if over is not None and view.resolve(file) is None
    ]
    covered = [
        say.hidden(bind.entries[0], over) for bind in lost.binds for over in kept.binds if beneath(bind.path, over.path)
    ]
    on = wanted.enabled or wanted.temporary_state
    return Layout(
        dialect,
        wanted,
        lost.binds + kept.binds if on else (),
        lost.ignored + kept.ignored,
        (*lost.findings, *unseen, *kept.findings, *covered),
    )


def read_settings(tree: Tree, dialect: Dialect, arguments: str = "") -> Settings:
    """The settings of *tree*; those of a file that is missing or cannot be read are the default ones."""
    try:
        text = tree.read(settings_.FILE) or ""
    except OSError:
        text = ""
    return settings_.settings(settings_.parse(text), dialect, arguments)


def _candidates(tree: Tree, dialect: Dialect, base: str, state_root: str | None = None) -> Part:
    """The entries of all lists of a kind, each its own bind for now; links on the way are not followed yet."""
    files, findings = lists.files(tree, base, dialect)
    binds: list[Bind] = []
    ignored: list[Entry] = []
    read_lists = [lists.read_overrides(tree, file, state_root if base == lists.STATETAB else None) for file in files]
    if base == lists.STATETAB and state_root is not None:
        read_lists.append(lists.read_own_of_state(state_root))
        findings += lists.of_state_alone(tree, state_root)
    for found, problem in read_lists:
        if problem is not None:
            findings.append(problem)
        for line in found:
            if base == lists.RWTAB:
                read = lists.rwtab_line(line, dialect, tree)
            else:
                read = lists.statetab_line(line, dialect, tree)
            findings += read.findings
            ignored += read.ignored
            binds += [Bind(entry.path, "", "", (entry,)) for entry in read.entries]
    return Part(tuple(binds), tuple(ignored), tuple(findings))


def every_entry(tree: Tree, dialect: Dialect, state_root: str | None = None) -> list[Entry]:
    """What the lines of all lists name, in order, whether anything comes of it or not; links are not followed."""
    found: list[Entry] = []
    for base in (lists.RWTAB, lists.STATETAB):
        part = _candidates(tree, dialect, base, state_root)
        named = [*part.ignored, *(entry for bind in part.binds for entry in bind.entries)]
        found += sorted(named, key=lambda entry: (entry.file, entry.line))
    return found


def _followed(tree: Tree, dialect: Dialect, wanted: Settings, part: Part) -> tuple[list[Entry], Part]:
    """The entries of *part* that there is something for, their links followed."""
    entries: list[Entry] = []
    ignored = list(part.ignored)
    findings = list(part.findings)
    for bind in part.binds:
        for candidate in bind.entries:
            found, note = lists.follow(candidate, tree, dialect)
            over = tree.under(candidate.path) if found is None and isinstance(tree, View) else None
            if over is not None:
                # The image has it, but not what scratch made of it.
                note = say.gone(candidate, over)
            findings += [note] if note is not None else []
            problem = say.place(found, _mounts(tree, wanted).values()) if found is not None else None
            findings += [problem] if problem is not None else []
            if found is None or (problem is not None and lists.is_error(problem)):
                ignored.append(candidate)
            else:
                entries.append(found)
    return entries, Part((), tuple(ignored), tuple(findings))


def _mounts(tree: Tree, wanted: Settings) -> dict[str, str]:
    """Where the copies are, as the settings have it, and with links followed."""
    return {mount: tree.resolve(mount) or mount for mount in (wanted.rw_mount, wanted.state_mount)}


def _without_covered(tree: Tree, part: Part, dialect: Dialect, wanted: Settings) -> Part:
    """*part* without the binds that upstream's service cannot make, since one before them hides their copies."""
    binds: list[Bind] = []
    ignored = list(part.ignored)
    findings = list(part.findings)
    cover: Entry | None = None
    for bind in part.binds:
        entry = next(entry for entry in bind.entries if entry.path == bind.path)
        if cover is not None and dialect is not Dialect.OWN:
            findings.append(say.covered(entry, cover))
            ignored.append(entry)
            continue
        binds.append(bind)
        over = [mount for mount, where in _mounts(tree, wanted).items() if beneath(where, bind.path)]
        findings += [say.covers(entry, over[0], dialect)] if over else []
        if any(bind.source == mount + bind.path for mount in over):
            # Only the mount that this bind is taken from is missed by those after it.
            cover = entry
    return Part(tuple(binds), tuple(ignored), tuple(findings))


def _first(entries: list[Entry], dialect: Dialect) -> tuple[dict[str, Entry], list[Finding]]:
    """The first entry of each path, and what there is to say about the others."""
    first: dict[str, Entry] = {}
    findings: list[Finding] = []
    for entry in entries:
        if entry.path in first:
            findings.append(say.duplicate(entry, first[entry.path], dialect))
        else:
            first[entry.path] = entry
    return first, findings


def scratch(tree: Tree, dialect: Dialect, wanted: Settings) -> Part:
    """What rwtab comes to: the outermost paths, each with everything that is copied for it."""
    entries, rest = _followed(tree, dialect, wanted, _candidates(tree, dialect, lists.RWTAB))
    first, twice = _first(entries, dialect)
    findings = [*rest.findings, *twice]
    binds: list[Bind] = []
    ignored = list(rest.ignored)
    for path, entry in first.items():
        outer = _outermost(path, first)
        misleading = None if dialect is Dialect.OWN else _misleading(path, first)
        if outer is not None and (dialect is Dialect.OWN or misleading is not None):
            findings.append(say.nested(entry, outer))
            continue
        if misleading is not None:
            findings.append(say.misled(entry, misleading))
            ignored.append(entry)
            continue
        if outer is not None:
            findings.append(say.bound_apart(entry, outer))
        parts = tuple(other for other in entries if other.path == path or beneath(other.path, path))
        if outer is not None:
            # Upstream copies everything before it binds: this bind holds what the outer one brings as well.
            parts = tuple(other for other in entries if beneath(path, other.path)) + parts
        binds.append(Bind(path, wanted.rw_mount + path, "scratch", parts))
    return _without_covered(tree, Part(tuple(binds), tuple(ignored), tuple(findings)), dialect, wanted)


def state(tree: Tree, dialect: Dialect, wanted: Settings, state_root: str | None = None) -> Part:
    """What statetab comes to, in *tree* as scratch left it.

    :arg state_root: where the state is mounted, as seen from outside of *tree*.
    """
    entries, rest = _followed(tree, dialect, wanted, _candidates(tree, dialect, lists.STATETAB, state_root))
    first, twice = _first(entries, dialect)
    findings = [*rest.findings, *twice]
    binds: list[Bind] = []
    seen: list[Entry] = []
    for path, entry in first.items():
        outer = _outermost(path, first)
        if outer is not None:
            findings.append(say.nested_state(entry, outer))
        inner = next((other for other in seen if beneath(other.path, path)), None)
        if inner is not None and dialect is not Dialect.OWN:
            findings.append(say.outer_after_inner(entry, inner))
        seen.append(entry)
        if outer is None or dialect is not Dialect.OWN:
            binds.append(Bind(path, wanted.state_mount + path, "state", (entry,)))
    part = _without_covered(tree, Part(tuple(binds), rest.ignored, tuple(findings)), dialect, wanted)
    return _with_once(tree, part) if dialect is Dialect.OWN else part


def _with_once(tree: Tree, part: Part) -> Part:
    """*part* with the paths that do not follow the image, and what is wrong with their lists."""
    read = lists.once(tree)
    findings = [*part.findings, *read.findings]
    named = [*(bind.path for bind in part.binds), *(entry.path for entry in part.ignored)]
    found: set[str] = set()
    for entry in read.entries:
        path = _place(tree, entry.path)
        found.add(path)
        if not any(one == above or beneath(one, above) for one in (path, entry.path) for above in named):
            findings.append(say.unmatched(entry))
    return dataclasses.replace(part, findings=tuple(findings), once=frozenset(found))


def _place(tree: Tree, path: str) -> str:
    """Where *path* is or, made by a client, would be."""
    try:
        return tree.place(path)
    except StatelessError:
        return path


def _outermost(path: str, among: dict[str, Entry]) -> Entry | None:
    """The outermost of *among* that *path* is beneath."""
    at = ""
    for name in os.path.dirname(path).split("/")[1:]:
        at = f"{at}/{name}"
        if at in among:
            return among[at]
    return None


def _misleading(path: str, among: dict[str, Entry]) -> Entry | None:
    """The first of *among* that, taken for a regular expression as upstream does, *path* is beneath."""
    for other, entry in among.items():
        if other != path and _expression(other).match(path):
            return entry
    return None


def _expression(path: str) -> re.Pattern[str]:
    """*path* as upstream's test has it; what is no valid expression matches nothing."""
    try:
        # POSIX lets quantifiers follow each other, where Python has something else for ++.
        return re.compile(re.sub(r"([*+])[*+?]+", r"\1", path) + "/")
    except re.error:
        return re.compile(r"(?!)")
