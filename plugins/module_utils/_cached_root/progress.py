# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a download is, how fast, and how long it takes: for a person, or for a program."""

from __future__ import annotations

import json
import sys
import time
import typing as t

#: Seconds between two lines, at least; and those that the rate is taken over.
_EVERY, _ON_PAPER = 1.0, 10.0
_WINDOW = 20.0


class Progress:
    """Told of bytes as they come; says so now and then.

    :arg as_json: one object a line. Else a terminal shows one line again and again; a file gets one every ten seconds.
    :arg now: seconds of a clock that only goes forward.
    """

    def __init__(
        self, as_json: bool, stream: t.TextIO | None = None, now: t.Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream or sys.stderr
        self._json = as_json
        self._now = now
        self._terminal = not as_json and self._stream.isatty()
        self._what = ""
        self._done = self._total = 0
        self._seen: list[tuple[float, int]] = []
        self._said = 0.0

    def step(self, what: str) -> None:
        """Something begins that has no bytes to count."""
        self.end()
        self._write({"step": what}, what)

    def begin(self, what: str, total: int) -> None:
        """*total* bytes are going to come."""
        self.end()
        self._what, self._done, self._total = what, 0, total
        self._seen = [(self._now(), 0)]
        self._said = float("-inf")
        self._say()

    def count(self, size: int) -> None:
        """More bytes came; those that nobody announced are not said."""
        if not self._what:
            return
        self._done += size
        now = self._now()
        if now >= self._said + (_EVERY if self._json or self._terminal else _ON_PAPER):
            self._say()

    def end(self) -> None:
        """They have all come, or no more are going to."""
        if self._what:
            self._say()
            if self._terminal:
                self._stream.write("\n")
        self._what = ""

    @property
    def rate(self) -> float | None:
        """Bytes per second of late; None: it is too early to say."""
        (then, had), now = self._seen[0], self._now()
        return (self._done - had) / (now - then) if now - then >= _EVERY else None

    @property
    def left(self) -> float | None:
        """Seconds that it still takes, if it goes on like this; None: nobody knows."""
        rate = self.rate
        return max(self._total - self._done, 0) / rate if rate else None

    def _say(self) -> None:
        now = self._now()
        rate, left = self.rate, self.left
        if self._said > float("-inf") and (now, self._done) != self._seen[-1]:
            self._seen.append((now, self._done))
        while len(self._seen) > 1 and self._seen[1][0] < now - _WINDOW:
            del self._seen[0]
        self._said = now
        value = {
            "step": self._what,
            "bytes": self._done,
            "total": self._total,
            "rate": None if rate is None else round(rate),
            "left": None if left is None else round(left),
        }
        text = f"{self._what}: {_size(self._done)} of {_size(self._total)}"
        text += f", {_size(rate)}/s" if rate is not None else ""
        text += f", {_time(left)} left" if left is not None and self._done < self._total else ""
        self._write(value, text, again=True)

    def _write(self, value: t.Mapping[str, t.Any], text: str, again: bool = False) -> None:
        if self._json:
            self._stream.write(json.dumps(value) + "\n")
        elif self._terminal and again:
            self._stream.write(f"\r{text:<78}")
        else:
            self._stream.write(f"{text}\n")
        self._stream.flush()


class Silent(Progress):
    """Says nothing."""

    def _write(self, value: t.Mapping[str, t.Any], text: str, again: bool = False) -> None:
        pass


def _size(size: float) -> str:
    return f"{size / 1e6:.1f} MB"


def _time(seconds: float) -> str:
    whole = round(seconds)
    minutes = f"{whole // 3600}:{whole % 3600 // 60:02}" if whole >= 3600 else f"{whole // 60}"
    return f"{minutes}:{whole % 60:02}"
