# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/etc/sysconfig/readonly-root and /etc/fstab, read and edited."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._readonly_root import fstab, settings
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.model import Dialect

EL7, EL9, OWN = Dialect.EL7, Dialect.EL9, Dialect.OWN


@pytest.mark.parametrize(
    ("value", "el7", "others"),
    [
        ("yes", True, True),
        ("Yes", False, True),
        ("YES", False, True),
        ("y", False, True),
        ("Y", False, True),
        ("t", False, True),
        ("T", False, True),
        ("true", False, True),
        ("True", False, True),
        ("on", False, True),
        ("ON", False, True),
        ("1", False, True),
        ("'yes'", True, True),
        ('"yes"', True, True),
        ("no", False, False),
        ("0", False, False),
        ("false", False, False),
        ("", False, False),
        ("enabled", False, False),
        ("yes\r", False, False),
    ],
)
def test_every_spelling_of_a_boolean(value: str, el7: bool, others: bool) -> None:
    parsed = settings.parse(f"READONLY={value}\n")
    assert settings.settings(parsed, EL7).enabled is el7
    assert settings.settings(parsed, EL9).enabled is others
    assert settings.settings(parsed, OWN).enabled is others


LINES = [
    "READONLY=yes",
    "READONLY=no",
    "export READONLY=yes",
    "  READONLY=yes  # comment",
    "READONLY=yes#no comment",
    "# READONLY=no",
    "READONLY='yes'",
    'READONLY="y"es',
    "READONLY=y\\es",
    "READONLY = yes",
    "READONLY=yes TEMPORARY_STATE=yes",
    "READONLY=yes; TEMPORARY_STATE=yes",
    "READONLY=no; READONLY=yes",
    "READONLY=yes true",
    "RW_OPTIONS=-o size=1g",
    "RW_OPTIONS='-o size=1g'",
    'RW_OPTIONS="-o size=1g"',
    "RW_OPTIONS=-o\\ size=1g",
    "RW_OPTIONS='it'\\''s'",
    'RW_OPTIONS="a\\"b\\x"',
    'RW_OPTIONS="a\'b"',
    "RW_MOUNT=/x",
    "RW_LABEL=",
]


@pytest.mark.parametrize("line", LINES)
def test_reads_as_the_shell_does(line: str) -> None:
    """The shell itself is asked."""
    keys = ["READONLY", "TEMPORARY_STATE", "RW_OPTIONS", "RW_MOUNT", "RW_LABEL"]
    script = "READONLY=no\n" + line + "\n"
    show = "\n".join(f"printf '%s\\n' \"${key}\"" for key in keys)
    done = subprocess.run(["sh", "-c", f"{script}{show}"], capture_output=True, text=True, check=True, env={})
    parsed = settings.parse(script)
    found = [last.value if (last := parsed.last(key)) else "" for key in keys]
    assert found == done.stdout.split("\n")[:-1]


@pytest.mark.parametrize("line", ["READONLY = yes", "echo x", "READONLY=yes &", "X='open", "if true; then"])
def test_what_is_no_assignment_is_told(line: str) -> None:
    assert settings.parse(f"A=1\n{line}\n").other == ((2, line),)


def test_expansions_are_told() -> None:
    assert settings.parse("X=$HOME").assignments[0].expands
    assert settings.parse('X="`id`"').assignments[0].expands
    assert not settings.parse("X='$HOME'").assignments[0].expands


def test_defaults_of_no_file() -> None:
    found = settings.settings(settings.parse(""), OWN)
    assert (found.enabled, found.rw_label, found.state_label) == (False, "stateless-rw", "stateless-state")
    assert settings.settings(settings.parse("RW_MOUNT=\nSTATE_MOUNT=/x//y/\n"), OWN).rw_mount == found.rw_mount
    assert settings.settings(settings.parse("STATE_MOUNT=/x//y/\n"), OWN).state_mount == "/x/y"


@pytest.mark.parametrize(
    ("arguments", "enabled", "temporary"),
    [
        ("ro quiet", False, True),
        ("ro readonlyroot", True, True),
        ("noreadonlyroot", False, True),
        ("readonlyroot noreadonlyroot", False, True),
        ("xreadonlyrooty", True, True),
    ],
)
def test_kernel_arguments(arguments: str, enabled: bool, temporary: bool) -> None:
    found = settings.settings(settings.parse("READONLY=no\nTEMPORARY_STATE=yes"), OWN, arguments)
    assert (found.enabled, found.temporary_state) == (enabled, temporary)


@pytest.mark.parametrize(
    ("before", "changes", "after"),
    [
        ("", {"A": "1"}, "A=1\n"),
        ("# c\nA=1\nB=2\n", {"A": "2"}, "# c\nA=2\nB=2\n"),
        ("A=1\n\nB=2", {"A": "x y"}, "A='x y'\n\nB=2\n"),
        ("A=1\nA=2\n", {"A": "3"}, "A=3\n"),
        ("A=1; B=2\n", {"A": "3"}, "A=1; B=2\nA=3\n"),
        ("A='1' # why\n", {"A": "1"}, "A='1' # why\n"),
        ("A=$B\n", {"A": "$B"}, "A='$B'\n"),
        ("FOREIGN=x\nfoo bar\n", {"A": "it's"}, "FOREIGN=x\nfoo bar\nA='it'\\''s'\n"),
    ],
)
def test_edit_keeps_everything_else(before: str, changes: dict[str, str], after: str) -> None:
    assert settings.edit(before, changes) == after
    assert settings.edit(after, changes) == after


FSTAB = "# mine\nUUID=a\t/ ext4  {}   0 1\n/dev/sdb1 /home ext4 defaults 0 2\n"


@pytest.mark.parametrize(
    ("options", "read_only"),
    [
        ("defaults", "defaults,ro"),
        ("rw", "ro"),
        ("rw,relatime", "ro,relatime"),
        ("noatime", "noatime,ro"),
        ("rw,defaults", "defaults,ro"),
        ("ro,rw", "ro"),
    ],
)
def test_root_read_only_and_back(options: str, read_only: str) -> None:
    before = FSTAB.format(options)
    after = fstab.with_root_read_only(before)
    assert f"UUID=a\t/ ext4  {read_only}   0 1\n" in after
    assert fstab.with_root_read_only(after) == after
    assert all(map(fstab.is_read_only, fstab.of(after, "/")))
    assert fstab.with_root_writable(after) == before


def test_root_of_no_line_and_back() -> None:
    after = fstab.with_root_read_only("# UNCONFIGURED\n")
    assert fstab.is_read_only(fstab.of(after, "/")[0])
    assert fstab.with_root_writable(after) == "# UNCONFIGURED\n"
    assert fstab.with_root_writable(fstab.with_root_read_only("")) == ""


def test_root_that_was_read_only_becomes_writable() -> None:
    assert fstab.with_root_writable(FSTAB.format("ro,noatime")) == FSTAB.format("noatime")
    assert fstab.with_root_writable(FSTAB.format("ro")) == FSTAB.format("rw")
    assert fstab.with_root_writable(FSTAB.format("rw")) == FSTAB.format("rw")


def test_what_somebody_changed_meanwhile_stays() -> None:
    changed = fstab.with_root_read_only(FSTAB.format("rw")).replace("UUID=a\t/ ext4  ro", "UUID=b / xfs ro,noatime")
    assert fstab.with_root_writable(changed) == FSTAB.format("rw").replace("UUID=a\t/ ext4  rw", "UUID=b / xfs noatime")


def test_short_lines_and_escapes() -> None:
    assert fstab.with_root_read_only("/dev/x /\n").splitlines()[1] == "/dev/x / auto defaults,ro"
    assert fstab.with_root_read_only("/dev/x / ext4\n").splitlines()[1] == "/dev/x / ext4 defaults,ro"
    assert fstab.of("/dev/x /a\\040b/ ext4 rw\n", "/a b")[0].source == "/dev/x"
    assert fstab.parse("word\n#x y\n\n") == []


def test_our_own_entries() -> None:
    one = fstab.with_mount("/dev/x / ext4 rw 0 0\n", "/s", "LABEL=a", "ext4", "noauto")
    assert fstab.of(one, "/s")[0].ours
    two = fstab.with_mount(one, "/s", "LABEL=b", "xfs", "noauto")
    assert [mount.source for mount in fstab.of(two, "/s")] == ["LABEL=b"]
    assert fstab.without_mount(two, "/s") == "/dev/x / ext4 rw 0 0\n"
    theirs = "/dev/y /s ext4 rw 0 0\n"
    assert fstab.without_mount(theirs, "/s") == theirs
