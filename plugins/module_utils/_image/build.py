# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image in the making: built beside, visible at once."""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import typing as t

from .._boot import arguments, ipxe
from .._files import remove, sync_directory, write
from .._plan import Step
from .._room import room_for
from .._snapshot.manifest import view_snapshot
from . import leftovers, manifest, public, ram
from .manifest import Image

if t.TYPE_CHECKING:
    from .._server import Server
    from .._snapshot.manifest import Snapshot
    from .blocks import Publication
    from .kernel import Kernel


def script(server: Server, image: Image, image_format: str, extra: t.Sequence[str]) -> str:
    """The boot script of a format of *image*."""
    protosystem, serial = image.protosystem, image.serial
    if image_format == "blocks":
        return ipxe.disk_script(protosystem, serial, extra)
    if image_format == "nfs":
        mount = server.snapshot_mount(protosystem, serial)
        found = arguments.nfs_arguments(protosystem, serial, mount, image.digest)
    else:
        found = arguments.ram_arguments(protosystem, serial, image.formats["ram"]["file"], image.digest)
    return ipxe.image_script(protosystem, serial, image_format, found, extra)


@dataclasses.dataclass
class Building:
    """What is to be published of *snapshot*, and how.

    Files first, the manifest last: a new image appears with the rename of its directory, a new format of a published
    one with the rename of the manifest.
    """

    server: Server
    snapshot: Snapshot
    #: the image as it will be; of new files only the names are known until they are built
    image: Image
    #: its formats that are not published yet
    formats: t.Sequence[str]
    #: None if the image is there already, and with it its kernel
    kernel: Kernel | None
    extra: t.Sequence[str]
    #: None: the format blocks is not to be published
    blocks: Publication | None = None

    def __post_init__(self) -> None:
        #: files that are made, by name: what ``public.finish`` said of them
        self._built: dict[str, dict[str, t.Any]] = {}
        self.beside = leftovers.beside(self.server, self.snapshot.protosystem, self.snapshot.serial, "new")
        #: the image as it is; None: there is none
        self.before: Image | None = None
        if self.kernel is None:
            kept = {name: how for name, how in self.image.formats.items() if name not in self.formats}
            self.before = dataclasses.replace(self.image, formats=kept)

    def plan(self) -> list[Step]:
        """The steps that publish."""
        steps = []
        snapshot = f"snapshot {self.snapshot.serial} of {self.snapshot.protosystem}"
        if self.kernel is not None:
            text = f"copy the kernel {self.kernel.version} and its initrd"
            steps.append(self._step(text, f"the kernel of {snapshot}", functools.partial(self._copy, self.kernel)))
        if "ram" in self.formats:
            settings = self.image.formats["ram"]
            text = f"make {settings['file']} ({settings['compression']}) of snapshot {self.snapshot.serial}"
            steps.append(self._step(text, f"{settings['file']} of {snapshot}", self._make))
        if self.blocks is not None:
            text = f"publish the blocks of {snapshot} that are new"
            steps.append(Step(text, functools.partial(self._publish_blocks, self.blocks), self.blocks.undo))
        text = f"publish {snapshot} as {' and '.join(self.formats)}"
        publishing = self._step(text, f"the image of {snapshot}", self._publish)
        return [*steps, dataclasses.replace(publishing, undo=self._withdraw)]

    def _step(self, text: str, what: str, act: t.Callable[[], None]) -> Step:
        def with_room() -> None:
            with room_for(what, os.path.dirname(self.beside)):
                act()

        # the next run would clear it, too, but it can be large
        return Step(text, with_room, lambda: public.remove_tree(self.beside))

    def _copy(self, kernel: Kernel) -> None:
        public.make_directory(self.beside)
        with view_snapshot(self.server, self.snapshot) as tree:
            public.copy(os.path.join(tree, kernel.kernel), os.path.join(self.beside, "vmlinuz"))
            public.copy(os.path.join(tree, kernel.initrd), os.path.join(self.beside, "initrd"))
        self._finish()

    def _finish(self) -> dict[str, dict[str, t.Any]]:
        """All files that are made, each read once."""
        for name in sorted(set(os.listdir(self.beside)) - set(self._built)):
            self._built[name] = public.finish(os.path.join(self.beside, name))
        return self._built

    def _publish_blocks(self, blocks: Publication) -> None:
        said = blocks.act({**self.image.files, **self._built})
        self.image = dataclasses.replace(self.image, formats={**self.image.formats, "blocks": said})

    def _make(self) -> None:
        settings = self.image.formats["ram"]
        public.make_directory(self.beside)
        ram.build(self.server, self.snapshot, settings, os.path.join(self.beside, settings["file"]))

    def _publish(self) -> None:
        public.make_directory(self.beside)
        self.image = dataclasses.replace(self.image, files={**self.image.files, **self._finish()})
        for image_format in self.formats:
            text = script(self.server, self.image, image_format, self.extra)
            write(os.path.join(self.beside, manifest.script_name(image_format)), text)
        directory = self.server.image(self.snapshot.protosystem, self.snapshot.serial)
        if self.kernel is not None:
            manifest.store(self.beside, self.image)
            sync_directory(self.beside)
            os.rename(self.beside, directory)
            sync_directory(os.path.dirname(directory))
            return
        # the boot script last: a client that finds it finds everything
        for name in sorted(os.listdir(self.beside), key=lambda name: name.endswith(".ipxe")):
            os.rename(os.path.join(self.beside, name), os.path.join(directory, name))
        sync_directory(directory)
        manifest.store(directory, self.image)
        shutil.rmtree(self.beside)

    def _withdraw(self) -> None:
        """Undo :meth:`_publish`, however far it came."""
        directory = self.server.image(self.snapshot.protosystem, self.snapshot.serial)
        if self.before is None:
            if os.path.isdir(directory):
                hide(self.server, self.image)
        else:
            if manifest.find(self.server, self.image.protosystem, self.image.serial) != self.before:
                manifest.store(directory, self.before)
            for name in sorted(set(os.listdir(directory)) - self.before.names):
                remove(os.path.join(directory, name))
        for state in ("new", "old"):
            public.remove_tree(leftovers.beside(self.server, self.image.protosystem, self.image.serial, state))


def hide(server: Server, image: Image) -> None:
    """Have nobody find *image* any more; its files are kept, see :func:`.leftovers.beside`."""
    directory = server.image(image.protosystem, image.serial)
    os.rename(directory, leftovers.beside(server, image.protosystem, image.serial, "old"))
    sync_directory(os.path.dirname(directory))


def show(server: Server, image: Image) -> None:
    """Undo :func:`hide`."""
    directory = server.image(image.protosystem, image.serial)
    old = leftovers.beside(server, image.protosystem, image.serial, "old")
    if not os.path.isdir(directory) and os.path.isdir(old):
        os.rename(old, directory)
        sync_directory(os.path.dirname(directory))
