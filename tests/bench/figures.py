# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running programs, what that took, and a line that says so."""

from __future__ import annotations

import os
import pathlib
import resource
import subprocess
import sys
import time
import typing as t

CLONE = pathlib.Path(__file__).resolve().parents[2]
LAB = str(CLONE / "tests/lab/lab")


def run(*argv: str, env: t.Mapping[str, str] | None = None, timeout: float | None = None) -> str:
    """Run a program; its standard output. Ends everything with what the program said if it fails."""
    done = subprocess.run(
        argv, cwd=CLONE, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False, timeout=timeout
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)} ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def figure(what: str, **values: t.Any) -> None:
    """Print one line of figures."""
    print(f"{what:<44} " + "  ".join(f"{name} {value}" for name, value in values.items()), flush=True)


def _processor() -> float:
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in found)


class Watch:
    """What work took: ``seconds`` passed, and those of a processor, user and system.

    The second is what a machine that does other things beside still tells. Programs count when they have ended.

    :arg there: seconds of processors of another host; without, it counts none.
    """

    def __init__(self, there: t.Callable[[], float] | None = None) -> None:
        self._there = there
        self.seconds = self.here = self.away = 0.0

    def __enter__(self) -> Watch:
        self._away = self._there() if self._there else 0.0
        self._here = _processor()
        self._began = time.monotonic()
        return self

    def __exit__(self, *_error: object) -> None:
        self.seconds = time.monotonic() - self._began
        self.here = _processor() - self._here
        self.away = self._there() - self._away if self._there else 0.0

    def told(self) -> dict[str, str]:
        """The values for :func:`figure`."""
        found = {"seconds": f"{self.seconds:.2f}", "processor": f"{self.here:.2f}"}
        return {**found, "server": f"{self.away:.2f}"} if self._there else found
