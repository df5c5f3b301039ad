# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What thin.py runs in its virtual machine, which is thrown away afterwards: thin_host.py measure URL SECONDS ...

URL has the images; SECONDS since the epoch say when each was made. A thin pool is made on the machine's second disk, of
which each image becomes a snapshot, as a server of this collection takes them. Each step is a program of its own
(``publish SERIAL``, ``compare SERIAL``), whose CPU seconds are its start's and its children's as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import sys
import typing as t

from ansible_collections.stateless.linux.plugins.module_utils._blocks.values import BLOCK
from ansible_collections.stateless.linux.plugins.module_utils._blocks.volume import Volume, is_zero, pieces
from ansible_collections.stateless.linux.plugins.module_utils._image.blocks import Publication
from ansible_collections.stateless.linux.plugins.module_utils._image.kernel import choose
from ansible_collections.stateless.linux.plugins.module_utils._server import Server
from ansible_collections.stateless.linux.plugins.module_utils._snapshot import manifest as snapshots
from ansible_collections.stateless.linux.plugins.module_utils._snapshot.take import timestamp
from ansible_collections.stateless.linux.plugins.module_utils._volumes.choose import open_store

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from bench.figures import figure, run
from bench.images import NAME
from bench.rivals import Rsync, published, spend

#: What is taken a snapshot of: what was published before, and what is measured.
SERIALS = (2, 3)
#: Where everything is in the machine, the collection as Python looks for it, and what was published before.
THERE = pathlib.Path("/var/tmp/bench")
PUBLISHED = THERE / "published"
_DISK = "/dev/vdb"
_SERVER = Server(store="lvm", vg="bench", pool="pool")
#: Where rsync copies the trees to.
_WORK = pathlib.Path("/srv/bench")
_GIB = 1024**3


def prepare() -> None:
    """Make the pool, the volume that is the protosystem, and room for rsync; have published what was."""
    run("vgcreate", _SERVER.vg, _DISK)
    run("lvcreate", "--type=thin-pool", "--size=8G", f"--name={_SERVER.pool}", _SERVER.vg)
    run("lvcreate", "--yes", "--size=6G", "--name=trees", _SERVER.vg)
    run("mkfs.ext4", "-q", f"/dev/{_SERVER.vg}/trees")
    _WORK.mkdir(parents=True)
    run("mount", f"/dev/{_SERVER.vg}/trees", str(_WORK))
    open_store(_SERVER).create(NAME, 4 * _GIB)
    for name, to in (
        ("key", f"{_SERVER.keys}/bench"),
        ("public", _SERVER.blocks(NAME)),
        ("private", _SERVER.blocks_records(NAME)),
    ):
        pathlib.Path(to).parent.mkdir(parents=True, exist_ok=True)
        run("cp", "-a", str(PUBLISHED / name), to)


def take(serial: int, url: str, made: float) -> None:
    """Write what differs in the image, and take a snapshot, as if it had been taken when the image was *made*."""
    # not to be part of what a step takes to start
    import urllib.request

    store = open_store(_SERVER)
    with Volume(*store.attach(NAME), writable=True) as volume, urllib.request.urlopen(f"{url}/v{serial}.img") as stream:
        for at, count in pieces(0, volume.blocks):
            new, old = stream.read(BLOCK * count), volume.read(at, count)
            if new != old:
                write(volume, at, old, new)
        volume.sync()
    store.snapshot(NAME, snapshots.volume_name(NAME, serial), contextlib.nullcontext())
    snapshot = snapshots.Snapshot(
        protosystem=NAME,
        serial=serial,
        created=timestamp(int(made * 1e9)),
        comment="",
        kernel="",
        kernels=(),
        os={},
        filesystem="ext4",
        size=4 * _GIB,
        used=0,
        uuid=snapshots.identity(NAME, serial),
        digest=None,
    )
    record = pathlib.Path(_SERVER.snapshot_manifest(NAME, serial))
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(snapshot.as_dict()))


def write(volume: Volume, at: int, old: bytes, new: bytes) -> None:
    """Write the blocks that differ."""
    if is_zero(new):
        # what a filesystem freed, it discarded
        volume.zero(at, len(new) // BLOCK)
        return
    for number in range(len(new) // BLOCK):
        span = slice(BLOCK * number, BLOCK * (number + 1))
        if old[span] != new[span]:
            volume.write(at + number, new[span])


def publish(serial: int) -> None:
    """Publish the blocks of a snapshot, as the module ``image`` does; bytes of its pack."""
    snapshot = snapshots.get(_SERVER, NAME, serial)
    with snapshots.view_snapshot(_SERVER, snapshot) as tree:
        publication = Publication(_SERVER, snapshot, choose(tree, snapshot), ())
    publication.check()
    # the kernel's files are copied by another step of the module, whatever the format
    said = publication.act({name: {"size": 1, "sha256": "0" * 64} for name in ("vmlinuz", "initrd")})
    print(said["new_bytes"])


def compare(serial: int) -> None:
    """Have the pool say what changed, and no more; how many ranges."""
    names = [snapshots.volume_name(NAME, one) for one in (serial - 1, serial)]
    store = open_store(_SERVER)
    with store.attached(*names):
        print(len(store.differences(names[0], names[1]) or ()))


def measure(url: str, made: t.Sequence[float]) -> None:
    """All figures."""
    prepare()
    for serial, when in zip(SERIALS, made):
        take(serial, url, when)
    # a program that was run before has its modules compiled
    os.environ["PYTHONPYCACHEPREFIX"] = "/var/tmp/compiled"
    run(sys.executable, __file__, "compare", str(SERIALS[1]))
    for step in ("compare", "publish"):
        used = spend(sys.executable, __file__, step, SERIALS[1])
        figure(f"{step} v{SERIALS[1]}", cpu=f"{used.cpu:.2f}", peak_MiB=f"{used.mebibytes:.0f}", said=used.said.strip())
    rsync = Rsync(_WORK, _WORK)
    with contextlib.ExitStack() as stack:
        for serial in SERIALS:
            name = snapshots.volume_name(NAME, serial)
            stack.enter_context(open_store(_SERVER).attached(name))
            tree = rsync.tree(serial)
            tree.mkdir(parents=True)
            run("mount", "-o", "ro,noload", open_store(_SERVER).mount_source(name)[0], str(tree))
            stack.callback(run, "umount", "--recursive", str(tree))
            run("mount", "-t", "tmpfs", "none", str(tree / "dev"))
        run("cp", "-a", str(rsync.tree(SERIALS[0])), str(rsync.work / str(SERIALS[0])))
        used = published(rsync, SERIALS[1])
        figure(f"{rsync.name}: publish v{SERIALS[1]}", cpu=f"{used.cpu:.2f}", peak_MiB=f"{used.mebibytes:.0f}")


def main(argv: t.Sequence[str]) -> None:
    """Do a step."""
    step, *rest = argv
    if step == "measure":
        measure(rest[0], [float(one) for one in rest[1:]])
    else:
        {"publish": publish, "compare": compare}[step](int(rest[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
