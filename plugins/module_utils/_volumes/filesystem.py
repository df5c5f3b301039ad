# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filesystems that a volume can carry: ext4 and XFS."""

from __future__ import annotations

from .._command import find, run

#: Least bytes of a volume: what mkfs needs, and a system that is worth the name.
MINIMUM = {"ext4": 64 * 1024**2, "xfs": 300 * 1024**2}
#: mount(8) options of a writable volume: freed blocks go back to the store, so that they leave the next snapshot
WRITABLE = ("discard", "noatime")
#: mount(8) options of a snapshot. The log of a frozen XFS is never clean, it cannot be replayed on a read-only device,
#: and its UUID is that of the origin; a frozen ext4 has a clean journal.
_READ_ONLY = {"ext4": ("ro", "noatime"), "xfs": ("ro", "noatime", "norecovery", "nouuid")}
#: package that brings the tools
_PACKAGE = {"ext4": "e2fsprogs", "xfs": "xfsprogs"}
#: Without the lazy part, the kernel does not go on to write zeros into the volume in the background.
_MAKE = {
    "ext4": ("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0"),
    "xfs": ("mkfs.xfs", "-q"),
}


def read_only(fstype: str) -> tuple[str, ...]:
    """The mount(8) options for a snapshot with the filesystem *fstype*."""
    return _READ_ONLY[fstype]


def check_tools(fstype: str) -> None:
    """Raise ProgramMissing if the tools for *fstype* are not installed."""
    find(_MAKE[fstype][0], _PACKAGE[fstype])


def make(fstype: str, device: str) -> None:
    """Make an empty filesystem on *device*, a block device or an image file."""
    run([*_MAKE[fstype], "--", device] if fstype == "xfs" else [*_MAKE[fstype], device])


def grow(fstype: str, device: str, where: str) -> None:
    """Let the filesystem on the block device *device*, mounted at *where*, fill its device."""
    run(["xfs_growfs", where] if fstype == "xfs" else ["resize2fs", device])
