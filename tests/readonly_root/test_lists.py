# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated lists over generated trees: what the planner says is what the mounts are, and what is seen there."""

from __future__ import annotations

import typing as t

from hypothesis import given, settings
from hypothesis import strategies as st
from roots import STATE, Boot, Root, apart, mount, serve
from trees import TREES, Dir, Node, build, directory, see

from ansible_collections.stateless.linux.plugins.module_utils._readonly_root import layout
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.model import Bind, Dialect, Entry, Keep
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.tree import Tree, beneath

#: What is looked at; a link in the tree may lead to it, but no higher.
ABOVE = "/srv/x"
TOP = f"{ABOVE}/t"


def paths(node: Node, at: str) -> list[str]:
    """The paths in *node*, those with a line's end apart: no list can name them."""
    found = [at]
    if isinstance(node, Dir):
        for name, inner in node.inside:
            if "\n" not in name:
                found += paths(inner, f"{at}/{name}")
    return found


@st.composite
def texts(draw: st.DrawFn, tree: Node, types: bool) -> str:
    """The text of a list: of paths of *tree*, mostly."""
    lines = []
    for _number in range(draw(st.integers(0, 6))):
        path = draw(st.sampled_from(paths(tree, TOP)))
        path += draw(st.sampled_from(["", "", "", "/", "/*", "/none", "x", "/..", "//.", " # why"]))
        kind = draw(st.sampled_from(["empty ", "dirs ", "files ", "files ", "files\t", "state ", ""])) if types else ""
        lines.append(kind + path)
    return "\n".join(lines) + draw(st.sampled_from(["\n", ""]))


def brings(entry: Entry, path: str, node: Node) -> bool:
    """Whether a copy for *entry* has *path*, which is *node* in the image."""
    if path == entry.path or beneath(entry.path, path):
        return True
    whole = entry.keep is Keep.EVERYTHING or (entry.keep is Keep.DIRECTORIES and isinstance(node, Dir))
    return beneath(path, entry.path) and whole


def copied(bind: Bind, path: str, node: Node) -> Node | None:
    """What of *node*, which is the image's at *path*, *bind* shows."""
    if not any(brings(entry, path, node) for entry in bind.entries):
        return None
    if not isinstance(node, Dir):
        return node
    return directory({name: copied(bind, f"{path}/{name}", inner) for name, inner in node.inside}, node.mode)


def view(path: str, node: Node, binds: t.Mapping[str, Bind]) -> Node | None:
    """What is seen at *path* when *binds* lie over the image's *node*."""
    if path in binds:
        return copied(binds[path], path, node)
    if not isinstance(node, Dir):
        return node
    return directory({name: view(f"{path}/{name}", inner, binds) for name, inner in node.inside}, node.mode)


@settings(max_examples=60)
@given(data=st.data())
def test_the_mounts_are_what_the_planner_says(data: st.DataObject) -> None:
    tree = data.draw(TREES, label="image")
    rwtab = data.draw(texts(tree, True), label="rwtab")
    statetab = data.draw(texts(tree, False), label="statetab")

    def boot() -> tuple[layout.Layout, Boot, Node | None]:
        root = Root()
        root.make(ABOVE)
        build(root.path + TOP, tree)
        root.write("/etc/rwtab", rwtab)
        root.write("/etc/statetab", statetab)
        plan = layout.layout(Tree(root.path), Dialect.OWN)
        # A disk would do the same; this is made faster.
        mount("-t", "tmpfs", "state", root.path + STATE)
        root.enter()
        return plan, serve(), see(ABOVE)

    plan, done, seen = apart(boot)
    assert sorted(done.binds) == sorted((bind.path, bind.kind) for bind in plan.binds)
    lost = {bind.path: bind for bind in plan.binds if bind.kind == "scratch"}
    # State is a copy of what scratch shows, so that the same is seen with it.
    assert seen == view(ABOVE, Dir((("t", tree),)), lost)
