# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishing a small change from a thin pool, beside rsync: tests/tools/with python tests/bench/thin.py DIRECTORY

DIRECTORY is what tests/bench/blocks-data makes. The first two of its images are published here; a virtual machine has
the second as a snapshot in its thin pool, takes one of the third, publishes it, and copies its tree with rsync: see
thin_host.py. It is emulated, with a clock that counts instructions: a CPU second is 10^9 of them, whatever else this
machine does meanwhile. Needs root, nginx-light, and half an hour.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from bench.blocks import Bench, publish_all, working
from bench.blocks_publisher import Publisher
from bench.figures import CLONE, LAB, run
from bench.images import image
from bench.serving import Web
from bench.thin_host import PUBLISHED, SERIALS, THERE

_LAB = "thin"
_COLLECTION = THERE / "ansible_collections/stateless/linux"


def ssh(*words: str, **options: t.Any) -> None:
    """Run a command in the machine."""
    subprocess.run([LAB, "ssh", _LAB, "server", *words], check=True, **options)


def send(directory: pathlib.Path, names: t.Sequence[str], to: pathlib.Path) -> None:
    """Copy files and directories to the machine."""
    with subprocess.Popen(["tar", "-C", directory, "-cS", *names], stdout=subprocess.PIPE) as files:
        # its clock is behind
        ssh(f"mkdir -p {to} && tar -C {to} -xS --warning=no-timestamp", stdin=files.stdout)


def behead(bench: Bench) -> None:
    """Leave of packs what a publisher reads of them, their heads, and holes: the rest would take long to copy."""
    place = Publisher(bench.data, bench.work).place()
    for manifest in place.manifests().values():
        for pack in manifest.packs:
            path = bench.work / "public" / pack.file
            os.truncate(path, pack.head)
            os.truncate(path, pack.size)


def main(argv: t.Sequence[str]) -> None:
    """Measure."""
    data = pathlib.Path(argv[0]).resolve()
    try:
        run(LAB, "up", _LAB, "--server", "vm", "--release", "trixie", "--memory", "3072", "--disk", "16G", "--icount")
        send(CLONE, ["plugins/module_utils", "tests/bench"], _COLLECTION)
        with working(data) as bench:
            publish_all(bench, range(1, SERIALS[0] + 1))
            behead(bench)
            send(bench.work, ["public", "private", "key"], PUBLISHED)
        with Web(data, address="0.0.0.0") as server:
            made = [str(pathlib.Path(image(data, serial)).stat().st_mtime) for serial in SERIALS]
            # this machine has the address that it logs in from: sshd(8)
            url = f"http://${{SSH_CLIENT%% *}}:{server.port}"
            ssh(f"PYTHONPATH={THERE} python3 {_COLLECTION}/tests/bench/thin_host.py measure {url} {' '.join(made)}")
    finally:
        run(LAB, "down", _LAB)


if __name__ == "__main__":
    main(sys.argv[1:])
