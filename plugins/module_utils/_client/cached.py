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
from .._boot.arguments import check_arguments
from .._cached_root import arguments, boot, check, health, install, machine, say, settings, stage, volumes
from .._cached_root.boot_partition import TRIAL
from .._cached_root.entries import Image
from .._cached_root.plan import Situation, Way
from .._cached_root.progress import Progress
from .._command import CommandFailed, run
from .._directory.resolve import Answer
from .._errors import Busy, InUse, InvalidValue, StatelessError
from .._names import check_name, check_serial
from .._volumes.lvm_values import check_vg_name, parse_size
from .ask import ask, within
from .machine import look
from .places import Places
from .words import FAILED, SAME, UNKNOWN, shown

#: Seconds to wait for the directory: for a connection and each answer, and altogether.
_ASK = (5, 20)
#: Of the image (``cached_files.py``).
TRIAL_TIMER = "stateless-trial.timer"
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
    installing.add_argument("disk", help="such as /dev/nvme0n1")
    installing.add_argument("--erase", action="store_true", help="even if there is something on it")
    installing.add_argument("--state-size", metavar="SIZE", help="such as 8G; default: an eighth of the disk")
    installing.add_argument("--vg", default=install.VG, metavar="NAME", help="the volume group (default: stateless)")
    text = "a kernel argument of this machine alone; may be given again"
    installing.add_argument("--argument", action="append", default=[], metavar="WORD", help=text)
    updating = commands.add_parser("update", help="fetch what should run, and have it booted at the next restart")
    updating.add_argument("--again", action="store_true", help="even if it failed here, or was rolled back from")
    updating.add_argument("--reboot", action="store_true", help="restart if that changes what runs")
    for one in (installing, updating):
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
    volumes.let_lvm_work()
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
        cached.progress.end()


def described(places: Places) -> dict[str, t.Any] | None:
    """What is on this machine's disk, for who may look; None: it does not run from there, or whoever asks may not."""
    options = argparse.Namespace(json=True)
    if os.geteuid() != 0:
        return None
    cached = _Cached(options, places)
    return say.described(cached.look()) if arguments.generation(cached.line) is not None else None


class _Cached:
    def __init__(self, options: argparse.Namespace, places: Places) -> None:
        self.options = options
        self.places = places
        self.progress = Progress(options.json)
        with open(places.of("/proc/cmdline"), encoding="utf-8", errors="replace") as stream:
            self.line = stream.read()
        self.machine = look(places)
        said = settings.load(self._paths())
        if getattr(options, "url", None):
            said = dataclasses.replace(said, urls=settings.check({"urls": options.url}, "--url").urls)
        if getattr(options, "limit", None):
            limit = parse_size("limit", options.limit).bytes_of(0, 1)
            said = dataclasses.replace(said, limit=limit)
        self.settings = said

    def look(self) -> Situation:
        """What there is on the disk."""
        volumes.let_lvm_work()
        return self._cached().look()

    def _paths(self) -> settings.Places:
        return settings.Places(self.places.root)

    # -- commands

    def install(self) -> int:
        options = self.options
        own = [*arguments.own_arguments(self.line), *check_arguments("argument", options.argument)]
        state = None
        if options.state_size is not None:
            state = install.check_size("state_size", parse_size("state_size", options.state_size).bytes_of(0, 1))
        vg = check_vg_name("vg", options.vg)
        wanted = install.Wanted(options.disk, self._wanted(), options.erase, state, vg)
        machine = self._made(vg, own, None)
        planned = install.plan(machine, wanted)
        self.progress.step(planned.as_text())
        _low_priority()
        staged = install.act(machine, planned)
        name, serial = staged.image
        self._say(
            {"installed": {"protosystem": name, "serial": serial}, "disk": options.disk, "fetched": staged.fetched},
            f"{options.disk} boots {name} {serial}",
        )
        return SAME

    def update(self) -> int:
        image = self._wanted()
        machine = self._cached()
        _low_priority()
        staged = stage.stage(machine, image, again=self.options.again)
        return self._staged(staged, self.options.reboot)

    def rollback(self) -> int:
        machine = self._cached()
        serial = self.options.serial
        image = None if serial is None else (self._protosystem(), check_serial("serial", serial))
        return self._staged(stage.rollback(machine, image), False)

    def verify(self) -> int:
        serial = self.options.serial
        running = self._running()
        if serial is None and running is None:
            raise InvalidValue("serial", None, "this machine runs no root of its disk: name the one that is meant")
        image = (self._protosystem(), check_serial("serial", serial)) if serial is not None else running
        _low_priority()
        found = check.verify(self._cached(), t.cast("Image", image), self.options.mend)
        value = {**dataclasses.asdict(found), "protosystem": found.image[0], "serial": found.image[1]}
        del value["image"]
        text = f"{found.image[0]} {found.image[1]}: {found.differing} of {found.blocks} blocks differ"
        self._say(value, f"{text}{', and were mended' if found.mended else ''}")
        return FAILED if found.differing and not found.mended else SAME

    def health(self) -> int:
        generation = arguments.generation(self.line)
        if generation is None:
            self._say({"healthy": None}, "this machine was not booted from its disk: there is nothing to judge")
            return SAME
        machine = self._cached()
        wrong = health.wait(self._wrong, self.settings.health_seconds)
        if not wrong:
            blessed = health.bless(machine, generation)
            failed = [list(entry.image) for entry in blessed.failed]
            said = f"{blessed.entry.protosystem} {blessed.entry.serial} is healthy"
            self._relax()
            self._say({"healthy": True, "changed": blessed.changed, "failed": failed}, said)
            return SAME
        other = health.alternative(machine, generation)
        self._say(
            {"healthy": False, "wrong": wrong, "restart": other is not None},
            f"not healthy: {'; '.join(wrong)}; "
            + (
                f"restarting, {other.protosystem} {other.serial} is there to take over" if other else "nothing to go to"
            ),
        )
        if other is not None:
            run(["systemctl", "--no-block", "reboot"])
        else:
            self._relax()
        return FAILED

    # -- what they need

    def _relax(self) -> None:
        """What would restart a machine that never gets to be judged is not needed any more."""
        if TRIAL in self.line.split():
            run(["systemctl", "--no-block", "stop", TRIAL_TIMER])

    def _wrong(self) -> list[str]:
        wrong = health.failed_units(self.settings.health_ignored_units) + health.network()
        if not wrong and os.path.exists(self.places.settings):
            try:
                wait, altogether = _ASK
                within(altogether, lambda: ask(self.places, self.machine, wait))
            except StatelessError as error:
                wrong.append(f"the directory: {error}")
        return wrong or health.checks(self.places.of(health.CHECKS))

    def _running(self) -> Image | None:
        """The root of the disk that runs; what came over the network is none."""
        running = self.machine.running
        if running is None or arguments.generation(self.line) is None:
            return None
        if running.protosystem is None or running.serial is None:
            return None
        return running.protosystem, running.serial

    def _protosystem(self) -> str:
        if getattr(self.options, "protosystem", None):
            return check_name("protosystem", self.options.protosystem)
        if self.machine.running is not None and self.machine.running.protosystem is not None:
            return self.machine.running.protosystem
        raise InvalidValue("protosystem", None, "this machine runs no image: name the protosystem with --protosystem")

    def _wanted(self) -> Image:
        """What should run: as the options say, or as the directory does."""
        if self.options.serial is not None:
            return self._protosystem(), check_serial("serial", self.options.serial)
        wait, altogether = _ASK
        self.progress.step("ask the directory")
        answer: Answer = within(altogether, lambda: ask(self.places, self.machine, wait)).known.answer
        if answer.problem or answer.protosystem is None or answer.serial is None:
            raise StatelessError(f"the directory says nothing that could be fetched: {answer.problem or answer.reason}")
        return answer.protosystem, answer.serial

    def _cached(self) -> machine.Machine:
        group = volumes.find()
        partition = volumes.boot_of(group)
        if volumes.INSTALLING in group.tags:
            raise StatelessError(f"the installation of {', '.join(group.devices)} was not finished: do it again")
        return self._made(group.name, arguments.own_arguments(self.line), partition)

    def _made(self, vg: str, own: t.Sequence[str], partition: str | None) -> machine.Machine:
        def opened(writable: bool) -> t.ContextManager[t.Any]:
            return boot.opened(boot.device(partition or ""), writable)

        return machine.Machine(
            vg, volumes.LvmRoots(vg), opened, self._paths(), self.settings, self.progress, self._running(), own
        )

    def _staged(self, staged: stage.Staged, reboot: bool) -> int:
        name, serial = staged.image
        running = self._running() == staged.image
        text = f"{name} {serial} runs" if running else f"{name} {serial} is booted at the next restart"
        if staged.fetched:
            text += f" ({staged.fetched / 1e6:.1f} MB in {staged.requests} requests)"
        value = {
            "protosystem": name,
            "serial": serial,
            "changed": staged.way is not Way.NOTHING,
            "reboot": not running,
            "fetched": staged.fetched,
            "requests": staged.requests,
            "removed": [list(image) for image in staged.removed],
        }
        self._say(value, text)
        if reboot and not running:
            run(["systemctl", "--no-block", "reboot"])
        return SAME

    def _say(self, value: t.Mapping[str, t.Any], text: str) -> None:
        self.progress.end()
        sys.stdout.write(json.dumps(value, sort_keys=True) + "\n" if self.options.json else f"{shown(text)}\n")


def _low_priority() -> None:
    """Whoever uses the machine comes first.

    Not at any price: while LVM makes a snapshot, the root stands still, and must not wait for others. LVM raises its
    own priority meanwhile (lvm.conf(5), process_priority), which it could not with SCHED_IDLE.
    """
    os.nice(19)
    with contextlib.suppress(CommandFailed, StatelessError):
        run(["ionice", "--class", "best-effort", "--classdata", "7", "--pid", str(os.getpid())])
