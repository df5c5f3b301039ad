# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One update of a client, for blocks.py: python blocks_client.py WORK PORT NAME SERIAL [OWN VOLUME]

A program of its own, which loads what a client loads and nothing that publishes: the start of a process is much of
what a small update takes. Writes WORK/target.
"""

from __future__ import annotations

import contextlib
import pathlib
import sys
import typing as t

from ansible_collections.stateless.linux.plugins.module_utils._blocks.fetch import Site
from ansible_collections.stateless.linux.plugins.module_utils._blocks.local import Local
from ansible_collections.stateless.linux.plugins.module_utils._blocks.update import Update, trusting
from ansible_collections.stateless.linux.plugins.module_utils._blocks.volume import Volume

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from bench.images import NAME


@contextlib.contextmanager
def update_of(work: pathlib.Path, port: int, name: str, serial: int, own: tuple[int, str] | None) -> t.Iterator[Update]:
    """The update of the client *name* to *serial* from its *own* serial and volume."""
    local = Local(NAME, str(work / f"client-{name}"))
    check = trusting(NAME, str(work / "trusted"))
    with contextlib.ExitStack() as stack:
        volume = stack.enter_context(Volume(own[1])) if own else None
        root = local.root(own[0]) if own else None
        yield Update(Site([f"http://127.0.0.1:{port}"]), local, serial, root, volume, check)


def main(argv: t.Sequence[str]) -> None:
    """Bring the client to the serial."""
    work, port, name, serial, *own = argv
    had = (int(own[0]), own[1]) if own else None
    with update_of(pathlib.Path(work), int(port), name, int(serial), had) as update:
        wanted = update.plan(update.look_up())
        with Volume(str(pathlib.Path(work) / "target"), writable=True) as target:
            update.apply(wanted, target, work)


if __name__ == "__main__":
    main(sys.argv[1:])
