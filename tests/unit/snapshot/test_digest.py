# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import os
import pathlib
import time

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._snapshot.digest import Cache, digest

#: Later than anything the tests write, so that all of it may enter the cache.
LATER = time.time_ns() + 3600 * 10**9


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> pathlib.Path:
    root = tmp_path / "tree"
    (root / "etc").mkdir(parents=True)
    (root / "usr").mkdir()
    (root / "etc" / "one").write_bytes(b"content")
    (root / "etc" / "link").symlink_to("one")
    os.link(root / "etc" / "one", root / "usr" / "two")
    os.mkfifo(root / "pipe")
    (root / os.fsdecode(b"not-\xff-utf8")).write_bytes(b"")
    return root


def test_a_digest_is_the_sha256_of_what_the_docstring_says(tmp_path: pathlib.Path) -> None:
    root = tmp_path / "root"
    root.mkdir(mode=0o755)
    file = root / "a"
    file.write_bytes(b"x\n")
    file.chmod(0o640)
    os.utime(file, ns=(1, 2000000000000000003))
    ids = f"{os.getuid()},{file.stat().st_gid}"
    content = "73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac"
    lines = f'[".","d",493,{ids},{{}}]\n["a","f",416,{ids},{{}},2,2000000000000000003,"{content}"]\n'
    assert digest(str(root)) == f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


def test_looking_changes_nothing(tree: pathlib.Path) -> None:
    before = digest(str(tree))
    (tree / "etc" / "one").read_bytes()
    os.utime(tree / "etc", ns=(1, 1))
    (tree / "etc" / "passing").write_bytes(b"")
    (tree / "etc" / "passing").unlink()
    assert digest(str(tree)) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: (tree / "etc" / "new").touch(),
        lambda tree: (tree / "pipe").unlink(),
        lambda tree: (tree / "etc" / "one").write_bytes(b"another"),
        lambda tree: (tree / "etc" / "one").chmod(0o600),
        lambda tree: os.utime(tree / "etc" / "one", ns=(0, 0)),
        lambda tree: (tree / "etc").chmod(0o700),
        lambda tree: tree.chmod(0o700),
        lambda tree: ((tree / "etc" / "link").unlink(), (tree / "etc" / "link").symlink_to("two")),
        lambda tree: os.setxattr(tree / "etc" / "one", "user.note", b"x"),
        lambda tree: os.rename(tree / "usr" / "two", tree / "usr" / "three"),
    ],
    ids=["added", "removed", "content", "mode", "mtime", "directory", "root", "target", "xattr", "renamed"],
)
def test_every_change_counts(tree: pathlib.Path, change: object) -> None:
    cache = Cache("unused")
    before = digest(str(tree), cache, LATER)
    change(tree)  # type: ignore[operator]
    assert digest(str(tree)) != before
    assert digest(str(tree), cache, LATER) == digest(str(tree))


def test_a_copy_of_a_hard_link_is_not_the_same(tree: pathlib.Path) -> None:
    before = digest(str(tree))
    two = tree / "usr" / "two"
    content, status = two.read_bytes(), two.stat()
    two.unlink()
    two.write_bytes(content)
    two.chmod(status.st_mode & 0o7777)
    os.utime(two, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert digest(str(tree)) != before


def test_what_the_cache_knows_is_not_read_again(tree: pathlib.Path) -> None:
    cache = Cache("unused")
    true = digest(str(tree), cache, LATER)
    assert len(cache.known) == 2
    cache.known = dict.fromkeys(cache.known, "0" * 64)
    assert digest(str(tree), cache, LATER) != true


def test_the_same_size_and_mtime_do_not_deceive_the_cache(tree: pathlib.Path) -> None:
    cache = Cache("unused")
    before = digest(str(tree), cache, LATER)
    file = tree / "etc" / "one"
    status = file.stat()
    time.sleep(0.02)  # a tick of the clock of ctime
    file.write_bytes(b"CONTENT")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert digest(str(tree), cache, LATER) != before


def test_what_was_just_written_stays_out_of_the_cache(tree: pathlib.Path) -> None:
    cache = Cache("unused")
    digest(str(tree), cache)
    assert cache.known == {}


def test_the_cache_comes_back_from_its_file(tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    cache = Cache(str(tmp_path / "cache"))
    digest(str(tree), cache, LATER)
    cache.save()
    assert Cache.load(cache.path).known == cache.known
    assert os.stat(cache.path).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["nonsense\n", "1 2 3\n", "1 2 3 zz\n", "a b c " + "0" * 64 + "\n"])
def test_a_damaged_cache_is_an_empty_one(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / "cache").write_text(f"1 2 3 {'0' * 64}\n{text}")
    assert Cache.load(str(tmp_path / "cache")).known == {}


def test_a_missing_cache_is_an_empty_one(tmp_path: pathlib.Path) -> None:
    assert Cache.load(str(tmp_path / "none")).known == {}
