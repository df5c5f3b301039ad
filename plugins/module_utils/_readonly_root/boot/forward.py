# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State that moves forward: what a new image changes in the kept files of a client, as a plan.

Three versions of each path: the image's from which the client's copy was made (the baseline), the present image's, and
the client's. What the client left as it was becomes the present image's; what the client changed stays; where both
changed it, the image's is laid beside it.
"""

from __future__ import annotations

import dataclasses
import os
import typing as t

from .records import DIRECTORY, Record, fingerprint, look

#: What the name of an image's version that is laid beside the client's ends in.
BESIDE = ".stateless-new"

#: What a step does.
TAKE = "take"
ATTRIBUTES = "attributes"
REMOVE = "remove"
CLEAR = "clear"


@dataclasses.dataclass(frozen=True)
class Known:
    """A version of the image that the client got.

    :ivar image: as it was in the image.
    :ivar here: as it came out where the state is, which may hold less, such as no ACLs.
    """

    image: Record
    here: Record

    def is_still(self, client: Record | None) -> bool:
        """Whether the client's is what it got."""
        return client in (self.image, self.here)


@dataclasses.dataclass
class Baseline:
    """What the client got of each image, until now.

    :ivar roots: the paths of statetab that it is about.
    :ivar known: by path, of everything beneath these.
    :ivar beside: by the path whose conflict it is: what was laid beside, and its fingerprint.
    """

    roots: set[str] = dataclasses.field(default_factory=set)
    known: dict[str, Known] = dataclasses.field(default_factory=dict)
    beside: dict[str, tuple[str, str]] = dataclasses.field(default_factory=dict)

    def forget(self, path: str) -> None:
        """Drop everything known of *path* and of what is beneath."""
        for name in [name for name in self.known if within(name, path)]:
            del self.known[name]


@dataclasses.dataclass(frozen=True)
class Step:
    """One change of a client's file.

    :ivar path: what is changed; for what is laid beside, its own name.
    :ivar staged: the path of the image whose version is put there, if any; to clear what an earlier plan laid beside,
        its fingerprint.
    :ivar old: the client's version that may be replaced; anything else is the client's own work.
    """

    do: str
    path: str
    staged: str
    old: Record | None


@dataclasses.dataclass(frozen=True)
class Conflict:
    """A path that both changed; *beside*: where the image's version is, or empty if it has none."""

    path: str
    beside: str
    reason: str


@dataclasses.dataclass
class Merge:
    """What is to be done, what the baseline is then, and what the administrator should know."""

    baseline: Baseline
    steps: list[Step] = dataclasses.field(default_factory=list)
    conflicts: list[Conflict] = dataclasses.field(default_factory=list)
    adopted: list[str] = dataclasses.field(default_factory=list)


def within(path: str, directory: str) -> bool:
    """Whether *path* is *directory*, or beneath it."""
    return path == directory or path.startswith(f"{directory}/")


class Planner:
    """Makes a :class:`Merge`.

    :arg where: where the client's files are: the state's mount.
    :arg image: the present image's records, of all roots.
    :arg baseline: is changed into what holds when the plan is done.
    :arg spare: paths that do not move forward.
    """

    def __init__(
        self, where: str, image: t.Mapping[str, Record], baseline: Baseline, spare: t.Collection[str] = ()
    ) -> None:
        self._where = where
        self._image = image
        self._spare = spare
        self._known = baseline.known
        self._removed: set[str] = set()
        self.merge = Merge(baseline)
        self._inner: dict[str, set[str]] = {}
        for path in (*image, *baseline.known):
            self._inner.setdefault(os.path.dirname(path), set()).add(path)

    def add(self, root: str) -> None:
        """Plan for one path of statetab and all that is beneath it."""
        missing = look(self._where + root, "") is None
        if root in self._spare:
            # Copied once. If it is to move forward one day, it starts with what it is then.
            self.merge.baseline.forget(root)
            self.merge.baseline.roots.discard(root)
            if missing:
                self._step(TAKE, root, root, None)
            return
        if missing:
            # Not there yet, or no more: it is copied anew.
            self.merge.baseline.forget(root)
        elif root not in self._known:
            self._adopt(root)
        self.merge.baseline.roots.add(root)
        self._visit(root)

    def settle(self) -> bool:
        """Plan to take away what was laid beside where the client took the image's version, or is rid of it.

        :return: whether anything was settled.
        """
        beside = self.merge.baseline.beside
        open_ = len(beside)
        for path, (name, mark) in list(beside.items()):
            known = self._known.get(path)
            if mark == "":
                continue  # of this very plan
            if not os.path.lexists(self._where + name):
                del beside[path]
            elif known is not None and known.is_still(look(self._where + path)):
                self._clear_beside(path)
        return len(beside) < open_

    def _adopt(self, root: str) -> None:
        """Say what the client got, for a root that was not a root until now."""
        inner = [known for known in self.merge.baseline.roots if within(known, root)]
        if not inner:
            # Upstream's, or of a baseline that is lost: whatever is there counts as the client's own.
            self.merge.adopted.append(root)
            for path, record in self._image.items():
                if within(path, root):
                    self._known[path] = Known(record, record)
            return
        # A list names more than before. The directories down to what it named were made by us, for root alone.
        for deep in inner:
            path = deep
            while path != root:
                path = os.path.dirname(path)
                there = look(self._where + path)
                if there is not None and path not in self._known:
                    self._known[path] = Known(there, there)

    def _visit(self, path: str) -> None:
        if path in self._spare:
            return
        image = self._image.get(path)
        known = self._known.get(path)
        # The content of a client's file is read only where it matters: it may be a large database.
        client = look(self._where + path, "")
        if image is not None and image.kind == DIRECTORY:
            if client is not None and client.kind == DIRECTORY:
                self._attributes(path, image, known, client)
                self._children(path)
            else:
                self._new_directory(path, image, known, client)
        elif client is not None and client.kind == DIRECTORY:
            self._no_directory(path, image, known, client)
        else:
            self._file(path, image, known)

    def _children(self, path: str) -> None:
        for inner in sorted(self._inner.get(path, ())):
            self._visit(inner)

    def _attributes(self, path: str, image: Record, known: Known | None, client: Record) -> None:
        """Both have a directory: its owner, mode and ACL."""
        if known is not None and known.image == image:
            return
        if client != image:
            if known is not None and known.is_still(client):
                self._step(ATTRIBUTES, path, path, client)
            else:
                self._conflict(path, None, "its owner, mode or ACL was changed here and in the image")
        self._known[path] = Known(image, image)

    def _new_directory(self, path: str, image: Record, known: Known | None, client: Record | None) -> None:
        """The image has a directory where the client has none."""
        inside = {name: record for name, record in self._image.items() if within(name, path)}
        before = {name: known.image for name, known in self._known.items() if within(name, path)}
        client = look(self._where + path)
        if inside == before:
            return
        if known is None and client is None:
            self._step(TAKE, path, path, None)
        elif known is not None and client is not None and known.is_still(client):
            self._step(REMOVE, path, "", client)
            self._step(TAKE, path, path, None)
        else:
            self._conflict(path, image, "a directory that was changed in the image and is none here")
        self.merge.baseline.forget(path)
        self._known.update((name, Known(record, record)) for name, record in inside.items())

    def _no_directory(self, path: str, image: Record | None, known: Known | None, client: Record) -> None:
        """The client has a directory where the image has none."""
        if known is None or known.image.kind != DIRECTORY:
            if image is not None and (known is None or known.image != image):
                self._conflict(path, image, "added or changed in the image; here it is a directory")
            elif image is None and known is not None:
                self._conflict(path, None, "removed in the image; here it is a directory")
            self._know(path, image)
            return
        self._children(path)
        names = {f"{path}/{name}" for name in os.listdir(self._where + path)}
        if known.is_still(client) and names <= self._removed:
            self._step(REMOVE, path, "", client)
            if image is not None:
                self._step(TAKE, path, path, None)
        elif image is not None:
            self._conflict(path, image, "a directory that became something else in the image, and is in use here")
        self._know(path, image)

    def _file(self, path: str, image: Record | None, known: Known | None) -> None:
        """Neither has a directory."""
        if (known.image if known is not None else None) == image:
            return
        client = look(self._where + path)
        if client != image:
            if client is None if known is None else known.is_still(client):
                self._step(TAKE if image is not None else REMOVE, path, path if image is not None else "", client)
            elif image is None:
                self._conflict(path, None, "removed in the image, changed here")
            else:
                self._conflict(path, image, f"changed in the image, and {'changed' if client else 'removed'} here")
        else:
            self._clear_beside(path)
        if known is not None and known.image.kind == DIRECTORY:
            self.merge.baseline.forget(path)
        self._know(path, image)

    def _know(self, path: str, image: Record | None) -> None:
        if image is None:
            self.merge.baseline.forget(path)
        else:
            self._known[path] = Known(image, image)

    def _step(self, do: str, path: str, staged: str, old: Record | None) -> None:
        self.merge.steps.append(Step(do, path, staged, old))
        if do == REMOVE:
            self._removed.add(path)
        elif do == TAKE:
            self._removed.discard(path)
        if do != ATTRIBUTES:
            self._clear_beside(path)

    def _clear_beside(self, path: str) -> None:
        """Take away what an earlier conflict about *path* left, if nobody wrote to it."""
        beside = self.merge.baseline.beside.pop(path, None)
        if beside is not None and beside[1] != "" and fingerprint(self._where + beside[0]) == beside[1]:
            self.merge.steps.append(Step(CLEAR, beside[0], beside[1], None))
            self._removed.add(beside[0])

    def _conflict(self, path: str, image: Record | None, reason: str) -> None:
        self._clear_beside(path)
        name = ""
        if image is not None:
            name = self._name_beside(path)
            self.merge.steps.append(Step(TAKE, name, path, None))
            # Its fingerprint is taken when it is staged.
            self.merge.baseline.beside[path] = (name, "")
        self.merge.conflicts.append(Conflict(path, name, reason))

    def _name_beside(self, path: str) -> str:
        """A name beside *path* that nobody has."""
        number = 1
        while True:
            name = f"{path}{BESIDE}" if number == 1 else f"{path}{BESIDE}.{number}"
            there = os.path.lexists(self._where + name) and name not in self._removed
            if not there and name not in self._image and name not in self._names_laid():
                return name
            number += 1

    def _names_laid(self) -> set[str]:
        return {name for name, _fingerprint in self.merge.baseline.beside.values()}
