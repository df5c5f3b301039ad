# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What thin_delta says, and how a metadata snapshot is reserved and released.

Here is no device mapper: ``dmsetup`` is a program that keeps in a file whether something is reserved, and
``thin_delta`` says what thin_delta 0.9.0 said of metadata that thin_restore made. The real ones are met in the
scenario vm.
"""

from __future__ import annotations

import os
import pathlib
import signal
import time

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._command import CommandFailed
from ansible_collections.stateless.linux.plugins.module_utils._errors import InUse, StatelessError
from ansible_collections.stateless.linux.plugins.module_utils._volumes import thin_delta
from ansible_collections.stateless.linux.plugins.module_utils._volumes.thin_delta import Pool, held, mapper_name, parse

CHUNK = 64 * 1024
RECORDED = """\
<superblock uuid="" time="2" transaction="3" data_block_size="128" nr_data_blocks="1000">
  <diff left="1" right="2">
    <same begin="0" length="4"/>
    <different begin="4" length="1"/>
    <same begin="5" length="5"/>
    <same begin="100" length="3"/>
    <different begin="103" length="4"/>
    <left_only begin="107" length="3"/>
    <right_only begin="200" length="2"/>
  </diff>
</superblock>
"""
ITSELF = """\
<superblock uuid="" time="2" transaction="3" data_block_size="128" nr_data_blocks="1000">
  <diff left="2" right="2">
    <same begin="0" length="10"/>
    <same begin="100" length="7"/>
    <same begin="200" length="2"/>
  </diff>
</superblock>
"""
DIFFERENCES = [(at * CHUNK, count * CHUNK) for at, count in ((4, 1), (103, 4), (107, 3), (200, 2))]
MAPPED = [(at * CHUNK, count * CHUNK) for at, count in ((0, 10), (100, 7), (200, 2))]
#: as Linux 6.1 says it
STATUS = "0 8388608 thin-pool 1 406/1024 7562/65536 {} rw discard_passdown queue_if_no_space - 1024 \n"

_DMSETUP = """#!/bin/sh
echo "$@" >> {directory}/asked
case "$*" in
  "status "*) echo "0 8388608 thin-pool 1 4/9 7/65 $(cat {directory}/held 2> /dev/null || echo -) rw x x - 1" ;;
  *" reserve_metadata_snap") [ ! -e {directory}/held ] && echo 406 > {directory}/held ;;
  *" release_metadata_snap") rm {directory}/held ;;
esac
"""
_THIN_DELTA = """#!/bin/sh
echo "$@" >> {directory}/asked
[ -e {directory}/held ] || exit 1
[ ! -e {directory}/slow ] || {{ : > {directory}/reading; sleep 60; }}
[ ! -e {directory}/fail ] || exit 1
[ ! -e {directory}/thief ] || rm {directory}/held
cat {directory}/said
"""


def test_differences_in_bytes() -> None:
    assert parse(RECORDED) == DIFFERENCES
    assert parse(ITSELF) == []
    assert parse(ITSELF, mapped=True) == MAPPED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<superblock data_block_size='128'></superblock>",
        "<superblock><diff/></superblock>",
        "<superblock data_block_size='x'><diff/></superblock>",
        "<superblock data_block_size='128'><diff><different begin='1'/></diff></superblock>",
        RECORDED[:-20],
    ],
)
def test_what_is_no_answer_is_refused(text: str) -> None:
    with pytest.raises(StatelessError, match="thin_delta"):
        parse(text)


def test_a_pool_says_what_it_holds() -> None:
    assert held(STATUS.format("-")) is None
    assert held(STATUS.format("406")) == 406
    for wrong in ("", "0 8388608 thin-pool Fail", "0 8388608 linear 8:0 2048"):
        with pytest.raises(StatelessError, match="not as it should be"):
            held(wrong)


def test_names_of_the_device_mapper() -> None:
    assert mapper_name("vg-0", "pool_tmeta") == "vg--0-pool_tmeta"
    assert Pool("vg", "my-pool").device == "vg-my--pool-tpool"


@pytest.fixture
def pool(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Pool:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("dmsetup", _DMSETUP), ("thin_delta", _THIN_DELTA)):
        (programs / name).write_text(text.format(directory=tmp_path))
        (programs / name).chmod(0o755)
    (tmp_path / "said").write_text(RECORDED)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return Pool("vg", "pool", str(tmp_path / "marks"), str(tmp_path / "locks"))


def test_the_map_is_read_from_a_metadata_snapshot_that_is_released(pool: Pool, tmp_path: pathlib.Path) -> None:
    assert pool.differences(1, 2) == DIFFERENCES
    (tmp_path / "said").write_text(ITSELF)
    assert pool.differences(None, 2) == MAPPED
    assert not (tmp_path / "held").exists()
    assert not os.path.exists(pool.mark)
    asked = (tmp_path / "asked").read_text()
    assert asked.count("message vg-pool-tpool 0 reserve_metadata_snap") == 2
    assert asked.count("message vg-pool-tpool 0 release_metadata_snap") == 2
    assert "--metadata-snap --snap1 1 --snap2 2 /dev/mapper/vg-pool_tmeta" in asked
    assert "--metadata-snap --snap1 2 --snap2 2 /dev/mapper/vg-pool_tmeta" in asked


def test_it_is_released_if_reading_fails(pool: Pool, tmp_path: pathlib.Path) -> None:
    (tmp_path / "fail").touch()
    with pytest.raises(CommandFailed):
        pool.differences(1, 2)
    assert not (tmp_path / "held").exists()
    assert not os.path.exists(pool.mark)


def test_somebody_elses_is_left_alone(pool: Pool, tmp_path: pathlib.Path) -> None:
    (tmp_path / "held").write_text("17\n")
    with pytest.raises(InUse, match=r"somebody else holds .* vg/pool.*dmsetup message vg-pool-tpool 0 release"):
        pool.differences(1, 2)
    assert (tmp_path / "held").read_text() == "17\n"


def test_a_map_that_was_not_held_to_the_end_counts_for_nothing(pool: Pool, tmp_path: pathlib.Path) -> None:
    (tmp_path / "thief").touch()
    with pytest.raises((InUse, CommandFailed)):
        pool.differences(1, 2)
    (tmp_path / "thief").unlink()
    assert pool.differences(1, 2) == DIFFERENCES


def in_a_child(pool: Pool, tmp_path: pathlib.Path) -> int:
    """A process that reads the map and does not come to its end."""
    (tmp_path / "slow").touch()
    child = os.fork()
    if child == 0:
        os.setsid()
        pool.differences(1, 2)
        os._exit(0)
    wait_for(tmp_path / "reading")
    return child


def wait_for(path: pathlib.Path, *, there: bool = True) -> None:
    until = time.monotonic() + 60
    while path.exists() != there:
        assert time.monotonic() < until, path
        time.sleep(0.05)


def test_the_guard_releases_if_the_run_is_killed(pool: Pool, tmp_path: pathlib.Path) -> None:
    child = in_a_child(pool, tmp_path)
    assert (tmp_path / "held").exists()
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    wait_for(tmp_path / "held", there=False)
    (tmp_path / "slow").unlink()
    assert pool.differences(1, 2) == DIFFERENCES
    assert not os.path.exists(pool.mark)


def test_the_next_run_releases_if_the_guard_is_killed_too(pool: Pool, tmp_path: pathlib.Path) -> None:
    child = in_a_child(pool, tmp_path)
    children = pathlib.Path(f"/proc/{child}/task/{child}/children").read_text().split()
    (guard,) = [one for one in children if pathlib.Path(f"/proc/{one}/comm").read_text() == "sh\n"]
    os.kill(int(guard), signal.SIGKILL)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    (tmp_path / "slow").unlink()
    assert (tmp_path / "held").exists()
    assert pool.differences(1, 2) == DIFFERENCES
    assert not (tmp_path / "held").exists()
    assert thin_delta.held(STATUS.format("-")) is None
