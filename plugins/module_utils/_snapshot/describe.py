# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tree says of itself: its kernels and its os-release(5)."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import stat

#: Where a kernel image is found, and the version in its path: Debian and most others, then Fedora's own place.
_BOOT = re.compile(r"vmlinuz-(?P<version>.+)")
_MODULES = ("usr/lib/modules", "lib/modules")
_OS_RELEASE = ("etc/os-release", "usr/lib/os-release")
_OS_FIELDS = ("ID", "VERSION_ID", "PRETTY_NAME")


def kernels(tree: str) -> dict[str, str]:
    """The kernel images in *tree*, oldest version first: version (as uname -r says it) to path below *tree*."""
    found: dict[str, str] = {}
    for directory in _MODULES:
        for version in _names(os.path.join(tree, directory)):
            found.setdefault(version, os.path.join(directory, version, "vmlinuz"))
    for name in _names(os.path.join(tree, "boot")):
        match = _BOOT.fullmatch(name)
        if match is not None:
            found[match["version"]] = os.path.join("boot", name)
    images = {version: path for version, path in found.items() if _is_file(os.path.join(tree, path))}
    # "0-rescue-MACHINE-ID" is the same kernel once more, for one machine
    return {version: images[version] for version in sorted(images, key=_order) if not version.startswith("0-rescue-")}


def os_release(tree: str) -> dict[str, str]:
    """``id``, ``version_id`` and ``pretty_name`` of the distribution in *tree*; empty for what it does not say."""
    fields: dict[str, str] = {}
    for path in _OS_RELEASE:
        # never through a link, which could lead out of the tree
        if not _is_file(os.path.join(tree, path)):
            continue
        with open(os.path.join(tree, path), encoding="utf-8", errors="replace") as stream:
            for line in stream:
                name, equals, value = line.strip().partition("=")
                if equals and name in _OS_FIELDS:
                    with contextlib.suppress(ValueError):
                        fields[name] = " ".join(shlex.split(value))
        break
    return {name.lower(): fields.get(name, "") for name in _OS_FIELDS}


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def _order(version: str) -> list[tuple[int, int, str]]:
    """Compare numbers as numbers: 6.1.0-10 comes after 6.1.0-9."""
    parts = re.findall(r"[0-9]+|[^0-9]+", version)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]
