# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look into a root directory as whoever has it for / would: no link ever leads out of it.

Made for the boot as well: every name is asked for once (lstat(2)), and nothing is run.
"""

from __future__ import annotations

import fnmatch
import os
import stat as stat_
import typing as t

from .._errors import StatelessError

DIRECTORY = "directory"
FILE = "file"
LINK = "link"
OTHER = "other"

#: As many as the kernel follows: path_resolution(7).
_MOST_LINKS = 40

#: What bash takes for a pattern.
GLOB = frozenset("*?[")


class Tree:
    """The root directory *root*; paths are given and returned as seen from inside, absolute and without ``..``.

    What was asked once is remembered: for another look, take another :class:`Tree`.
    """

    def __init__(self, root: str = "/") -> None:
        self.root = os.path.realpath(root)
        self._prefix = self.root.rstrip("/")
        self._seen: dict[str, str | None] = {"/": DIRECTORY}

    def host(self, path: str) -> str:
        """Where *path*, which :meth:`resolve` or :meth:`place` returned, is outside."""
        return self._prefix + path if path != "/" else self.root

    def kind(self, path: str) -> str | None:
        """What *path* itself is, or ``None``; its directory must be resolved."""
        if path not in self._seen:
            self._seen[path] = self._look(path)
        return self._seen[path]

    def _look(self, path: str) -> str | None:
        try:
            mode = os.lstat(self.host(path)).st_mode
        except (OSError, ValueError):
            return None
        if stat_.S_ISDIR(mode):
            return DIRECTORY
        if stat_.S_ISREG(mode):
            return FILE
        return LINK if stat_.S_ISLNK(mode) else OTHER

    def resolve(self, path: str) -> str | None:
        """The path of what *path* leads to, without links; ``None`` if there is nothing."""
        at, left, _linked = self._walk(path)
        return None if left else at

    def place(self, path: str) -> str:
        """Where a file *path* is, or would be made; directories on the way may be missing.

        :raises StatelessError: there is something on the way that is no directory, or a link that leads to nothing.
        """
        at, left, linked = self._walk(path)
        blocked = left and (linked or self.kind(at) != DIRECTORY or ".." in left)
        if blocked or (left and self.kind(join(at, left[0])) is not None):
            raise StatelessError(f"{path} cannot be written in {self.root}: {join(at, left[0])} is in the way")
        for name in left:
            at = join(at, name)
        return at

    def _walk(self, path: str) -> tuple[str, list[str], bool]:
        """Follow *path* as far as there is something: where that is, what is left, whether a link led there."""
        at = "/"
        left = [name for name in path.split("/") if name not in ("", ".")]
        of_links = 0  # how many names at the start of left come from a link
        links = 0
        while left:
            name = left.pop(0)
            linked = of_links > 0
            of_links -= linked
            if name == "..":
                at = os.path.dirname(at)
                continue
            here = join(at, name)
            kind = self.kind(here) if self.kind(at) == DIRECTORY else None
            if kind == LINK:
                links += 1
                try:
                    target = os.readlink(self.host(here)) if links <= _MOST_LINKS else ""
                except OSError:
                    target = ""
                if not target:
                    return at, [name, *left], True
                names = [part for part in target.split("/") if part not in ("", ".")]
                if target.startswith("/"):
                    at = "/"
                of_links += len(names)
                left = names + left
            elif kind is None:
                return at, [name, *left], linked
            else:
                at = here
        return at, [], False

    def is_directory(self, path: str) -> bool:
        """Whether *path* leads to a directory."""
        found = self.resolve(path)
        return found is not None and self.kind(found) == DIRECTORY

    def read(self, path: str) -> str | None:
        """The text of the file that *path* leads to; ``None`` if there is nothing.

        Bytes that are not UTF-8 come back as they were when written with ``surrogateescape``.

        :raises OSError: it cannot be read, such as a directory.
        """
        found = self.resolve(path)
        if found is None:
            return None
        with open(self.host(found), encoding="utf-8", errors="surrogateescape", newline="") as stream:
            return stream.read()

    def names(self, path: str) -> list[str]:
        """The names in the directory that *path* leads to, in the C locale's order; empty if it is none."""
        found = self.resolve(path)
        try:
            return sorted(os.listdir(self.host(found)), key=os.fsencode) if found is not None else []
        except OSError:
            return []

    def glob(self, pattern: str) -> list[str]:
        """What *pattern* matches, as bash does it: by components, in order, hidden names only if asked for."""
        found = ["/"]
        for part in pattern.split("/"):
            if part in ("", "."):
                continue
            if GLOB.isdisjoint(part):
                found = [join(at, part) for at in found if self._is_there(join(at, part))]
            else:
                wanted = part.replace("[^", "[!")
                found = [
                    join(at, name)
                    for at in found
                    for name in self.names(at)
                    if fnmatch.fnmatchcase(name, wanted) and (part.startswith(".") or not name.startswith("."))
                ]
        return found

    def _is_there(self, path: str) -> bool:
        parent = self.resolve(os.path.dirname(path))
        return parent is not None and self.kind(join(parent, os.path.basename(path))) is not None


class Overlay(Tree):
    """*root* as it will be once *files* are written: text by path, ``None`` for one that is removed."""

    def __init__(self, root: str, files: t.Mapping[str, str | None], directories: t.Iterable[str] = ()) -> None:
        super().__init__(root)
        under = Tree(root)
        self._files: dict[str, str] = {}
        self._names: dict[str, set[str]] = {}
        made = [(under.place(path), text, FILE if text is not None else None) for path, text in files.items()]
        made += [(under.place(path), None, DIRECTORY) for path in directories]
        for path, text, kind in made:
            self._seen[path] = kind
            if text is not None:
                self._files[path] = text
            at = path
            while kind is not None and at != "/":
                at, name = os.path.split(at)
                self._names.setdefault(at, set()).add(name)
                self._seen[at] = DIRECTORY

    def read(self, path: str) -> str | None:
        found = self.resolve(path)
        return self._files[found] if found in self._files else super().read(path)

    def names(self, path: str) -> list[str]:
        found = self.resolve(path)
        if found is None:
            return []
        names = {*super().names(path), *self._names.get(found, ())}
        return sorted((name for name in names if self.kind(join(found, name)) is not None), key=os.fsencode)


def join(directory: str, name: str) -> str:
    """*name* in *directory*."""
    return f"{directory}/{name}" if directory != "/" else f"/{name}"


def beneath(path: str, directory: str) -> bool:
    """Whether *path* is somewhere in *directory*, and not that itself."""
    return path != directory and path.startswith(directory if directory == "/" else directory + "/")


def clean(path: str) -> str:
    """*path* without doubled slashes, ``.`` and a slash at its end; ``..`` stays."""
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))
