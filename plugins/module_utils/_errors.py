# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The failures that an administrator can act on.

Every room of the library raises a subclass of :class:`StatelessError` whose text is the whole
sentence that the administrator reads: which option or object, which value, and what would be right.
"""

from __future__ import annotations


class StatelessError(Exception):
    """Something the administrator can act on; ``str(error)`` is the message shown."""


class InvalidValue(StatelessError):
    """An option has a value that cannot work. Raised before anything was changed."""

    def __init__(self, option: str, value: object, expected: str) -> None:
        super().__init__(f"{option}: {value!r} cannot be used: {expected}")
        self.option = option
        self.value = value


class NotFound(StatelessError):
    """An object that the task names does not exist."""


class InUse(StatelessError):
    """An object cannot be changed or removed because something still needs it."""


class Busy(StatelessError):
    """Another run holds the lock of the object; trying again later may work."""
