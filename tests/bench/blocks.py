# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the blocks format: tests/tools/with python tests/bench/blocks.py DIRECTORY [thorough]

DIRECTORY is what tests/bench/blocks-data makes. Publishes its three images, serves them with nginx, and brings a client
from nothing to the first, and on; compares. CPU is user and system seconds of each step's own process, its start
included. Needs root and nginx-light.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import typing as t

from ansible_collections.stateless.linux.plugins.module_utils._blocks import changes, improve, packing, publish, similar
from ansible_collections.stateless.linux.plugins.module_utils._blocks.fetch import Site
from ansible_collections.stateless.linux.plugins.module_utils._blocks.held import Holder
from ansible_collections.stateless.linux.plugins.module_utils._blocks.local import Local
from ansible_collections.stateless.linux.plugins.module_utils._blocks.place import Place
from ansible_collections.stateless.linux.plugins.module_utils._blocks.ranges import Set
from ansible_collections.stateless.linux.plugins.module_utils._blocks.signature import sign
from ansible_collections.stateless.linux.plugins.module_utils._blocks.update import Update, trusting
from ansible_collections.stateless.linux.plugins.module_utils._blocks.volume import Volume
from ansible_collections.stateless.linux.plugins.module_utils._mounts import view

NAME = "lab"
_NGINX = """worker_processes 1; daemon off; pid {work}/nginx.pid; error_log stderr;
events {{}}
http {{ access_log off; sendfile on; default_type application/octet-stream;
  server {{ listen 127.0.0.1:{port}; root {work}/public; }} }}
"""


class Bench(t.NamedTuple):
    """Where things are."""

    data: pathlib.Path
    work: pathlib.Path
    port: int

    def image(self, serial: int) -> str:
        return str(self.data / f"v{serial}.img")

    def place(self) -> Place:
        return Place(NAME, str(self.work / "public"), str(self.work / "private"))

    def publish(self, serial: int, level: str) -> None:
        """Publish an image."""
        place = self.place()
        with contextlib.ExitStack() as stack:
            volume = stack.enter_context(Volume(self.image(serial)))
            parent, changed, groups = None, list(volume.allocated()), []
            if serial > 1:
                manifest = place.manifest(serial - 1)
                old = stack.enter_context(Volume(self.image(serial - 1)))
                parent = publish.Parent(manifest, Holder(place.index(manifest), old))
                changed = list(changes.compared(old, volume))
                if Set(changed).total() >= similar.WORTH:
                    images = self.image(serial - 1), self.image(serial)
                    trees = [stack.enter_context(view(one, "ext4", ("ro", "loop", "noload"))) for one in images]
                    groups = list(similar.files(*trees))
            publish.Publishing(place, serial, volume, parent, changed, groups, packing.LEVELS[level], self.sign).run()

    def improve(self, serial: int) -> None:
        """Make its packs again."""
        with contextlib.ExitStack() as stack:
            volume = stack.enter_context(Volume(self.image(serial)))
            old = stack.enter_context(Volume(self.image(serial - 1))) if serial > 1 else None
            level = packing.LEVELS["thorough"]
            improve.Improving(self.place(), serial, volume, old, level, self.sign).run()

    def update(self, client: str, serial: int, own: int) -> None:
        """Bring a client to a serial; says requests and bytes."""
        local = Local(NAME, str(self.work / f"client-{client}"))
        check = trusting(NAME, str(self.work / "trusted"))
        site = Site([f"http://127.0.0.1:{self.port}"])
        with contextlib.ExitStack() as stack:
            volume = stack.enter_context(Volume(self.image(own))) if own else None
            update = Update(site, local, serial, local.root(own) if own else None, volume, check)
            wanted = update.plan(update.look_up())
            target = stack.enter_context(Volume(str(self.work / "target"), writable=True))
            update.apply(wanted, target, str(self.work))
        print(site.requests, site.bytes)

    def sign(self, text: bytes) -> bytes:
        """Sign with the key of this run."""
        return sign(text, [str(self.work / "key")])


def measured(bench: Bench, *step: str) -> tuple[str, float, float]:
    """Do a step in a process of its own: what it said, CPU seconds, MiB."""
    argv = [sys.executable, __file__, str(bench.data), "step", str(bench.work), str(bench.port), *step]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.read() if process.stdout else ""
        _pid, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(step)} failed")
    return said.strip(), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def figure(what: str, **values: t.Any) -> None:
    """Print one line of figures."""
    print(f"{what:<34} " + "  ".join(f"{name} {value}" for name, value in values.items()), flush=True)


def free_port() -> int:
    """A port of loopback that nobody uses."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def cpu_of(pids: t.Iterable[int]) -> float:
    """CPU seconds of processes."""
    ticks = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def steps(bench: Bench, *, thorough: bool) -> None:
    """All figures."""
    for serial in (1, 2, 3):
        _said, cpu, memory = measured(bench, "publish", str(serial), "default")
        packs = sum(path.stat().st_size for path in (bench.work / "public").glob(f"{serial}-*.pack"))
        figure(f"publish v{serial}", cpu=f"{cpu:.2f}", peak_MiB=f"{memory:.0f}", bytes=packs)
    if thorough:
        for serial in (1, 2, 3):
            _said, cpu, memory = measured(bench, "improve", str(serial))
            figure(f"thorough v{serial}", cpu=f"{cpu:.2f}", peak_MiB=f"{memory:.0f}")
    (bench.work / "nginx.conf").write_text(_NGINX.format(work=bench.work, port=bench.port))
    server = subprocess.Popen(["nginx", "-c", str(bench.work / "nginx.conf")])
    try:
        time.sleep(1)
        if server.poll() is not None:
            sys.exit("nginx does not start")
        children = pathlib.Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        pids = [server.pid, *map(int, children)]
        for client, own, serial in (("a", 0, 1), ("a", 1, 2), ("a", 2, 3), ("b", 0, 3), ("a", 1, 3)):
            target = bench.work / "target"
            if own:
                subprocess.run(["cp", "--sparse=always", "--reflink=auto", bench.image(own), target], check=True)
            else:
                target.write_bytes(b"")
            before = cpu_of(pids)
            said, cpu, memory = measured(bench, "update", client, str(serial), str(own))
            served = cpu_of(pids) - before
            requests, size = said.split()
            if not filecmp.cmp(target, bench.image(serial), shallow=False):
                sys.exit(f"v{own} to v{serial}: the volume differs")
            label = f"v{own} to v{serial}" if own else f"nothing to v{serial}"
            figure(label, bytes=size, requests=requests, cpu=f"{cpu:.2f}", peak_MiB=f"{memory:.0f}", server=served)
    finally:
        server.terminate()
        server.wait()


def main(argv: t.Sequence[str]) -> None:
    """Measure, or do one step."""
    data = pathlib.Path(argv[0])
    if argv[1:2] == ["step"]:
        bench = Bench(data, pathlib.Path(argv[2]), int(argv[3]))
        name, *rest = argv[4:]
        if name == "publish":
            bench.publish(int(rest[0]), rest[1])
        elif name == "improve":
            bench.improve(int(rest[0]))
        else:
            bench.update(rest[0], int(rest[1]), int(rest[2]))
        return
    work = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=data))
    work.chmod(0o755)
    try:
        for name in ("public", "private"):
            (work / name).mkdir()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", work / "key"], check=True)
        (work / "trusted").write_text(f"{NAME} {(work / 'key.pub').read_text()}")
        steps(Bench(data, work, free_port()), thorough="thorough" in argv[1:])
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main(sys.argv[1:])
