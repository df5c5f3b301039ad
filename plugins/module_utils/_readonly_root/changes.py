# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a root that are written, linked or removed: as values, and as steps."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import stat
import typing as t

from .. import _files
from .._errors import StatelessError
from .._plan import Step
from .tree import FILE, Tree, join


@dataclasses.dataclass(frozen=True)
class Change:
    """A file that becomes *after*; ``None``: is not there. *link*: it is a symbolic link to that."""

    path: str
    before: str | bytes | None
    after: str | bytes | None
    mode: int = 0o644
    link: bool = False

    @property
    def is_one(self) -> bool:
        """Whether anything changes."""
        return self.before != self.after


def net(changes: list[Change]) -> list[Change]:
    """One change for each file."""
    found: dict[str, Change] = {}
    for change in changes:
        first = found.get(change.path, change)
        found[change.path] = dataclasses.replace(change, before=first.before)
    return [change for change in found.values() if change.is_one]


def shown(content: str | bytes | None, link: bool) -> t.Any:
    """One side of a file in the diff: its lines; of a program its digest, of a link where it leads."""
    if content is None:
        return None
    if link:
        return f"link to {content!s}"
    if isinstance(content, bytes):
        return f"sha256:{hashlib.sha256(content).hexdigest()}"
    text = content.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return (
        text.split("\n")[:-1]
        if text.endswith("\n")
        else [*text.split("\n")[:-1], text.split("\n")[-1] + " (no newline)"]
    )


def steps_of(tree: Tree, changes: t.Iterable[Change], directories: t.Iterable[str]) -> list[Step]:
    """The steps that make *directories* and then *changes*, each in its order.

    :raises StatelessError: something that is no file is in the way.
    """
    steps = [Step(f"make the directory {where}", _make(tree.host(tree.place(where)))) for where in directories]
    for change in changes:
        verb = "remove" if change.after is None else "make" if change.before is None else "change"
        steps.append(Step(f"{verb} {change.path}", _act(tree, change)))
    return steps


def clearing(tree: Tree, paths: t.Iterable[str]) -> list[Step]:
    """The steps that remove what a killed run left beside the files *paths*."""
    steps: list[Step] = []
    for path in paths:
        directory, name = os.path.split(path)
        if any(left.startswith(f".stateless-{name}:") for left in tree.names(directory)):
            where = tree.host(tree.place(directory))
            steps.append(Step(f"remove what a killed run left beside {path}", _clear(where, name)))
    return steps


def _clear(where: str, name: str) -> t.Callable[[], object]:
    return lambda: _files.clear_unfinished(where, name)


def _make(where: str) -> t.Callable[[], object]:
    return lambda: os.makedirs(where, 0o755, exist_ok=True)


def _act(tree: Tree, change: Change) -> t.Callable[[], object]:
    """How to write, link or remove one file; where it is inside of the root is found now, and nothing is followed out.

    :raises StatelessError: something that is no file is in the way.
    """
    directory, name = os.path.split(change.path)
    if change.link:
        link = join(tree.host(tree.place(directory)), name)
        target = change.after
        return (lambda: _files.remove(link)) if target is None else (lambda: _symlink(str(target), link))
    place = tree.place(change.path)
    if tree.kind(place) not in (None, FILE):
        raise StatelessError(f"{change.path} cannot be written in {tree.root}: it is no file ({tree.kind(place)})")
    where = tree.host(place)
    content = change.after
    if content is None:
        return lambda: _files.remove(where)
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")
    mode, owner = change.mode, None
    if tree.kind(place) == FILE:
        there = os.lstat(where)
        mode, owner = stat.S_IMODE(there.st_mode), (there.st_uid, there.st_gid)
        if change.mode & 0o111:
            mode |= 0o111
    return lambda: _files.write(where, data, mode, owner)


def _symlink(target: str, link: str) -> None:
    """Make *link*, whatever was there before; old or new at any moment."""
    os.makedirs(os.path.dirname(link), exist_ok=True)
    beside = f"{link}.stateless"
    _files.remove(beside)
    os.symlink(target, beside)
    os.rename(beside, link)
    _files.sync_directory(os.path.dirname(link))
