# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking into a root: no link leads out of it."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._errors import StatelessError
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.tree import Overlay, Tree, beneath, clean

Make = t.Callable[[t.Mapping[str, t.Any]], pathlib.Path]

LINKS: dict[str, str | None] = {
    "etc/passwd": "inside",
    "var/log/": None,
    "absolute": "->/etc/passwd",
    "relative": "->etc/passwd",
    "upwards": "->../../../../../../../../etc/passwd",
    "dangling": "->/nothing/here",
    "dangling-name": "->nothing",
    "loop": "->loop",
    "var/run": "->../run",
    "run/lock/": None,
    "chain": "->absolute",
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/etc/passwd", "/etc/passwd"),
        ("/absolute", "/etc/passwd"),
        ("/relative", "/etc/passwd"),
        ("/upwards", "/etc/passwd"),
        ("/chain", "/etc/passwd"),
        ("/var/run/lock", "/run/lock"),
        ("/var//log/", "/var/log"),
        ("/var/./log", "/var/log"),
        ("/", "/"),
        ("/../../etc/passwd", "/etc/passwd"),
        ("/dangling", None),
        ("/loop", None),
        ("/etc/passwd/x", None),
        ("/nothing", None),
        ("/etc/pass\0wd", None),
    ],
)
def test_resolve(make: Make, path: str, found: str | None) -> None:
    assert Tree(str(make(LINKS))).resolve(path) == found


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/etc/new", "/etc/new"),
        ("/etc/a/b", "/etc/a/b"),
        ("/var/run/new", "/run/new"),
        ("/upwards", "/etc/passwd"),
        ("/etc/passwd/x", None),
        ("/dangling", None),
        ("/dangling-name", None),
        ("/loop", None),
        ("/dangling/x", None),
    ],
)
def test_place(make: Make, path: str, place: str | None) -> None:
    tree = Tree(str(make(LINKS)))
    if place is None:
        with pytest.raises(StatelessError, match="in the way"):
            tree.place(path)
    else:
        assert tree.place(path) == place


def test_read_stays_inside(make: Make) -> None:
    tree = Tree(str(make(LINKS)))
    assert tree.read("/upwards") == "inside"
    assert tree.read("/nothing") is None
    with pytest.raises(IsADirectoryError):
        tree.read("/var/log")


def test_bytes_that_are_no_text(make: Make) -> None:
    root = make({})
    (root / "x").write_bytes(b"a\xff\r\n")
    assert Tree(str(root)).read("/x") == "a\udcff\r\n"


def test_glob_is_that_of_the_shell(make: Make) -> None:
    tree = Tree(str(make({"a/x1": "", "a/x2": "", "a/.x3": "", "b/x1": "", "c": ""})))
    assert tree.glob("/a/x*") == ["/a/x1", "/a/x2"]
    assert tree.glob("/*/x1") == ["/a/x1", "/b/x1"]
    assert tree.glob("/a/.x*") == ["/a/.x3"]
    assert tree.glob("/a/x[^1]") == ["/a/x2"]
    assert tree.glob("/a/y*") == []


def test_overlay_has_what_will_be_written(make: Make) -> None:
    root = str(make({"etc/old": "old", "etc/kept": "kept"}))
    tree = Overlay(root, {"/etc/old": None, "/etc/d/new": "new"}, ["/var/lib/x"])
    assert tree.names("/etc") == ["d", "kept"]
    assert tree.read("/etc/d/new") == "new"
    assert tree.read("/etc/old") is None
    assert tree.read("/etc/kept") == "kept"
    assert tree.is_directory("/var/lib/x")
    assert tree.is_directory("/var")


def test_beneath() -> None:
    assert beneath("/a/b", "/a")
    assert not beneath("/a", "/a")
    assert not beneath("/ab", "/a")
    assert beneath("/a", "/")


def test_clean() -> None:
    assert clean("//a/./b//") == "/a/b"
    assert clean("/") == "/"
