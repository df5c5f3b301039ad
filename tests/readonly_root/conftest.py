# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""These tests share modules of their own."""

from __future__ import annotations

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))


def pytest_configure() -> None:
    """Mounts, owners and devices are only root's to make: there is nothing here for anybody else."""
    if os.geteuid() != 0:
        raise pytest.UsageError("tests/readonly_root needs root")
