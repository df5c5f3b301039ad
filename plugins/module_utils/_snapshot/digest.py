# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The content digest of a tree: equal if, and as good as only if, two trees hold the same.

``sha256:`` and the SHA-256, in hex, of one line for each file below the root, and for the root itself. The lines are in
the order of their paths as bytes. A line is a JSON array in ASCII without blanks (bytes of a path that are no UTF-8 as
surrogates, see PEP 383), ended by a newline::

    [PATH, TYPE, MODE, UID, GID, {XATTR: VALUE, ...}, DETAIL ...]

PATH is relative to the root (``.``). TYPE is one letter: ``d f l b c p s`` (directory, regular file, symbolic link,
block device, character device, pipe, socket). MODE is the permission bits as a number. The extended attributes, in the
order of their names, are all that root sees, so ACLs, capabilities and SELinux labels too; their values are in hex.
DETAIL is of

* a regular file: size, mtime in nanoseconds since the epoch, SHA-256 of the content in hex;
* a further hard link to such a file: ``=`` and the first path, in the order above, of that file;
* a symbolic link: its target;
* a device: major and minor number.

Left out is what changes by looking, copying or installing again: atime, ctime, inode numbers, and the mtime of all that
is no regular file. Mount points below the root count as the directories they are mounted on, if *root* is a view.

Content is read again only if it can have changed: the cache has its hash under inode number, ctime (which no program
can set) and size. Only a file that was not touched for two seconds before the scan enters the cache, since the clock of
ctime is coarse: a later write could leave it the same.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import json
import os
import re
import stat
import time
import typing as t

from .._files import read, write
from .._room import Full

_CHUNK = 1024**2
#: Nanoseconds; much longer than a tick of the clock of ctime.
_SETTLED = 2 * 10**9
_TYPES = {
    stat.S_IFDIR: "d",
    stat.S_IFREG: "f",
    stat.S_IFLNK: "l",
    stat.S_IFBLK: "b",
    stat.S_IFCHR: "c",
    stat.S_IFIFO: "p",
    stat.S_IFSOCK: "s",
}
#: A line of the cache file: inode number, ctime, size, SHA-256.
_LINE = re.compile(r"([0-9]+) (-?[0-9]+) ([0-9]+) ([0-9a-f]{64})")
#: inode number, ctime in nanoseconds, size
_Key = tuple[int, int, int]


class Changing(OSError):
    """A file changed or vanished while it was read."""


@dataclasses.dataclass
class Cache:
    """Hashes of file contents of one protosystem, by what makes them certain."""

    path: str
    known: dict[_Key, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def load(cls, path: str) -> Cache:
        """Read the cache file; one that is missing or damaged is an empty one."""
        known: dict[_Key, str] = {}
        for line in (read(path) or "").splitlines():
            match = _LINE.fullmatch(line)
            if match is None:
                return cls(path)
            known[int(match[1]), int(match[2]), int(match[3])] = match[4]
        return cls(path, known)

    def save(self) -> None:
        """Write the cache file, if there is room: it only saves time."""
        lines = (f"{inode} {ctime} {size} {digest}\n" for (inode, ctime, size), digest in self.known.items())
        with contextlib.suppress(Full):
            write(self.path, "".join(lines), 0o600)


@dataclasses.dataclass(frozen=True)
class _File:
    """A file found by the scan."""

    path: bytes
    status: os.stat_result
    xattrs: t.Mapping[str, str]
    #: of a symbolic link
    target: str = ""


def digest(root: str, cache: Cache | None = None, now: int | None = None) -> str:
    """The digest of the tree *root*, as this module's text defines it.

    :arg cache: what is known, and what is learnt; afterwards it knows the files of this tree alone.
    :arg now: nanoseconds since the epoch: when the tree was last written to, at the latest; default: now.
    :raises Changing: the tree changes while it is read.
    """
    settled = (time.time_ns() if now is None else now) - _SETTLED
    known = cache.known if cache else {}
    files = sorted(_scan(root), key=lambda file: file.path)
    first: dict[int, bytes] = {}
    contents: dict[_Key, str | concurrent.futures.Future[str]] = {}
    with concurrent.futures.ThreadPoolExecutor(max_workers=min(8, (os.cpu_count() or 1) + 1)) as workers:
        for file in files:
            if stat.S_ISREG(file.status.st_mode) and first.setdefault(file.status.st_ino, file.path) == file.path:
                key = _key(file.status)
                contents[key] = known.get(key) or workers.submit(_hash, root, file)
        hashes = {key: value if isinstance(value, str) else value.result() for key, value in contents.items()}
    whole = hashlib.sha256()
    for file in files:
        line = json.dumps(_line(file, first, hashes), separators=(",", ":"))
        whole.update(f"{line}\n".encode("ascii"))
    if cache:
        cache.known = {key: value for key, value in hashes.items() if key[1] < settled}
    return f"sha256:{whole.hexdigest()}"


def _key(status: os.stat_result) -> _Key:
    return status.st_ino, status.st_ctime_ns, status.st_size


def _line(file: _File, first: t.Mapping[int, bytes], hashes: t.Mapping[_Key, str]) -> list[t.Any]:
    status = file.status
    kind = _TYPES[stat.S_IFMT(status.st_mode)]
    line: list[t.Any] = [os.fsdecode(file.path), kind, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid]
    line.append(file.xattrs)
    if kind == "f":
        original = first[status.st_ino]
        if original == file.path:
            line += [status.st_size, status.st_mtime_ns, hashes[_key(status)]]
        else:
            line += ["=", os.fsdecode(original)]
    elif kind == "l":
        line.append(file.target)
    elif kind in "bc":
        line += [os.major(status.st_rdev), os.minor(status.st_rdev)]
    return line


def _scan(root: str) -> t.Iterator[_File]:
    """All files below *root*, by descriptors: a directory that is replaced meanwhile leads nowhere else."""
    try:
        for directory, names, others, descriptor in os.fwalk(os.fsencode(root), onerror=_refuse):
            below = os.path.relpath(directory, os.fsencode(root))
            if below == b".":
                yield _file(descriptor, b".", b".")
            for name in [*names, *others]:
                yield _file(descriptor, name, os.path.join(below, name) if below != b"." else name)
    except FileNotFoundError as error:
        raise Changing(f"{error.filename!r} vanished while it was read") from error


def _refuse(error: OSError) -> t.NoReturn:
    """A directory that cannot be read must not count as an empty one."""
    raise error


def _file(directory: int, name: bytes, path: bytes) -> _File:
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    # the calls for extended attributes know no dir_fd
    place = b"/proc/self/fd/%d/%s" % (directory, name)
    names = sorted(os.listxattr(place, follow_symlinks=False))
    xattrs = {attribute: os.getxattr(place, attribute, follow_symlinks=False).hex() for attribute in names}
    target = os.fsdecode(os.readlink(name, dir_fd=directory)) if stat.S_ISLNK(status.st_mode) else ""
    return _File(path, status, xattrs, target)


def _hash(root: str, file: _File) -> str:
    content = hashlib.sha256()
    path = os.path.join(os.fsencode(root), file.path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Changing(f"{path!r} changed while it was read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        while chunk := stream.read(_CHUNK):
            content.update(chunk)
        if _key(os.fstat(descriptor)) != _key(file.status):
            raise Changing(f"{path!r} changed while it was read")
    return content.hexdigest()
