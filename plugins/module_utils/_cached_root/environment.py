# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB's environment block: variables that GRUB reads and writes while it boots (its manual, "Environment block").

1024 bytes: a line that says what it is, ``NAME=VALUE`` lines, and ``#`` up to the end. grub-editenv(1) empties the file
before it writes; this writes in place, and only the first sector changes, which a disk writes whole or not at all.
"""

from __future__ import annotations

import os
import re
import typing as t

from .._errors import StatelessError

SIZE = 1024
_SECTOR = 512
_HEAD = "# GRUB Environment Block\n"
#: GRUB escapes backslash and line feed; nothing here needs either.
_LINE = re.compile(r"([a-z_]+)=([A-Za-z0-9._+-]*)")


def encode(variables: t.Mapping[str, str]) -> bytes:
    """The block with these variables.

    :raises StatelessError: they are more than a sector holds, or have what GRUB would read otherwise.
    """
    lines = [f"{name}={value}" for name, value in variables.items()]
    if any(_LINE.fullmatch(line) is None for line in lines):
        raise StatelessError(f"these cannot be variables of GRUB: {', '.join(lines)}")
    text = _HEAD + "".join(f"{line}\n" for line in lines)
    if len(text) > _SECTOR:
        raise StatelessError(f"GRUB's variables take {len(text)} bytes, and {_SECTOR} are written at once")
    return text.encode("ascii").ljust(SIZE, b"#")


def decode(block: bytes) -> dict[str, str] | None:
    """Its variables; None: GRUB cannot read it either."""
    text = block.decode("ascii", errors="replace")
    if len(block) != SIZE or not text.startswith(_HEAD):
        return None
    lines = text[len(_HEAD) :].split("\n")
    return {match[1]: match[2] for match in map(_LINE.fullmatch, lines) if match is not None}


def read(path: str) -> dict[str, str] | None:
    """The variables in the file; None: there is none that GRUB could read."""
    try:
        with open(path, "rb") as stream:
            return decode(stream.read(SIZE + 1))
    except FileNotFoundError:
        return None


def write(path: str, variables: t.Mapping[str, str]) -> None:
    """Have the file say that. A reader, and the next boot, finds the old or the new."""
    block = encode(variables)
    # without O_TRUNC: its blocks stay where they are
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(descriptor, block, 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
