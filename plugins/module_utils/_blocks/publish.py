# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publish a volume as a serial: one pass over what may have changed."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from .._files import remove, sync_directory, write
from .._room import room_for
from . import index, tree
from .boot import Boot
from .depths import Depths
from .group import Group, cut
from .held import Holder
from .index import Index, Run
from .known import Known
from .manifest import IndexFile, Manifest, PackFile
from .needs import Needs
from .pack import Ids, total
from .packing import Level, Made, Packer
from .place import Place
from .ranges import Set
from .values import BLOCK, MAX_BLOCKS, ZERO, damaged, sha256
from .volume import Range, Volume, pieces

#: blocks of no file that are compressed together, against what was in their place
_METADATA = 512


@dataclasses.dataclass
class Parent:
    """The serial before, and its volume, unchanged since it was published."""

    manifest: Manifest
    holder: Holder


@dataclasses.dataclass
class Publishing:
    """Publish *volume* as *serial*.

    :arg changed: where it may differ from the parent, or, without a parent, where it may be other than zeros.
    :arg groups: of changed blocks, what belongs together and what it may resemble; the rest goes by position.
    :arg sign: makes the file of a manifest's text.
    :arg boot: how it is booted.
    """

    place: Place
    serial: int
    volume: Volume
    parent: Parent | None
    changed: t.Iterable[Range]
    groups: t.Iterable[Group]
    level: Level
    sign: t.Callable[[bytes], bytes]
    boot: Boot | None = None

    def run(self) -> Manifest:
        """Publish. A run that is killed leaves files that nothing names.

        :raises Full: there is no room.
        """
        if self.volume.blocks > MAX_BLOCKS:
            raise damaged(self.volume.path, f"it has {self.volume.blocks} blocks, and {MAX_BLOCKS} is the limit")
        with room_for(f"blocks of {self.place.protosystem} {self.serial}", self.place.public):
            return self._run()

    def _run(self) -> Manifest:
        self.place.make_private()
        manifests = self.place.manifests()
        for path in self.place.leftovers(manifests):
            remove(path)
        before = self.parent.holder.index if self.parent else Index.empty(self.volume.blocks)
        changed = Set(
            (at, min(count, self.volume.blocks - at)) for at, count in self.changed if at < self.volume.blocks
        )
        contents = self.place.contents(manifests.values())
        depths = Depths(os.path.join(self.place.private, "depths"), contents)
        read = self.parent.holder.read if self.parent else _no_parent
        with contextlib.closing(Packer(self.place.public, self.level, read, depths.note)) as packer:
            with contextlib.closing(depths), Known(self.place.private, contents, changed.total()) as known:
                pages = self._pages(before, known)
                scan = _Scan(self.volume, before, known, packer, depths)
                for group in ordered(changed, self.groups, before, self.level):
                    scan.group(group)
                changes = sorted(scan.changes)
                after = before.changed(self.volume.blocks, changes)
                packer.end()
                contents = known.contents
                tree.update(pages, before.blocks, after, known.get, changes)
            delta = index.encode_changes(self.volume.blocks, changes) if self.parent else None
            pack = keep_pack(self.place, packer.done(self.serial, delta), step=delta is not None)
        made = Manifest(
            self.place.protosystem,
            self.serial,
            self.volume.blocks,
            tree.root(self.volume.blocks, bytes(pages)).hex(),
            contents,
            self.parent.manifest.serial if self.parent and delta is not None else None,
            self._keep_index(index.encode(after)),
            named(self.place, after, contents, manifests.values(), pack),
            self.boot,
        )
        self.place.keep_pages(self.serial, bytes(pages))
        self.place.write_manifest(made, self.sign)
        if pack not in made.packs:
            # nothing in it is new, and there is no delta
            remove(os.path.join(self.place.public, pack.file))
        return made

    def _pages(self, before: Index, known: Known) -> bytearray:
        """The lowest pages of the parent's hash tree. Records that are lost, or older, are made anew of its volume.

        :raises Damaged: the volume is not what was published.
        """
        if self.parent is None:
            return tree.pages_of(before, known.get)
        found, volume = self.parent.manifest, self.parent.holder.volume
        pages = self.place.pages(found.serial) or tree.pages_of(before, known.get)
        if tree.root(before.blocks, bytes(pages)).hex() == found.root:
            return pages
        for run in before.runs():
            for part in run.pieces():
                data = volume.read(part.at, part.length)
                for number in range(part.length):
                    block = data[BLOCK * number : BLOCK * (number + 1)]
                    known.learn(part.first + number, sha256(block).digest())
        pages = tree.pages_of(before, known.get)
        if tree.root(before.blocks, bytes(pages)).hex() != found.root:
            raise damaged(volume.path, f"it is not what was published as serial {found.serial}: withdraw that")
        return pages

    def _keep_index(self, data: bytes) -> IndexFile:
        digest = sha256(data).hexdigest()
        name = f"{self.serial}-{digest[:16]}.index"
        write(os.path.join(self.place.public, name), data)
        return IndexFile(name, len(data), digest)


def _no_parent(_view: memoryview, _ids: t.Sequence[Ids]) -> None:
    raise damaged("the first serial", "it has nothing to refer to")


def keep_pack(place: Place, made: Made, *, step: bool) -> PackFile:
    """Give a pack its name."""
    os.rename(made.path, os.path.join(place.public, made.name))
    sync_directory(place.public)
    first, end = made.bounds()
    return PackFile(made.name, made.size, made.head, made.sha256, first, end, step)


def named(
    place: Place, after: Index, contents: int, manifests: t.Iterable[Manifest], own: PackFile
) -> tuple[PackFile, ...]:
    """The packs that a manifest names: its *own*, and those of all others that have what *after* needs."""
    packs = {own.file: own}
    for one in manifests:
        for pack in one.packs:
            packs.setdefault(pack.file, dataclasses.replace(pack, step=False))
    needs = Needs(contents, {name: place.table(pack) for name, pack in packs.items()})
    needs.add(after)
    found = needs.frames()
    return tuple(pack for name, pack in sorted(packs.items()) if name in found or (name == own.file and own.step))


def ordered(changed: Set, groups: t.Iterable[Group], before: Index, level: Level) -> t.Iterator[Group]:
    """What changed, each block once: by groups, and then the rest by position, against what was there before."""
    found = [
        Group([part for at, count in group.blocks for part in changed.within(at, count)], group.references)
        for group in groups
    ]
    found = [group for group in found if group.blocks]
    taken = [piece for group in found for piece in group.blocks]
    if Set(taken).total() != sum(count for _at, count in taken):
        found = _apart(found)
    for group in found:
        yield from cut(group, level.blocks if group.references else level.plain_blocks, level.references)
    for at, count in changed.without(Set(taken)):
        for start in range(at, at + count, _METADATA):
            length = min(_METADATA, at + count - start)
            inside = min(length, before.blocks - start)
            was = before.part(start, inside) if inside > 0 else ()
            yield Group([(start, length)], [(run.at, run.length) for run in was if run.first])


def _apart(groups: t.Sequence[Group]) -> list[Group]:
    """Groups where files share blocks (hard links, reflinks): each block in one of them."""
    pieces = sorted((*piece, number) for number, group in enumerate(groups) for piece in group.blocks)
    blocks: list[list[Range]] = [[] for _group in groups]
    done = 0
    for at, count, number in pieces:
        start, end = max(at, done), at + count
        if end > start:
            blocks[number].append((start, end - start))
            done = end
    return [Group(some, group.references) for some, group in zip(blocks, groups) if some]


class _Scan:
    """Blocks by group: what changed, and what is new, which is packed."""

    def __init__(self, volume: Volume, before: Index, known: Known, packer: Packer, depths: Depths) -> None:
        self._volume = volume
        self._before = before
        self._known = known
        self._packer = packer
        self._depths = depths
        self.changes: list[Run] = []

    def group(self, group: Group) -> None:
        """Look at the blocks of a group."""
        references: list[Ids] | None = self._depths.usable(
            (run.first, run.length) for at, count in group.references for run in self._was(at, count) if run.first
        )
        self._packer.group(group.sizes()[0], total(references or ()))
        for at, count in group.blocks:
            for start, length in pieces(at, count):
                references = self._piece(start, length, references)

    def _was(self, at: int, count: int) -> t.Iterator[Run]:
        inside = min(count, self._before.blocks - at)
        if inside > 0:
            yield from self._before.part(at, inside)
        if inside < count:
            yield Run(at + max(inside, 0), count - max(inside, 0), 0)

    def _piece(self, at: int, count: int, references: list[Ids] | None) -> list[Ids] | None:
        """Look at some blocks; return the references that no block has asked for yet."""
        data = self._volume.read(at, count)
        find, sha = self._known.find, sha256
        now: list[int] = []
        for offset in range(0, BLOCK * count, BLOCK):
            block = data[offset : offset + BLOCK]
            if block == ZERO:
                now.append(0)
                continue
            digest = sha(block).digest()
            content = find(digest)
            if not content:
                content = self._known.add(digest)
                if references is not None:
                    self._packer.against(references)
                    references = None
                self._packer.add(content, block, digest)
            now.append(content)
        was: list[int] = []
        for run in self._was(at, count):
            was.extend(range(run.first, run.first + run.length) if run.first else [0] * run.length)
        if now != was:
            self._changes(at, was, now)
        return references

    def _changes(self, at: int, was: t.Sequence[int], now: t.Sequence[int]) -> None:
        start = 0
        count = len(now)
        while start < count:
            if now[start] == was[start]:
                start += 1
                continue
            first = now[start]
            end = start + 1
            while end < count and now[end] != was[end] and now[end] == (first + end - start if first else 0):
                end += 1
            self.changes.append(Run(at + start, end - start, first))
            start = end
