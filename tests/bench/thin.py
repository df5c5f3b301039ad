# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishing blocks from a thin pool, beside rsync: tests/tools/with python tests/bench/thin.py DIRECTORY

DIRECTORY is what tests/bench/blocks-data makes. A virtual machine takes snapshots of its three roots, publishes each,
and copies each with rsync; see thin_host.py. It is emulated, with a clock that counts instructions: a CPU second is
10^9 of them, whatever else this machine does meanwhile. Needs root, nginx-light, and an hour.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from bench.figures import CLONE, LAB, run
from bench.images import image
from bench.serving import Web
from bench.thin_host import SERIALS

_LAB = "thin"
#: Where it works in the machine; the collection's files are there as Python looks for them.
_THERE = "/var/tmp/bench"
_COLLECTION = f"{_THERE}/ansible_collections/stateless/linux"


def ssh(*words: str, **options: t.Any) -> None:
    """Run a command in the machine."""
    subprocess.run([LAB, "ssh", _LAB, "server", *words], check=True, **options)


def main(argv: t.Sequence[str]) -> None:
    """Measure."""
    data = pathlib.Path(argv[0]).resolve()
    try:
        run(LAB, "up", _LAB, "--server", "vm", "--release", "trixie", "--memory", "3072", "--disk", "20G", "--icount")
        files = subprocess.Popen(
            ["tar", "-C", CLONE, "-c", "plugins/module_utils", "tests/bench"], stdout=subprocess.PIPE
        )
        ssh(f"mkdir -p {_COLLECTION} && tar -C {_COLLECTION} -x", stdin=files.stdout)
        with Web(data, address="0.0.0.0") as server:
            program = f"PYTHONPATH={_THERE} python3 {_COLLECTION}/tests/bench/thin_host.py"
            made = [str(pathlib.Path(image(data, serial)).stat().st_mtime) for serial in SERIALS]
            # this machine has the address that it logs in from: sshd(8)
            ssh(f"{program} measure http://${{SSH_CLIENT%% *}}:{server.port} {' '.join(made)}")
    finally:
        run(LAB, "down", _LAB)


if __name__ == "__main__":
    main(sys.argv[1:])
