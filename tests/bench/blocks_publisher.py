# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One step of a publisher, for blocks.py: python blocks_publisher.py DATA WORK publish|compare|improve SERIAL

A program of its own, which loads what a publisher loads and nothing that fetches. DATA has the images, WORK/public what
is published, and WORK/key signs it.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
import typing as t

from ansible_collections.stateless.linux.plugins.module_utils._blocks import changes, packing, publish, similar
from ansible_collections.stateless.linux.plugins.module_utils._blocks.held import Holder
from ansible_collections.stateless.linux.plugins.module_utils._blocks.improve import Improving
from ansible_collections.stateless.linux.plugins.module_utils._blocks.place import Place
from ansible_collections.stateless.linux.plugins.module_utils._blocks.ranges import Set
from ansible_collections.stateless.linux.plugins.module_utils._blocks.signature import sign
from ansible_collections.stateless.linux.plugins.module_utils._blocks.volume import Volume
from ansible_collections.stateless.linux.plugins.module_utils._mounts import view

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from bench.images import NAME, image


@contextlib.contextmanager
def mounted(old: str, new: str) -> t.Iterator[tuple[str, str]]:
    """The trees of two images."""
    options = ("ro", "loop", "noload")
    with view(old, "ext4", options) as before, view(new, "ext4", options) as now:
        yield before, now


class Publisher(t.NamedTuple):
    """Where things are."""

    data: pathlib.Path
    work: pathlib.Path

    def image(self, serial: int) -> str:
        return image(self.data, serial)

    def place(self) -> Place:
        return Place(NAME, str(self.work / "public"), str(self.work / "private"))

    def sign(self, text: bytes) -> bytes:
        """Sign with the key of this run."""
        return sign(text, [str(self.work / "key")])

    def publish(self, serial: int) -> None:
        """Publish an image, as the module ``image`` does."""
        place = self.place()
        with contextlib.ExitStack() as stack:
            volume = stack.enter_context(Volume(self.image(serial)))
            parent, changed, groups = None, Set(volume.allocated()), []
            if serial > 1:
                before = place.manifest(serial - 1)
                old = stack.enter_context(Volume(self.image(serial - 1)))
                parent = publish.Parent(before, Holder(place.index(before), old))
                changed = Set(changes.between(old, volume))
                images = self.image(serial - 1), self.image(serial)
                since = os.stat(images[0]).st_mtime
                groups = similar.groups(old, volume, changed, since, lambda: mounted(*images))
            level = packing.LEVELS["default"]
            publish.Publishing(place, serial, volume, parent, changed.ranges, groups, level, self.sign).run()

    def compare(self, serial: int) -> None:
        """Find what changed as :meth:`publish` does, and no more."""
        with Volume(self.image(serial - 1)) as old, Volume(self.image(serial)) as volume:
            list(changes.between(old, volume))

    def improve(self, serial: int) -> None:
        """Make its packs again at the level ``thorough``, as the module ``image`` does when they are out."""
        with contextlib.ExitStack() as stack:
            volume = stack.enter_context(Volume(self.image(serial)))
            old = stack.enter_context(Volume(self.image(serial - 1))) if serial > 1 else None
            Improving(self.place(), serial, volume, old, packing.LEVELS["thorough"], self.sign).run()


def main(argv: t.Sequence[str]) -> None:
    """Do the step."""
    data, work, step, serial = argv
    publisher = Publisher(pathlib.Path(data), pathlib.Path(work))
    steps = {"publish": publisher.publish, "compare": publisher.compare, "improve": publisher.improve}
    steps[step](int(serial))


if __name__ == "__main__":
    main(sys.argv[1:])
