# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What killed runs left: never visible to a client, cleared by the next run that holds the lock."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import typing as t

from .._errors import InUse
from .._files import remove
from .._plan import Step
from . import blocks_kept, manifest, public, share

if t.TYPE_CHECKING:
    from .._server import Server
    from .._volumes.store import Store

_OURS = re.compile(r"\.[1-9][0-9]*\.(?:new|old)|[1-9][0-9]*")
_BY_RUN = "the rest of a run that was killed"


def beside(server: Server, protosystem: str, serial: int, state: str) -> str:
    """The directory of an image that is not published yet (*state* ``new``) or no longer (``old``)."""
    path = server.image(protosystem, serial)
    return os.path.join(os.path.dirname(path), f".{serial}.{state}")


def plan(server: Server, store: Store, protosystem: str, keep: int | None, warnings: list[str]) -> list[Step]:
    """The steps that clear what is there without being part of an image.

    :arg keep: a serial that is about to be mounted and exported anyway.
    :arg warnings: where acting says what could not be cleared.
    """
    published = {serial: manifest.get(server, protosystem, serial) for serial in manifest.serials(server, protosystem)}
    steps = []
    images = os.path.dirname(server.image(protosystem, 1))
    for name in _names(images):
        path = os.path.join(images, name)
        if _OURS.fullmatch(name) is not None and not (name.isdigit() and int(name) in published):
            steps.append(Step(f"remove {path}, {_BY_RUN}", functools.partial(public.remove_tree, path)))
    for serial, image in published.items():
        directory = server.image(protosystem, serial)
        steps += [_remove(os.path.join(directory, name)) for name in _names(directory) if name not in image.names]
    channels = os.path.dirname(server.channel(protosystem, "any"))
    steps += [_remove(os.path.join(channels, name)) for name in _names(channels) if name.startswith(".stateless-")]
    steps += blocks_kept.plan_leftovers(server, protosystem, published, warnings)
    for serial in share.shared(server, protosystem):
        if serial != keep and not (serial in published and "nfs" in published[serial].formats):
            unshare = share.plan_unshared(server, store, protosystem, serial)
            steps += [_tolerant(step, warnings) for step in unshare]
    return steps


def _remove(path: str) -> Step:
    directory = os.path.isdir(path) and not os.path.islink(path)
    return Step(f"remove {path}, {_BY_RUN}", functools.partial(public.remove_tree if directory else remove, path))


def _tolerant(step: Step, warnings: list[str]) -> Step:
    def act() -> None:
        # clients of an image that was withdrawn by force may hold it; that must not stop work on the other images
        try:
            step.act()
        except InUse as error:
            warnings.append(f"{error}; a later run clears it")

    return Step(f"{step.text}, {_BY_RUN}", act)


def _names(directory: str) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return sorted(os.listdir(directory))
    return []
