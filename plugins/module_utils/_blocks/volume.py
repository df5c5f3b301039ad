# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks of a volume: a block device, or a file."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import stat
import struct
import typing as t

from .._errors import StatelessError
from .values import BLOCK, ZERO, damaged

#: Blocks that are read at once. Of larger pieces, malloc(3) gives the memory back to the kernel each time, and to have
#: it again takes longer than to read it.
_PIECE = 64
_ZEROS = bytes(BLOCK * _PIECE)
#: ioctl_list(2), linux/fs.h
_BLKDISCARD, _BLKGETSIZE64 = 0x1277, 0x80081272
#: fallocate(2): FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE
_PUNCH = 3
_NO_HOLES = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)

#: Blocks *at*, *at* + 1 ..., *count* of them.
Range = tuple[int, int]


def pieces(at: int, count: int) -> t.Iterator[Range]:
    """The blocks *at*, *at* + 1 ..., as many together as are best read at once."""
    end = at + count
    for start in range(at, end, _PIECE):
        yield start, min(_PIECE, end - start)


def is_zero(piece: bytes) -> bool:
    """Whether one of the :func:`pieces` is all zeros."""
    return _ZEROS.startswith(piece)


class Volume:
    """An open volume. A context manager. A file's last block may be short, and counts as filled up with zeros."""

    def __init__(self, path: str, *, writable: bool = False) -> None:
        self.path = path
        self._file = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC)
        kind = os.fstat(self._file).st_mode
        self.is_device = stat.S_ISBLK(kind)
        if not self.is_device and not stat.S_ISREG(kind):
            os.close(self._file)
            raise StatelessError(f"{path} is neither a block device nor a file: nothing can be published from it")
        self.blocks = -(-self._size() // BLOCK)

    def __enter__(self) -> Volume:
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self._file)

    def fileno(self) -> int:
        return self._file

    def _size(self) -> int:
        if self.is_device:
            size: int = struct.unpack("Q", fcntl.ioctl(self._file, _BLKGETSIZE64, bytes(8)))[0]
            return size
        return os.fstat(self._file).st_size

    def read(self, at: int, count: int) -> bytes:
        """*count* blocks; what is behind the end of a file is zeros."""
        data = os.pread(self._file, BLOCK * count, BLOCK * at)
        while len(data) < BLOCK * count:
            more = os.pread(self._file, BLOCK * count - len(data), BLOCK * at + len(data))
            if not more:
                return data.ljust(BLOCK * count, b"\0")
            data += more
        return data

    def read_into(self, view: memoryview, at: int) -> None:
        """Fill *view*, whole blocks."""
        done = 0
        while done < len(view):
            read = os.preadv(self._file, [view[done:]], BLOCK * at + done)
            if read == 0:
                view[done:] = bytes(len(view) - done)
                return
            done += read

    def write(self, at: int, data: bytes | memoryview) -> None:
        """Write whole blocks."""
        view = memoryview(data)
        if at < 0 or BLOCK * at + len(view) > BLOCK * self.blocks:
            raise damaged(self.path, f"block {at} is outside of it")
        done = 0
        while done < len(view):
            done += os.pwrite(self._file, view[done:], BLOCK * at + done)

    def zero(self, at: int, count: int) -> None:
        """Make blocks zeros, and give their room back if that can be."""
        if at < 0 or at + count > self.blocks:
            raise damaged(self.path, f"block {at} is outside of it")
        try:
            if self.is_device:
                fcntl.ioctl(self._file, _BLKDISCARD, struct.pack("QQ", BLOCK * at, BLOCK * count))
            else:
                _punch(self._file, BLOCK * at, BLOCK * count)
        except OSError as error:
            if error.errno not in _NO_HOLES:
                raise
        # a discard is a wish: what was less than a chunk of a thin pool is as it was
        for start, length in pieces(at, count):
            data = self.read(start, length)
            for number in range(length if not is_zero(data) else 0):
                if data[BLOCK * number : BLOCK * (number + 1)] != ZERO:
                    self.write(start + number, ZERO)

    def allocated(self) -> t.Iterator[Range]:
        """Where it may be something else than zeros: all of a device; of a file, what are no holes (lseek(2))."""
        if self.is_device:
            yield 0, self.blocks
            return
        end = self._size()
        offset = 0
        while offset < end:
            try:
                start = os.lseek(self._file, offset, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    return
                raise
            offset = os.lseek(self._file, start, os.SEEK_HOLE)
            first = start // BLOCK
            yield first, -(-offset // BLOCK) - first

    def resize(self, blocks: int) -> None:
        """Make the file *blocks* blocks long; of a device, check that it is no shorter."""
        if self.is_device:
            if self.blocks < blocks:
                raise StatelessError(f"{self.path} has {self.blocks * BLOCK} bytes, and {blocks * BLOCK} are needed")
            return
        os.ftruncate(self._file, BLOCK * blocks)
        self.blocks = blocks

    def sync(self) -> None:
        """fsync(2)."""
        os.fsync(self._file)


def _punch(file: int, offset: int, length: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if libc.fallocate(file, _PUNCH, offset, length) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
