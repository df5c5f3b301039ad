# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 tests/lab``: make the directory a package, then run its command line."""

from __future__ import annotations

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path[0] = str(pathlib.Path(__file__).resolve().parent.parent)

from lab.cli import main  # noqa: E402  (the path comes first)

if __name__ == "__main__":
    sys.exit(main())
