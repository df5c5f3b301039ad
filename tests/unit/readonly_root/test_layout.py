# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and what they come to: lists of every kind, for every reader."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._readonly_root import lists
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.layout import layout
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.model import Dialect, Layout
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.tree import Tree

Make = t.Callable[[t.Mapping[str, t.Any]], pathlib.Path]

EL7, EL9, OWN = Dialect.EL7, Dialect.EL9, Dialect.OWN
ALL = (EL7, EL9, OWN)
EL = (EL7, EL9)

#: The image that all tables are about. The mounts are beside what the tables bind.
IMAGE: dict[str, str | None] = {
    "etc/sysconfig/readonly-root": "READONLY=yes\nRW_MOUNT=/mnt/rw\nSTATE_MOUNT=/mnt/state\n",
    "mnt/rw/": None,
    "mnt/state/": None,
    "etc/machine-id": "",
    "var/lib/ntp/drift": "1",
    "var/lib/ntp/sub/": None,
    "var/lib/dhcp/leases": "",
    "var/log/journal/": None,
    "var/log/syslog": "",
    "var/log+/x": "",
    "var/a.b/": None,
    "var/aXb/c/": None,
    "var/my dir/file": "",
    "var/my": "",
    "var/[odd]/x": "",
    "var/spool/one/": None,
    "var/spool/two/": None,
    "var/run": "->../run",
    "run/app/": None,
    "srv/link": "->/var/lib/ntp",
    "srv/nowhere": "->/not/there",
    "srv/out": "->../../../../../../../../../var/log",
    "proc/sys/": None,
    "dev/shm/": None,
}


@dataclasses.dataclass(frozen=True)
class Case:
    """*rwtab* and *statetab* in files of that name; the binds as ``KIND PATH [KEEP PATH]...``; codes of findings."""

    name: str
    rwtab: str
    binds: tuple[str, ...]
    codes: frozenset[str] = frozenset()
    statetab: str = ""
    dialects: tuple[Dialect, ...] = ALL


def case(
    name: str, rwtab: str, binds: str, codes: str = "", statetab: str = "", dialects: tuple[Dialect, ...] = ALL
) -> Case:
    found = tuple(" ".join(line.split()) for line in binds.strip().split("\n") if line.strip())
    return Case(name, rwtab, found, frozenset(codes.split()), statetab, dialects)


def shown(plan: Layout) -> tuple[str, ...]:
    found = []
    for bind in plan.binds:
        copied = [f"{entry.keep.value if entry.keep else 'copy'} {entry.path}" for entry in bind.entries]
        found.append(" ".join([bind.kind, bind.path, *copied]))
        mount = plan.settings.rw_mount if bind.kind == "scratch" else plan.settings.state_mount
        assert bind.source == mount + bind.path
    return tuple(found)


CASES = [
    case("nothing", "", ""),
    case("comments", "# empty /var/log\n\n  # dirs /var/log\n", "", statetab="# /var/log\n\n"),
    case("empty", "empty /var/log\n", "scratch /var/log empty /var/log"),
    case("dirs", "dirs /var/log\n", "scratch /var/log dirs /var/log"),
    case("files", "files /var/log\n", "scratch /var/log files /var/log"),
    case("a file", "empty /etc/machine-id\n", "scratch /etc/machine-id empty /etc/machine-id"),
    case("spaces between and after", "  empty\t /var/log \t\n", "scratch /var/log empty /var/log"),
    case("a comment behind", "empty /var/log # for syslog\n", "scratch /var/log empty /var/log"),
    case("slashes", "empty /var//log/\n", "scratch /var/log empty /var/log"),
    case(
        "in order",
        "empty /var/log\nempty /etc/machine-id\n",
        "scratch /var/log empty /var/log\nscratch /etc/machine-id empty /etc/machine-id",
    ),
    case("unknown type", "tmpfs /var/log\n", "", "type"),
    case("openSUSE", "state /var/log\n", "", "type"),
    case("wrong case", "Empty /var/log\n", "", "type"),
    case("no path", "empty\n", "", "no-path"),
    case("missing", "empty /not/there\n", "", "missing", "/not/there\n"),
    case("relative", "empty var/log\n", "", "relative", "var/log\n"),
    case("dotdot", "empty /var/lib/../log\n", "", "dotdot", "/var/lib/../log\n"),
    case("out of the root", "files /../../etc/passwd\n", "", "dotdot"),
    case("NUL", "empty /var/log\0\n", "", "control", "/var/l\0og\n"),
    case("control character", "empty /var/\x1blog\n", "", "control"),
    case("the root", "files /\n", "", "root", "//\n"),
    case("no newline, ours", "empty /var/log", "scratch /var/log empty /var/log", "no-newline", dialects=(OWN,)),
    case(
        "no newline, upstream",
        "empty /etc/machine-id\nempty /var/log",
        "scratch /etc/machine-id empty /etc/machine-id",
        "no-newline",
        dialects=EL,
    ),
    case("no newline in statetab", "", "state /var/log copy /var/log", statetab="/var/log"),
    case(
        "carriage return, ours",
        "empty /var/log\r\n\r\n",
        "scratch /var/log empty /var/log",
        "carriage-return",
        dialects=(OWN,),
    ),
    case("carriage return, upstream", "empty /var/log\r\n", "", "carriage-return", "/var/log\r\n", dialects=EL),
    case("space, ours", "files /var/my dir\n", "scratch /var/my dir files /var/my dir", "space", dialects=(OWN,)),
    case("space, upstream", "files /var/my dir\n", "scratch /var/my files /var/my", "space", dialects=EL),
    case("more words, ours", "files /var/log /var/lib\n", "scratch /var/log files /var/log", "space", dialects=(OWN,)),
    case("space in statetab", "", "state /var/my dir copy /var/my dir", statetab="/var/my dir\n", dialects=(EL9, OWN)),
    case(
        "space in statetab, EL7", "", "state /var/my copy /var/my", "space relative", "/var/my dir\n", dialects=(EL7,)
    ),
    case(
        "two words in statetab, EL7",
        "",
        "state /var/log copy /var/log\nstate /var/my copy /var/my",
        "space",
        "/var/log /var/my\n",
        dialects=(EL7,),
    ),
    case(
        "two words in statetab, ours",
        "",
        "state /var/log copy /var/log\nstate /var/my copy /var/my",
        "space",
        "/var/log /var/my\n",
        dialects=(OWN,),
    ),
    case("two words in statetab, EL9", "", "", "missing", "/var/log /var/my\n", dialects=(EL9,)),
    case("indented comment in statetab", "", "", "comment", "  # words\n"),
    case(
        "glob, ours",
        "empty /var/spool/*\n",
        "scratch /var/spool/one empty /var/spool/one\nscratch /var/spool/two empty /var/spool/two",
        "pattern",
        dialects=(OWN,),
    ),
    case(
        "glob, upstream", "empty /var/spool/*\n", "scratch /var/spool/one empty /var/spool/one", "pattern", dialects=EL
    ),
    case("glob of one", "empty /var/spool/o*\n", "scratch /var/spool/one empty /var/spool/one", "pattern"),
    case("glob of none", "empty /var/spool/z*\n", "", "missing"),
    case("a name like a glob, ours", "empty /var/[odd]\n", "scratch /var/[odd] empty /var/[odd]", dialects=(OWN,)),
    case("glob in statetab, EL9", "", "", "pattern missing", "/var/spool/*\n", dialects=(EL9,)),
    case(
        "glob in statetab",
        "",
        "state /var/spool/one copy /var/spool/one\nstate /var/spool/two copy /var/spool/two",
        "pattern",
        "/var/spool/*\n",
        dialects=(EL7, OWN),
    ),
    case("backslash, EL7", "empty /var/lo\\g\n", "scratch /var/log empty /var/log", "backslash", dialects=(EL7,)),
    case("backslash, others", "empty /var/lo\\g\n", "", "missing", dialects=(EL9, OWN)),
    case(
        "nested", "empty /var/lib\nfiles /var/lib/ntp\n", "scratch /var/lib empty /var/lib files /var/lib/ntp", "nested"
    ),
    case(
        "nested, inner first",
        "files /var/lib/ntp\nempty /var/lib\n",
        "scratch /var/lib files /var/lib/ntp empty /var/lib",
        "nested",
    ),
    case(
        "nested, more above",
        "files /var/lib\nempty /var/lib/ntp\n",
        "scratch /var/lib files /var/lib empty /var/lib/ntp",
        "swallowed",
    ),
    case(
        "nested, three",
        "empty /var\ndirs /var/lib\nfiles /var/lib/ntp\n",
        "scratch /var empty /var dirs /var/lib files /var/lib/ntp",
        "nested",
    ),
    case(
        "beside, not beneath",
        "empty /var/log\nfiles /var/log+\n",
        "scratch /var/log empty /var/log\nscratch /var/log+ files /var/log+",
    ),
    case(
        "duplicate", "empty /var/log\nempty /var/log\n", "scratch /var/log empty /var/log empty /var/log", "duplicate"
    ),
    case(
        "duplicate of another kind",
        "empty /var/log\nfiles /var/log/\n",
        "scratch /var/log empty /var/log files /var/log",
        "duplicate",
    ),
    case("duplicate in statetab", "", "state /var/log copy /var/log", "duplicate", "/var/log\n/var/log/\n"),
    case(
        "dot as an expression",
        "empty /var/a.b\nempty /var/aXb/c\n",
        "scratch /var/a.b empty /var/a.b",
        "regex",
        dialects=EL,
    ),
    case(
        "dot is a dot",
        "empty /var/a.b\nempty /var/aXb/c\n",
        "scratch /var/a.b empty /var/a.b\nscratch /var/aXb/c empty /var/aXb/c",
        dialects=(OWN,),
    ),
    case(
        "plus as an expression",
        "empty /var/log+\nfiles /var/log+/x\n",
        "scratch /var/log+ empty /var/log+ files /var/log+/x\nscratch /var/log+/x empty /var/log+ files /var/log+/x",
        "regex",
        dialects=EL,
    ),
    case(
        "plus is a plus",
        "empty /var/log+\nfiles /var/log+/x\n",
        "scratch /var/log+ empty /var/log+ files /var/log+/x",
        "nested",
        dialects=(OWN,),
    ),
    case("link, ours", "files /srv/link\n", "scratch /var/lib/ntp files /var/lib/ntp", "symlink", dialects=(OWN,)),
    case("link, upstream", "files /srv/link\n", "", "symlink", "/srv/link\n", dialects=EL),
    case("link that leads out", "files /srv/out\n", "scratch /var/log files /var/log", "symlink", dialects=(OWN,)),
    case("link to nothing", "files /srv/nowhere\n", "", "dangling", "/srv/nowhere\n"),
    case(
        "link on the way", "files /srv/link/sub\n", "scratch /var/lib/ntp/sub files /var/lib/ntp/sub", "symlink-parent"
    ),
    case(
        "twice by a link, ours",
        "files /srv/link\nempty /var/lib/ntp\n",
        "scratch /var/lib/ntp files /var/lib/ntp empty /var/lib/ntp",
        "symlink duplicate",
        dialects=(OWN,),
    ),
    case(
        "link in statetab, ours", "", "state /var/lib/ntp copy /var/lib/ntp", "symlink", "/srv/link\n", dialects=(OWN,)
    ),
    case("writable anyhow", "empty /run/app\n", "scratch /run/app empty /run/app", "writable"),
    case("shared memory", "empty /dev/shm\n", "scratch /dev/shm empty /dev/shm", "writable"),
    case("the kernel's", "files /proc/sys\n", "", "system", "/proc/sys\n"),
    case("the scratch itself", "empty /mnt/rw\n", "", "inside", "/mnt/state\n"),
    case(
        "over the scratch, ours",
        "empty /mnt\nempty /var/log\n",
        "scratch /mnt empty /mnt\nscratch /var/log empty /var/log",
        "covers",
        dialects=(OWN,),
    ),
    case(
        "over the scratch, upstream",
        "empty /var/log\nempty /mnt\nempty /etc/machine-id\n",
        "scratch /var/log empty /var/log\nscratch /mnt empty /mnt",
        "covers covered",
        dialects=EL,
    ),
    case(
        "state over the state, upstream", "", "state /mnt copy /mnt", "covers covered", "/mnt\n/var/log\n", dialects=EL
    ),
    case("state", "", "state /etc/machine-id copy /etc/machine-id", "", "/etc/machine-id\n"),
    case(
        "state over scratch",
        "files /etc/machine-id\n",
        "scratch /etc/machine-id files /etc/machine-id\nstate /etc/machine-id copy /etc/machine-id",
        "",
        "/etc/machine-id\n",
    ),
    case(
        "state in scratch, not there any more",
        "empty /var/lib\n",
        "scratch /var/lib empty /var/lib",
        "swallowed",
        "/var/lib/ntp\n",
    ),
    case(
        "state in scratch, kept",
        "files /var/lib\n",
        "scratch /var/lib files /var/lib\nstate /var/lib/ntp copy /var/lib/ntp",
        "",
        "/var/lib/ntp\n",
    ),
    case(
        "state in scratch, a directory kept",
        "dirs /var/lib\n",
        "scratch /var/lib dirs /var/lib\nstate /var/lib/ntp copy /var/lib/ntp",
        "",
        "/var/lib/ntp\n",
    ),
    case(
        "state in scratch, a file not kept",
        "dirs /var/lib\n",
        "scratch /var/lib dirs /var/lib",
        "swallowed",
        "/var/lib/ntp/drift\n",
    ),
    case(
        "state in scratch, by another entry",
        "empty /var/lib\nfiles /var/lib/ntp\n",
        "scratch /var/lib empty /var/lib files /var/lib/ntp\nstate /var/lib/ntp/drift copy /var/lib/ntp/drift",
        "nested",
        "/var/lib/ntp/drift\n",
    ),
    case(
        "scratch beneath state",
        "empty /var/log/journal\n",
        "scratch /var/log/journal empty /var/log/journal\nstate /var/log copy /var/log",
        "hidden",
        "/var/log\n",
    ),
    case(
        "nested state, ours", "", "state /var/lib copy /var/lib", "nested", "/var/lib/ntp\n/var/lib\n", dialects=(OWN,)
    ),
    case(
        "nested state, outer first",
        "",
        "state /var/lib copy /var/lib\nstate /var/lib/ntp copy /var/lib/ntp",
        "nested",
        "/var/lib\n/var/lib/ntp\n",
        dialects=EL,
    ),
    case(
        "nested state, inner first",
        "",
        "state /var/lib/ntp copy /var/lib/ntp\nstate /var/lib copy /var/lib",
        "nested order",
        "/var/lib/ntp\n/var/lib\n",
        dialects=EL,
    ),
    case(
        "glob of what scratch left",
        "empty /var/spool\nempty /var/spool/two\n",
        "scratch /var/spool empty /var/spool empty /var/spool/two\nstate /var/spool/two copy /var/spool/two",
        "pattern nested",
        "/var/spool/*\n",
        dialects=(OWN,),
    ),
    case("not UTF-8", "empty /var/\udcff\n", "", "missing"),
]

TABLE = [pytest.param(one, dialect, id=f"{one.name}-{dialect.value}") for one in CASES for dialect in one.dialects]


@pytest.mark.parametrize(("one", "dialect"), TABLE)
def test_table(make: Make, one: Case, dialect: Dialect) -> None:
    root = make({**IMAGE, "etc/rwtab": one.rwtab, "etc/statetab": one.statetab})
    plan = layout(Tree(str(root)), dialect)
    assert shown(plan) == one.binds
    assert {finding.code for finding in plan.findings} == one.codes
    for finding in plan.findings:
        assert finding.file in ("/etc/rwtab", "/etc/statetab")
        assert finding.line > 0
        assert finding.entry
        assert finding.reason.endswith((".", ")"))
        assert finding.remedy.endswith((".", ")"))


def test_every_entry_that_comes_to_nothing_has_a_finding(make: Make) -> None:
    for dialect in ALL:
        for one in CASES:
            root = make({**IMAGE, "etc/rwtab": one.rwtab, "etc/statetab": one.statetab})
            plan = layout(Tree(str(root)), dialect)
            told = {(finding.file, finding.line) for finding in plan.findings}
            assert {(entry.file, entry.line) for entry in plan.ignored} <= told, (one.name, dialect)


@pytest.mark.parametrize("suffix", lists.IGNORED_SUFFIXES)
@pytest.mark.parametrize("dialect", ALL)
def test_which_files_count(make: Make, suffix: str, dialect: Dialect) -> None:
    root = make(
        {
            **IMAGE,
            "etc/rwtab": "empty /var/spool/one\n",
            "etc/rwtab.d/b": "empty /var/spool/two\n",
            "etc/rwtab.d/a": "empty /var/log\n",
            "etc/rwtab.d/.hidden": "empty /etc/machine-id\n",
            f"etc/rwtab.d/c{suffix}": "empty /var/lib\n",
            "run/initramfs/rwtab": "empty /var/lib/ntp\n",
        }
    )
    plan = layout(Tree(str(root)), dialect)
    assert [bind.path for bind in plan.binds] == ["/var/spool/one", "/var/log", "/var/spool/two", "/var/lib/ntp"]
    assert [finding.code for finding in plan.findings] == ["skipped"]


def test_lists_of_the_package_manager_are_ours_to_skip(make: Make) -> None:
    root = make({**IMAGE, "etc/rwtab.d/c.dpkg-old": "empty /var/lib\n", "etc/rwtab.d/a b": "empty /var/log\n"})
    assert [bind.path for bind in layout(Tree(str(root)), OWN).binds] == ["/var/log"]
    upstream = layout(Tree(str(root)), EL9)
    assert [bind.path for bind in upstream.binds] == ["/var/lib"]
    assert [finding.code for finding in upstream.findings] == ["list-name"]


def test_lists_that_are_no_files(make: Make) -> None:
    root = make({**IMAGE, "etc/rwtab.d/d/": None, "etc/statetab/": None, "etc/statetab.d/x": "->nowhere"})
    plan = layout(Tree(str(root)), OWN)
    assert [(finding.code, finding.file) for finding in plan.findings] == [
        ("not-a-file", "/etc/rwtab.d/d"),
        ("not-a-file", "/etc/statetab"),
        ("not-a-file", "/etc/statetab.d/x"),
    ]


def test_a_list_that_cannot_be_read(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make({**IMAGE, "etc/rwtab": "empty /var/log\n", "etc/rwtab.d/x": "empty /var/spool\n"})
    read = Tree.read

    def broken(self: Tree, path: str) -> str | None:
        if path == "/etc/rwtab.d/x":
            raise OSError(5, "Input/output error", path)
        return read(self, path)

    monkeypatch.setattr(Tree, "read", broken)
    plan = layout(Tree(str(root)), OWN)
    assert [bind.path for bind in plan.binds] == ["/var/log"]
    assert [(finding.code, finding.file) for finding in plan.findings] == [("unreadable", "/etc/rwtab.d/x")]


def test_lists_in_the_state_replace_those_of_the_image(make: Make, tmp_path: pathlib.Path) -> None:
    root = make({**IMAGE, "etc/statetab": "/var/log\n", "etc/statetab.d/x": "/var/lib/ntp\n"})
    state = tmp_path / "state"
    (state / "etc/statetab.d").mkdir(parents=True)
    (state / "etc/statetab").write_text("/etc/machine-id\n")
    (state / "etc/statetab.d/unknown").write_text("/var/my\n")
    (state / "files").write_text("/var/spool/one\n")
    plan = layout(Tree(str(root)), OWN, state_root=str(state))
    assert [bind.path for bind in plan.binds] == ["/etc/machine-id", "/var/lib/ntp", "/var/spool/one"]
    assert {(finding.code, finding.file) for finding in plan.findings} == {
        ("override", "/etc/statetab"),
        ("state-list", f"{state}/etc/statetab.d/unknown"),
    }
    assert [bind.path for bind in layout(Tree(str(root)), OWN).binds] == ["/var/log", "/var/lib/ntp"]


def test_statetab_that_scratch_takes_away(make: Make) -> None:
    root = make({**IMAGE, "etc/rwtab": "empty /etc/statetab.d\n", "etc/statetab.d/x": "/var/lib/ntp\n"})
    plan = layout(Tree(str(root)), OWN)
    assert [bind.kind for bind in plan.binds] == ["scratch"]
    assert [(finding.code, finding.file) for finding in plan.findings] == [("swallowed", "/etc/statetab.d/x")]


def test_lists_of_a_root_without_settings_come_to_nothing(make: Make) -> None:
    root = make({**IMAGE, "etc/sysconfig/readonly-root": "READONLY=no\n", "etc/rwtab": "empty /var/log\nx y\n"})
    plan = layout(Tree(str(root)), OWN)
    assert plan.binds == ()
    assert [finding.code for finding in plan.findings] == ["type"]
    root = make({"etc/sysconfig/readonly-root": "READONLY=no\nTEMPORARY_STATE=yes\n"})
    assert [bind.path for bind in layout(Tree(str(root)), OWN).binds] == ["/var/log"]


def test_mounts_by_a_link(make: Make) -> None:
    settings = "READONLY=yes\nRW_MOUNT=/srv/by-link/rw\nSTATE_MOUNT=/mnt/state\n"
    root = make(
        {
            **IMAGE,
            "srv/by-link": "->/mnt",
            "etc/sysconfig/readonly-root": settings,
            "etc/rwtab": "empty /mnt\nempty /var/log\nempty /mnt/rw\n",
        }
    )
    plan = layout(Tree(str(root)), EL9)
    assert [bind.path for bind in plan.binds] == ["/mnt"]
    assert {finding.code for finding in plan.findings} == {"covers", "covered", "inside"}
