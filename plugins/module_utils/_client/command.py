# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``stateless`` of a client."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import typing as t

from .._errors import StatelessError
from . import cached
from . import known as known_
from .ask import Away, Told, ask, report, within
from .identity import Nobody
from .machine import Machine, look, now
from .places import Places
from .words import FAILED, SAME, UNKNOWN, Status, shown

#: Seconds to wait: for a connection and each answer, and altogether. A person waits for the one, nobody for the other.
_STATUS = (3, 6)
_REPORT = (5, 20)

_EPILOG = """exit status of status:
  0  a reboot changes nothing
  1  what this machine runs cannot be read; the reason is told
  2  wrong usage
  3  a reboot would change what this machine runs
  4  that is not known, or a reboot would bring up nothing; the reason is told

exit status of report:
  0  reported
  1  refused, or this machine is not set up right
  2  wrong usage
  4  the directory is away, this machine cannot log in, or it runs no image: nothing is reported

"""


def main() -> t.NoReturn:
    """Run the command; ends the process."""
    # Names may have what the terminal cannot show.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        code = run(sys.argv[1:], Places())
        sys.stdout.flush()
    except BrokenPipeError:
        code = FAILED
    # A directory that does not answer may still be waited for elsewhere in this process.
    os._exit(code)


def run(arguments: t.Sequence[str], places: Places) -> int:
    """Do what the *arguments* say; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="stateless",
        description="Say what this machine runs, and what it should run; and have a copy of that on its disk.",
        epilog=_EPILOG + cached.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    said = "say what it runs, what it should run because of which entry, and whether a reboot would change it"
    commands.add_parser("status", help=said).add_argument("--json", action="store_true", help="for programs")
    commands.add_parser("report", help="write into the directory what it runs, and keep what the directory says")
    cached.add(commands)
    try:
        options = parser.parse_args(arguments)
    except SystemExit as error:
        return int(error.code or 0)
    try:
        if options.command in cached.COMMANDS:
            return cached.act(options, places)
        machine = look(places)
        return _report(places, machine) if options.command == "report" else _status(places, machine, options.json)
    except (Away, Nobody) as error:
        return _fail(error, UNKNOWN)
    except (OSError, StatelessError) as error:
        return _fail(error, FAILED)


def _fail(error: Exception, code: int) -> int:
    sys.stderr.write(f"stateless: {shown(str(error))}\n")
    return code


def _status(places: Places, machine: Machine, as_json: bool) -> int:
    failure, notes, name = "", [], machine.name
    told: Told | None = None
    known: known_.Known | None = None
    wait, altogether = _STATUS
    try:
        told = within(altogether, lambda: ask(places, machine, wait))
        known, name = told.known, told.known.client
        notes = _notes(machine, told)
    except StatelessError as error:
        failure = str(error)
        try:
            known = known_.load(places, name)
        except StatelessError as unreadable:
            notes = [str(unreadable)]
        name = name or (known.client if known else None)
    disk = None
    try:
        disk = cached.described(places)
    except StatelessError as error:
        notes = [*notes, f"the disk: {error}"]
    status = Status(machine.running, name, known, failure, notes, disk)
    sys.stdout.write(status.as_json() if as_json else status.as_text())
    return status.code


def _notes(machine: Machine, told: Told) -> list[str]:
    if told.client is None:
        return [f"there is no entry {told.dn}: this is what machines without one should run"]
    if told.client.macs and not machine.macs & {*told.client.macs}:
        addresses = ", ".join(told.client.macs)
        return [f"this machine has none of the MAC addresses of its entry ({addresses}): is it another one?"]
    return []


def _report(places: Places, machine: Machine) -> int:
    running = machine.running
    if running is None:
        sys.stdout.write("this machine runs no image: there is nothing to report\n")
        return UNKNOWN
    running = dataclasses.replace(running, failed=cached.failed(places))
    wait, altogether = _REPORT

    def work() -> Told:
        told = ask(places, machine, wait)
        try:
            known_.store(places, told.known)
        except StatelessError as error:  # such as a full scratch: what this machine runs is to be known all the same
            _fail(error, FAILED)
        report(told, running, now())
        return told

    told = within(altogether, work)
    status = Status(running, told.known.client, told.known, notes=_notes(machine, told))
    sys.stdout.write(f"reported {running.protosystem} {running.serial} as {shown(told.dn)}\n")
    for note in status.notes:
        sys.stdout.write(f"note: {shown(note)}\n")
    return SAME
