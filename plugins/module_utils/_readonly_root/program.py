# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's service as one file."""

from __future__ import annotations

from .._program import Program
from .boot import service

#: No variables of the environment, no user's directory, nothing beyond the standard library.
SERVICE = Program(service.__name__, "/usr/bin/python3 -IS")
