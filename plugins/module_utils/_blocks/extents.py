# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a file's content is on its filesystem's device: FIEMAP (linux/fiemap.h, Documentation/filesystems/fiemap)."""

from __future__ import annotations

import errno
import fcntl
import struct
import typing as t

_FIEMAP = 0xC020660B
_HEAD = struct.Struct("=QQIIII")
_EXTENT = struct.Struct("=QQQ16xI12x")
#: extents of one call: with fewer, the calls take longer, and with more, the memory for them
_AT_ONCE = 2000
_SYNC, _LAST = 1, 1
#: unknown, delayed, encoded, encrypted, not aligned, inline, tail: content, but not as it is at a place of the device
_NOWHERE = 0x2 | 0x4 | 0x8 | 0x80 | 0x100 | 0x200 | 0x400
_UNWRITTEN = 0x800


class Extent(t.NamedTuple):
    """Bytes of a file, and where they are, in bytes; None: at no place that could be read or compared."""

    logical: int
    physical: int | None
    length: int

    @property
    def end(self) -> int:
        """The byte of the file behind it."""
        return self.logical + self.length


def extents(file: int) -> list[Extent] | None:
    """The extents of the open *file* that are not zeros, in its order; None: its filesystem cannot say."""
    found: list[Extent] = []
    start = 0
    while True:
        buffer = bytearray(_HEAD.pack(start, 2**64 - 1 - start, _SYNC, 0, _AT_ONCE, 0) + bytes(_EXTENT.size * _AT_ONCE))
        try:
            fcntl.ioctl(file, _FIEMAP, buffer)
        except OSError as error:
            if error.errno in (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL):
                return None
            raise
        mapped = _HEAD.unpack_from(buffer)[3]
        told = memoryview(buffer)[_HEAD.size : _HEAD.size + _EXTENT.size * mapped]
        for logical, physical, length, flags in _EXTENT.iter_unpack(told):
            if flags & _NOWHERE:
                found.append(Extent(logical, None, length))
            elif not flags & _UNWRITTEN:
                found.append(Extent(logical, physical, length))
            if flags & _LAST:
                return found
            start = logical + length
        if not mapped:
            return found
