# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be a password, and how a client's is stored. Which one is right is told by logging in (:mod:`.session`)."""

from __future__ import annotations

import typing as t

from .._command import find, run
from .._errors import InvalidValue
from .values import check_text

#: openssl-passwd(1) reads no more of one.
_LONGEST = 256


def check_password(option: str, password: str) -> None:
    """Raise InvalidValue for what is no password. An empty one would let anybody in (RFC 4513, section 5.1.2)."""
    check_text(option, password, secret=True)
    if not 0 < len(password.encode()) <= _LONGEST or "\n" in password or "\r" in password:
        raise InvalidValue(option, "(hidden)", f"use 1 to {_LONGEST} bytes in one line")


class Hashes:
    """Passwords as slapd stores them: SHA-512 of crypt(5), salted, all made by one program when the first is needed.

    The program reads them from its standard input: a process list never shows them.
    """

    def __init__(self, passwords: t.Mapping[str, str]) -> None:
        self._passwords = passwords
        self._made: dict[str, str] = {}

    def of(self, name: str) -> str:
        """The hash of the password of *name*."""
        if not self._made:
            program = find("openssl", "openssl")
            lines = "".join(f"{password}\n" for password in self._passwords.values())
            hashes = run([program, "passwd", "-6", "-stdin"], stdin=lines).split()
            self._made = dict(zip(self._passwords, hashes))
        return f"{{CRYPT}}{self._made[name]}"
