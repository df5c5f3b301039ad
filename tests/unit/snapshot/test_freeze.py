# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With an fsfreeze that only writes down how it is called: the scenarios (kill_points.py) freeze real filesystems."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._command import CommandFailed
from ansible_collections.stateless.linux.plugins.module_utils._snapshot.freeze import frozen

FSFREEZE = """#!/bin/sh
if [ "$1" = --freeze ]; then sleep 0.2; fi
echo "$1" >>"$0.calls"
if [ -e "$0.fails$1" ]; then rm "$0.fails$1"; echo "cannot $1" >&2; exit 1; fi
"""


@pytest.fixture
def calls(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    program = tmp_path / "fsfreeze"
    program.write_text(FSFREEZE)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path / "fsfreeze.calls"


def test_it_is_frozen_for_the_block(calls: pathlib.Path) -> None:
    with frozen("/somewhere"):
        assert calls.read_text().split() == ["--freeze"]
    assert calls.read_text().split() == ["--freeze", "--unfreeze"]


def test_it_is_thawed_when_the_block_fails(calls: pathlib.Path) -> None:
    with pytest.raises(KeyError), frozen("/somewhere"):
        raise KeyError
    assert calls.read_text().split() == ["--freeze", "--unfreeze"]


def test_the_rest_of_a_killed_run_is_thawed_first(calls: pathlib.Path) -> None:
    calls.with_name("fsfreeze.fails--freeze").touch()
    with frozen("/somewhere"):
        pass
    assert calls.read_text().split() == ["--freeze", "--unfreeze", "--freeze", "--unfreeze"]


def test_what_cannot_be_frozen_is_an_error(calls: pathlib.Path) -> None:
    for option in ("--freeze", "--unfreeze"):
        calls.with_name(f"fsfreeze.fails{option}").touch()
    with pytest.raises(CommandFailed, match="cannot --freeze"), frozen("/somewhere"):
        raise AssertionError("never reached")


def test_what_did_not_stay_frozen_is_an_error(calls: pathlib.Path) -> None:
    calls.with_name("fsfreeze.fails--unfreeze").touch()
    with pytest.raises(CommandFailed, match="--unfreeze"), frozen("/somewhere"):
        pass


@pytest.mark.parametrize("after", [0.1, 0.5], ids=["before it hears of it", "while it is frozen"])
def test_it_is_thawed_when_the_run_is_killed(calls: pathlib.Path, after: float) -> None:
    module = frozen.__module__
    program = (
        f"import time\nfrom {module} import frozen\nprint(flush=True)\nwith frozen('/somewhere'):\n    time.sleep(60)\n"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    run = subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE
    )
    assert run.stdout is not None
    run.stdout.readline()
    time.sleep(after)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    until = time.monotonic() + 10
    while not calls.exists() or calls.read_text().split() != ["--freeze", "--unfreeze"]:
        assert time.monotonic() < until, "it stays frozen"
        time.sleep(0.05)
