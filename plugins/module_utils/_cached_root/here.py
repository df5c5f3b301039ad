# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine that this runs on: what it was booted with, and its disk."""

from __future__ import annotations

import dataclasses
import typing as t

from .._boot.arguments import told
from .._errors import NotFound, StatelessError
from .._names import check_name, check_serial
from . import arguments, boot, volumes
from .boot_partition import BootPartition
from .entries import Image
from .machine import Machine
from .plan import Own
from .progress import Progress
from .settings import Places, Settings


@dataclasses.dataclass
class Here:
    """This machine.

    :arg line: the kernel's command line.
    """

    line: str
    places: Places
    settings: Settings
    progress: Progress

    def __post_init__(self) -> None:
        volumes.let_lvm_work()

    @property
    def generation(self) -> int | None:
        """The entry that it was booted from; None: none of its own disk."""
        return arguments.generation(self.line)

    @property
    def image(self) -> Image | None:
        """What it runs, wherever that is from; None: no image."""
        said = told(self.line)
        if "protosystem" not in said or not said.get("serial", "").isdecimal():
            return None
        name = check_name("stateless.protosystem", said["protosystem"])
        return name, check_serial("stateless.serial", int(said["serial"]))

    @property
    def running(self) -> Image | None:
        """The root of its own disk that it runs; None: what runs is from elsewhere."""
        return self.image if self.generation is not None else None

    def needs_restart(self, image: Image, own: Own | None) -> bool:
        """Whether another root than this is what runs, or it with other kernel arguments of its own.

        :arg own: None: the arguments do not matter.
        """
        return self.running != image or own not in (None, tuple(arguments.own_arguments(self.line)))

    def protosystem(self, said: str | None) -> str:
        """*said*, or that which runs.

        :raises NotFound: there is neither.
        """
        if said:
            return check_name("protosystem", said)
        if self.image is None:
            raise NotFound("protosystem: this machine runs no image: say which protosystem is meant")
        return self.image[0]

    def cached(self) -> Machine:
        """It as a caching client.

        :raises StatelessError: it is none, or was not finished.
        """
        group = volumes.find()
        if volumes.INSTALLING in group.tags:
            raise StatelessError(f"the installation of {', '.join(group.devices)} was not finished: do it again")
        partition = volumes.boot_of(group)
        return self.made(group.name, arguments.own_arguments(self.line), lambda: boot.device(partition))

    def made(self, vg: str, own: t.Sequence[str], device: t.Callable[[], str]) -> Machine:
        """It with the volume group *vg*.

        :arg own: its own kernel arguments.
        :arg device: says where its boot partition is.
        """

        def opened(writable: bool) -> t.ContextManager[BootPartition]:
            return boot.opened(device(), writable)

        store = volumes.LvmRoots(vg)
        made = (vg, store, opened, self.places, self.settings, self.progress, self.running, own, self.generation)
        return Machine(*made)
