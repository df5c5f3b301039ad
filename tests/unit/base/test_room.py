# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._command import CommandFailed, run
from ansible_collections.stateless.linux.plugins.module_utils._room import Full, room_for


def test_a_write_for_which_there_is_no_room_says_which_filesystem_is_full(tmp_path: pathlib.Path) -> None:
    directory = str(tmp_path / "not" / "yet")
    said = f"no room left for the image: the filesystem of {directory} is full, [0-9]+ MiB"
    with pytest.raises(Full, match=said), room_for("the image", directory), open("/dev/full", "wb", 0) as full:
        full.write(b"x")


def test_so_does_a_program_that_says_so(tmp_path: pathlib.Path) -> None:
    with pytest.raises(Full, match=r"Make room, .*, and run this again"), room_for("a", str(tmp_path)):
        run(["cp", "/proc/self/cmdline", "/dev/full"])


def test_other_failures_stay_what_they_are(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError), room_for("a copy", str(tmp_path)):
        os.stat(tmp_path / "missing")
    with pytest.raises(CommandFailed, match="status 1"), room_for("a copy", str(tmp_path)):
        run(["false"])
