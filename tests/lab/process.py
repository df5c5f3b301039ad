# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run programs, and keep and end those that outlive the command that started them.

The lab stands apart from the library of the collection on purpose: it must work to test a broken one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import time
import typing as t


class LabError(Exception):
    """A failure of the lab; ``str(error)`` is what the user reads."""


def say(text: str) -> None:
    """Print one line of progress to standard error; standard output is for results."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


#: Our own children among the programs that outlive us.
_started: list[subprocess.Popen[bytes]] = []


class _Interrupts:
    """SIGINT and SIGTERM raise KeyboardInterrupt, but not between the start of a program and its being known."""

    held = 0
    pending = False

    @classmethod
    def handle(cls, _number: int, _frame: t.Any) -> None:
        cls.pending = cls.held > 0
        if not cls.pending:
            raise KeyboardInterrupt


def catch_interrupts() -> None:
    """From now on, SIGINT and SIGTERM raise KeyboardInterrupt."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _Interrupts.handle)


@contextlib.contextmanager
def uninterrupted() -> t.Iterator[None]:
    """Put an interrupt off until the end of the body."""
    _Interrupts.held += 1
    try:
        yield
    finally:
        _Interrupts.held -= 1
    if _Interrupts.pending and not _Interrupts.held:
        _Interrupts.pending = False
        raise KeyboardInterrupt


def run(
    *argv: str | pathlib.Path,
    timeout: float = 60,
    check: bool = True,
    stdin: str | None = None,
    log: pathlib.Path | None = None,
) -> str:
    """Run a program and return its standard output, without the last newline.

    :arg timeout: seconds after which it is killed.
    :arg check: whether another status than 0 is an error.
    :arg log: a file that gets its output instead (and "" is returned).
    :raises LabError: it failed, is missing, or took too long.
    """
    words = [str(word) for word in argv]
    child: subprocess.Popen[bytes] | None = None
    with contextlib.ExitStack() as stack:
        sink: t.Any = stack.enter_context(log.open("ab")) if log else subprocess.PIPE
        try:
            with uninterrupted():
                child = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                    stdout=sink,
                    stderr=subprocess.STDOUT if log else subprocess.PIPE,
                    env={**os.environ, "LC_ALL": "C"},
                )
            out, err = child.communicate(stdin.encode() if stdin is not None else None, timeout)
        except FileNotFoundError as error:
            raise LabError(f"the program {words[0]} is missing: install tests/lab/packages.txt") from error
        except BaseException as error:
            if child:
                child.kill()
                child.communicate()  # closes its pipes and waits for it
            if isinstance(error, subprocess.TimeoutExpired):
                raise LabError(f"{' '.join(words)}: no end after {timeout:.0f} seconds{tail(log)}") from error
            raise
    if check and child.returncode != 0:
        said = tail(log) if log else ": " + (err or out).decode(errors="replace").strip()
        raise LabError(f"{' '.join(words)} failed with status {child.returncode}{said}")
    return "" if log else out.decode(errors="replace").rstrip("\n")


def tail(log: pathlib.Path | None, lines: int = 25) -> str:
    """Return the end of a log as text to append to an error message; "" if there is none."""
    try:
        text = log.read_bytes()[-8192:].decode(errors="replace") if log else ""
    except OSError:
        text = ""
    last = [line.rstrip() for line in text.splitlines() if line.strip()][-lines:]
    return f"\n--- end of {log}:\n" + "\n".join(last) if last else ""


@dataclasses.dataclass(frozen=True)
class Process:
    """One process for sure: a pid alone may have been given to another one meanwhile."""

    pid: int
    start: int  #: field 22 of /proc/PID/stat, clock ticks since boot

    @classmethod
    def read(cls, stat: pathlib.Path) -> Process | None:
        """The process described by a copy of /proc/PID/stat; None if there is no such file."""
        try:
            text = stat.read_text(errors="replace")
            after = text.rpartition(")")[2].split()
            return cls(int(text.split()[0]), int(after[19]))
        except (OSError, ValueError, IndexError):
            return None

    @property
    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        stat = pathlib.Path(f"/proc/{self.pid}/stat")
        try:
            state = stat.read_text(errors="replace").rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            return False
        return state not in "ZX" and Process.read(stat) == self

    def children(self) -> list[Process]:
        """Its direct children."""
        try:
            pids = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        except OSError:
            return []
        found = (Process.read(pathlib.Path(f"/proc/{pid}/stat")) for pid in pids)
        return [child for child in found if child]

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal, if it is still there."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def ended(self, timeout: float) -> bool:
        """Wait up to *timeout* seconds for its end; tell whether it came."""
        deadline = time.monotonic() + timeout
        while self.alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        for child in _started:
            child.poll()  # no zombie of ours stays
        return True

    def end(self, timeout: float = 10) -> None:
        """SIGTERM, and SIGKILL after *timeout* seconds."""
        self.kill(signal.SIGTERM)
        if not self.ended(timeout):
            self.kill()
            self.ended(timeout)


def spawn(
    argv: t.Sequence[str | pathlib.Path],
    record: pathlib.Path,
    log: pathlib.Path,
    env: t.Mapping[str, str] | None = None,
    enter: t.Sequence[pathlib.Path] = (),
) -> Process:
    """Start a program that outlives us.

    The child writes who it is to *record* before it becomes the program, so that there is no moment at
    which the program runs and nobody could end it.

    :arg enter: control groups (directories) it joins first.
    """
    join = "".join(f"echo $$ > '{group}/cgroup.procs' && " for group in enter)
    script = f'{join}cat "/proc/$$/stat" > "$0" && exec "$@"'
    record.unlink(missing_ok=True)
    with uninterrupted():
        return _spawn(["/bin/sh", "-c", script, str(record), *map(str, argv)], record, log, env)


def _spawn(argv: list[str], record: pathlib.Path, log: pathlib.Path, env: t.Mapping[str, str] | None) -> Process:
    with log.open("ab") as sink:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
            env={**os.environ, "LC_ALL": "C", **(env or {})},
        )
    _started.append(child)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        process = Process.read(record)
        if process:
            return process
        time.sleep(0.01)
    raise LabError(f"{argv[4]} did not start{tail(log)}")
