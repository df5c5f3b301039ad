# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Know a root again whose volume is here, while what was known of it is lost: read it, and compare that."""

from __future__ import annotations

import dataclasses
import os

from . import tree
from .index import Run
from .local import Root
from .update import Update
from .values import BLOCK, DIGEST, damaged, sha256
from .volume import Volume, is_zero

_NOTHING = bytes(DIGEST)


@dataclasses.dataclass
class Adopting:
    """Find out that *volume* is the serial of *update*.

    :arg update: to that serial, from nothing.
    """

    update: Update
    volume: Volume

    def run(self) -> Root:
        """Read all of it, and keep what is known then.

        :raises Damaged: it is not what was published; nothing is kept.
        :raises FetchFailed: manifest or index cannot be had.
        """
        found = self.update.look_up()
        index = self.update.index(found)
        local = self.update.local
        digests = local.digests()
        try:
            # what is read may be wrong, and must not be taken for what contents are
            path = digests.path + ".adopting"
            seen = tree.Digests(path)
            try:
                for run in index.part(0, index.blocks):
                    for part in run.pieces():
                        data = self.volume.read(part.at, part.length)
                        if part.first:
                            self._see(seen, part, data)
                        elif not is_zero(data):
                            raise damaged(self.volume.path, f"it has something else than zeros at block {part.at}")
                pages = tree.pages_of(index, seen.get)
                if tree.root(index.blocks, bytes(pages)).hex() != found.root:
                    raise damaged(self.volume.path, f"it is not {found.protosystem} {found.serial}")
                for run in index.runs():
                    for part in run.pieces():
                        digests.put(part.first, seen.get(part.first, part.length))
            finally:
                seen.close()
                os.unlink(path)
            digests.sync()
        finally:
            digests.close()
        root = Root(found, index, pages)
        local.keep(root)
        return root

    def _see(self, seen: tree.Digests, run: Run, data: bytes) -> None:
        """Note the digests of contents; one that is in several blocks has to be the same in all of them."""
        before, now = seen.get(run.first, run.length), _digests(data)
        if before != now and any(before):
            for at in range(0, len(now), DIGEST):
                if before[at : at + DIGEST] not in (_NOTHING, now[at : at + DIGEST]):
                    raise damaged(self.volume.path, f"block {run.at + at // DIGEST} is not as it was")
        seen.put(run.first, now)


def _digests(data: bytes) -> bytes:
    return b"".join([sha256(data[at : at + BLOCK]).digest() for at in range(0, len(data), BLOCK)])
