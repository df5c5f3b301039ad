# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a web server hands out: readable by everybody whatever the umask, durable, and measured."""

from __future__ import annotations

import hashlib
import os
import shutil
import typing as t

from .._files import sync_directory

_CHUNK = 1024 * 1024


def make_directory(path: str) -> None:
    """Make the directory *path* and those above it that are missing."""
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for directory in reversed(missing):
        os.mkdir(directory)
        os.chmod(directory, 0o755)  # mkdir(2) heeds the umask


def copy(source: str, target: str) -> None:
    """Copy a regular file; not through a symbolic link."""
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream, open(target, "xb") as copied:
        shutil.copyfileobj(stream, copied, _CHUNK)


def finish(path: str) -> dict[str, t.Any]:
    """Make the file *path* public and durable; return its ``size`` in bytes and its ``sha256``."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(_CHUNK), b""):
            digest.update(chunk)
        os.fchmod(stream.fileno(), 0o644)
        os.fsync(stream.fileno())
        return {"size": os.fstat(stream.fileno()).st_size, "sha256": digest.hexdigest()}


def remove_tree(path: str) -> None:
    """Remove the directory *path* and all in it; nothing happens if it is not there."""
    if os.path.lexists(path):
        shutil.rmtree(path)
        sync_directory(os.path.dirname(path))
