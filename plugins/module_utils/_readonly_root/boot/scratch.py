# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scratch half: copy what rwtab names from the image, then bind it over the image."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..._errors import StatelessError
from ..lists import FROM_INITRD
from ..model import Bind, Entry, Keep
from . import copying, mounting
from .log import Log, shown


def fill(where: str, binds: t.Iterable[Bind], log: Log) -> list[Bind]:
    """Copy the image's content of *binds* to *where*; return those whose copy is whole.

    Nothing is bound yet, so that each is copied from the image. What does not fit leaves no half.
    """
    whole: list[Bind] = []
    failed: list[Bind] = []
    for bind in binds:
        (whole if _try(where, bind) is None else failed).append(bind)
    # Not for want of room, perhaps, or there is some now that the others' halves are gone.
    for bind in failed:
        problem = _try(where, bind)
        if problem is None:
            whole.append(bind)
        else:
            log.problem(f"{shown(bind.path)} stays read-only: {problem}")
    return whole


def _try(where: str, bind: Bind) -> str | None:
    """Copy for *bind*; return what went wrong, and leave nothing then."""
    try:
        copying.make_way(where, bind.path)
        _copy(where, bind)
    except (StatelessError, OSError) as error:
        with contextlib.suppress(OSError):
            copying.remove(where + bind.path)
        return str(error)
    return None


def _copy(where: str, bind: Bind) -> None:
    made: list[tuple[str, str]] = []
    for entry in bind.entries:
        way = bind.path
        for name in os.path.dirname(entry.path)[len(bind.path) :].split("/"):
            way = f"{way}/{name}" if name else way
            if way != entry.path and not os.path.lexists(where + way):
                copying.make_directory(way, where + way)
                made.append((way, where + way))
        if os.path.isdir(entry.path) and entry.keep is not Keep.EVERYTHING:
            if entry.keep is Keep.DIRECTORIES:
                copying.copy_directories(entry.path, where + entry.path)
            else:
                copying.make_directory(entry.path, where + entry.path)
                made.append((entry.path, where + entry.path))
        elif not _is_in_another(entry, bind):
            copying.copy_into([entry.path], os.path.dirname(where + entry.path))
    copying.copy_times(reversed(made))


def _is_in_another(entry: Entry, bind: Bind) -> bool:
    """Whether another entry, listed before it if it is the same path, brings all of *entry*."""
    for other in bind.entries:
        if other is entry:
            return False
        if other.keep is Keep.EVERYTHING and other.path == entry.path:
            return True
    return False


def bind_over(where: str, binds: t.Iterable[Bind], *, slave: bool, log: Log) -> list[Bind]:
    """Bind the copies in *where* over the image; return those that are."""
    bound: list[Bind] = []
    # By descriptor: a bind may lie over the way to *where*.
    descriptor = os.open(where, os.O_PATH | os.O_DIRECTORY)
    try:
        for bind in binds:
            try:
                mounting.bind(f"/proc/self/fd/{descriptor}{bind.path}", bind.path, slave=slave)
                bound.append(bind)
            except StatelessError as error:
                log.problem(f"{shown(bind.path)} could not be bound from {bind.kind}: {error}")
    finally:
        os.close(descriptor)
    return bound


def take_from_initrd(where: str, log: Log) -> None:
    """Copy what the initrd left; it is seen where a path is bound."""
    try:
        names = sorted(name for name in os.listdir(FROM_INITRD) if not name.startswith("."))
    except OSError:
        return
    if names:
        try:
            copying.copy_into([f"{FROM_INITRD}/{name}" for name in names], where)
        except StatelessError as error:
            log.problem(f"scratch: {error}")
