# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge lines DIGEST PATH of a state that lost power while another edition was copied: all stock is that of EDITION.

Where EDITION is 0, it had none before, and has none.
"""

from __future__ import annotations

import hashlib
import random
import sys


def main() -> None:
    edition = int(sys.argv[1])
    due = {
        (hashlib.sha256(random.Random(f"{edition} {number}").randbytes(16384)).hexdigest(), f"stock/{number:04}")
        for number in range(600 if edition else 0)
    }
    lines = [line.split(maxsplit=1) for line in sys.stdin.read().splitlines() if line]
    found = {(digest, path) for digest, path in lines if path.startswith("stock/") or not edition}
    if found != due:
        sys.exit(f"not as in edition {edition}: {sorted({path for _digest, path in found ^ due})[:10]} ...")


main()
