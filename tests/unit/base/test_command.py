# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs are run as argument lists, and what they say is what the administrator reads."""

from __future__ import annotations

import os
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
