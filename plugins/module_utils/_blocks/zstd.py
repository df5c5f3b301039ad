# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Zstandard by its C library, which every distribution has in its base (libzstd.so.1, since 1.4.0; RFC 8878).

Through ctypes, because the packages that wrap it are not in every distribution, and because compressing against other
data (``ZSTD_CCtx_refPrefix``, what ``zstd --patch-from`` does) is in few of them. Functions and numbers are those of
``zstd.h``, section "Advanced compression API" (stable).
"""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import struct
import typing as t

from .._errors import StatelessError
from .values import damaged

_LEVEL, _WINDOW_LOG, _HASH_LOG, _CHAIN_LOG, _LONG = 100, 101, 102, 103, 160
_CONTENT_SIZE, _CHECKSUM = 200, 201
#: skippable frames: RFC 8878, 3.1.2
SKIPPABLE = 0x184D2A50
#: what ZSTD_getFrameContentSize says if a frame does not tell, or is none
_UNKNOWN = 2**64 - 2

Buffer = t.Union[bytes, bytearray, memoryview]


@functools.cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libzstd.so.1")
        size, pointer = ctypes.c_size_t, ctypes.c_void_p
        for name, result, arguments in (
            ("isError", ctypes.c_uint, (size,)),
            ("getErrorName", ctypes.c_char_p, (size,)),
            ("compressBound", size, (size,)),
            ("getFrameContentSize", ctypes.c_ulonglong, (pointer, size)),
            ("findFrameCompressedSize", size, (pointer, size)),
            ("createCCtx", pointer, ()),
            ("freeCCtx", size, (pointer,)),
            ("CCtx_reset", size, (pointer, ctypes.c_int)),
            ("CCtx_setParameter", size, (pointer, ctypes.c_int, ctypes.c_int)),
            ("CCtx_refPrefix", size, (pointer, pointer, size)),
            ("compress2", size, (pointer, pointer, size, pointer, size)),
            ("createDCtx", pointer, ()),
            ("freeDCtx", size, (pointer,)),
            ("DCtx_refPrefix", size, (pointer, pointer, size)),
            ("decompressDCtx", size, (pointer, pointer, size, pointer, size)),
        ):
            function = getattr(library, f"ZSTD_{name}")
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise StatelessError(f"libzstd.so.1 of version 1.4 or later is missing: install libzstd ({error})") from error
    return library


def check() -> None:
    """Raise StatelessError if there is no libzstd that can do it."""
    _library()


def _pointer(buffer: Buffer) -> t.Any:
    """*buffer* as C wants it, without a copy where it is writable."""
    if isinstance(buffer, bytes):
        return buffer
    return (ctypes.c_char * len(buffer)).from_buffer(buffer) if len(buffer) else b""


@dataclasses.dataclass(frozen=True)
class Effort:
    """How hard to compress."""

    level: int
    #: log2 of the entries of the tables for matches in a prefix (ZSTD_c_hashLog, ZSTD_c_chainLog); 0: as the level has
    #: them, which for low levels is far too few to find all of a prefix again
    hash_log: int = 0
    chain_log: int = 0
    #: find long matches far away (ZSTD_c_enableLongDistanceMatching)
    long: bool = False


class Compressor:
    """Makes frames of one effort. Not for several threads."""

    def __init__(self, effort: Effort) -> None:
        self._library = _library()
        self._effort = effort
        self._context = self._library.ZSTD_createCCtx()
        self._out = bytearray()

    def __del__(self) -> None:
        if getattr(self, "_context", None):
            self._library.ZSTD_freeCCtx(self._context)

    def frame(self, data: Buffer, prefix: Buffer = b"") -> bytes:
        """*data* as one frame that tells its size, compressed against *prefix*."""
        library = self._library
        _check(library, library.ZSTD_CCtx_reset(self._context, 3))
        for parameter, value in self._parameters(len(data) + len(prefix), bool(prefix)):
            _check(library, library.ZSTD_CCtx_setParameter(self._context, parameter, value))
        if prefix:
            _check(library, library.ZSTD_CCtx_refPrefix(self._context, _pointer(prefix), len(prefix)))
        bound = library.ZSTD_compressBound(len(data))
        if len(self._out) < bound:
            self._out = bytearray(bound)
        size = library.ZSTD_compress2(self._context, _pointer(self._out), bound, _pointer(data), len(data))
        return bytes(memoryview(self._out)[: _check(library, size)])

    def _parameters(self, reach: int, prefixed: bool) -> t.Iterator[tuple[int, int]]:
        yield _LEVEL, self._effort.level
        yield _CONTENT_SIZE, 1
        yield _CHECKSUM, 0
        if prefixed:
            # the window has to reach over the data to the prefix's beginning
            yield _WINDOW_LOG, max(17, (reach - 1).bit_length())
            if self._effort.hash_log:
                yield _HASH_LOG, self._effort.hash_log
            if self._effort.chain_log:
                yield _CHAIN_LOG, self._effort.chain_log
            if self._effort.long:
                yield _LONG, 1


class Decompressor:
    """Reads frames. Not for several threads."""

    def __init__(self) -> None:
        self._library = _library()
        self._context = self._library.ZSTD_createDCtx()

    def __del__(self) -> None:
        if getattr(self, "_context", None):
            self._library.ZSTD_freeDCtx(self._context)

    def into(self, what: str, out: memoryview, frame: Buffer, prefix: Buffer = b"") -> None:
        """Decompress *frame*, exactly one, into *out*, which it has to fill.

        It is not decompressed as a stream: its window takes no memory beside *out* and *prefix*.

        :arg what: its name for errors.
        :raises Damaged: it is no such frame.
        """
        library = self._library
        source = _pointer(frame)
        whole = library.ZSTD_findFrameCompressedSize(source, len(frame))
        if library.ZSTD_isError(whole) or whole != len(frame):
            raise damaged(what, "it is not one zstd frame")
        if prefix and library.ZSTD_isError(library.ZSTD_DCtx_refPrefix(self._context, _pointer(prefix), len(prefix))):
            raise damaged(what, "its prefix is refused")
        size = library.ZSTD_decompressDCtx(self._context, _pointer(out), len(out), source, len(frame))
        if library.ZSTD_isError(size):
            raise damaged(what, f"zstd says: {library.ZSTD_getErrorName(size).decode()}")
        if size != len(out):
            raise damaged(what, f"it has {size} bytes instead of {len(out)}")

    def document(self, what: str, frame: bytes, limit: int) -> bytes:
        """Decompress *frame*, exactly one that tells its size, of at most *limit* bytes.

        :raises Damaged: it is no such frame.
        """
        size = self._library.ZSTD_getFrameContentSize(frame, len(frame))
        if size >= _UNKNOWN:
            raise damaged(what, "it is not a zstd frame that tells its size")
        if size > limit:
            raise damaged(what, f"it has {size} bytes, and {limit} is the limit")
        out = bytearray(size)
        self.into(what, memoryview(out), frame)
        return bytes(out)


def _check(library: ctypes.CDLL, code: int) -> int:
    if library.ZSTD_isError(code):
        raise StatelessError(f"zstd cannot compress: {library.ZSTD_getErrorName(code).decode()}")
    return code


def skippable(number: int, data: bytes) -> bytes:
    """*data* in a skippable frame with the last digit *number* of its magic."""
    return struct.pack("<II", SKIPPABLE + number, len(data)) + data
