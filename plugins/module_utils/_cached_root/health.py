# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what was booted is healthy, as far as the machine can tell; and have its entry say so."""

from __future__ import annotations

import dataclasses
import os
import stat
import time
import typing as t

from .._command import CommandFailed, run, run_json
from .._errors import NotFound, StatelessError
from . import decisions, plan
from .entries import Entry, Image, fallback
from .machine import Machine

#: The administrator's own checks: executable files.
CHECKS = "/etc/stateless/health.d"
#: Seconds for each of them.
_CHECK = 60
#: Seconds between two looks.
_PAUSE = 5.0


@dataclasses.dataclass(frozen=True)
class Blessed:
    """What came of it."""

    entry: Entry
    #: it was on trial
    changed: bool
    #: entries that failed before, and are noted
    failed: tuple[Entry, ...] = ()


def bless(machine: Machine, generation: int) -> Blessed:
    """The entry that the machine was booted from is good.

    :arg generation: its number.
    :raises NotFound: there is no such entry.
    """
    with machine.locked(), machine.boot(True) as boot:
        entries = boot.entries()
        own = next((entry for entry in entries if entry.generation == generation), None)
        if own is None:
            raise NotFound(f"the boot partition has no entry {generation}, from which this machine was booted")
        boot.bless(own)
        failed = tuple(entry for entry in entries if entry.has_failed and entry.image != own.image)
        said = decisions.load(machine.places.decisions)
        noted = said.noticing(entries, own.image)
        if noted != said:
            decisions.store(machine.places.decisions, noted)
        return Blessed(own, not own.is_good, failed)


def blame(machine: Machine, image: Image, wrong: t.Iterable[str]) -> None:
    """Remember what is wrong with the root that runs, for whoever asks when another one does."""
    with machine.locked():
        said = decisions.load(machine.places.decisions)
        decisions.store(machine.places.decisions, said.blaming(image, wrong))


def alternative(machine: Machine, generation: int) -> Entry | None:
    """What the machine falls back on if its entry is on trial and not healthy; None: it is not, or there is nothing."""
    now = machine.look()
    own = next((entry for entry in now.entries if entry.generation == generation), None)
    if own is None or own.is_good:
        return None
    good = set(plan.good(now))
    return fallback((entry for entry in now.entries if entry.image in good), own)


def wait(
    look: t.Callable[[], list[str]],
    seconds: float,
    now: t.Callable[[], float] = time.monotonic,
    sleep: t.Callable[[float], None] = time.sleep,
) -> list[str]:
    """Look until there is nothing wrong any more; what is, after so many seconds."""
    until = now() + seconds
    while True:
        wrong = look()
        if not wrong or now() >= until:
            return wrong
        sleep(min(_PAUSE, max(until - now(), 0)))


def failed_units(ignored: t.Container[str]) -> list[str]:
    """The systemd units that have failed, in words."""
    rows = run_json(["systemctl", "list-units", "--state=failed", "--all", "--no-pager", "--output=json"])
    return [f"the unit {row['unit']} has failed" for row in rows if row["unit"] not in ignored]


def network() -> list[str]:
    """What is wrong with the network."""
    routes = run_json(["ip", "-json", "route", "show", "default"])
    routes += run_json(["ip", "-json", "-6", "route", "show", "default"])
    return [] if routes else ["there is no route to the network"]


def checks(directory: str) -> list[str]:
    """What the administrator's own checks find wrong."""
    wrong = []
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
    for name in names:
        path = os.path.join(directory, name)
        mode = os.stat(path).st_mode
        if name.startswith(".") or not stat.S_ISREG(mode) or not mode & 0o111:
            continue
        try:
            run([path], timeout=_CHECK)
        except CommandFailed as error:
            said = (error.stderr.strip().splitlines() or [f"status {error.returncode}"])[-1]
            wrong.append(f"{path}: {said:.200}")
        except (OSError, StatelessError) as error:
            wrong.append(f"{path}: {error}")
    return wrong
