# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of protosystems and channels, and the numbers of snapshots.

One rule for both, narrow enough to be a logical volume, a file, a path in a URL, an iPXE word and an
LDAP value without quoting: lower-case letters, digits and hyphens.
"""

from __future__ import annotations

import re

from ._errors import InvalidValue

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
#: lvm(8): names that LVM keeps for itself.
_RESERVED = ("snapshot", "pvmove")


def check_name(option: str, value: str) -> str:
    """Return *value* if it can name a protosystem or a channel, else raise InvalidValue."""
    if _NAME.fullmatch(value) is None:
        raise InvalidValue(
            option, value, "use 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end"
        )
    if value.startswith(_RESERVED):
        raise InvalidValue(option, value, f"LVM keeps names that start with {' or '.join(_RESERVED)} for itself")
    return value


def check_serial(option: str, value: int) -> int:
    """Return *value* if it can number a snapshot (1, 2, 3 ...), else raise InvalidValue."""
    if isinstance(value, bool) or value < 1:
        raise InvalidValue(option, value, "snapshots are numbered 1, 2, 3 and so on")
    return value
