# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be done after a serial is out: its step, smaller; and its contents once more without references.

Clients one version behind fetch less; those that install, or are further behind, need not fetch old contents only to
compress against. The volumes of the serial and of its parent are still there, and nothing about the root changes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from .._errors import NotFound
from .._files import remove
from .._room import room_for
from .held import Holder
from .manifest import PackFile
from .pack import Frame
from .packing import Level, Packer
from .place import Place
from .publish import keep_pack
from .retain import Sign, switch
from .values import BLOCK, FRAME_BLOCKS, sha256
from .volume import Volume


@dataclasses.dataclass
class Improving:
    """The packs of *serial*.

    :arg volume: of the serial.
    :arg parent: the volume of its parent; None: it has none.
    """

    place: Place
    serial: int
    volume: Volume
    parent: Volume | None
    level: Level
    sign: Sign

    def run(self) -> None:
        """Make them, and switch to them. What a killed run leaves is named by nothing.

        :raises Full: there is no room.
        """
        self.place.make_private()
        self._manifest = self.place.manifest(self.serial)
        own = self._manifest.step() or next((one for one in self._manifest.packs if self._is_own(one)), None)
        if own is None:
            return
        table = self.place.table(own)
        self._holder = Holder(self.place.index(self._manifest), self.volume)
        with room_for(f"blocks of {self.place.protosystem} {self.serial}", self.place.public):
            instead = self._smaller(own, self._again(own, table.frames))
            against = [frame for frame in table.frames if frame.references]
            more = [self._plain(against)] if against else []
        switch(self.place, {own.file: instead}, more, self.sign)

    def _smaller(self, own: PackFile, made: PackFile) -> PackFile:
        """What cannot be compressed may come out larger."""
        if made.size < own.size or made.file == own.file:
            return made
        remove(os.path.join(self.place.public, made.file))
        return own

    def _is_own(self, pack: PackFile) -> bool:
        return pack.file.startswith(f"{self.serial}-")

    def _again(self, own: PackFile, frames: t.Sequence[Frame]) -> PackFile:
        """The same frames."""
        with contextlib.closing(self._packer()) as packer:
            for frame in frames:
                packer.against(frame.references)
                self._add(packer, frame)
                packer.end()
            return keep_pack(self.place, packer.done(self.serial, self.place.delta(own)), step=own.step)

    def _plain(self, frames: t.Sequence[Frame]) -> PackFile:
        """What they hold, without references."""
        with contextlib.closing(self._packer()) as packer:
            for frame in frames:
                packer.group(min(frame.blocks(), FRAME_BLOCKS), 0)
                self._add(packer, frame)
            return keep_pack(self.place, packer.done(self.serial, None), step=False)

    def _packer(self) -> Packer:
        return Packer(self.place.public, self.level, self._references)

    def _references(self, view: memoryview, ids: t.Sequence[tuple[int, int]]) -> None:
        if self.parent is None or self._manifest.parent is None:
            raise NotFound(f"blocks of {self.place.protosystem} {self.serial} refer to a parent that is not given")
        if not hasattr(self, "_old"):
            self._old = Holder(self.place.index(self.place.manifest(self._manifest.parent)), self.parent)
        self._old.read(view, ids)

    def _add(self, packer: Packer, frame: Frame) -> None:
        data = bytearray(BLOCK * frame.blocks())
        self._holder.read(memoryview(data), frame.holds)
        at = 0
        for first, count in frame.holds:
            for content in range(first, first + count):
                block = bytes(data[at : at + BLOCK])
                packer.add(content, block, sha256(block).digest())
                at += BLOCK
