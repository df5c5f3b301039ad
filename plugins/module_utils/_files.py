# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are old or new and never a half: write beside, fsync, rename; and locks."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import tempfile
import time
import typing as t

from ._errors import Busy
from ._room import room_for

#: Up to so many files each wait for the device; for more, one wait for the whole filesystem is shorter.
_FEW = 64
_libc = ctypes.CDLL(None, use_errno=True)


def sync_directory(path: str) -> None:
    """Make the names in the directory *path* durable (fsync(2) of the directory)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_filesystem(path: str) -> None:
    """Write everything of the filesystem of the directory *path* to its device: syncfs(2).

    :raises OSError: something could not be written.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(descriptor)


def write(path: str, content: str | bytes, mode: int = 0o644, owner: tuple[int, int] | None = None) -> None:
    """Replace or create the file *path* with *content* so that a reader sees the old or the new.

    *owner* is a uid and a gid; by default, those of the process.
    Missing parent directories are made. A run that is killed leaves at most a file whose name
    starts with ``.stateless-NAME:`` beside it, which :func:`clear_unfinished` removes.

    :raises Full: there is no room.
    """
    directory = os.path.dirname(path) or "."
    with room_for(path, directory):
        os.makedirs(directory, exist_ok=True)
        beside = _beside(path, content, mode, owner, sync=True)
        try:
            os.rename(beside, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside)
            raise
    sync_directory(directory)


def write_all(texts: t.Mapping[str, str], mode: int = 0o644) -> None:
    """:func:`write` the files *texts* (by path), in directories that are there; all of them on one filesystem.

    Each file is old or new; a run that is killed or fails has written all, some or none of them.

    :raises Full: there is no room.
    """
    if len(texts) <= _FEW:
        for path, text in texts.items():
            write(path, text, mode)
        return
    directory = os.path.dirname(next(iter(texts)))
    beside: dict[str, str] = {}
    with room_for(f"{len(texts)} files", directory):
        try:
            for path, text in texts.items():
                beside[path] = _beside(path, text, mode, None, sync=False)
            sync_filesystem(directory)
            for path in texts:
                os.rename(beside[path], path)
                del beside[path]
            for named in {os.path.dirname(path) for path in texts}:
                sync_directory(named)
        except BaseException:
            for left in beside.values():
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(left)
            raise


def _beside(path: str, content: str | bytes, mode: int, owner: tuple[int, int] | None, *, sync: bool) -> str:
    """Write *content* into a new file beside *path*; return its name."""
    prefix = f".stateless-{os.path.basename(path)}:"
    descriptor, beside = tempfile.mkstemp(prefix=prefix, dir=os.path.dirname(path) or ".")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            if owner is not None:
                os.fchown(stream.fileno(), *owner)
            os.fchmod(stream.fileno(), mode)
            if sync:
                os.fsync(stream.fileno())
    except BaseException:
        os.unlink(beside)
        raise
    return beside


def write_json(path: str, value: t.Any, mode: int = 0o644) -> None:
    """:func:`write` *value* as JSON: sorted keys, two spaces, a final newline."""
    write(path, json.dumps(value, indent=2, sort_keys=True) + "\n", mode)


def read(path: str) -> str | None:
    """The text of *path*; ``None`` if there is no such file."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def read_json(path: str) -> t.Any:
    """The JSON document in *path*; ``None`` if there is no such file."""
    text = read(path)
    return None if text is None else json.loads(text)


def remove(path: str) -> None:
    """Remove the file *path* durably; nothing happens if it is not there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    sync_directory(os.path.dirname(path) or ".")


def restore(path: str, text: str | None) -> None:
    """Have the file *path* as it was: with *text*, or, for None, not there. A file that is so is not written again."""
    if text is None:
        remove(path)
    elif read(path) != text:
        write(path, text)


def clear_unfinished(directory: str, of: str | None = None) -> list[str]:
    """Remove what a killed :func:`write` left in *directory*; return the names removed.

    Only for a caller that holds the lock of whoever writes there.

    :arg of: only what was to become the file of that name: for a directory that others write to as well.
    """
    prefix = ".stateless-" if of is None else f".stateless-{of}:"
    with contextlib.suppress(FileNotFoundError):
        names = [name for name in os.listdir(directory) if name.startswith(prefix)]
        for name in names:
            os.unlink(os.path.join(directory, name))
        return names
    return []


@contextlib.contextmanager
def lock(path: str, busy: str, *, shared: bool = False, timeout: float = 0.0) -> t.Iterator[int]:
    """Hold flock(2) on *path* (made if missing) for the duration of the block, or as long as a program has the
    descriptor open that this gives.

    :arg busy: the sentence of the :class:`Busy` error if somebody else holds it.
    :arg timeout: seconds to wait for it.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    until = time.monotonic() + timeout
    try:
        while True:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
                if time.monotonic() >= until:
                    raise Busy(busy) from error
                time.sleep(0.1)
        yield descriptor
    finally:
        os.close(descriptor)
