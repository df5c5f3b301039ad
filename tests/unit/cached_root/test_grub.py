# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What GRUB itself boots, from a real FAT filesystem: it runs as a program (grub-emu), and only the kernel is none."""

from __future__ import annotations

import os
import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._cached_root import environment, grub
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.entries import Entry

ARGUMENTS = "root{} stateless.trial stateless.entry={}"
GOOD, TRIAL = Entry(1, "lab", 1), Entry(2, "lab", 2, 3)
#: Instead of the kernel: note what it was started with, and end. A kernel that is not there is none.
PRELUDE = """insmod loadenv
function linux {
  if [ ! -f $1 ]; then return 1; fi
  booted=$2; marked=$3
  save_env booted marked
  exit
}
"""


class Disk:
    """A boot partition that GRUB was installed on."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.image = directory / "boot.img"
        (directory / "device.map").write_text(f"(hd0) {self.image}\n")
        self.tree = directory / "tree"
        (self.tree / "grub").mkdir(parents=True)
        (self.tree / "grub/grub.cfg").write_text(f"{PRELUDE}{grub.CONFIG}set timeout=0\n")
        (self.tree / "grub/grubenv").write_bytes(environment.encode({}))
        self.loader = grub.Grub(str(self.tree))
        for entry in (Entry(1, "lab", 1, 3), TRIAL):
            self.loader.arm(entry, ARGUMENTS.format(entry.serial, entry.generation))
            if entry.serial == 1:
                self.loader.bless(entry)
            kernel = self.tree / self.loader.directory(entry.image) / "linux"
            kernel.parent.mkdir(parents=True)
            kernel.write_bytes(b"kernel")

    def write(self) -> None:
        """Have the tree on the image."""
        self.image.unlink(missing_ok=True)
        with self.image.open("wb") as stream:
            stream.truncate(40 << 20)
        subprocess.run(["mkfs.fat", "-F", "32", self.image], check=True, capture_output=True)
        parts = list(self.tree.iterdir())
        subprocess.run(["mcopy", "-i", self.image, "-s", *parts, "::/"], check=True)

    def boot(self, keys: bytes = b"") -> list[str]:
        """What is booted: the root, and whether it is on trial."""
        self.run(keys)
        subprocess.run(
            ["mcopy", "-n", "-o", "-i", self.image, "::/grub/grubenv", self.tree / "grub/grubenv"], check=True
        )
        found = environment.read(str(self.tree / "grub/grubenv")) or {}
        trial = ["trial"] if found.get("marked") == "stateless.trial" else []
        return [found.get("booted", "nothing"), *trial]

    def run(self, keys: bytes = b"") -> bytes:
        """What GRUB says until it ends.

        :arg keys: what is typed; script(1) is slow to end then.
        """
        grub_ = f"grub-emu -d /grub -m {self.directory}/device.map -r hd0"
        argv = ["script", "-qec", grub_, "/dev/null"]
        environ = {**os.environ, "TERM": "linux"}
        typed: t.Any = {"input": keys} if keys else {"stdin": subprocess.DEVNULL}
        return subprocess.run(argv, check=True, stdout=subprocess.PIPE, timeout=120, env=environ, **typed).stdout


@pytest.fixture
def disk(tmp_path: pathlib.Path) -> Disk:
    return Disk(tmp_path)


def test_a_trial_is_tried_three_times_and_then_the_good_one_is_booted(disk: Disk) -> None:
    disk.write()
    for left in (2, 1, 0):
        assert disk.boot() == ["root2", "trial"]
        assert disk.loader.entries() == [GOOD, Entry(2, "lab", 2, left)]
    for _time in range(2):
        assert disk.boot() == ["root1"]
    assert disk.loader.entries() == [GOOD, Entry(2, "lab", 2, 0)]


def test_a_trial_that_became_good_is_booted(disk: Disk) -> None:
    disk.loader.bless(TRIAL)
    disk.write()
    assert disk.boot() == ["root2"]
    assert disk.loader.entries() == [GOOD, Entry(2, "lab", 2)]


def test_an_entry_that_was_never_armed_is_not_booted(disk: Disk) -> None:
    disk.loader.remove(TRIAL)
    path = pathlib.Path(disk.loader.file(TRIAL))
    path.write_text(pathlib.Path(disk.loader.file(GOOD)).read_text().replace("000001", "000002"))
    disk.write()
    assert disk.boot() == ["root1"]


def test_a_trial_without_its_entry_is_not_booted(disk: Disk) -> None:
    pathlib.Path(disk.loader.file(TRIAL)).unlink()
    disk.write()
    assert disk.boot() == ["root1"]


def test_a_trial_without_a_kernel_costs_a_try_and_the_good_one_is_booted(disk: Disk) -> None:
    (disk.tree / disk.loader.directory(TRIAL.image) / "linux").unlink()
    disk.write()
    # a message waits for a key, or ten seconds
    assert disk.boot(b"\n\n") == ["root1"]
    assert disk.loader.entries() == [GOOD, Entry(2, "lab", 2, 2)]


@pytest.mark.parametrize("content", [b"", b"#" * 1024, bytes(1024), b"garbage"])
def test_something_is_booted_whatever_the_environment_is(disk: Disk, content: bytes) -> None:
    (disk.tree / "grub/grubenv").write_bytes(content)
    disk.write()
    assert b"Booting `lab" in disk.run()
