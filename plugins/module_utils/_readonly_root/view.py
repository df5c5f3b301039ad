# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A root as it will look at boot, seen beforehand: what scratch shows of it, and what it hides."""

from __future__ import annotations

from .model import Bind, Entry, Keep
from .tree import DIRECTORY, Tree, beneath, join


class View(Tree):
    """*tree* as it looks when *binds* lie over it."""

    def __init__(self, tree: Tree, binds: tuple[Bind, ...]) -> None:
        super().__init__(tree.root)
        self._under = tree
        self._binds = binds

    def over(self, path: str) -> Bind | None:
        """The bind that *path* is in, or that lies on it."""
        for bind in self._binds:
            if path == bind.path or beneath(path, bind.path):
                return bind
        return None

    def under(self, path: str) -> Bind | None:
        """What lies over *path*, as far as the image has such a path at all."""
        found = self._under.resolve(path)
        return self.over(found) if found is not None else None

    def names(self, path: str) -> list[str]:
        found = self.resolve(path)
        names = self._under.names(found) if found is not None else []
        return [name for name in names if self.kind(join(found or "/", name)) is not None]

    def read(self, path: str) -> str | None:
        found = self.resolve(path)
        return self._under.read(found) if found is not None else None

    def _look(self, path: str) -> str | None:
        kind = self._under.kind(path)
        bind = self.over(path)
        if kind is None or bind is None or path == bind.path:
            return kind
        return kind if any(_brings(entry, path, kind) for entry in bind.entries) else None


def _brings(entry: Entry, path: str, kind: str) -> bool:
    """Whether the copy of *entry* has *path*: itself, a directory on the way, or something in it that it keeps."""
    if path == entry.path or beneath(entry.path, path):
        return True
    if not beneath(path, entry.path):
        return False
    return entry.keep is Keep.EVERYTHING or (entry.keep is Keep.DIRECTORIES and kind == DIRECTORY)
