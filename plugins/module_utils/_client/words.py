# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``stateless status`` prints: for people, and as JSON."""

from __future__ import annotations

import dataclasses
import datetime
import json
import typing as t
import unicodedata

from .._cached_root import say
from .._directory.fleet import Running
from .._directory.resolve import Answer, stale
from .known import Known

#: Exit statuses.
SAME, FAILED, CHANGES, UNKNOWN = 0, 1, 3, 4
#: No line needs more of a text from elsewhere.
_LONGEST = 400


@dataclasses.dataclass(frozen=True)
class Status:
    """What is to be said."""

    #: None: no image
    running: Running | None
    #: what this machine is called, proven by its login or only said by its boot script; None: neither
    name: str | None
    #: None: nothing is known
    known: Known | None
    #: why it is what was known last, and not what the directory says now; empty: it does
    failure: str = ""
    #: what the administrator should know
    notes: t.Sequence[str] = ()
    #: what is on the disk of a caching client (``_cached_root/say.py``); None: it is none
    disk: t.Mapping[str, t.Any] | None = None

    @property
    def stale(self) -> bool | None:
        """Whether a reboot would change what runs; None: it is not known, or it would bring up nothing."""
        if self.running is None or self.known is None or self.known.answer.problem:
            return None
        return stale(self.running, self.known.answer)

    @property
    def code(self) -> int:
        """The exit status."""
        return {None: UNKNOWN, True: CHANGES, False: SAME}[self.stale]

    def as_json(self) -> str:
        """For programs; what is not ASCII is escaped, so that it can be looked at, too."""
        known = self.known
        running = dataclasses.asdict(self.running) if self.running else None
        if running is not None:
            del running["reported"], running["failed"]
        value = {
            "client": self.name,
            "running": running,
            "run": known.answer.as_dict() if known else None,
            "stale": self.stale,
            "source": None if known is None else "last known" if self.failure else "directory",
            "asked": known.asked if known else None,
            "failure": self.failure,
            "notes": list(self.notes),
            "disk": self.disk,
        }
        return json.dumps(value, indent=2, sort_keys=True) + "\n"

    def as_text(self) -> str:
        """For people."""
        known, running = self.known, self.running
        lines = [("client", self.name or "(its boot script gives it no name)")]
        if running is None:
            lines.append(("runs", "no image of this collection"))
        else:
            lines.append(("runs", f"{_image(running)}, since {_time(running.since)}"))
            lines.append(("", running.digest or "(its digest is not known)"))
        if known is not None:
            lines += _should(known.answer)
        lines.append(("reboot", self._reboot()))
        if self.failure:
            lines.append(("directory", self.failure))
        if known is not None:
            lines.append(("as of", f"{_time(known.asked)}, the last answer" if self.failure else "now"))
        if self.disk is not None:
            lines += [("disk" if not number else "", text) for number, text in enumerate(say.lines(self.disk))]
        lines += [("note", note) for note in self.notes]
        return "".join(f"{title + ':' if title else '':<12}{shown(text)}\n" for title, text in lines)

    def _reboot(self) -> str:
        if self.known is None:
            return "not known: the directory has not answered yet" if self.failure else "not known"
        answer = self.known.answer
        if answer.problem:
            return f"would bring up nothing: {answer.problem}"
        if self.running is None:
            return f"would bring up {_image(answer)} from the network"
        if self.stale:
            return f"would bring up {_image(answer)} instead"
        same = (self.running.protosystem, self.running.serial) == (answer.protosystem, answer.serial)
        what = "changes nothing" if same else f"changes nothing but the number: {_image(answer)} has the same content"
        return what if self.running.format == answer.format else f"{what}; it comes as {answer.format}"


def _should(answer: Answer) -> list[tuple[str, str]]:
    if answer.protosystem is None or answer.serial is None:
        return [("should run", "nothing"), ("because", answer.reason)] if answer.reason else []
    lines = [("should run", _image(answer)), ("", answer.digest or "(its digest is not known)")]
    return [*lines, ("because", answer.reason)]


def _image(one: Running | Answer) -> str:
    return f"{one.protosystem} {one.serial} ({one.format})"


def _time(when: str | None) -> str:
    """A time in the clock of this machine."""
    if when is None:
        return "an unknown time"
    return datetime.datetime.fromisoformat(when).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def shown(text: str) -> str:
    """*text*, some of which may come from others, as one line of a terminal: what that would obey is escaped."""
    safe = "".join(
        letter if letter == " " or unicodedata.category(letter)[0] not in "CZ" else _escaped(letter) for letter in text
    )
    return safe if len(safe) <= _LONGEST else f"{safe[:_LONGEST]}..."


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode() if letter.isascii() or not letter.isprintable() else " "
