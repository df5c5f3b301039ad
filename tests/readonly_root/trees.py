# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees of files as values: to generate, to write, to read back and to compare."""

from __future__ import annotations

import dataclasses
import os
import stat
import typing as t

from hypothesis import strategies as st


@dataclasses.dataclass(frozen=True)
class File:
    """A file with *content*."""

    content: str
    mode: int = 0o644


@dataclasses.dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


@dataclasses.dataclass(frozen=True)
class Dir:
    """A directory with *inside* by name."""

    inside: tuple[tuple[str, Node], ...] = ()
    mode: int = 0o755

    def get(self, name: str) -> Node | None:
        """What has that name in it."""
        return dict(self.inside).get(name)

    def names(self) -> set[str]:
        """The names in it."""
        return {name for name, _node in self.inside}


Node = t.Union[File, Link, Dir]


def directory(inside: t.Mapping[str, Node | None], mode: int = 0o755) -> Dir:
    """A directory with what in *inside* is there."""
    return Dir(tuple(sorted((name, node) for name, node in inside.items() if node is not None)), mode)


def build(path: str, node: Node | None) -> None:
    """Write *node* to *path*, where there is nothing."""
    if isinstance(node, File):
        with open(path, "wb") as stream:
            stream.write(os.fsencode(node.content))
        os.chmod(path, node.mode)
    elif isinstance(node, Link):
        os.symlink(node.target, path)
    elif isinstance(node, Dir):
        os.mkdir(path)
        for name, inner in node.inside:
            build(f"{path}/{name}", inner)
        os.chmod(path, node.mode)


def see(path: str) -> Node | None:
    """What is at *path*."""
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        return None
    mode = stat.S_IMODE(there.st_mode)
    if stat.S_ISLNK(there.st_mode):
        return Link(os.readlink(path))
    if stat.S_ISDIR(there.st_mode):
        return directory({name: see(f"{path}/{name}") for name in os.listdir(path)}, mode)
    with open(path, "rb") as stream:
        return File(os.fsdecode(stream.read()), mode)


#: Few names, so that trees meet; among them what a shell, a log or JSON stumbles over, and what is laid beside.
NAMES = st.sampled_from(["a", "b", "a.stateless-new", "-n", "two words", "line\nbreak", "\udcff\udcfe", "ü$x*"])
MODES = st.sampled_from([0o755, 0o700])
LEAVES = st.one_of(
    st.builds(File, st.sampled_from(["", "one", "two", "\udcff"]), st.sampled_from([0o644, 0o600])),
    st.builds(Link, st.sampled_from(["a", "/nowhere", "..", "\udcff"])),
)


def directories(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Dir]:
    """Directories of what *inner* makes."""
    return st.builds(directory, st.dictionaries(NAMES, inner, max_size=4), MODES)


NODES: st.SearchStrategy[Node] = st.recursive(LEAVES, directories, max_leaves=8)
TREES = directories(NODES)


@st.composite
def changed(draw: st.DrawFn, node: Node) -> Node | None:
    """*node* with some of it changed, removed, added or replaced by something of another kind."""
    if not isinstance(node, Dir):
        return draw(st.one_of(st.just(node), st.just(node), st.none(), NODES))
    if draw(st.integers(0, 7)) == 0:
        return draw(st.one_of(st.none(), LEAVES))
    inside: dict[str, Node | None] = {name: draw(changed(inner)) for name, inner in node.inside}
    if draw(st.booleans()):
        inside.setdefault(draw(NAMES), draw(NODES))
    return directory(inside, draw(st.sampled_from([node.mode, node.mode, node.mode, 0o711])))


def always_directory(node: Node | None) -> Dir:
    """*node*, or an empty directory."""
    return node if isinstance(node, Dir) else Dir()
