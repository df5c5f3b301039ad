# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A caching client for tests: real roots, filesystems with a kernel in them, published, signed and fetched over HTTP.

Volumes are files here, and the boot partition is a directory: not every kernel that runs the tests has the device
mapper and FAT. With LVM and FAT, it is for a virtual machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pathlib
import random
import shutil
import subprocess
import typing as t

from ansible_collections.stateless.linux.plugins.module_utils._blocks import signature
from ansible_collections.stateless.linux.plugins.module_utils._blocks.boot import Boot, File
from ansible_collections.stateless.linux.plugins.module_utils._cached_root import boot, environment, grub
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.boot_partition import BootPartition
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.entries import Image
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.machine import Machine
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.progress import Progress
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.room import Pool
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.settings import Places, Settings
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.volumes import Root, Roots
from ansible_collections.stateless.linux.tests.unit.blocks.world import NAME, World

#: bytes of a root
SIZE = 8 << 20
KERNEL, INITRD = "boot/vmlinuz-6.1.0", "boot/initrd.img-6.1.0"


class FileRoots:
    """Roots as files in a directory: NAME.SERIAL, and NAME.SERIAL.unfinished with what it was made from."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        directory.mkdir(exist_ok=True)
        self.size = 1 << 30

    def file(self, image: Image) -> pathlib.Path:
        return self.directory / f"{image[0]}.{image[1]}"

    def _unfinished(self, image: Image) -> pathlib.Path:
        return self.directory / f"{image[0]}.{image[1]}.unfinished"

    def read(self) -> Roots:
        roots = []
        for path in sorted(self.directory.glob(f"{NAME}.?")):
            image = (NAME, int(path.suffix[1:]))
            origin = self._unfinished(image).read_text() if self._unfinished(image).exists() else None
            parent = (NAME, int(origin)) if origin else None
            found = path.stat()
            roots.append(Root(*image, origin is None, found.st_size, found.st_blocks * 512, parent))
        return Roots(Pool(self.size, sum(root.used for root in roots), 64 << 20, 0), tuple(roots))

    def path(self, image: Image) -> str:
        return str(self.file(image))

    def begin(self, image: Image, size: int, parent: Image | None) -> None:
        self._unfinished(image).write_text(str(parent[1]) if parent else "")
        new = self.directory / "new"
        if parent is not None:
            shutil.copyfile(self.file(parent), new)
        with new.open("ab") as stream:
            stream.truncate(max(size, new.stat().st_size))
        os.rename(new, self.file(image))

    def resume(self, image: Image) -> None:
        self.file(image).chmod(0o600)

    def finish(self, image: Image) -> None:
        self.file(image).chmod(0o400)
        os.unlink(self._unfinished(image))

    def remove(self, root: Root) -> None:
        self._unfinished(root.image).touch()
        os.unlink(self.file(root.image))
        os.unlink(self._unfinished(root.image))

    def rest(self, image: Image) -> None:
        pass

    @contextlib.contextmanager
    def writable(self, image: Image) -> t.Iterator[str]:
        yield self.path(image)


class Publisher:
    """Serials of a protosystem, and where they are served from."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.world = World(directory / "world")
        self.key = directory / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", self.key], check=True)
        self.served = directory / "served"
        (self.served / "images" / NAME).mkdir(parents=True)
        (self.served / "images" / NAME / "blocks").symlink_to(self.world.place.public)

    @property
    def trusted(self) -> str:
        """A line for the file of trusted keys."""
        return f'* namespaces="blocks@stateless.linux" {self.key.with_suffix(".pub").read_text()}'

    def publish(self, serial: int, parent: int | None = None, size: int = SIZE) -> None:
        """Publish a root whose kernel says which it is."""
        tree = self.world.directory / f"tree-{serial}"
        files = {
            KERNEL: f"kernel {serial}\n".encode() * 500,
            INITRD: f"initrd {serial // 2}\n".encode() * 5000,
            "usr/lib/same": random.Random(0).randbytes(1 << 20),
            "usr/lib/other": random.Random(serial).randbytes(200_000),
        }
        for name, content in files.items():
            path = tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        image = self.world.directory / f"{serial}.img"
        with image.open("wb") as stream:
            stream.truncate(size)
        # always the same filesystem of the same files
        uuid = "11111111-2222-3333-4444-555555555555"
        argv = [
            "mkfs.ext4",
            "-q",
            "-b",
            "4096",
            "-U",
            uuid,
            "-E",
            f"hash_seed={uuid},root_owner=0:0",
            "-d",
            tree,
            image,
        ]
        subprocess.run(
            argv, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000", "E2FSPROGS_FAKE_TIME": "1700000000"}
        )
        self.world.volumes[serial] = image
        kernel, initrd = (
            File(name, len(files[name]), hashlib.sha256(files[name]).hexdigest()) for name in (KERNEL, INITRD)
        )
        said = ("ro", f"stateless.protosystem={NAME}", f"stateless.serial={serial}", "stateless.format=blocks")
        system = {"id": "debian", "version_id": "12", "pretty_name": "Debian"}
        self.world.boots[serial] = Boot(
            "6.1.0", kernel, initrd, "ext4", said, system, None, "2026-11-23T00:00:00+00:00"
        )
        self.world.publish(serial, parent, sign=lambda text: signature.sign(text, [str(self.key)]))


class Client:
    """A caching client: a disk, and a machine that may be started anew."""

    def __init__(self, directory: pathlib.Path, url: str, trusted: str, loader: str) -> None:
        self.directory = directory
        self.url = url
        directory.mkdir()
        (directory / "root/etc/stateless").mkdir(parents=True)
        (directory / "root/etc/stateless/trusted-keys").write_text(trusted)
        (directory / "boot").mkdir()
        if loader == "grub":
            (directory / "boot/grub").mkdir()
            (directory / "boot/grub/grubenv").write_bytes(environment.encode({}))
            (directory / "boot/grub/grub.cfg").write_text(grub.CONFIG)
        self.said = io.StringIO()

    def copy(self, to: pathlib.Path) -> Client:
        """The same, elsewhere."""
        shutil.copytree(self.directory, to)
        other = object.__new__(Client)
        other.directory, other.url, other.said = to, self.url, io.StringIO()
        return other

    @property
    def boot(self) -> BootPartition:
        """The boot partition."""
        return boot.seen(str(self.directory / "boot"))

    @property
    def roots(self) -> FileRoots:
        """The volumes."""
        return FileRoots(self.directory / "roots")

    def machine(self, running: int | None = None, **settings: t.Any) -> Machine:
        """The machine, while it runs a root."""

        @contextlib.contextmanager
        def opened(_writable: bool) -> t.Iterator[BootPartition]:
            yield self.boot

        return Machine(
            "vg",
            self.roots,
            opened,
            Places(str(self.directory / "root")),
            Settings(urls=(self.url,), **settings),
            Progress(True, self.said),
            None if running is None else (NAME, running),
            ("console=ttyS0", "stateless.client=pc1"),
        )
