# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the blocks format: tests/tools/with python tests/bench/blocks.py DIRECTORY [thorough] [behind]

DIRECTORY is what tests/bench/blocks-data makes. Publishes its three images, serves them with nginx, and brings a client
from nothing to the first, and on; compares. If DIRECTORY is on a filesystem with reflinks (XFS, btrfs), the images
share what they have in common, and the publisher finds what changed by that; elsewhere, it compares all of them. CPU is
user and system seconds of each step's own process, its start included; bytes are those that the server sent, headers
included. Then 1, 8 and 64 clients fetch at once. ``thorough`` publishes at that level, too; ``behind`` is a client five
versions behind, and the one step between both ends. Needs root and nginx-light.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import typing as t

from ansible_collections.stateless.linux.plugins.module_utils._blocks import manifest
from ansible_collections.stateless.linux.plugins.module_utils._blocks.fetch import Site
from ansible_collections.stateless.linux.plugins.module_utils._blocks.values import MAX_MANIFEST

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from bench import blocks_client, blocks_publisher
from bench.figures import figure
from bench.images import NAME, image
from bench.serving import Web, free_port

#: clients at once
_TOGETHER = (1, 8, 64)
_PIECE = 1024**2


class Bench(t.NamedTuple):
    """Where things are."""

    data: pathlib.Path
    work: pathlib.Path
    port: int

    def image(self, serial: int) -> str:
        return image(self.data, serial)

    def fetch(self, serial: int, clients: int) -> None:
        """Fetch at once, for some clients, what one at the serial before fetches; nothing is written."""
        own = serial - 1, self.image(serial - 1)
        with blocks_client.update_of(self.work, self.port, "a", serial, own) as update:
            wanted = update.plan(update.look_up())

        def one() -> None:
            site = Site([f"http://127.0.0.1:{self.port}"])
            site.get(manifest.file_name(serial), MAX_MANIFEST)
            step = wanted.manifest.step()
            for file, start, end in [
                *((step.file, 0, step.head) for step in (step,) if step),
                *((span.pack.file, span.start, span.end) for span in wanted.plan.spans),
            ]:
                with site.stream(file, start, end) as stream:
                    for at in range(start, end, _PIECE):
                        stream.read(min(_PIECE, end - at))

        threads = [threading.Thread(target=one) for _client in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def measured(bench: Bench, step: str, serial: int) -> tuple[str, float, float]:
    """Do a step of the publisher: what it said, CPU seconds, MiB."""
    argv = [sys.executable, blocks_publisher.__file__, str(bench.data), str(bench.work), step, str(serial)]
    return run(argv, compiled(bench))


def compiled(bench: Bench) -> dict[str, str]:
    """The environment of a program that was run before: its modules are compiled."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(bench.work / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def run(argv: t.Sequence[str], environment: t.Mapping[str, str] | None = None) -> tuple[str, float, float]:
    """Run a program: what it said, CPU seconds, MiB."""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment) as process:
        said = process.stdout.read() if process.stdout else ""
        _pid, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(argv)} failed")
    return said.strip(), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def publish_all(bench: Bench, serials: t.Iterable[int]) -> None:
    """Publish each."""
    for serial in serials:
        _said, cpu, memory = measured(bench, "publish", serial)
        packs = (bench.work / "public").glob(f"{serial}-*.pack")
        size = sum(path.stat().st_size for path in packs)
        figure(f"publish v{serial}", cpu=f"{cpu:.2f}", peak_MiB=f"{memory:.0f}", bytes=size)


def improve_all(bench: Bench, serials: t.Iterable[int]) -> None:
    """Make packs again at the level ``thorough``, as the module ``image`` does when they are out."""
    for serial in serials:
        _said, cpu, memory = measured(bench, "improve", serial)
        figure(f"publish v{serial}, thorough", cpu=f"{cpu:.2f}", peak_MiB=f"{memory:.0f}")


def changes_alone(bench: Bench) -> None:
    """What finding the changes takes: little where images share extents, or a thin pool has a map."""
    for serial in (2, 3):
        _said, cpu, _memory = measured(bench, "compare", serial)
        figure(f"of that, what changed of v{serial}", cpu=f"{cpu:.2f}")


def clients(bench: Bench, ways: t.Iterable[tuple[str, int, int]], together: t.Iterable[int] = ()) -> None:
    """Bring clients to serials: each is its name, the serial it has, and the one it goes to."""
    with Web(bench.work, "/public", bench.port) as server:
        for client, own, serial in ways:
            target = bench.work / "target"
            if own:
                subprocess.run(["cp", "--sparse=always", "--reflink=auto", bench.image(own), target], check=True)
            else:
                target.write_bytes(b"")
            before = server.cpu()
            argv = [str(bench.work), str(bench.port), client, str(serial)]
            had = [str(own), bench.image(own)] if own else []
            _said, cpu, memory = run([sys.executable, blocks_client.__file__, *argv, *had], compiled(bench))
            served = server.cpu() - before
            size, requests = server.served()
            if not filecmp.cmp(target, bench.image(serial), shallow=False):
                sys.exit(f"v{own} to v{serial}: the volume differs")
            label = f"v{own} to v{serial}" if own else f"nothing to v{serial}"
            values = {"cpu": f"{cpu:.2f}", "peak_MiB": f"{memory:.0f}", "server": f"{served:.3f}"}
            figure(label, bytes=size, requests=requests, **values)
        for count in together:
            before = server.cpu()
            bench.fetch(2, count)
            served = server.cpu() - before
            figure(f"v1 to v2, {count} at once", server_per_client=f"{served / count:.3f}")


def behind(bench: Bench) -> None:
    """Five versions behind, and one version that is all of these."""
    publish_all(bench, range(1, 7))
    clients(bench, [("a", 0, 1), ("a", 1, 6)])
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(working(bench.data))
        ends = one.work / "ends"
        ends.mkdir()
        for serial, image in ((1, 1), (2, 6)):
            os.link(bench.image(image), ends / f"v{serial}.img")
        alone = one._replace(data=ends)
        publish_all(alone, (1, 2))
        clients(alone, [("a", 0, 1), ("a", 1, 2)])


@contextlib.contextmanager
def working(data: pathlib.Path) -> t.Iterator[Bench]:
    """A directory for a run, with keys."""
    work = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=data))
    work.chmod(0o755)
    try:
        for name in ("public", "private"):
            (work / name).mkdir()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", work / "key"], check=True)
        (work / "trusted").write_text(f"{NAME} {(work / 'key.pub').read_text()}")
        yield Bench(data, work, free_port())
    finally:
        shutil.rmtree(work)


def main(argv: t.Sequence[str]) -> None:
    """Measure."""
    data = pathlib.Path(argv[0])
    with working(data) as bench:
        publish_all(bench, (1, 2, 3))
        changes_alone(bench)
        clients(bench, [("a", 0, 1), ("a", 1, 2), ("a", 2, 3), ("b", 0, 3), ("a", 1, 3)], _TOGETHER)
        if "thorough" in argv[1:]:
            improve_all(bench, (2, 3))
            clients(bench, [("a", 1, 2), ("a", 2, 3)])
    if "behind" in argv[1:]:
        with working(data / "five") as bench:
            behind(bench)


if __name__ == "__main__":
    main(sys.argv[1:])
