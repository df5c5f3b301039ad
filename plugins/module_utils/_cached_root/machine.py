# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A caching client as its parts: where its roots are, what it boots by, what it knows, what its image says."""

from __future__ import annotations

import dataclasses
import typing as t

from .. import _files
from .._blocks import update
from .._blocks.adopt import Adopting
from .._blocks.fetch import Site
from .._blocks.local import Local, Root
from .._blocks.volume import Volume
from . import arguments
from .boot_partition import BootPartition
from .entries import Image
from .plan import Situation
from .progress import Progress
from .settings import Places, Settings
from .volumes import Store


@dataclasses.dataclass
class Machine:
    """A caching client, or what is becoming one."""

    vg: str
    store: Store
    #: opens the boot partition, to be written to or not
    boot: t.Callable[[bool], t.ContextManager[BootPartition]]
    places: Places
    settings: Settings
    progress: Progress
    #: the root that runs; None: it came over the network
    running: Image | None
    #: kernel arguments that are the machine's own
    arguments: t.Sequence[str] = ()
    #: the entry that it was booted from; None: it is not known, or there is none
    generation: int | None = None

    def look(self) -> Situation:
        """What there is."""
        with self.boot(False) as boot:
            return self.situation(boot)

    def situation(self, boot: BootPartition) -> Situation:
        """The same, with the boot partition at hand."""
        entries, files = tuple(boot.entries()), tuple(boot.images())
        litter = bool(boot.leftovers())
        own = {entry.name: tuple(arguments.behind_entry(boot.arguments(entry)) or ()) for entry in entries}
        keep = self.settings.keep
        return Situation(self.store.read(), entries, files, self.running, keep, litter, own, self.generation)

    def local(self, protosystem: str) -> Local:
        """What is known of a protosystem's roots."""
        return Local(protosystem, self.places.local(protosystem))

    def known(self, image: Image) -> Root | None:
        """What is known of a root."""
        return self.local(image[0]).root(image[1])

    def recognised(self, image: Image) -> Root:
        """What is known of a root whose volume is here: if need be, found out by what is published, and by reading it.

        :raises StatelessError: it is not what was published, or that cannot be had.
        """
        found = self.known(image)
        if found is None:
            self.progress.step(f"read {image[0]} {image[1]}, of which nothing is known any more")
            trusting = self.trusting(image[0])
            updating = update.Update(self.site(image[0]), self.local(image[0]), image[1], None, None, trusting)
            with Volume(self.store.path(image)) as volume:
                found = Adopting(updating, volume).run()
        return found

    def site(self, protosystem: str) -> Site:
        """Where it is published."""
        urls = self.settings.sites(protosystem)
        return Site(urls, limit=self.settings.limit or None, progress=self.progress.count)

    def locked(self) -> t.ContextManager[object]:
        """Nobody else changes roots meanwhile."""
        return _files.lock(self.places.lock, "another stateless command is changing the roots of this machine")

    def trusting(self, protosystem: str) -> t.Callable[[str, bytes, t.Sequence[bytes]], None]:
        """The check of manifests."""
        return update.trusting(protosystem, self.places.trusted)
