# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an update has to do, and what has to go for it: values in, values out."""

from __future__ import annotations

import dataclasses
import enum
import typing as t

from .entries import Entry, Image, following, next_generation
from .volumes import Root, Roots

#: Kernel arguments that are the machine's own.
Own = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Situation:
    """What there is on a caching client."""

    roots: Roots
    entries: tuple[Entry, ...]
    #: what the boot partition has files of, whole or not
    files: tuple[Image, ...] = ()
    #: what runs; None: it came over the network
    running: Image | None = None
    #: good roots that stay, if there is room
    keep: int = 3
    #: a killed run has left files on the boot partition that are no entries
    litter: bool = False
    #: by an entry's name, the kernel arguments in it that are the machine's own
    own: t.Mapping[str, Own] = dataclasses.field(default_factory=dict)
    #: the entry that it was booted from; None: it is not known, or there is none
    generation: int | None = None

    @property
    def is_trial(self) -> bool:
        """Whether what runs was not found healthy yet."""
        own = [entry for entry in self.entries if entry.image == self.running]
        if self.generation is not None:
            own = [entry for entry in own if entry.generation == self.generation]
        return bool(own) and not any(entry.is_good for entry in own)

    def boots(self, entry: Entry, wanted: Image, own: Own | None) -> bool:
        """Whether an entry boots *wanted*, with these kernel arguments of the machine's own; None: with any."""
        return entry.image == wanted and own in (None, self.own.get(entry.name))

    def has_failed(self, wanted: Image, own: Own | None) -> bool:
        """Whether it did not come up with these arguments, where it may with others."""
        return own is not None and any(entry.has_failed and self.boots(entry, wanted, own) for entry in self.entries)

    def needed(self, wanted: Image) -> set[Image]:
        """What never goes: what runs, what is wanted, and what is booted if that fails."""
        return {wanted, *([self.running] if self.running else []), *good(self)[:1]}

    def complete(self) -> list[Root]:
        """The roots that may be booted."""
        return [root for root in self.roots.roots if root.is_complete]


class Way(enum.Enum):
    """What it takes to have a root booted next."""

    #: it is
    NOTHING = "nothing"
    #: the entry on trial goes
    CANCEL = "cancel"
    #: it is on the disk: an entry for it is added
    ENTRY = "entry"
    #: it is made
    MAKE = "make"


@dataclasses.dataclass(frozen=True)
class Removal:
    """What goes, in this order: entries, the files that they named, volumes."""

    entries: tuple[Entry, ...] = ()
    files: tuple[Image, ...] = ()
    roots: tuple[Root, ...] = ()
    #: what is on the boot partition and is no entry
    litter: bool = False

    @property
    def of_boot(self) -> bool:
        """Whether any of it is on the boot partition."""
        return bool(self.litter or self.entries or self.files)

    def __bool__(self) -> bool:
        return self.of_boot or bool(self.roots)


def way(now: Situation, wanted: Image, own: Own | None = None) -> Way:
    """What it takes to have *wanted* booted next.

    :arg own: with these kernel arguments of the machine's own; None: with any.
    """
    root = now.roots.get(wanted)
    if root is None or not root.is_complete:
        return Way.MAKE
    entries = [entry for entry in now.entries if _is_whole(now, entry)]
    coming = following(entries)
    if coming is not None and now.boots(coming, wanted, own) and not coming.has_failed:
        return Way.NOTHING
    without = following(entry for entry in entries if not entry.is_trial)
    if without is not None and now.boots(without, wanted, own) and without.is_good:
        return Way.CANCEL
    return Way.ENTRY


def leftovers(now: Situation, wanted: Image | None) -> Removal:
    """What killed runs left, and what has had its time; not what *wanted* is made of.

    That is: entries that lead nowhere, have failed, or lead where a newer good one does; files that no entry names; and
    volumes that were to become a root.
    """
    entries = [entry for entry in now.entries if _is_over(now, entry, wanted)]
    stay = {entry.image for entry in now.entries if entry not in entries}
    kept = {wanted, now.running}
    files = [image for image in now.files if image not in stay and image not in kept]
    roots = [root for root in now.roots.roots if not root.is_complete and root.image not in kept]
    return Removal(tuple(entries), tuple(files), tuple(roots), now.litter)


def _is_over(now: Situation, entry: Entry, wanted: Image | None) -> bool:
    if not _is_whole(now, entry):
        return True
    if entry.has_failed:
        # the only one there is may come up yet
        return any(other.is_good and _is_whole(now, other) for other in now.entries)
    newer = [other for other in now.entries if other.image == entry.image and other.generation > entry.generation]
    return any(other.is_good for other in newer)


def _is_whole(now: Situation, entry: Entry) -> bool:
    root = now.roots.get(entry.image)
    return root is not None and root.is_complete


def surplus(now: Situation, wanted: Image, parent: Image | None, every: bool = False) -> list[Removal]:
    """Complete roots that go one by one, the least useful first: beyond those that are kept, or *every* one that may.

    :arg parent: the root that the new one is made from.
    """
    needed = {*now.needed(wanted), *([parent] if parent else [])}
    newest = {image: max(e.generation for e in now.entries if e.image == image) for image in _with_entry(now)}
    ordered = sorted(now.complete(), key=lambda root: (newest.get(root.image, 0), root.serial))
    # one of those that are kept is the one to come
    count = len(ordered) - (now.keep - (now.roots.get(wanted) is None))
    found = []
    for root in ordered:
        if root.image not in needed and (every or count > 0):
            count -= 1
            own = tuple(entry for entry in now.entries if entry.image == root.image)
            found.append(Removal(own, (root.image,) if root.image in now.files else (), (root,)))
    return found


def _with_entry(now: Situation) -> set[Image]:
    return {entry.image for entry in now.entries}


def good(now: Situation) -> list[Image]:
    """The roots that are complete and were found healthy, the newest entry first."""
    entries = sorted((entry for entry in now.entries if entry.is_good and _is_whole(now, entry)), reverse=True)
    return list(dict.fromkeys(entry.image for entry in entries))


def superseded(now: Situation, new: Entry) -> Removal:
    """The trials that another one takes the place of; their roots stay for as long as there is room."""
    return Removal(tuple(entry for entry in now.entries if entry.is_trial and entry.name != new.name))


def parent(now: Situation, wanted: Image, known: t.Callable[[Image], bool]) -> Root | None:
    """The root that *wanted* is made from: of the same protosystem, the newest before it, or else the newest.

    :arg known: whether the machine knows what is in a root.
    """
    own = [root for root in now.complete() if root.protosystem == wanted[0] and known(root.image)]
    older = [root for root in own if root.serial < wanted[1]]
    return max(older or own, key=lambda root: root.serial, default=None)


def entry_for(now: Situation, wanted: Image, tries: int) -> Entry:
    """The entry that boots *wanted* on trial."""
    return Entry(next_generation(now.entries), *wanted, tries)
