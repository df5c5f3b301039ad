# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a root on the disk is what its serial is, block by block; and mend it, by fetching the blocks that differ."""

from __future__ import annotations

import dataclasses
import os

from .._blocks.mend import Mending, differences
from .._blocks.update import Update
from .._blocks.values import BLOCK
from .._blocks.volume import Volume
from .._errors import NotFound
from .entries import Image
from .machine import Machine


@dataclasses.dataclass(frozen=True)
class Checked:
    """What a root was found to be."""

    image: Image
    blocks: int
    #: blocks that differ from the serial's
    differing: int
    #: first bytes of the ranges that differ, and their lengths
    ranges: tuple[tuple[int, int], ...] = ()
    mended: bool = False
    #: bytes that were fetched for that
    fetched: int = 0


def verify(machine: Machine, image: Image, mend: bool) -> Checked:
    """Read every block of a root and compare it.

    :arg mend: have those that differ as they should be. What runs has read some of them before: restart it.
    :raises NotFound: there is no such root.
    :raises StatelessError: it cannot be mended; or nothing is known of it any more, and it cannot be found out.
    """
    with machine.locked():
        root = machine.store.read().get(image)
        if root is None or not root.is_complete:
            raise NotFound(f"serial: there is no root {image[0]} {image[1]} on this disk")
        known = machine.recognised(image)
        local = machine.local(image[0])
        machine.progress.step(f"read {image[0]} {image[1]}")
        with Volume(machine.store.path(image)) as volume:
            found = differences(local, known, volume)
        ranges = tuple((run.at * BLOCK, run.length * BLOCK) for run in found)
        result = Checked(image, known.index.blocks, sum(run.length for run in found), ranges)
        if not found or not mend:
            return result
        machine.progress.step(f"mend {result.differing} blocks")
        os.makedirs(machine.places.spool, mode=0o700, exist_ok=True)
        site = machine.site(image[0])
        with machine.store.writable(image) as path, Volume(path, writable=True) as target:
            update = Update(site, local, image[1], known, target, machine.trusting(image[0]))
            Mending(update, target).run(found, machine.places.spool)
        return dataclasses.replace(result, mended=True, fetched=site.bytes)
