# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a boot loader on a disk that is being installed. Each can be done again, as if it had not been done."""

from __future__ import annotations

import os

from .. import _files, _mounts
from .._command import ProgramMissing, find, run
from . import environment
from .grub import CONFIG, DIRECTORY
from .systemd_boot import LOADER_CONF

_FAT = ("umask=0077", "nodev", "nosuid")
#: The kernel makes this directory if UEFI has started it.
_UEFI = "/sys/firmware/efi"
#: Where distributions have systemd-boot, and how UEFI calls a processor (UEFI specification, 3.5.1.1).
_LOADERS = "/usr/lib/systemd/boot/efi"
_PROCESSORS = {"x86_64": "x64", "aarch64": "aa64"}


def is_uefi() -> bool:
    """Whether this machine was started by UEFI."""
    return os.path.isdir(_UEFI)


def check(uefi: bool) -> None:
    """Raise ProgramMissing if the image lacks what it takes."""
    for program, package in (("mkfs.fat", "dosfstools"), ("fsck.fat", "dosfstools")):
        find(program, package)
    if uefi:
        _systemd_boot()
    else:
        find("grub-install", "grub2-common and grub-pc-bin")


def make_filesystem(device: str, label: str) -> None:
    """Make an empty FAT32."""
    run([find("mkfs.fat", "dosfstools"), "-F", "32", "-n", label, device])


def install(uefi: bool, disk: str, esp: str, boot: str) -> None:
    """Install systemd-boot on the ESP, or GRUB on *disk* and the boot partition.

    The firmware's own list of what it boots is left alone: the disk has the loader where firmware looks by itself. What
    bootctl(1) would do besides, is for systems that write to their ESP.
    """
    if uefi:
        loader, processor = _systemd_boot()
        with open(loader, "rb") as stream:
            program = stream.read()
        with _mounts.view(esp, "vfat", ("rw", *_FAT)) as where:
            _write(os.path.join(where, "loader/loader.conf"), LOADER_CONF.encode())
            _write(os.path.join(where, f"EFI/systemd/systemd-boot{processor}.efi"), program)
            _write(os.path.join(where, f"EFI/BOOT/BOOT{processor.upper()}.EFI"), program)
        return
    argv = [find("grub-install", "grub2-common and grub-pc-bin"), "--target=i386-pc"]
    argv += [f"--boot-directory={_mounts.STAND}", "--no-floppy", disk]
    run(_mounts.inside(boot, "vfat", ("rw", *_FAT), argv))
    with _mounts.view(boot, "vfat", ("rw", *_FAT)) as where:
        directory = os.path.join(where, DIRECTORY)
        _write(os.path.join(directory, "grubenv"), environment.encode({}))
        # the last: by it the partition is known to be GRUB's
        _write(os.path.join(directory, "grub.cfg"), CONFIG.encode())


def _systemd_boot() -> tuple[str, str]:
    """The image's systemd-boot, and its processor."""
    processor = _PROCESSORS.get(os.uname().machine, os.uname().machine)
    path = f"{_LOADERS}/systemd-boot{processor}.efi"
    if not os.path.exists(path):
        raise ProgramMissing(f"there is no {path}: install systemd-boot-efi (Fedora: systemd-boot-unsigned)")
    return path, processor


def _write(path: str, content: bytes) -> None:
    """A file that no machine is booted by yet."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    _files.sync_directory(os.path.dirname(path))
