# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs are run as argument lists, and what they say is what the administrator reads."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time

import pytest

from ansible_collections.stateless.linux.plugins.module_utils import _command


def test_arguments_are_not_a_shell_line() -> None:
    assert _command.run(["printf", "%s|", "a b", "$HOME", "*"]) == "a b|$HOME|*|"


def test_a_program_speaks_english_and_finds_sbin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    said = _command.run(["sh", "-c", 'echo "$LC_ALL $PATH $MORE"'], env={"MORE": "more"})
    assert said == "C /usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin more\n"


def test_a_failure_tells_what_was_run_and_what_it_said() -> None:
    with pytest.raises(_command.CommandFailed, match=r"sh -c .* failed with status 3: no such volume") as caught:
        _command.run(["sh", "-c", "echo no such volume >&2; exit 3"])
    assert caught.value.returncode == 3


def test_a_program_that_does_not_end_is_killed() -> None:
    begun = time.monotonic()
    with pytest.raises(_command.CommandFailed, match=r"no end after 0\.2 seconds"):
        _command.run(["sleep", "60"], timeout=0.2)
    assert time.monotonic() - begun < 30


def test_a_program_comes_to_its_end_even_if_who_runs_it_is_killed(tmp_path: pathlib.Path) -> None:
    # what says something when nobody listens any more, as lvcreate(8) does while a volume is suspended
    program = "touch begun; while [ ! -e killed ]; do sleep 0.05; done; echo a; echo b >&2; touch ended"
    code = f"from {_command.__name__} import run; run(['sh', '-c', {program!r}], to_its_end=True)"
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path) as process:
        awaited(tmp_path / "begun")
        process.kill()
    (tmp_path / "killed").touch()
    awaited(tmp_path / "ended")


def test_nobody_waits_for_a_daemon_that_a_program_has_started() -> None:
    began = time.monotonic()
    assert _command.run(["sh", "-c", "sleep 20 & echo started"], to_its_end=True) == "started\n"
    assert time.monotonic() - began < 15


def awaited(path: pathlib.Path) -> None:
    until = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < until, f"there is no {path.name}"
        time.sleep(0.05)


def test_a_missing_program_names_its_package() -> None:
    with pytest.raises(_command.ProgramMissing, match="frobnicate is not installed: install frob-tools"):
        _command.find("frobnicate", "frob-tools")
    with pytest.raises(_command.ProgramMissing, match="frobnicate"):
        _command.run(["frobnicate"])
    assert os.access(_command.find("sh", "dash"), os.X_OK)


def test_output_that_is_no_json_is_a_failure() -> None:
    assert _command.run_json(["echo", '{"lv": [1]}']) == {"lv": [1]}
    with pytest.raises(_command.CommandFailed, match="not JSON"):
        _command.run_json(["echo", "lv 1"])
