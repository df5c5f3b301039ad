# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened here that an update has to know: serials that failed, and the one that was rolled back from."""

from __future__ import annotations

import dataclasses
import typing as t

from .. import _files
from .._errors import StatelessError
from .._names import check_name, check_serial
from .entries import Entry, Image

_SCHEMA = 1
#: characters of what was wrong with a root
_WORDS = 200


@dataclasses.dataclass(frozen=True)
class Decisions:
    """Values; changing one makes another."""

    #: roots that were booted and were not healthy
    failed: frozenset[Image] = frozenset()
    #: the root that somebody said not to go to again, until another is assigned
    held: Image | None = None
    #: what was wrong with a root that was not healthy, if it came far enough to say so
    why: t.Mapping[Image, str] = dataclasses.field(default_factory=dict)

    def refusal(self, image: Image) -> str:
        """Why an update does not go there by itself; empty: it does."""
        if image in self.failed:
            return failed(image, why=self.why.get(image))
        if image == self.held:
            name = f"{image[0]} {image[1]}"
            return f"somebody has rolled back from {name}; update stays away from it until another one is assigned"
        return ""

    def noticing(self, entries: t.Iterable[Entry], running: Image | None) -> Decisions:
        """With what the boot loader says has failed, but for what runs after all."""
        failed = {entry.image for entry in entries if entry.has_failed}
        return dataclasses.replace(self, failed=(self.failed | failed) - {running}, why=self._why_without(running))

    def blaming(self, image: Image, wrong: t.Iterable[str]) -> Decisions:
        """With what is wrong with a root that runs; whether it has failed is the boot loader's to say."""
        text = "".join(one if one.isprintable() else " " for one in "; ".join(wrong))
        return dataclasses.replace(self, why={**self.why, image: text[:_WORDS]})

    def going_to(self, image: Image) -> Decisions:
        """It is gone to: what was said of it counts no more, and what was held is free if another was assigned."""
        return Decisions(self.failed - {image}, None, self._why_without(image))

    def _why_without(self, image: Image | None) -> dict[Image, str]:
        return {one: why for one, why in self.why.items() if one != image}


def failed(image: Image, how: str = "", why: str | None = None) -> str:
    """That a root was not healthy here; *how*: in which way it was booted."""
    name = f"{image[0]} {image[1]}{how}"
    because = f" ({why})" if why else ""
    return f"{name} was booted here and did not come up healthy{because}; it is not tried again, unless --again says so"


def load(path: str) -> Decisions:
    """Read them; there need be none.

    :raises StatelessError: the file is none of ours.
    """
    try:
        found = _files.read_json(path)
        if found is None:
            return Decisions()
        if found["schema"] != _SCHEMA:
            raise ValueError("another version wrote it")
        held = found["held"]
        why = {_image((name, serial)): str(text) for name, serial, text in found.get("why", [])}
        return Decisions(frozenset(map(_image, found["failed"])), None if held is None else _image(held), why)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StatelessError(f"{path} cannot be read: {error}; remove it to forget what failed here") from error


def store(path: str, decisions: Decisions) -> None:
    """Keep them."""
    held = list(decisions.held) if decisions.held else None
    why = [[*image, text] for image, text in sorted(decisions.why.items())]
    value = {"schema": _SCHEMA, "failed": sorted(map(list, decisions.failed)), "held": held, "why": why}
    _files.write_json(path, value)


def _image(value: t.Any) -> Image:
    protosystem, serial = value
    return check_name("protosystem", protosystem), check_serial("serial", int(serial))
