# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the command ``stateless`` does with the roots on this machine's disk."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
import typing as t

from .._blocks.fetch import FetchFailed
from .._boot.arguments import check_arguments, told
from .._cached_root import arguments, check, decisions, health, install, say, settings, stage
from .._cached_root.boot_partition import TRIAL
from .._cached_root.entries import Image
from .._cached_root.here import Here
from .._cached_root.plan import Way
from .._cached_root.progress import Progress, Silent
from .._command import CommandFailed, run
from .._errors import Busy, InUse, InvalidValue, StatelessError
from .._names import check_serial
from .._volumes.lvm_values import check_vg_name, parse_size
from . import identity
from .ask import ask, within
from .machine import look
from .places import Places
from .wanted import ASK, Wanted, assigned
from .words import FAILED, SAME, UNKNOWN, shown

#: So many failures are told: each has at most 75 characters, and the directory takes 1024.
_FAILED = 10
#: Of the image (``cached_files.py``).
TRIAL_TIMER = "stateless-trial.timer"
REPORT = "stateless-report.service"
COMMANDS = ("install", "update", "rollback", "verify", "health")

EPILOG = """exit status of install, update, rollback and verify:
  0  done, or there was nothing to do
  1  it cannot be done, or blocks differ; the reason is told, and what runs is as it was
  2  wrong usage
  4  it cannot be done now: what is published or the directory cannot be reached, another run is under way, what runs
     was not found healthy yet, or what should run has failed here

exit status of health:
  0  healthy, or not booted from this machine's disk
  1  not healthy; the machine is restarted if another root can take over"""


def add(commands: t.Any) -> None:
    """Add the commands to a parser of arguments."""
    installing = commands.add_parser("install", help="make a blank disk boot by itself; all that is on it is lost")
    text = "such as /dev/nvme0n1; auto is the only blank one; default: what the kernel argument stateless.install says"
    installing.add_argument("disk", nargs="?", help=text)
    installing.add_argument("--erase", action="store_true", help="even if there is something on it")
    installing.add_argument("--state-size", metavar="SIZE", help="such as 8G; default: an eighth of the disk")
    installing.add_argument("--vg", default=install.VG, metavar="NAME", help="the volume group (default: stateless)")
    text = "a kernel argument of this machine alone; may be given again"
    installing.add_argument("--argument", action="append", default=[], metavar="WORD", help=text)
    installing.add_argument("--reboot", action="store_true", help="restart when it is done")
    updating = commands.add_parser("update", help="fetch what should run, and have it booted at the next restart")
    updating.add_argument("--again", action="store_true", help="even if it failed here, or was rolled back from")
    updating.add_argument("--reboot", action="store_true", help="restart if that changes what runs")
    for one in (installing, updating):
        one.add_argument("--check", action="store_true", help="only say what would be done")
        one.add_argument("--protosystem", metavar="NAME", help="default: what the directory says")
        one.add_argument("--serial", type=int, metavar="N", help="default: what the directory says")
        one.add_argument("--url", action="append", metavar="URL", help="where images are published; may be given again")
        one.add_argument("--limit", metavar="SIZE", help="bytes per second at most, such as 2M")
    back = commands.add_parser("rollback", help="have an older root booted at the next restart")
    back.add_argument("serial", type=int, nargs="?", metavar="SERIAL", help="default: the newest good one besides")
    checking = commands.add_parser("verify", help="compare every block of a root with what was published")
    checking.add_argument("serial", type=int, nargs="?", metavar="SERIAL", help="default: what runs")
    checking.add_argument("--mend", action="store_true", help="fetch the blocks that differ")
    commands.add_parser("health", help="judge whether this boot is healthy, and act on it: what the service runs")
    for name in COMMANDS:
        commands.choices[name].add_argument("--json", action="store_true", help="for programs")


def act(options: argparse.Namespace, places: Places) -> int:
    """Do one of :data:`COMMANDS`; return the exit status."""
    if os.geteuid() != 0:
        raise StatelessError("only root can change the roots of this machine")
    cached = _Cached(options, places)
    work: dict[str, t.Callable[[], int]] = {
        "install": cached.install,
        "update": cached.update,
        "rollback": cached.rollback,
        "verify": cached.verify,
        "health": cached.health,
    }
    try:
        return work[options.command]()
    except (Busy, FetchFailed, InUse) as error:
        # another time it may work: what a timer starts has not failed by this
        sys.stderr.write(f"stateless: {shown(str(error))}\n")
        return UNKNOWN
    finally:
        cached.here.progress.end()


def described(places: Places) -> dict[str, t.Any] | None:
    """What is on this machine's disk, for who may look; None: it does not run from there, or whoever asks may not."""
    if os.geteuid() != 0:
        return None
    found = here(places, Silent(True))
    if found.generation is None:
        return None
    return say.described(found.cached().look(), decisions.load(found.places.decisions))


def failed(places: Places) -> str | None:
    """The roots that this machine was not healthy with, for the directory; None: there is none."""
    found = decisions.load(settings.Places(places.root).decisions)
    # the newest are the ones to be looked at
    newest = sorted(found.failed)[-_FAILED:]
    because = {image: f" ({found.why[image]})" if image in found.why else "" for image in newest}
    return ", ".join(f"{name} {serial}{because[name, serial]}" for name, serial in newest) or None


def here(places: Places, progress: Progress, **said: t.Any) -> Here:
    """This machine, with the settings of its image, but for what is *said* (and not None)."""
    with open(places.of("/proc/cmdline"), encoding="utf-8", errors="replace") as stream:
        line = stream.read()
    own = settings.Places(places.root)
    found = settings.load(own)
    known = {name: value for name, value in said.items() if value is not None}
    if known:
        checked = settings.check(known, "the options")
        found = dataclasses.replace(found, **{name: getattr(checked, name) for name in known})
    return Here(line, own, found, progress)


class _Cached:
    def __init__(self, options: argparse.Namespace, places: Places) -> None:
        self.options = options
        self.places = places
        limit = getattr(options, "limit", None)
        limit = None if limit is None else parse_size("limit", limit).bytes_of(0, 1)
        self.here = here(places, Progress(options.json), urls=getattr(options, "url", None), limit=limit)

    # -- commands

    def install(self) -> int:
        options = self.options
        mine = arguments.named(arguments.own_arguments(self.here.line), os.uname().nodename)
        own = (*mine, *check_arguments("argument", options.argument))
        state = None
        if options.state_size is not None:
            state = install.check_size("state_size", parse_size("state_size", options.state_size).bytes_of(0, 1))
        vg = check_vg_name("vg", options.vg)
        should = self._booted() if options.disk is None and options.serial is None else self._wanted()
        kept = identity.kept(self.places)
        wanted = install.Wanted(self._disk(), should.image, options.erase, state, vg, kept=kept)
        machine = self.here.made(vg, should.own(own) or own, lambda: "")
        planned = install.plan(machine, wanted)
        if options.check:
            self._say({"plan": planned.as_text()}, planned.as_text())
            return SAME
        self.here.progress.step(planned.as_text())
        _low_priority()
        staged = install.act(machine, planned)
        (name, serial), path = staged.image, planned.wanted.disk
        self._say(
            {"installed": {"protosystem": name, "serial": serial}, "disk": path, "fetched": staged.fetched},
            f"{path} boots {name} {serial}",
        )
        if options.reboot:
            run(["systemctl", "--no-block", "reboot"])
        return SAME

    def update(self) -> int:
        wanted = self._wanted()
        machine = self.here.cached()
        image, own = wanted.image, wanted.own(machine.arguments)
        restart = self.here.needs_restart(image, own)
        if self.options.check:
            staged = stage.foreseen(machine, image, again=self.options.again, own=own)
            text = {
                Way.NOTHING: "runs, or is booted next, already",
                Way.CANCEL: "would be booted next, instead of what is on trial",
                Way.ENTRY: "is on the disk, and would be booted next",
                Way.MAKE: f"would be fetched ({staged.fetched / 1e6:.1f} MB), and booted next",
            }[staged.way]
            self._say(self._value(staged, restart), f"{image[0]} {image[1]} {text}")
            return SAME
        _low_priority()
        staged = stage.stage(machine, image, again=self.options.again, own=own)
        self._staged(staged, restart)
        if self.options.reboot and restart:
            run(["systemctl", "--no-block", "reboot"])
        return SAME

    def rollback(self) -> int:
        staged = stage.rollback(self.here.cached(), self._named())
        return self._staged(staged, self.here.needs_restart(staged.image, None))

    def verify(self) -> int:
        image = self._named() or self.here.running
        if image is None:
            raise InvalidValue("serial", None, "this machine runs no root of its disk: name the one that is meant")
        _low_priority()
        found = check.verify(self.here.cached(), image, self.options.mend)
        value = {**dataclasses.asdict(found), "protosystem": found.image[0], "serial": found.image[1]}
        del value["image"]
        text = f"{found.image[0]} {found.image[1]}: {found.differing} of {found.blocks} blocks differ"
        self._say(value, f"{text}{', and were mended' if found.mended else ''}")
        return FAILED if found.differing and not found.mended else SAME

    def health(self) -> int:
        generation = self.here.generation
        if generation is None:
            self._say({"healthy": None}, "this machine was not booted from its disk: there is nothing to judge")
            return SAME
        machine = self.here.cached()
        wrong = health.wait(self._wrong, self.here.settings.health_seconds)
        if not wrong:
            blessed = health.bless(machine, generation)
            failed = [list(entry.image) for entry in blessed.failed]
            if failed and os.path.exists(self.places.settings):
                run(["systemctl", "--no-block", "start", REPORT])
            said = f"{blessed.entry.protosystem} {blessed.entry.serial} is healthy"
            self._relax()
            self._say({"healthy": True, "changed": blessed.changed, "failed": failed}, said)
            return SAME
        other = health.alternative(machine, generation)
        then = f"{other.protosystem} {other.serial} can take over: restarting" if other else "nothing can take over"
        self._say(
            {"healthy": False, "wrong": wrong, "restart": other is not None},
            f"not healthy: {'; '.join(wrong)}; {then}",
        )
        if other is not None:
            if self.here.running is not None:
                # it has to go back even if its state is broken, too, or somebody else is at work
                with contextlib.suppress(OSError, StatelessError):
                    health.blame(machine, self.here.running, wrong)
            run(["systemctl", "--no-block", "reboot"])
        else:
            self._relax()
        return FAILED

    # -- what they need

    def _relax(self) -> None:
        """What would restart a machine that never gets to be judged is not needed any more."""
        if TRIAL in self.here.line.split():
            run(["systemctl", "--no-block", "stop", TRIAL_TIMER])

    def _wrong(self) -> list[str]:
        wrong = health.failed_units(self.here.settings.health_ignored_units) + health.network()
        if not wrong and os.path.exists(self.places.settings):
            try:
                wait, altogether = ASK
                within(altogether, lambda: ask(self.places, look(self.places), wait))
            except StatelessError as error:
                wrong.append(f"the directory: {error}")
        return wrong or health.checks(self.places.of(health.CHECKS))

    def _disk(self) -> str:
        """The disk that is meant."""
        said: str | None = self.options.disk or told(self.here.line).get("install")
        if not said:
            raise InvalidValue("disk", None, "name it, such as /dev/nvme0n1; auto is the only blank one")
        return said

    def _booted(self) -> Wanted:
        """What the machine was booted with: whoever had it boot so, in order to install, has said it."""
        if self.here.image is None:
            raise InvalidValue("serial", None, "this machine runs no image: say which serial is meant")
        return Wanted(self.here.image)

    def _named(self) -> Image | None:
        """The root of this machine's protosystem that the options name."""
        serial = self.options.serial
        return None if serial is None else (self.here.protosystem(None), check_serial("serial", serial))

    def _wanted(self) -> Wanted:
        """What should run: as the options say, or as the directory does."""
        if self.options.serial is not None:
            return Wanted(
                (self.here.protosystem(self.options.protosystem), check_serial("serial", self.options.serial))
            )
        self.here.progress.step("ask the directory")
        return assigned(self.places)

    def _value(self, staged: stage.Staged, restart: bool) -> dict[str, t.Any]:
        name, serial = staged.image
        return {
            "protosystem": name,
            "serial": serial,
            "changed": staged.way is not Way.NOTHING,
            "reboot": restart,
            "fetched": staged.fetched,
            "requests": staged.requests,
            "removed": [list(image) for image in staged.removed],
        }

    def _staged(self, staged: stage.Staged, restart: bool) -> int:
        name, serial = staged.image
        value = self._value(staged, restart)
        text = f"{name} {serial} {'is booted at the next restart' if restart else 'runs'}"
        if staged.fetched:
            text += f" ({staged.fetched / 1e6:.1f} MB in {staged.requests} requests)"
        self._say(value, text)
        return SAME

    def _say(self, value: t.Mapping[str, t.Any], text: str) -> None:
        self.here.progress.end()
        sys.stdout.write(json.dumps(value, sort_keys=True) + "\n" if self.options.json else f"{shown(text)}\n")


def _low_priority() -> None:
    """Whoever uses the machine comes first.

    Not at any price: while LVM makes a snapshot, the root stands still, and must not wait for others. LVM raises its
    own priority meanwhile (lvm.conf(5), process_priority), which it could not with SCHED_IDLE.
    """
    os.nice(19)
    with contextlib.suppress(CommandFailed, StatelessError):
        run(["ionice", "--class", "best-effort", "--classdata", "7", "--pid", str(os.getpid())])
