# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file is, in few bytes: to tell whether it is still what it was, without a second copy of it."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import stat
import typing as t

DIRECTORY = "d"
FILE = "f"
LINK = "l"
_KINDS = {
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFREG: FILE,
    stat.S_IFLNK: LINK,
    stat.S_IFIFO: "p",
    stat.S_IFSOCK: "s",
    stat.S_IFCHR: "c",
    stat.S_IFBLK: "b",
}
#: Attributes that are an administrator's. Labels of SELinux are the policy's, and others the filesystem's own.
OWN_XATTRS = ("user.", "security.capability", "system.posix_acl_")


@dataclasses.dataclass(frozen=True)
class Record:
    """A file, directory, link or whatever else; times do not count.

    :ivar content: of a file its SHA-256, of a link where it leads, of a device its number.
    """

    kind: str
    mode: int
    owner: int
    group: int
    content: str = ""
    xattrs: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> list[t.Any]:
        """Plain data."""
        return [self.kind, self.mode, self.owner, self.group, self.content, [list(pair) for pair in self.xattrs]]

    @classmethod
    def from_json(cls, value: list[t.Any]) -> Record:
        """What :meth:`to_json` gave.

        :raises ValueError: it is something else.
        """
        kind, mode, owner, group, content, xattrs = value
        texts = all(isinstance(text, str) for text in (kind, content))
        if not texts or not all(isinstance(number, int) for number in (mode, owner, group)):
            raise ValueError(f"no record: {value!r}")
        return cls(kind, mode, owner, group, content, tuple((str(name), str(held)) for name, held in xattrs))


def look(path: str, content: str | None = None) -> Record | None:
    """The record of *path* itself; ``None`` if there is nothing.

    :arg content: what the content of a file is known to be, which is not read then.
    """
    try:
        there = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    kind = _KINDS[stat.S_IFMT(there.st_mode)]
    if kind == LINK:
        return Record(kind, 0o777, there.st_uid, there.st_gid, os.readlink(path))
    if kind == FILE:
        content = _digest(path) if content is None else content
    else:
        content = str(there.st_rdev) if kind in "cb" else ""
    return Record(kind, stat.S_IMODE(there.st_mode), there.st_uid, there.st_gid, content, _xattrs(path))


def _digest(path: str) -> str:
    found = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            found.update(block)
    return found.hexdigest()


def _xattrs(path: str) -> tuple[tuple[str, str], ...]:
    found = []
    # Not every filesystem has any.
    with contextlib.suppress(OSError):
        for name in sorted(os.listxattr(path, follow_symlinks=False)):
            if name.startswith(OWN_XATTRS):
                found.append((name, os.getxattr(path, name, follow_symlinks=False).hex()))
    return tuple(found)


def paths(base: str, path: str, spare: t.Collection[str] = (), through: t.Collection[str] = ()) -> t.Iterator[str]:
    """*path* and all that is beneath it in *base*, directories before what is in them.

    What is mounted beneath is not gone into, as in a copy, unless it is in *through*.

    :arg spare: paths that are left out with what is in them.
    """
    if path in spare:
        return
    try:
        there = os.lstat(base + path)
    except FileNotFoundError:
        return
    yield path
    if stat.S_ISDIR(there.st_mode):
        for name in sorted(os.listdir(base + path)):
            inner = f"{path}/{name}"
            if inner in through or os.lstat(base + inner).st_dev == there.st_dev:
                yield from paths(base, inner, spare, through)
            elif inner not in spare:
                yield inner


def walk(base: str, path: str, spare: t.Collection[str] = (), through: t.Collection[str] = ()) -> dict[str, Record]:
    """The records of *base* + *path* and of all that is beneath, by their paths without *base*: see :func:`paths`."""
    found = {name: look(base + name) for name in paths(base, path, spare, through)}
    return {name: record for name, record in found.items() if record is not None}


def fingerprint(path: str) -> str:
    """One word for everything at *path*; empty if there is nothing."""
    found = walk(path, "")
    if not found:
        return ""
    plain = json.dumps([[name, record.to_json()] for name, record in found.items()])
    return hashlib.sha256(plain.encode()).hexdigest()
