# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mend a volume whose blocks differ from their serial: a bad disk, or somebody wrote to it. Fetches only those."""

from __future__ import annotations

import dataclasses

from . import choose, manifest, tree
from .apply import Applying
from .choose import Packs
from .held import Holder
from .index import Run
from .update import Update, head
from .values import damaged
from .verify import differing
from .volume import Volume


@dataclasses.dataclass
class Mending:
    """Mend *volume*, which should be ``update.own``.

    :arg update: to the serial that it is of.
    """

    update: Update
    volume: Volume

    def differences(self) -> list[Run]:
        """The blocks that differ.

        :raises Damaged: what this machine knows of the root is wrong itself.
        """
        own = self.update.own
        if own is None:
            raise damaged(self.volume.path, "nothing is known of it")
        digests = self.update.local.digests()
        try:
            pages = bytes(tree.pages_of(own.index, digests.get))
            if tree.root(own.index.blocks, pages).hex() != own.manifest.root:
                raise damaged(
                    self.update.local.directory, f"it does not have the digests of serial {self.update.serial}"
                )
            return list(differing(self.volume, own.index, digests.get))
        finally:
            digests.close()

    def run(self, differences: list[Run], spool: str) -> None:
        """Mend these.

        :raises Damaged: what is published is not what this volume was made of.
        :raises FetchFailed: something cannot be had.
        """
        own = self.update.own
        if own is None or not differences:
            return
        found = self.update.look_up()
        if found.root != own.manifest.root:
            raise damaged(manifest.file_name(found.serial), "it is of another root than the one that is here")
        # what is right can be used; it is not what is written
        right = own.index.changed(own.index.blocks, (run._replace(first=0) for run in differences))
        holder = Holder(right, self.volume)
        packs = Packs(found.packs, lambda one: head(self.update.site, found, one)[0])
        plan = choose.plan(manifest.file_name(found.serial), differences, lambda: holder.held, packs)
        digests = self.update.local.digests()
        try:
            Applying(self.volume.path, plan, self.volume, holder, digests, self.update.site, spool).run()
        finally:
            digests.close()
        self.volume.sync()
