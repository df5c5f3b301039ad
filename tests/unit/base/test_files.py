# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are old or new and never a half; locks between processes."""

from __future__ import annotations

import pathlib
import random
import subprocess
import sys
import textwrap
import time

import pytest

from ansible_collections.stateless.linux.plugins.module_utils import _files
from ansible_collections.stateless.linux.plugins.module_utils._errors import Busy


def other_process(code: str, *argv: object) -> subprocess.Popen[str]:
    """Start Python with *code*; it has ``_files`` and its arguments, and says when it is ready."""
    start = "import sys, time\nfrom ansible_collections.stateless.linux.plugins.module_utils import _files\n"
    process = subprocess.Popen(
        [sys.executable, "-c", start + textwrap.dedent(code), *map(str, argv)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_file_is_replaced_with_its_mode_and_nothing_is_left_beside_it(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "made" / "on" / "the" / "way"
    for content, mode in (("one", 0o600), ("two", 0o644)):
        _files.write(str(path), content, mode)
        assert path.read_text() == content
        assert path.stat().st_mode & 0o777 == mode
    assert [found.name for found in path.parent.iterdir()] == ["way"]


def test_a_writer_killed_at_any_point_leaves_old_or_new(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "record"
    for _attempt in range(10):
        writer = other_process(
            """
            print("ready", flush=True)
            while True:
                for letter in "ab":
                    _files.write(sys.argv[1], letter * 1000000)
            """,
            path,
        )
        time.sleep(random.uniform(0.01, 0.1))
        writer.kill()
        writer.communicate()
        content = _files.read(str(path))
        assert content is None or content in ("a" * 1000000, "b" * 1000000)
        _files.clear_unfinished(str(tmp_path))
        assert [found.name for found in tmp_path.iterdir()] in ([], ["record"])


def test_what_is_not_there_is_none_and_can_be_removed(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "missing")
    assert _files.read(path) is None
    assert _files.read_json(path) is None
    _files.remove(path)
    assert _files.clear_unfinished(path) == []


def test_json_comes_back(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "value.json")
    _files.write_json(path, {"b": [1, None], "a": "ä"})
    assert _files.read_json(path) == {"a": "ä", "b": [1, None]}


@pytest.mark.parametrize(
    ("held", "wanted", "free"), [("True", True, True), ("True", False, False), ("False", True, False)]
)
def test_a_lock_is_respected_by_another_process(tmp_path: pathlib.Path, held: str, wanted: bool, free: bool) -> None:
    path = tmp_path / "lock" / "kiosk.content"
    holder = other_process(
        f"""
        with _files.lock(sys.argv[1], "", shared={held}):
            print("ready", flush=True)
            time.sleep(60)
        """,
        path,
    )
    try:
        if free:
            with _files.lock(str(path), "busy", shared=wanted):
                pass
        else:
            with pytest.raises(Busy, match="kiosk is busy"), _files.lock(str(path), "kiosk is busy", shared=wanted):
                pass
    finally:
        holder.kill()
        holder.communicate()
    # The kernel lets go of it with the process: nothing is left for anybody to clear.
    with _files.lock(str(path), "busy", timeout=5):
        pass


def test_a_lock_is_waited_for(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "lock"
    holder = other_process(
        """
        with _files.lock(sys.argv[1], ""):
            print("ready", flush=True)
            time.sleep(0.5)
        """,
        path,
    )
    with _files.lock(str(path), "busy", timeout=30):
        pass
    holder.communicate()
