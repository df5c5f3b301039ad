# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files with anything in them: nothing fails, what is edited stays edited, and what was there comes back."""

from __future__ import annotations

import pathlib
import subprocess
import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.stateless.linux.plugins.module_utils._readonly_root import fstab
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root import settings as settings_
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.layout import layout
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.model import Dialect
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.tree import Tree

PIECES = [
    "empty ", "dirs ", "files\t", "/", "/a", "/a/b", "/l", "/x y", "*", "?", "[", "..", ".", " ", "\n", "\r", "#", "\\",
    "\0", "\x7f", "ä", "\udcff", "+", "(", "$x", "'", '"', "=", "READONLY=yes", "RW_MOUNT=", ";", "&", "`", "state ",
    "/proc", "/run", "/dev", "ro", "rw", "defaults", ",", "ext4", "/dev/sda1 / ext4 ", "0 0", "# stateless.linux ",
]  # fmt: skip
TEXT = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@settings(max_examples=300)
@given(rwtab=TEXT, statetab=TEXT, once=TEXT, config=TEXT)
def test_a_plan_of_anything(rwtab: str, statetab: str, once: str, config: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        for directory in ("etc/sysconfig", "etc/stateless/statetab-once.d", "a/b", "x y"):
            (root / directory).mkdir(parents=True)
        (root / "l").symlink_to("a")
        texts = {"rwtab": rwtab, "statetab": statetab, "stateless/statetab-once.d/x": once}
        for file, text in {**texts, "sysconfig/readonly-root": config}.items():
            (root / "etc" / file).write_bytes(text.encode("utf-8", "surrogateescape"))
        for dialect in Dialect:
            plan = layout(Tree(name), dialect, "readonlyroot")
            for bind in plan.binds:
                # Only what the image has, by a path that leads nowhere else, and each once for ours.
                assert (root / bind.path.lstrip("/")).exists()
                assert (root / bind.path.lstrip("/")).resolve() == root.resolve() / bind.path.lstrip("/")
                assert ".." not in bind.path.split("/")
                assert bind.entries
            if dialect is Dialect.OWN:
                paths = [(bind.kind, bind.path) for bind in plan.binds]
                assert len(set(paths)) == len(paths)
            told = {(finding.file, finding.line) for finding in plan.findings}
            assert {(entry.file, entry.line) for entry in plan.ignored} <= told


@settings(max_examples=300)
@given(text=TEXT, value=st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=12))
def test_what_is_set_is_what_is_read(text: str, value: str) -> None:
    once = settings_.edit(text, {"A": value, "READONLY": "yes"})
    parsed = settings_.parse(once)
    found = parsed.last("A")
    assert found is not None
    assert found.value == value
    assert not found.expands
    assert settings_.edit(once, {"A": value, "READONLY": "yes"}) == once
    assert once.endswith("\n")


@settings(max_examples=40)
@given(value=st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=12))
def test_the_shell_reads_what_is_set(value: str) -> None:
    text = settings_.edit("A=old\n", {"A": value})
    script = text + 'printf %s "$A"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"})
    assert done.stdout.decode() == value


@settings(max_examples=300)
@given(before=TEXT, after=TEXT, options=st.sampled_from(["rw", "defaults", "noatime,rw", "rw,noatime,rw", "nofail"]))
def test_fstab_comes_back(before: str, after: str, options: str) -> None:
    text = f"{before}\nLABEL=root / ext4 {options} 0 1\n{after}\n"
    changed = fstab.with_root_read_only(text)
    assert all(map(fstab.is_read_only, fstab.of(changed, "/")))
    assert fstab.with_root_read_only(changed) == changed
    if not any(map(fstab.is_read_only, fstab.of(text, "/"))):
        assert fstab.with_root_writable(changed) == text
