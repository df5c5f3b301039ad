# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What LVM takes for a name, a tag and a size: lvm(8), and what lvcreate(8) of LVM 2.03 says when tried.

Checked before LVM is asked, because LVM itself finds some of these only half-way: a COW snapshot whose name is
too long for the device mapper is in the metadata, and its origin suspended, when lvcreate gives up.
"""

from __future__ import annotations

import dataclasses
import fractions
import re

from .._errors import InvalidValue

_CHARACTERS = re.compile(r"[a-zA-Z0-9+_.-]+")
_RESERVED_STARTS = ("snapshot", "pvmove")
_RESERVED_PARTS = (
    *("_cdata", "_cmeta", "_corig", "_cpool", "_cvol", "_imeta", "_iorig", "_mimage", "_mlog", "_pmspare", "_rimage"),
    *("_rmeta", "_tdata", "_tmeta", "_vdata", "_vorigin", "_wcorig"),
)
#: characters of ``VG`` and ``LV`` together; longer ones are an "internal error" of LVM
_LONGEST = 124
#: characters of a device-mapper name (DM_NAME_LEN less its final null)
_LONGEST_DEVICE = 127
_TAG = re.compile(r"[a-zA-Z0-9_+.\-/=!:&#]{1,1024}")

_SIZE = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[bkmgtpe]|[kmgtpe]ib|%(?:origin)?)?", re.IGNORECASE)
_UNITS = "bkmgtpe"


def check_vg_name(option: str, value: str) -> str:
    """Return *value* if it can be the name of a volume group, else raise InvalidValue."""
    _check_characters(option, value)
    if len(value) > _LONGEST_DEVICE:
        raise InvalidValue(option, value, f"the name of a volume group has at most {_LONGEST_DEVICE} characters")
    return value


def check_existing_name(option: str, value: str) -> str:
    """Return *value* if a logical volume, perhaps an internal one, can have that name, else raise InvalidValue."""
    return _check_characters(option, value)


def check_new_name(option: str, vg: str, value: str, *, cow: bool) -> str:
    """Return *value* if a new volume in *vg* can have that name, else raise InvalidValue.

    :arg cow: it will be a COW snapshot, whose device-mapper devices have a longer name.
    """
    _check_characters(option, value)
    if value.startswith(_RESERVED_STARTS):
        raise InvalidValue(option, value, f"LVM reserves names that start with {' or '.join(_RESERVED_STARTS)}")
    for part in _RESERVED_PARTS:
        if part in value:
            raise InvalidValue(option, value, f"LVM reserves names that contain {part}")
    # the device is VG-LV with every hyphen of a name doubled; a COW snapshot also has VG-LV-cow
    device = len(f"{vg}-{value}") + f"{vg}{value}".count("-") + (len("-cow") if cow else 0)
    too_long = max(len(vg) + len(value) - _LONGEST, device - _LONGEST_DEVICE)
    if too_long > 0:
        counted = "hyphens count twice" + (" and a COW snapshot needs 4 more" if cow else "")
        raise InvalidValue(option, value, f"with the volume group {vg} it is too long by {too_long} ({counted})")
    return value


def _check_characters(option: str, value: str) -> str:
    if _CHARACTERS.fullmatch(value) is None:
        raise InvalidValue(option, value, "use letters a-z A-Z, digits and + _ . - (the name alone, without a path)")
    if value.startswith("-"):
        raise InvalidValue(option, value, "the name cannot start with a hyphen")
    if value in (".", ".."):
        raise InvalidValue(option, value, "the name cannot be . or ..")
    return value


def check_tag(option: str, value: str) -> str:
    """Return *value* if it can be a tag, else raise InvalidValue."""
    if _TAG.fullmatch(value) is None:
        raise InvalidValue(option, value, "a tag has 1 to 1024 letters a-z A-Z, digits and _ + . - / = ! : & #")
    return value


@dataclasses.dataclass(frozen=True)
class Size:
    """A number of bytes, or a share of another size."""

    #: bytes, or percent
    number: fractions.Fraction
    percent: bool

    def bytes_of(self, whole: int, step: int) -> int:
        """The size in bytes, rounded up to a multiple of *step*; *whole* is what a share is taken of."""
        size = self.number * whole / 100 if self.percent else self.number
        return -(-size // step) * step


def parse_size(option: str, value: str) -> Size:
    """Read a size: bytes (``1073741824``), with a unit (``1G``, ``1.5 GiB``), or a share (``20%``).

    Units are powers of 1024 in either case, as in lvcreate(8).

    :raises InvalidValue: it is none of these, or nothing at all.
    """
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise InvalidValue(option, value, "use bytes (1073741824), a unit of 1024 (512M, 1.5GiB) or a share (20%)")
    number = fractions.Fraction(match["number"])
    if number == 0:
        raise InvalidValue(option, value, "it must be more than nothing")
    unit = (match["unit"] or "b").lower()
    if unit.startswith("%"):
        return Size(number, percent=True)
    return Size(number * 1024 ** _UNITS.index(unit[0]), percent=False)


def show_size(size: int) -> str:
    """*size* bytes for a reader: exact, in the largest unit that needs no fraction (``1536 MiB``)."""
    for power, unit in ((6, "EiB"), (5, "PiB"), (4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size and size % 1024**power == 0:
            return f"{size // 1024**power} {unit}"
    return f"{size} B"
