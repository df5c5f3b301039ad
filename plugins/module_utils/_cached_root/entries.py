# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot entries as values: which there are, which is booted next, and what it takes to have another one booted.

An entry is never changed: it is added, it is found good, it is removed. Its generation is a number that is given once,
so that the newest choice counts, whatever root it leads to (docs/caching-clients.md).
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._errors import InvalidValue
from .._names import check_name

#: Digits of a generation in a name: names sort as generations do.
_DIGITS = 6
_NAME = re.compile(
    r"stateless-(?P<generation>[0-9]{6,9})-(?P<protosystem>[a-z0-9-]+)-(?P<serial>[1-9][0-9]{0,9})"
    r"(?:\+(?P<left>[0-9]{1,2})(?:-(?P<done>[0-9]{1,2}))?)?"
)

#: A protosystem and a serial.
Image = tuple[str, int]


@dataclasses.dataclass(frozen=True, order=True)
class Entry:
    """An entry of the boot loader."""

    generation: int
    protosystem: str
    serial: int
    #: tries that are left; None: it was found good
    left: int | None = None
    #: tries that were made, if the loader counts them
    done: int = 0

    @property
    def image(self) -> Image:
        """What it boots."""
        return self.protosystem, self.serial

    @property
    def name(self) -> str:
        """Its name, without a count of tries."""
        return f"stateless-{self.generation:0{_DIGITS}}-{self.protosystem}-{self.serial}"

    @property
    def counted(self) -> str:
        """Its name as the Boot Loader Specification counts tries: ``+LEFT``, ``+LEFT-DONE``."""
        if self.left is None:
            return self.name
        return f"{self.name}+{self.left}" + (f"-{self.done}" if self.done else "")

    @property
    def is_good(self) -> bool:
        """Whether it was booted and found healthy."""
        return self.left is None

    @property
    def is_trial(self) -> bool:
        """Whether it has tries left."""
        return bool(self.left)

    @property
    def has_failed(self) -> bool:
        """Whether all its tries are gone."""
        return self.left == 0


def parse(name: str) -> Entry | None:
    """The entry of that name, with or without a count; None: it is none of ours."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        protosystem = check_name("entry", match["protosystem"])
    except InvalidValue:
        return None
    left, done = match["left"], match["done"]
    return Entry(
        int(match["generation"]),
        protosystem,
        int(match["serial"]),
        None if left is None else int(left),
        int(done or 0),
    )


def following(entries: t.Iterable[Entry]) -> Entry | None:
    """The entry that is booted next."""
    ordered = sorted(entries, reverse=True)
    willing = [entry for entry in ordered if not entry.has_failed]
    return next(iter(willing or ordered), None)


def fallback(entries: t.Iterable[Entry], of: Entry) -> Entry | None:
    """What is booted if *of* fails; None: there is nothing that was ever good."""
    return max((entry for entry in entries if entry.is_good and entry.name != of.name), default=None)


def next_generation(entries: t.Iterable[Entry]) -> int:
    """A number that none of *entries* has: asked before any is removed."""
    return max((entry.generation for entry in entries), default=0) + 1
