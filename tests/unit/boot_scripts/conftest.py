# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the tests of this folder write: thousands of fsync(2) would wait for a disk that others write to."""

from __future__ import annotations

import os
import pathlib
import tempfile
import typing as t

import pytest


@pytest.fixture
def tmp_path() -> t.Iterator[pathlib.Path]:
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as place:
        yield pathlib.Path(place)
