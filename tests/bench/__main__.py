# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures: make bench, or tests/tools/with tests/bench/run [container|vm|directory]

container and vm are molecule scenarios, see scenarios.py; directory is 10,000 clients in a directory, see directory.py.
"""

from __future__ import annotations

import pathlib
import sys
import typing as t

sys.path[0] = str(pathlib.Path(__file__).resolve().parent.parent)

from bench import directory, scenarios  # noqa: E402  (the path comes first)


def main(names: t.Sequence[str]) -> None:
    """Measure each of *names*."""
    known = [*scenarios.FORMATS, directory.NAME]
    for name in names or known:
        if name not in known:
            sys.exit(f"{name!r} is nothing to measure: {', '.join(known)}")
    for name in names or known:
        print(f"\n{name}", flush=True)
        if name == directory.NAME:
            directory.measure()
        else:
            scenarios.measure(name)


if __name__ == "__main__":
    main(sys.argv[1:])
