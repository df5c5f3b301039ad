# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of an ext4 changed blocks belong to, and which old ones these resemble: see similar.py.

To mount two filesystems and look through all their directories costs more than all the rest of a small change.
What has changed of inodes and directories is among the changed blocks, so it is read from there. As everything there,
what this says is a guess, of filesystems that anybody may have written: what is not understood is left out. The layout
is that of the kernel's Documentation/filesystems/ext4.
"""

from __future__ import annotations

import stat
import struct
import typing as t

from .group import Group, form
from .values import BLOCK

if t.TYPE_CHECKING:
    from .ranges import Set
    from .volume import Range, Volume

#: s_inodes_count, s_log_block_size, s_inodes_per_group, s_magic, s_inode_size, s_feature_incompat, s_uuid, s_desc_size
_SUPERBLOCK = struct.Struct("<I20xI12xI12xH30xH6xI4x16s134xH")
_SUPERBLOCK_AT, _MAGIC = 1024, 0xEF53
#: s_log_block_size of 4 KiB: 2 ** (10 + 2)
_LOG_BLOCK = 2
#: incompatible features: extents are needed; descriptors elsewhere (meta_bg) and a journal's device are not understood
_EXTENTS, _META_BG, _JOURNAL, _64BIT = 0x40, 0x10, 0x8, 0x80
#: blocks of a group; mkfs.ext4(8) takes 32768 unless it is told
_LEAST_BLOCKS = 8192
#: i_mode, i_size_lo, i_flags, i_block, i_generation, i_size_high
_INODE = struct.Struct("<H2xI24xI4x60sI4xI")
#: flags of an inode: its map is a tree of extents; its content is in the inode
_BY_EXTENTS, _INLINE = 0x80000, 0x10000000
_TREE = struct.Struct("<HHHHI")
_TREE_MAGIC, _DEEPEST = 0xF30A, 5
_LEAF, _INDEX = struct.Struct("<IHHI"), struct.Struct("<IIHH")
#: of an extent's length: from here on, it is one that reads as zeros
_UNWRITTEN = 32768
_ENTRY = struct.Struct("<IHBB")
#: how far below the directories that are known new ones are looked for
_DEEPEST_PATH = 50
#: blocks that are read of one file's map, and of one directory: what is larger is left out in part
_MOST_OF_MAP, _MOST_OF_DIRECTORY = 256, 4096


class Inode(t.NamedTuple):
    """What is needed of an inode."""

    mode: int
    size: int
    flags: int
    map: bytes
    #: another one, if the number has been used for something else in between
    generation: int

    @classmethod
    def read(cls, raw: bytes) -> Inode:
        """An inode as it is on disk."""
        mode, low, flags, map_, generation, high = _INODE.unpack_from(raw)
        return cls(mode, high << 32 | low, flags, map_, generation)

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode) and self.size > 0

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)


class Superblock(t.NamedTuple):
    """What is needed of the superblock."""

    inodes: int
    log_block: int
    inodes_per_group: int
    magic: int
    inode_size: int
    incompatible: int
    uuid: bytes
    descriptor_size: int

    def is_understood(self, volume: Volume) -> bool:
        """Whether it is that of an ext4 that is read here, and no value of it is absurd."""
        return bool(
            self.magic == _MAGIC
            and self.log_block == _LOG_BLOCK
            and self.incompatible & _EXTENTS
            and not self.incompatible & (_META_BG | _JOURNAL)
            and (not self.incompatible & _64BIT or self.descriptor_size in (64, 128))
            and self.inode_size in (128, 256, 512, 1024)
            # a group has a block of bits for its inodes, and, but for the last, one of as many blocks
            and 0 < self.inodes_per_group <= 8 * BLOCK
            and self.inodes_per_group * self.inode_size % BLOCK == 0
            and self.inodes <= self.inodes_per_group * (volume.blocks // _LEAST_BLOCKS + 1)
        )


class Filesystem:
    """An ext4 on a volume."""

    def __init__(self, volume: Volume, superblock: Superblock) -> None:
        self.volume = volume
        self.uuid = superblock.uuid
        self._in_group = superblock.inodes_per_group
        self._inode_size = superblock.inode_size
        wide = bool(superblock.incompatible & _64BIT)
        size = superblock.descriptor_size if wide else 32
        groups = superblock.inodes // self._in_group
        # they follow the block of the superblock
        raw = volume.read(1, -(-groups * size // BLOCK))
        #: where the table of inodes of each group begins
        self._tables = [_wide(raw, size * group + 8, size * group + 0x28 if wide else None) for group in range(groups)]

    @classmethod
    def of(cls, volume: Volume) -> Filesystem | None:
        """The filesystem; None: it is no ext4, or none that is read here."""
        superblock = Superblock(*_SUPERBLOCK.unpack_from(volume.read(0, 1), _SUPERBLOCK_AT))
        return cls(volume, superblock) if superblock.is_understood(volume) else None

    def inode(self, number: int) -> Inode:
        """An inode; of zeros, if it has no place."""
        group, place = divmod(number - 1, self._in_group)
        offset = place * self._inode_size
        at = self._tables[group] + offset // BLOCK if 0 <= group < len(self._tables) else self.volume.blocks
        if at >= self.volume.blocks:
            return Inode.read(bytes(self._inode_size))
        return Inode.read(self.volume.read(at, 1)[offset % BLOCK :])

    def changed(self, old: Filesystem, changed: Set) -> dict[int, Inode]:
        """The inodes that are not as in *old*, by number; *changed*: the blocks that may not be."""
        found = {}
        size = self._inode_size
        for group, table in enumerate(self._tables):
            for first, count in changed.within(table, self._in_group * size // BLOCK):
                for at in range(first, min(first + count, self.volume.blocks)):
                    new, was = self.volume.read(at, 1), old.volume.read(at, 1)
                    number = 1 + group * self._in_group + (at - table) * BLOCK // size
                    for place in range(0, BLOCK, size):
                        if new[place : place + size] != was[place : place + size]:
                            found[number + place // size] = Inode.read(new[place : place + size])
        return found

    def blocks(self, inode: Inode) -> list[Range]:
        """Where the content of a file or directory is, in its order."""
        if not inode.flags & _BY_EXTENTS or inode.flags & _INLINE:
            return []
        return list(self._extents(inode.map, [_MOST_OF_MAP], _DEEPEST))

    def _extents(self, node: bytes, left: list[int], deepest: int) -> t.Iterator[Range]:
        magic, entries, _most, depth, _generation = _TREE.unpack_from(node)
        if magic != _TREE_MAGIC or depth > deepest:
            return
        for place in range(_TREE.size, min(len(node) - 11, _TREE.size * (entries + 1)), _TREE.size):
            if depth == 0:
                _logical, count, high, low = _LEAF.unpack_from(node, place)
                at = high << 32 | low
                if 0 < count <= _UNWRITTEN and at + count <= self.volume.blocks:
                    yield at, count
            else:
                _logical, low, high, _unused = _INDEX.unpack_from(node, place)
                at = high << 32 | low
                left[0] -= 1
                if at < self.volume.blocks and left[0] > 0:
                    yield from self._extents(self.volume.read(at, 1), left, depth - 1)

    def names(self, directory: Inode, within: Set | None = None) -> dict[bytes, int]:
        """The numbers of the inodes in a directory by their names; of the blocks *within* alone."""
        found: dict[bytes, int] = {}
        left = _MOST_OF_DIRECTORY
        for at, count in self.blocks(directory):
            for first, length in [(at, count)] if within is None else within.within(at, count):
                for block in range(first, first + min(length, left)):
                    found.update(_entries(self.volume.read(block, 1)))
                left -= min(length, left)
        return found


def _wide(raw: bytes, low: int, high: int | None) -> int:
    value: int = struct.unpack_from("<I", raw, low)[0]
    return value if high is None else struct.unpack_from("<I", raw, high)[0] << 32 | value


def _entries(block: bytes) -> t.Iterator[tuple[bytes, int]]:
    """What a block of a directory has; of one that is its index, or of its checksum: nothing."""
    place = 0
    while place <= BLOCK - _ENTRY.size:
        number, length, name, _kind = _ENTRY.unpack_from(block, place)
        if length < _ENTRY.size + name or length % 4:
            return
        if number:
            yield block[place + _ENTRY.size : place + _ENTRY.size + name], number
        place += length


def groups(old: Volume, new: Volume, changed: Set) -> list[Group] | None:
    """The blocks of changed files, each with those that the file of that name had before, or another version of it.

    :arg changed: blocks where the volumes may differ.
    :return: None: these are not two states of an ext4 that is read here.
    """
    before, after = Filesystem.of(old), Filesystem.of(new)
    if before is None or after is None or before.uuid != after.uuid or old.blocks != new.blocks:
        return None
    inodes = after.changed(before, changed)
    older = _Older(before, after, changed)
    found: list[Group] = []
    seen: set[int] = set()
    # a block belongs to one file: what says otherwise is not followed for long
    left = new.blocks + old.blocks
    for number, directory in sorted(inodes.items()):
        if not directory.is_directory:
            continue
        for name, file in sorted(after.names(directory, changed).items()):
            inode = inodes.get(file)
            if inode is None or not inode.is_file or file in seen:
                continue
            seen.add(file)
            blocks = after.blocks(inode)
            if not any(True for at, count in blocks for _part in changed.within(at, count)):
                # its owner, or its names
                continue
            was = older.directory(number)
            like = was.file(name, inode.size) if was is not None else None
            group = Group(blocks, before.blocks(like) if like is not None else [])
            left -= sum(group.sizes())
            if left < 0:
                return found
            found.append(group)
    return found


class _Older:
    """Which directories of the older state those of the newer are versions of."""

    def __init__(self, before: Filesystem, after: Filesystem, changed: Set) -> None:
        self._before = before
        self._after = after
        self._changed = changed
        self._known: dict[int, _Directory | None] = {}
        self._named: dict[int, dict[int, bytes]] = {}

    def directory(self, number: int, deepest: int = _DEEPEST_PATH) -> _Directory | None:
        """The same one, or, of a new one, that of its name, or another version of it, in the one that it is in."""
        if number not in self._known:
            # whoever is above itself has none
            self._known[number] = None
            self._known[number] = self._find(number, deepest)
        return self._known[number]

    def _find(self, number: int, deepest: int) -> _Directory | None:
        was, new = self._before.inode(number), self._after.inode(number)
        if was.is_directory and was.generation == new.generation:
            return _Directory(self._before, was, self._changed)
        above = self._after.names(new, self._changed).get(b"..")
        parent = self.directory(above, deepest - 1) if above is not None and deepest else None
        if above is None or parent is None:
            return None
        if above not in self._named:
            # once for all new ones in it
            beside = self._after.names(self._after.inode(above), self._changed)
            self._named[above] = {one: name for name, one in beside.items()}
        own = self._named[above].get(number)
        inode = parent.directory(own) if own is not None else None
        return _Directory(self._before, inode, self._changed) if inode is not None else None


class _Directory:
    """A directory of the older state."""

    def __init__(self, filesystem: Filesystem, inode: Inode, changed: Set) -> None:
        self._filesystem = filesystem
        self._inode = inode
        # a file that takes the place of another of its name takes its place in the directory
        self._near = filesystem.names(inode, changed)
        self._all: dict[bytes, int] | None = None
        self._by_form: dict[str, list[int]] = {}

    def file(self, name: bytes, size: int) -> Inode | None:
        """The file that has this name, or else the one that is most likely another version of it."""
        found = [one for one in self._like(name) if one.is_file]
        return min(found, key=lambda one: abs(one.size - size), default=None)

    def directory(self, name: bytes) -> Inode | None:
        """The directory that has this name, or else the last one that is another version of it."""
        found = [one for one in self._like(name) if one.is_directory]
        return found[-1] if found else None

    def _like(self, name: bytes) -> list[Inode]:
        """What has this name, or else what has it but for its numbers."""
        number = self._near.get(name)
        if number is None:
            if self._all is None:
                self._all = self._filesystem.names(self._inode)
                for other, one in sorted(self._all.items()):
                    self._by_form.setdefault(_form(other), []).append(one)
            number = self._all.get(name)
        numbers = [number] if number is not None else self._by_form.get(_form(name), ())
        return [self._filesystem.inode(one) for one in numbers]


def _form(name: bytes) -> str:
    return form(name.decode(errors="replace"))
