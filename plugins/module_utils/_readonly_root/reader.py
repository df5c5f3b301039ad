# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reads the files at boot: the distribution's service where it has one, else ours; and whether it starts."""

from __future__ import annotations

import dataclasses
import os

from . import unit
from .model import Dialect
from .tree import LINK, Tree

#: Upstream's script, by the names it had, and the unit that starts it.
_UPSTREAM = {
    "/usr/libexec/readonly-root": "readonly-root.service",
    "/usr/lib/systemd/readonly-root": "readonly-root.service",
    "/usr/lib/systemd/rhel-readonly": "rhel-readonly.service",
    "/usr/lib/systemd/fedora-readonly": "fedora-readonly.service",
}
#: Where units are, the administrator's first: systemd.unit(5).
UNITS = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
WANTS = "local-fs.target.wants"
#: Where a link makes one start.
ENABLED = f"{UNITS[0]}/{WANTS}"


@dataclasses.dataclass(frozen=True)
class Reader:
    """Who reads the files at boot.

    :ivar unit_file: where the unit is; ``None``: nowhere.
    :ivar enabled: it starts at boot.
    :ivar masked: the administrator has linked it to /dev/null.
    """

    dialect: Dialect
    program: str
    unit: str
    unit_file: str | None
    enabled: bool
    masked: bool


def reader(tree: Tree) -> Reader:
    """Find out who reads the files in *tree*."""
    for program, name in _UPSTREAM.items():
        if tree.resolve(program) is not None:
            return look(tree, dialect_of(tree, program), program, name)
    return look(tree, Dialect.OWN, unit.PROGRAM, unit.NAME)


def look(tree: Tree, dialect: Dialect, program: str, name: str) -> Reader:
    """The :class:`Reader` whose unit is *name*."""
    file = next((f"{where}/{name}" for where in UNITS if tree.resolve(f"{where}/{name}") is not None), None)
    enabled = any(_entry(tree, f"{where}/{WANTS}", name) is not None for where in UNITS)
    own = _entry(tree, UNITS[0], name)
    masked = own is not None and tree.kind(own) == LINK and os.readlink(tree.host(own)) == "/dev/null"
    return Reader(dialect, program, name, file, enabled and not masked, masked)


def _entry(tree: Tree, directory: str, name: str) -> str | None:
    """*name* in *directory* itself, even if it is a link that leads nowhere."""
    found = tree.resolve(directory)
    if found is None or tree.kind(f"{found}/{name}") is None:
        return None
    return f"{found}/{name}"


def dialect_of(tree: Tree, program: str) -> Dialect:
    """Which dialect upstream's script is, by what it does; by the release if it cannot be read.

    EL9 up to 9.3 splits the lines of statetab as EL7 does, and counts as that: what is right there is right for both.
    """
    try:
        text = tree.read(program) or ""
    except OSError:
        text = ""
    if "READONLY" in text:
        return Dialect.EL9 if "is_true" in text and "while read -r path" in text else Dialect.EL7
    try:
        release = tree.read("/etc/os-release") or ""
    except OSError:
        release = ""
    version = next((line[11:].strip("\"'") for line in release.splitlines() if line.startswith("VERSION_ID=")), "")
    major = version.split(".")[0]
    return Dialect.EL9 if major.isdigit() and int(major) >= 9 else Dialect.EL7
