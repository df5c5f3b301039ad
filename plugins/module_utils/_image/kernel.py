# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel of a snapshot, and its initrd."""

from __future__ import annotations

import dataclasses
import os
import stat
import typing as t

from .._errors import NotFound
from .._snapshot.describe import kernels

if t.TYPE_CHECKING:
    from .._snapshot.manifest import Snapshot

#: Debian's name, Fedora's name; in the directory /boot
_INITRD = ("initrd.img-{version}", "initramfs-{version}.img")


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A kernel that a client can boot."""

    version: str
    #: paths below the root of the snapshot
    kernel: str
    initrd: str


def choose(tree: str, snapshot: Snapshot) -> Kernel:
    """The newest kernel in *tree*.

    :raises NotFound: there is none, or it has no initrd.
    """
    which = f"snapshot {snapshot.serial} of {snapshot.protosystem}"
    remedy = "apply the role stateless.linux.client inside the protosystem and take a new snapshot"
    found = kernels(tree)
    if not found:
        raise NotFound(f"there is no kernel in {which} (/boot/vmlinuz-VERSION): {remedy}")
    version, kernel = list(found.items())[-1]
    names = [os.path.join("boot", name.format(version=version)) for name in _INITRD]
    for name in names:
        # lstat: a link could lead out of the tree
        path = os.path.join(tree, name)
        if os.path.lexists(path) and stat.S_ISREG(os.lstat(path).st_mode):
            return Kernel(version, kernel, name)
    raise NotFound(f"the kernel {version} in {which} has no initrd (/{' or /'.join(names)}): {remedy}")
