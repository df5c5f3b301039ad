# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and what they come to: for the planner and for the service alike."""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True)
class Case:
    """Lists in an image, and the mounts that result.

    :ivar image: what it has: a directory (None), a link (``-> TARGET``) or a file with that text.
    :ivar rwtab: the text of ``/etc/rwtab.d/test``; *statetab* of ``/etc/statetab.d/test``.
    :ivar files: more files.
    :ivar state: what the filesystem of the state has beforehand; it is there if this is not None.
    :ivar scratch, kept: the paths that are bound.
    """

    name: str
    image: t.Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    rwtab: str = ""
    statetab: str = ""
    files: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    state: t.Mapping[str, str | None] | None = None
    scratch: t.Sequence[str] = ()
    kept: t.Sequence[str] = ()

    def __str__(self) -> str:
        return self.name


TREE: dict[str, str | None] = {
    "/srv/a/sub/file": "x",
    "/srv/a/other": "y",
    "/srv/a.b/file": "z",
    "/srv/aXb/file": "z",
    "/srv/two words/file": "z",
    "/srv/file": "text",
}

CASES = [
    Case("nothing listed", TREE),
    Case(
        "each type", TREE, "empty /srv/a\ndirs /srv/a.b\nfiles /srv/aXb\n", scratch=["/srv/a", "/srv/a.b", "/srv/aXb"]
    ),
    Case(
        "each type of a regular file",
        TREE,
        "empty /srv/file\nfiles /srv/a/other\n",
        scratch=["/srv/a/other", "/srv/file"],
    ),
    Case("another type", TREE, "state /srv/a\nEMPTY /srv/a.b\nfiles /srv/file\n", scratch=["/srv/file"]),
    Case("a type alone", TREE, "files\nempty \nfiles /srv/file\n", scratch=["/srv/file"]),
    Case("comments and empty lines", TREE, "# files /srv/a\n\n  \n#\nfiles /srv/file\n", scratch=["/srv/file"]),
    Case("spaces and tabs around", TREE, "  files\t /srv/file \t\n", scratch=["/srv/file"]),
    Case("a last line without its newline", TREE, "files /srv/file\nempty /srv/a", scratch=["/srv/a", "/srv/file"]),
    Case("lines that end as on DOS", TREE, "files /srv/file\r\n", scratch=["/srv/file"]),
    Case("a name with a space", TREE, "files /srv/two words\n", scratch=["/srv/two words"]),
    Case("words after a path", TREE, "files /srv/file as it was\n", scratch=["/srv/file"]),
    Case("a pattern", TREE, "files /srv/a?b\n", scratch=["/srv/a.b", "/srv/aXb"]),
    Case("a pattern that matches nothing", TREE, "files /srv/*.nothing\nfiles /srv/file\n", scratch=["/srv/file"]),
    Case("twice the same", TREE, "files /srv/a\nfiles /srv/a\n", scratch=["/srv/a"]),
    Case("twice, spelled otherwise", TREE, "files /srv/a/\nfiles //srv/./a\n", scratch=["/srv/a"]),
    Case("nested, outer first", TREE, "empty /srv/a\nfiles /srv/a/sub\n", scratch=["/srv/a"]),
    Case("nested, inner first", TREE, "files /srv/a/sub\nempty /srv/a\n", scratch=["/srv/a"]),
    Case("a dot is no pattern", TREE, "files /srv/a.b\nfiles /srv/aXb/file\n", scratch=["/srv/a.b", "/srv/aXb/file"]),
    Case("a name that begins like another", TREE, "files /srv/a\nfiles /srv/a.b\n", scratch=["/srv/a", "/srv/a.b"]),
    Case(
        "a plus in a name",
        {"/srv/c++/x": "", "/srv/c++2/x": ""},
        "empty /srv/c++\nempty /srv/c++2\n",
        scratch=["/srv/c++", "/srv/c++2"],
    ),
    Case("not in the image", TREE, "files /srv/none\nfiles /srv/file\n", scratch=["/srv/file"]),
    Case("not absolute", TREE, "files srv/a\nfiles /srv/file\n", scratch=["/srv/file"]),
    Case("upwards", TREE, "files /srv/a/../a.b\nfiles /srv/file\n", scratch=["/srv/file"]),
    Case("the root", TREE, "empty /\nfiles /srv/file\n", scratch=["/srv/file"]),
    Case("what holds scratch", TREE, "dirs /var/lib\nfiles /srv/file\n", scratch=["/srv/file", "/var/lib"]),
    Case("a link to a directory", {**TREE, "/srv/link": "-> a"}, "files /srv/link\n", scratch=["/srv/a"]),
    Case("a link to a file", {**TREE, "/srv/link": "-> /srv/file"}, "files /srv/link\n", scratch=["/srv/file"]),
    Case("a link on the way", {**TREE, "/srv/link": "-> a"}, "files /srv/link/sub\n", scratch=["/srv/a/sub"]),
    Case(
        "a link to nothing",
        {**TREE, "/srv/link": "-> /nowhere"},
        "files /srv/link\nfiles /srv/file\n",
        scratch=["/srv/file"],
    ),
    Case("a link round", {**TREE, "/srv/link": "-> link"}, "files /srv/link\nfiles /srv/file\n", scratch=["/srv/file"]),
    Case(
        "a link and what it leads to",
        {**TREE, "/srv/link": "-> a"},
        "empty /srv/link\nfiles /srv/a\n",
        scratch=["/srv/a"],
    ),
    Case(
        "a name of other bytes", {"/srv/\udcff\udcfe/x": ""}, "files /srv/\udcff\udcfe\n", scratch=["/srv/\udcff\udcfe"]
    ),
    Case("a name of Unicode", {"/srv/übung/x": ""}, "files /srv/übung\n", scratch=["/srv/übung"]),
    Case("a NUL", TREE, "files /srv/a\0b\nfiles /srv/file\n", scratch=["/srv/file"]),
    Case(
        "no list but its directory", TREE, "files /srv/file\n", files={"/etc/rwtab.d/dir/x": ""}, scratch=["/srv/file"]
    ),
    Case(
        "the lists in order, and those that do not count",
        TREE,
        "files /srv/file\n",
        files={
            "/etc/rwtab": "files /srv/a\n",
            "/etc/rwtab.d/x.rpmsave": "files /srv/a.b\n",
            "/etc/rwtab.d/x~": "files /srv/a.b\n",
            "/etc/rwtab.d/x.bak": "files /srv/a.b\n",
            "/etc/rwtab.d/x.dpkg-old": "files /srv/a.b\n",
            "/run/initramfs/rwtab": "files /srv/aXb\n",
        },
        scratch=["/srv/a", "/srv/aXb", "/srv/file"],
    ),
    Case("switched off", TREE, "files /srv/file\n", files={"/etc/sysconfig/readonly-root": "READONLY=no\n"}),
    Case(
        "temporary state alone",
        TREE,
        "files /srv/file\n",
        files={"/etc/sysconfig/readonly-root": "TEMPORARY_STATE=yes\n"},
        scratch=["/srv/file"],
    ),
    Case("state without a disk", TREE, "files /srv/file\n", "/srv/a\n", scratch=["/srv/file"]),
    Case(
        "state",
        TREE,
        "",
        "/srv/a\n/srv/two words\n/srv/file\n",
        state={},
        kept=["/srv/a", "/srv/file", "/srv/two words"],
    ),
    Case("state, no newline, comment", TREE, "", "#/srv/a.b\n/srv/a", state={}, kept=["/srv/a"]),
    Case("state as a pattern", TREE, "", "/srv/a?b\n", state={}, kept=["/srv/a.b", "/srv/aXb"]),
    Case("state, nested", TREE, "", "/srv/a/sub\n/srv/a\n/srv/a\n", state={}, kept=["/srv/a"]),
    Case(
        "state over scratch", TREE, "files /srv/a\n", "/srv/a/sub\n", state={}, scratch=["/srv/a"], kept=["/srv/a/sub"]
    ),
    Case("both lists", TREE, "files /srv/a\n", "/srv/a\n", state={}, scratch=["/srv/a"], kept=["/srv/a"]),
    Case("state that scratch swallowed", TREE, "empty /srv/a\n", "/srv/a/sub\n", state={}, scratch=["/srv/a"]),
    Case(
        "state of a directory that scratch kept",
        TREE,
        "dirs /srv/a\n",
        "/srv/a/sub\n/srv/a/other\n",
        state={},
        scratch=["/srv/a"],
        kept=["/srv/a/sub"],
    ),
    Case(
        "scratch beneath state",
        TREE,
        "files /srv/a/sub\n",
        "/srv/a\n",
        state={},
        scratch=["/srv/a/sub"],
        kept=["/srv/a"],
    ),
    Case("what holds the state", TREE, "dirs /var/lib\n", "/srv/a\n", state={}, scratch=["/var/lib"], kept=["/srv/a"]),
    Case(
        "state that holds the state",
        TREE,
        "empty /var/lib\n",
        "/var/lib\n/srv/a\n",
        state={},
        scratch=["/var/lib"],
        kept=["/srv/a", "/var/lib"],
    ),
    Case("state by a link", {**TREE, "/srv/link": "-> a"}, "", "/srv/link/sub\n/srv/link\n", state={}, kept=["/srv/a"]),
    Case("lists of the state", TREE, "", "/srv/a\n", state={"/etc/statetab.d/test": "/srv/a.b\n"}, kept=["/srv/a.b"]),
    Case(
        "a list only the state has", TREE, "", "/srv/a\n", state={"/etc/statetab.d/more": "/srv/a.b\n"}, kept=["/srv/a"]
    ),
    Case(
        "files in the state",
        TREE,
        "",
        "/srv/a\n",
        state={"/files": "/srv/a.b\n/srv/none\n"},
        kept=["/srv/a", "/srv/a.b"],
    ),
]

#: Spellings of a boolean, and whether our service takes it for true.
BOOLEANS = {
    **dict.fromkeys(
        ["yes", "YES", "Yes", "y", "Y", "t", "T", "true", "TRUE", "on", "On", "1", "'yes'", '"true"'], True
    ),
    **dict.fromkeys(["no", "NO", "n", "f", "false", "off", "0", "", "''", "2", "enabled", "yes please", "ye"], False),
}
