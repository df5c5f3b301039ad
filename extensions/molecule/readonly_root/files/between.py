# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge lines DIGEST PATH of a state that lost power between editions 1 and 2: whole files of either."""

from __future__ import annotations

import hashlib
import random
import sys


def main() -> None:
    known = {
        hashlib.sha256(random.Random(f"{edition} {number}").randbytes(16384)).hexdigest(): (
            edition,
            f"stock/{number:04}",
        )
        for edition in (1, 2)
        for number in range(600)
    }
    found = [line.split(maxsplit=1) for line in sys.stdin.read().splitlines()]
    stock = [
        (digest, path) for digest, path in found if path.startswith("stock/") and not path.endswith(".stateless-new")
    ]
    broken = [path for digest, path in stock if known.get(digest, (0, ""))[1] != path]
    editions = [known[digest][0] for digest, path in stock if digest in known]
    said = f"{editions.count(1)} files of edition 1, {editions.count(2)} of edition 2, broken: {broken}"
    if broken or len({path for digest, path in stock}) != 600:
        sys.exit(said)
    print(said)


main()
