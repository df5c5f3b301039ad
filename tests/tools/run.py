# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of ``make check`` and ``make test``.

Steps that only read the sources run in a copy of the collection (what git tracks or would track): some tools
refuse to follow the link that makes a clone a collection, and nobody's half-typed file changes under them.
Steps that use the lab run in the clone itself, so that what a killed run left is found by the next. One runs for
every processor, since each waits for its machines much of the time, and at most three (JOBS=N: so many), each in a
process of its own; one with two machines at work counts twice, since machines that are emulated slow each other down.
Beside them run, one after the other and with half their share of the processors, the steps that have no such machine.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import typing as t

CLONE = pathlib.Path(__file__).resolve().parents[2]
LOGS = CLONE / "tests/output/logs"
#: Where Ansible looks for the collection, below a folder of ANSIBLE_COLLECTIONS_PATH.
COLLECTION = "ansible_collections/stateless/linux"
CACHE = pathlib.Path(os.environ["STATELESS_CACHE"])
#: Where the lab notes which process its package cache is: a copy of /proc/PID/stat.
PACKAGE_CACHE = pathlib.Path("/run/stateless-lab/.proxy")
#: Seconds between two lines that say that a step is still at work.
HEARTBEAT = 60
#: How a line begins that says what failed: molecule and Ansible, pytest, the linters.
SAYS_FAILURE = re.compile(
    r'\s*(fatal:|failed: |FAILED |"(?:msg|assertion)":|ERROR|CRITICAL|E  +\w|TASK \[|Error|\S+:\d+:)'
)
#: Lines of a failed step that are said once more, under the last step.
SAID_AGAIN = 10
#: The scenarios that take longest, to be begun first; the first two have two machines at work.
LONGEST = ("molecule cached", "molecule vm", "molecule container", "molecule readonly_root")
TWO_MACHINES = LONGEST[:2]
#: Scenarios without emulated machines.
NO_MACHINES = ("molecule directory",)
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h


@dataclasses.dataclass(frozen=True)
class Step:
    """One command that passes or fails."""

    name: str
    argv: tuple[str, ...]
    #: seconds: many times what it needs, because a busy machine is no failure
    timeout: int = 1800
    #: run in the clone, not in the copy
    lab: bool = False
    #: run in the clone when the step fails or is interrupted, to end what it started
    undo: tuple[str, ...] = ()
    #: of the steps that run beside each other, how many this one counts for; 0: one of these is always let in
    counts: int = 0


def check_steps() -> list[Step]:
    """What needs no lab."""
    return [
        Step("ruff check", ("ruff", "check", "--no-cache", ".")),
        Step("ruff format", ("ruff", "format", "--no-cache", "--diff", ".")),
        Step("mypy", ("env", "-u", "PYTHONPATH", "-C", "../../..", "mypy", *mypy_arguments())),
        Step("ansible-lint", ("ansible-lint", "--offline", "--strict", "--profile", "production")),
        Step(
            "antsibull-docs",
            (
                *("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--check-extra-docs-refs"),
                *("--disallow-unknown-collection-refs", "."),
            ),
        ),
        Step("antsibull-changelog", ("antsibull-changelog", "lint")),
        Step("shellcheck", ("tests/tools/shellcheck",)),
        Step("units", ("pytest", "-p", "no:cacheprovider", "-q", "-n", "auto", "--dist", "loadfile", "tests/unit")),
    ]


def test_steps() -> list[Step]:
    """Everything. ``ansible-test units`` is not among it: it would run the same files as pytest does."""
    steps = [
        *check_steps(),
        Step("read-only root", ("pytest", "-p", "no:cacheprovider", "-q", "tests/readonly_root")),
        Step("ansible-test sanity", ("tests/tools/sanity",)),
        Step("galaxy-importer", ("tests/tools/galaxy",)),
    ]
    for scenario in sorted(CLONE.glob("extensions/molecule/*/molecule.yml")):
        name = scenario.parent.name
        steps.append(
            Step(
                f"molecule {name}",
                ("molecule", "test", "-s", name),
                timeout=3600,
                lab=True,
                undo=("molecule", "destroy", "-s", name),
                counts=weight(f"molecule {name}"),
            )
        )
    order = {name: number for number, name in enumerate(LONGEST)}
    return sorted(steps, key=lambda step: (step.lab, order.get(step.name, len(order))))


def weight(name: str) -> int:
    """How many steps a scenario counts for."""
    return 2 if name in TWO_MACHINES else 0 if name in NO_MACHINES else 1


def mypy_arguments() -> list[str]:
    """Check the plugins, the lab and the tools, from the folder that has ansible_collections/.

    From there a file has one module name, the one that absolute imports use.
    """
    places = ("plugins", "tests/lab", "tests/tools", "tests/bench", "tests/demo", "extensions/molecule")
    there = [f"{COLLECTION}/{place}" for place in places if any((CLONE / place).rglob("*.py"))]
    return ["--config-file", f"{COLLECTION}/pyproject.toml", "--cache-dir", str(CACHE / "mypy"), *there]


def copy_sources(parent: pathlib.Path) -> pathlib.Path:
    """Copy what git tracks or would track to :data:`COLLECTION` below *parent*."""
    listed = subprocess.run(
        ["git", "-C", str(CLONE), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    copy = parent / COLLECTION
    for name in filter(None, listed.split("\0")):
        source, target = CLONE / name, copy / name
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    return copy


class Run:
    """Runs steps one after another and remembers how they ended."""

    def __init__(self, copy: pathlib.Path, verbose: bool) -> None:
        self.copy = copy
        self.verbose = verbose
        self.passed = 0
        self.failed: dict[str, list[str]] = {}

    def step(self, step: Step) -> None:
        """Run *step*, say how it ended, and show its output if it failed."""
        log = log_of(step)
        begun = time.monotonic()
        if step.lab or self.verbose:
            print(f"{step.name:<24} begins", flush=True)
        try:
            problem = self._run(step, step.argv, log, step.timeout)
        except KeyboardInterrupt:
            self._undo(step)
            raise
        seconds = time.monotonic() - begun
        print(f"{step.name:<24} {'failed' if problem else 'passed':<7} {seconds:6.1f} s", flush=True)
        if not problem:
            self.passed += 1
            return
        lines = log.read_text(errors="replace").splitlines()
        self.failed[step.name] = [problem, *why(lines)]
        if not self.verbose:
            shown = lines[-200:]
            if len(lines) > len(shown):
                print(f"    ... the last {len(shown)} of {len(lines)} lines:")
            print("\n".join(f"    {line}" for line in shown))
        print(f"    {step.name}: {problem}; log: {log.relative_to(CLONE)}", flush=True)
        self._undo(step)

    def _run(self, step: Step, argv: tuple[str, ...], log: pathlib.Path, timeout: int) -> str:
        """Run *argv* with its output in *log*; return what went wrong, or nothing."""
        collections = CLONE / ".collections" if step.lab else self.copy.parents[2]
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(collections),
            "PYTHONPATH": str(collections),
            "NO_COLOR": "1",
            "ANSIBLE_NOCOLOR": "1",
            "PY_COLORS": "0",
        }
        begun = time.monotonic()
        said = begun
        with log.open("wb") as out:
            process = subprocess.Popen(
                argv,
                cwd=CLONE if step.lab else self.copy,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            if step.counts == 0:
                give_way(process.pid)
            shown = 0
            problem = ""
            try:
                while process.poll() is None:
                    time.sleep(0.1)
                    reap(process)
                    now = time.monotonic()
                    if self.verbose:
                        shown = show(log, shown)
                    elif now - said >= HEARTBEAT:
                        said = now
                        print(f"    {step.name}, {now - begun:.0f} s: {last_line(log)}", flush=True)
                    if now - begun > timeout:
                        problem = f"no end after {timeout} s"
                        break
            finally:
                end(process)
            if self.verbose:
                show(log, shown)
        if not problem and process.returncode != 0:
            problem = f"exit status {process.returncode}"
        return problem

    def _undo(self, step: Step) -> None:
        """End what a failed or interrupted *step* may have left, with its own time limit."""
        if step.undo:
            print(f"    {' '.join(step.undo)}", flush=True)
            problem = self._run(step, step.undo, LOGS / f"{step.name.replace(' ', '-')}-undo.log", 600)
            if problem:
                print(f"    {' '.join(step.undo)}: {problem}", flush=True)


class Beside:
    """Runs steps beside each other, each by this program in a process of its own, which ends what the step started."""

    def __init__(self, run: Run, jobs: int) -> None:
        self.run = run
        self.jobs = jobs
        self.running: dict[subprocess.Popen[str], tuple[Step, threading.Thread]] = {}

    def steps(self, steps: t.Iterable[Step]) -> None:
        """Run them all, and remember how they ended."""
        waiting = list(steps)
        try:
            while waiting or self.running:
                while (step := self._fitting(waiting)) is not None:
                    waiting.remove(step)
                    self._begin(step)
                time.sleep(0.2)
                for process in [one for one in self.running if one.poll() is not None]:
                    self._ended(process)
        except KeyboardInterrupt:
            for process in self.running:
                process.send_signal(signal.SIGINT)
            for process in list(self.running):
                process.wait()
                self._ended(process)
            raise

    def _fitting(self, waiting: t.Iterable[Step]) -> Step | None:
        running = [step for step, _teller in self.running.values()]
        if running and self.jobs == 1:
            return None
        free = self.jobs - sum(min(step.counts, self.jobs) for step in running)
        light = all(step.counts for step in running)
        return next((one for one in waiting if (min(one.counts, self.jobs) <= free if one.counts else light)), None)

    def _begin(self, step: Step) -> None:
        # Not in the terminal's foreground: what ends this program is handed on to it, once.
        process = subprocess.Popen(
            [sys.executable, __file__, "step", step.name, str(self.run.copy)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        teller = threading.Thread(target=self._tell, args=(process,), daemon=True)
        teller.start()
        self.running[process] = step, teller

    @staticmethod
    def _tell(process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            # one write a line, so that those of others come between lines alone
            sys.stdout.write(line)
            sys.stdout.flush()

    def _ended(self, process: subprocess.Popen[str]) -> None:
        step, teller = self.running.pop(process)
        teller.join()
        if process.returncode == 0:
            self.run.passed += 1
        else:
            self.run.failed[step.name] = why(log_of(step).read_text(errors="replace").splitlines())


def log_of(step: Step) -> pathlib.Path:
    """Where the output of *step* is kept."""
    return LOGS / f"{step.name.replace(' ', '-')}.log"


def show(log: pathlib.Path, position: int) -> int:
    """Print what *log* has after *position*; return the new position."""
    with log.open("rb") as stream:
        stream.seek(position)
        sys.stdout.write(stream.read().decode(errors="replace"))
        sys.stdout.flush()
        return stream.tell()


def last_line(log: pathlib.Path) -> str:
    """The last line of *log* that says something, shortened."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - 4096))
        lines = [line.strip() for line in stream.read().decode(errors="replace").splitlines()]
    return next((line.rstrip("* ")[:100] for line in reversed(lines) if line.strip("* ")), "")


def why(lines: list[str]) -> list[str]:
    """The last of *lines* that tell why a step failed: failures, and the headings of the tasks that had them."""
    told = [line.rstrip("* ")[:1000] for line in lines if SAYS_FAILURE.match(line)]
    kept = [
        line
        for line, after in zip(told, [*told[1:], ""])
        if not line.startswith("TASK [") or after.startswith(("fatal:", "failed: ", "ERROR", "CRITICAL"))
    ]
    return (kept or [line[:1000] for line in lines if line.strip()])[-SAID_AGAIN:]


def end(process: subprocess.Popen[bytes]) -> None:
    """End *process*, its group, and whatever it left behind in another group or session."""
    for number, patience in ((signal.SIGINT, 20), (signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        if process.poll() is not None:
            break
        os.killpg(process.pid, number)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
    for number in (signal.SIGTERM, signal.SIGKILL):
        left = descendants(os.getpid())
        for pid in left:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        for _attempt in range(50):
            reap(process)
            if not descendants(os.getpid()):
                return
            time.sleep(0.1)


def reap(process: subprocess.Popen[bytes]) -> None:
    """Collect every child that ended, orphans that this process adopted too: who waits for them sees them gone.

    The status of *process* itself is left to :meth:`subprocess.Popen.poll`, which would take a lost one for 0.
    """
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None:
            return
        if ended.si_pid == process.pid:
            process.poll()
        else:
            os.waitpid(ended.si_pid, 0)


def started(stat: pathlib.Path) -> tuple[str, str] | None:
    """The id and the start time of a process (proc_pid_stat(5)); None if there is no such file."""
    try:
        text = stat.read_text(errors="replace")
        return text.split()[0], text.rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def descendants(root: int) -> list[int]:
    """Every process below *root*, but for the package cache: labs of other steps use it, and the last one ends it."""
    children: dict[int, list[int]] = {}
    cache = started(PACKAGE_CACHE)
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if (stat.parent.name, fields[19]) == cache:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found: list[int] = []
    todo = [root]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def interrupt(number: int, _frame: object) -> None:
    """End the run: once, because ending what was started takes a while and must not be cut short."""
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    print(f"\n{signal.Signals(number).name}: ending what was started", file=sys.stderr, flush=True)
    raise KeyboardInterrupt


def give_way(pid: int) -> None:
    """Let a process that leads a session, and what it starts, have half of what each other has (sched(7)).

    Machines that are emulated have limits of time, such as that of a health check; but with much less than half, what
    runs beside them would hardly end.
    """
    os.setpriority(os.PRIO_PGRP, pid, 3)
    with contextlib.suppress(OSError):  # there need not be autogroups
        pathlib.Path(f"/proc/{pid}/autogroup").write_text("3")


def one_step(name: str, copy: pathlib.Path) -> int:
    """Run the step *name* for the run that started this process; return the exit status."""
    # If that is killed, this is to end what it has started.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

    def orphaned(number: int, frame: object) -> None:
        # Nobody reads what is still to be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        interrupt(number, frame)

    signal.signal(signal.SIGTERM, orphaned)
    run = Run(copy, bool(os.environ.get("V")))
    try:
        run.step(next(step for step in test_steps() if step.name == name))
    except KeyboardInterrupt:
        return 130
    return 1 if run.failed else 0


def main() -> int:
    """Run the steps, end with the summary, return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("check", "test", "step"))
    parser.add_argument("name", nargs="?", help="of the step, if it is one")
    parser.add_argument("copy", nargs="?", type=pathlib.Path, help="of the sources, for that")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    # Orphans of a step become children of this process, so that they can be found and ended.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    LOGS.mkdir(parents=True, exist_ok=True)
    if arguments.what == "step":
        return one_step(arguments.name, arguments.copy)
    steps = check_steps() if arguments.what == "check" else test_steps()
    wanted = os.environ.get("ONLY", "").split()
    if wanted:
        steps = [step for step in steps if any(word in step.name for word in wanted)]
        if not steps:
            print(f"ONLY={' '.join(wanted)} names no step", file=sys.stderr)
            return 2
    verbose = bool(os.environ.get("V"))
    jobs = int(os.environ.get("JOBS") or (1 if verbose else min(os.cpu_count() or 1, 3)))
    with tempfile.TemporaryDirectory(prefix="stateless-") as parent:
        run = Run(copy_sources(pathlib.Path(parent)), verbose)
        try:
            if arguments.what == "check":
                for step in steps:
                    run.step(step)
            else:
                Beside(run, jobs).steps(steps)
        except KeyboardInterrupt:
            return 130
    # Once more at the end, where it is read even if only the end was kept.
    for name, said in run.failed.items():
        print(f"{name} failed: " + "\n    ".join(said))
    print(f"{run.passed} passed, {len(run.failed)} failed")
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
