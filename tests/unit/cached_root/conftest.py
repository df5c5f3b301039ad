# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Block devices for tests: loop devices of files."""

from __future__ import annotations

import pathlib
import subprocess
import typing as t

import pytest


@pytest.fixture
def loop() -> t.Iterator[t.Callable[[pathlib.Path], str]]:
    """Makes a loop device of a file."""
    devices = []

    def attach(path: pathlib.Path) -> str:
        done = subprocess.run(["losetup", "--find", "--show", path], check=True, capture_output=True, text=True)
        devices.append(done.stdout.strip())
        return devices[-1]

    yield attach
    for device in devices:
        subprocess.run(["losetup", "--detach", device], check=True)
