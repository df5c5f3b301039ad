# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State a read-only root: what the module readonly_root changes in a root, and in which order."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import typing as t

from .. import _files
from .._errors import StatelessError
from .._plan import Outcome, Plan
from . import files, fstab, lists, program, unit
from . import settings as settings_
from .changes import Change, clearing, net, shown, steps_of
from .findings import check, forced
from .info import described, kernel_arguments, plain, tree_of
from .layout import read_settings
from .model import Dialect, Finding, Level
from .reader import ENABLED, UNITS, Reader, look, reader
from .settings import FILE as SETTINGS
from .tree import Overlay, Tree
from .wanted import Wanted

#: What a list that names a path the image does not have is worth: one warning for all of them.
_MISSING = "missing"
#: Findings that readonly_root_info has, and that no task needs to be warned of each time.
_QUIET = ("no-state", "once", "root-missing")


def apply(want: Wanted, check_mode: bool) -> Outcome:
    """Make the root what *want* says, or in check mode say what that would take.

    :raises StatelessError: the task's own entries cannot work, or the root is no directory. Nothing was changed.
    """
    try:
        if check_mode:
            return prepare(want)
        root = tree_of(want.root).root
        with _files.lock(_lock(root), f"another task changes the read-only root of {root}", timeout=60):
            outcome = prepare(want)
            outcome.plan.act()
        return outcome
    except OSError as error:
        # Such as a root that is read-only already: it is its image that must be changed.
        raise StatelessError(f"{error.filename or want.root} cannot be changed: {error.strerror}") from error


def prepare(want: Wanted) -> Outcome:
    """What :func:`apply` comes to, with a plan that was not acted on."""
    tree = tree_of(want.root)
    changes, directories = _changes(tree, reader(tree), want)
    future = Overlay(tree.root, _texts(changes), directories)
    then = reader(future)
    # What will be written is judged for itself: other kernel arguments may come with the next boot.
    found = check(future, then)
    overruled = forced(settings_.parse(future.read(SETTINGS) or ""), then.dialect, kernel_arguments(tree))
    found = dataclasses.replace(found, findings=(*overruled, *found.findings))
    warnings = _judge(found.findings, want)
    shortest = net(changes)
    plan = Plan(
        {change.path: shown(change.before, change.link) for change in shortest},
        {change.path: shown(change.after, change.link) for change in shortest},
        clearing(tree, _ours(want)) + steps_of(tree, changes, directories),
    )
    result = described(future, then, found)
    del result["entries"]
    return Outcome(plan, plain(result), plain(warnings))


def _lock(root: str) -> str:
    return f"/run/stateless/lock/readonly_root.{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}"


def _changes(tree: Tree, now: Reader, want: Wanted) -> tuple[list[Change], list[str]]:
    """Every file to write, in an order that leaves a machine that boots as before or as wanted wherever it stops.

    - What is only read if something else says so comes first: directories, the program, the unit, its link. Without
      READONLY or TEMPORARY_STATE the service does nothing.
    - The lists come before the settings that make them count, and after those that stop them from counting.
    - A path that moves from one list to the other is in both for a moment, never in none: state lies over scratch.
    - READONLY=yes comes before ``ro`` in fstab, and goes after it: a / that is read-only while nothing makes anything
      writable would be of no use, whereas binds over a writable / harm nothing.
    - An entry of fstab for scratch or state is there before the settings stop naming another place, and goes after.
    """
    text = _read(tree, SETTINGS)
    wanted_settings = files.settings_text(text, want)
    settings = read_settings(Overlay(tree.root, {SETTINGS: wanted_settings}), now.dialect)
    on = settings.enabled or settings.temporary_state
    mounts = {"scratch": settings.rw_mount, "state": settings.state_mount}
    table = _read(tree, fstab.FILE)
    before = files.fstab_before(table or "", want, mounts)
    after = files.fstab_after(before, want, mounts)
    middle = [
        Change(fstab.FILE, table or None, before or None),
        Change(SETTINGS, text, wanted_settings),
        Change(fstab.FILE, before or None, after or None),
    ]
    named = _lists(tree, want)
    stated = want.enabled is not None or want.temporary_state is not None
    if on:
        changes = [*_service(tree, now), *named, *middle]
    else:
        changes = [*middle, *(_no_service(tree) if stated else []), *named]
    directories = [where for where in mounts.values() if on and not tree.is_directory(where)]
    return [change for change in changes if change.is_one], directories


def _lists(tree: Tree, want: Wanted) -> list[Change]:
    """The lists of that name: first what is added to the state, then scratch, then what is taken from the state."""
    if want.name is None:
        return []
    first: list[Change] = []
    last: list[Change] = []
    if want.state is not None:
        for base, lines in ((lists.ONCE, sorted(want.once)), (lists.STATETAB, list(want.state))):
            both, after = _by_way_of_both(tree, f"{base}.d/{want.name}", lines)
            first.append(both)
            last.insert(0, after)
    if want.scratch is not None:
        file = f"{lists.RWTAB}.d/{want.name}"
        text = _read(tree, file)
        first.append(Change(file, text, files.list_text(text, [f"{keep.value} {path}" for path, keep in want.scratch])))
    return first + last


def _by_way_of_both(tree: Tree, file: str, lines: list[str]) -> tuple[Change, Change]:
    """The change of a list by way of one that has the old and the new lines."""
    text = _read(tree, file)
    after = files.list_text(text, lines)
    old = [line for line in (text or "").split("\n") if line.strip() and not line.startswith("#")]
    both = files.list_text(text, [*old, *(line for line in lines if line not in old)])
    return Change(file, text, both), Change(file, both, after)


def _service(tree: Tree, now: Reader) -> list[Change]:
    """What it takes that the service starts at boot; nothing where an administrator has masked it."""
    if now.masked:
        return []
    if now.dialect is not Dialect.OWN:
        # Two of them would copy and bind everything twice.
        return [*_link(tree, now, now.unit_file), *_no_service(tree)]
    file = f"{UNITS[0]}/{unit.NAME}"
    held = _read_bytes(tree, unit.PROGRAM)
    return [
        Change(unit.PROGRAM, held, program.SERVICE.instead_of(held), 0o755),
        Change(file, _read(tree, file), unit.TEXT),
        *_link(tree, now, file),
    ]


def _link(tree: Tree, now: Reader, file: str | None) -> list[Change]:
    """The link by which a unit starts, as systemctl(1) makes it."""
    return [] if now.enabled or file is None else [Change(f"{ENABLED}/{now.unit}", None, file, link=True)]


def _no_service(tree: Tree) -> list[Change]:
    """What it takes that our service is not there. Upstream's belongs to a package and does nothing unless told to."""
    ours = look(tree, Dialect.OWN, unit.PROGRAM, unit.NAME)
    if ours.masked:
        return []
    file, link = f"{UNITS[0]}/{unit.NAME}", f"{ENABLED}/{unit.NAME}"
    directory = tree.resolve(ENABLED)
    linked = directory is not None and tree.kind(f"{directory}/{unit.NAME}") is not None
    return [
        Change(link, file if linked else None, None, link=True),
        Change(file, _read(tree, file), None),
        Change(unit.PROGRAM, _read_bytes(tree, unit.PROGRAM), None),
    ]


def _read(tree: Tree, file: str) -> str | None:
    try:
        return tree.read(file)
    except OSError as error:
        raise StatelessError(f"{file} in {tree.root} cannot be read: {error.strerror}") from error


def _read_bytes(tree: Tree, file: str) -> bytes | None:
    found = tree.resolve(file)
    if found is None:
        return None
    try:
        with open(tree.host(found), "rb") as stream:
            return stream.read()
    except OSError as error:
        raise StatelessError(f"{file} in {tree.root} cannot be read: {error.strerror}") from error


def _texts(changes: list[Change]) -> dict[str, str | None]:
    """What the files hold in the end; of what is no text, that it is there."""
    return {
        change.path: change.after if isinstance(change.after, str) or change.after is None else "" for change in changes
    }


def _judge(findings: t.Sequence[Finding], want: Wanted) -> list[str]:
    """The warnings of the task.

    :raises StatelessError: what the task itself states cannot work.
    """
    mine = {f"{base}.d/{want.name}" for base in (lists.RWTAB, lists.STATETAB)} if want.name is not None else set()
    if files.keys(want):
        mine |= {SETTINGS, fstab.FILE}
    service = want.enabled or want.temporary_state
    wrong = [
        finding
        for finding in findings
        if finding.level is Level.ERROR
        and (finding.file in mine or (service and finding.code in ("masked", "no-python", "no-service")))
    ]
    if wrong:
        raise StatelessError(plain("this read-only root cannot work: " + " ".join(map(str, wrong))))
    missing = [finding for finding in findings if finding.code == _MISSING]
    warnings = [str(finding) for finding in findings if finding.code not in (*_QUIET, _MISSING)]
    if missing:
        places = ", ".join(f"{finding.entry!r} ({finding.file}, line {finding.line})" for finding in missing)
        warnings.append(f"The image does not have what these entries name, so that nothing comes of them: {places}")
    return warnings


def _ours(want: Wanted) -> list[str]:
    """Every file that this task might write."""
    paths = [SETTINGS, fstab.FILE, unit.PROGRAM, f"{UNITS[0]}/{unit.NAME}"]
    if want.name is not None:
        paths += [f"{base}.d/{want.name}" for base in (lists.RWTAB, lists.STATETAB, lists.ONCE)]
    return paths
