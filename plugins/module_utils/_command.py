# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program: an argv list (never a shell line), in the C locale, with one exception."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import typing as t

from ._errors import StatelessError

#: Where administrative programs live; the PATH of a remote, non-login shell may lack sbin.
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


class CommandFailed(StatelessError):
    """A program ended with another status than 0, or did not end in time."""

    def __init__(self, argv: t.Sequence[str], returncode: int, stderr: str) -> None:
        said = stderr.strip() or "it said nothing"
        super().__init__(f"{' '.join(argv)} failed with status {returncode}: {said}")
        self.argv = list(argv)
        self.returncode = returncode
        self.stderr = stderr


class ProgramMissing(StatelessError):
    """A program that is needed is not installed."""


def search_path() -> str:
    """The PATH that programs are looked up in and run with: the caller's, then sbin."""
    return f"{os.environ.get('PATH', '/usr/bin:/bin')}:{_SBIN}"


def find(program: str, package: str) -> str:
    """Return the absolute path of *program*; :class:`ProgramMissing` names the *package* to install."""
    path = shutil.which(program, path=search_path())
    if path is None:
        raise ProgramMissing(f"the program {program} is not installed: install {package}")
    return path


def run(
    argv: t.Sequence[str],
    *,
    stdin: str | None = None,
    cwd: str | None = None,
    timeout: float | None = None,
    env: t.Mapping[str, str] | None = None,
    pass_fds: t.Sequence[int] = (),
    to_its_end: bool = False,
) -> str:
    """Run *argv* and return what it wrote to its standard output.

    :arg timeout: seconds after which the program is killed.
    :arg env: variables set on top of the environment.
    :arg to_its_end: it comes to its end even if this process is killed meanwhile. What it says goes to memory
        (memfd_create(2)), not to a pipe: whoever writes to a pipe that nobody reads any more is ended by SIGPIPE
        (pipe(7)), wherever it is: lvcreate(8) perhaps with a suspended volume. And nobody waits for a daemon that it
        may have started, and that keeps the pipe open. For what takes a moment; a long work is better ended.
    :raises CommandFailed: it ended with another status than 0, or was killed by *timeout*.
    :raises ProgramMissing: there is no such program.
    """
    environment = {**os.environ, **(env or {}), "PATH": search_path(), "LC_ALL": "C", "LANGUAGE": ""}
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(_memory(name)) for name in ("stdout", "stderr")] if to_its_end else None
        try:
            done = subprocess.run(
                list(argv),
                input=stdin,
                stdin=None if stdin is not None else subprocess.DEVNULL,
                stdout=files[0] if files else subprocess.PIPE,
                stderr=files[1] if files else subprocess.PIPE,
                text=True,
                errors="replace",
                cwd=cwd,
                timeout=timeout,
                env=environment,
                pass_fds=pass_fds,
                check=False,
            )
        except FileNotFoundError as error:
            raise ProgramMissing(f"the program {argv[0]} is not installed") from error
        except subprocess.TimeoutExpired as error:
            raise CommandFailed(argv, -9, f"no end after {timeout} seconds") from error
        out, err = map(_read, files) if files else (done.stdout, done.stderr)
        if done.returncode != 0:
            raise CommandFailed(argv, done.returncode, err or out)
        return out


def _memory(name: str) -> t.TextIO:
    """A file without a name, of memory, for what a program says."""
    try:
        return os.fdopen(os.memfd_create(name), "w+", errors="replace")
    except PermissionError:
        # the kernel's sysctl vm.memfd_noexec is 2
        return tempfile.TemporaryFile("w+", errors="replace")


def _read(file: t.TextIO) -> str:
    file.seek(0)
    return file.read()


def run_json(argv: t.Sequence[str], **options: t.Any) -> t.Any:
    """Like :func:`run`, for a program that writes one JSON document; returns it parsed."""
    output = run(argv, **options)
    try:
        return json.loads(output)
    except ValueError as error:
        raise CommandFailed(argv, 0, f"its output is not JSON: {error}") from error
