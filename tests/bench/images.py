# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What blocks-data makes, for the programs that measure with it."""

from __future__ import annotations

import pathlib

#: Of what the images are snapshots.
NAME = "lab"


def image(data: pathlib.Path, serial: int) -> str:
    """The image of a serial."""
    return str(data / f"v{serial}.img")
