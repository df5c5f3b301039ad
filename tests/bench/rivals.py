# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others take for the data of blocks.py: tests/tools/with python tests/bench/rivals.py DIRECTORY [NAME ...]

DIRECTORY is what tests/bench/blocks-data makes; names are those of RIVALS, without any: all. Each publishes the three
roots, and brings a client from nothing to the first, and on, as far as that makes sense for it; each result is compared
byte by byte. CPU is user and system seconds, bytes are those that the client receives. Needs root, nginx-light,
ostree, casync, zchunk, rsync, squashfs-tools, and 30 GiB in DIRECTORY. ostree and zchunk take half an hour; what is
published stays in DIRECTORY/rivals with its figures, so that an interrupted run goes on.
"""

from __future__ import annotations

import filecmp
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from bench.figures import figure
from bench.images import image
from bench.serving import Web

SERIALS = (1, 2, 3)


class Used(t.NamedTuple):
    """What a program took."""

    cpu: float
    mebibytes: float
    said: str = ""


def spend(*argv: t.Any, cwd: pathlib.Path | None = None) -> Used:
    """Run a program, and its children. Its failure ends everything."""
    with subprocess.Popen(list(map(str, argv)), cwd=cwd, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.read() if process.stdout else ""
        _pid, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(map(str, argv))} failed")
    return Used(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said)


def together(*used: Used) -> Used:
    """Steps one after the other."""
    return Used(sum(one.cpu for one in used), max(one.mebibytes for one in used), "".join(one.said for one in used))


class Rival:
    """One way to publish roots and to bring clients to them."""

    name = ""
    #: files that may differ in the end: it does not see that they changed
    overlooks = 0
    serials: t.Sequence[int] = SERIALS

    def __init__(self, data: pathlib.Path, work: pathlib.Path) -> None:
        self.data = data
        self.work = work / self.name
        self.work.mkdir(exist_ok=True)
        self.client = self.work / "client"

    def tree(self, serial: int) -> pathlib.Path:
        """Where a root is mounted."""
        return self.data / "rivals" / f"tree{serial}"

    def volume(self, serial: int) -> pathlib.Path:
        """The image of a root."""
        return pathlib.Path(image(self.data, serial))

    def publish(self, serial: int) -> Used:
        """Once for all clients."""
        raise NotImplementedError

    def update(self, url: str, own: int, serial: int) -> Used:
        """Bring the client from *own*, or from nothing (0)."""
        raise NotImplementedError

    def wrong(self, serial: int) -> int:
        """How many files of the client are not what they should be, byte by byte."""
        options = "-aHAXnc", "--out-format=%n", "--exclude=/dev", "--delete"
        return spend("rsync", *options, f"{self.tree(serial)}/", f"{self.client}/").said.count("\n")

    def server(self) -> Web:
        """What clients talk to."""
        return Web(self.work)


class Rsync(Rival):
    """A daemon, and a tree for each serial, with hard links to the one before."""

    name = "rsync-tree"
    options: t.Sequence[str] = ("-aHAXz", "--delete")
    #: one of this data has other content, and the size and time of before
    overlooks = 1

    def publish(self, serial: int) -> Used:
        links = (f"--link-dest={self.work}/{serial - 1}",) if serial > 1 else ()
        return spend("rsync", "-aHAX", *links, f"{self.tree(serial)}/", f"{self.work}/{serial}/")

    def source(self, url: str, serial: int) -> str:
        """What the client asks for."""
        return f"{url}/{serial}/"

    def update(self, url: str, own: int, serial: int) -> Used:
        return spend("rsync", *self.options, "--stats", self.source(url, serial), self.client)

    def server(self) -> Web:
        return Daemon(self.work)


class RsyncImage(Rsync):
    """The volume, in place."""

    name = "rsync-image"
    overlooks = 0
    options = ("-z", "--inplace", "--no-whole-file")

    def publish(self, serial: int) -> Used:
        os.link(self.volume(serial), self.work / f"{serial}.img")
        return Used(0, 0)

    def source(self, url: str, serial: int) -> str:
        return f"{url}/{serial}.img"

    def update(self, url: str, own: int, serial: int) -> Used:
        if not own:
            # in place, nothing is sparse; that is no way to install
            subprocess.run(["cp", "--sparse=always", self.volume(serial), self.client], check=True)
            return Used(0, 0)
        return super().update(url, own, serial)

    def wrong(self, serial: int) -> int:
        return int(not filecmp.cmp(self.client, self.volume(serial), shallow=False))


class Casync(Rival):
    """Chunks of the tree."""

    name = "casync"

    def publish(self, serial: int) -> Used:
        return spend(
            "casync", "make", f"--store={self.work}/store.castr", f"{serial}.caidx", self.tree(serial), cwd=self.work
        )

    def update(self, url: str, own: int, serial: int) -> Used:
        before = self.work / "before"
        if own:
            self.client.rename(before)
        seed = (f"--seed={before}",) if own else ()
        used = spend("casync", "extract", f"--store={url}/store.castr", *seed, f"{url}/{serial}.caidx", self.client)
        if own:
            shutil.rmtree(before)
        return used


class Zchunk(Rival):
    """Chunks of the volume in one file."""

    name = "zchunk"

    def publish(self, serial: int) -> Used:
        return spend("zck", "-o", f"{serial}.zck", self.volume(serial), cwd=self.work)

    def update(self, url: str, own: int, serial: int) -> Used:
        self.client.mkdir(exist_ok=True)
        source = ("--source", f"{own}.zck") if own else ()
        fetched = spend("zckdl", *source, f"{url}/{serial}.zck", cwd=self.client)
        return together(fetched, spend("unzck", f"{serial}.zck", cwd=self.client))

    def wrong(self, serial: int) -> int:
        same = filecmp.cmp(self.client / str(serial), self.volume(serial), shallow=False)
        (self.client / str(serial)).unlink()
        return int(not same)


class Ostree(Rival):
    """Objects, and static deltas without fallback objects. Files of more than 128 MB are not compared by bsdiff."""

    name = "ostree"

    def publish(self, serial: int) -> Used:
        repo = f"--repo={self.work}/repo"
        spend("ostree", repo, "init", "--mode=archive")
        steps = [
            spend("ostree", repo, "commit", "-b", f"lab{serial}", f"--tree=dir={self.tree(serial)}", "--fsync=false")
        ]
        if serial > 1:
            ends = f"--from=lab{serial - 1}", f"--to=lab{serial}"
            steps.append(spend("ostree", repo, "static-delta", "generate", *ends, "--min-fallback-size=0"))
        return together(*steps, spend("ostree", repo, "summary", "-u"))

    def update(self, url: str, own: int, serial: int) -> Used:
        repo = f"--repo={self.work}/client-repo"
        if not own:
            spend("ostree", repo, "init", "--mode=bare-user")
            spend("ostree", repo, "remote", "add", "--no-gpg-verify", "lab", f"{url}/repo")
        else:
            shutil.rmtree(self.client)
        pulled = spend("ostree", repo, "pull", "lab", f"lab{serial}")
        checkout = spend("ostree", repo, "checkout", "-U", "-H", f"lab:lab{serial}", self.client)
        return together(pulled, checkout)

    def wrong(self, serial: int) -> int:
        # whose a file is, and since when, is in attributes of the repository's own
        options = "-rlnc", "--out-format=%n", "--exclude=/dev", "--delete"
        return spend("rsync", *options, f"{self.tree(serial)}/", f"{self.client}/").said.count("\n")


class Squashfs(Rival):
    """The whole root as one image, compressed as much as mksquashfs's zstd does without being told."""

    name = "squashfs"
    serials = (1,)
    #: it has no ACLs, which this data has at one directory
    overlooks = 1

    def publish(self, serial: int) -> Used:
        return spend(
            "mksquashfs", self.tree(serial), self.work / f"{serial}.squashfs", "-comp", "zstd", "-quiet", "-no-progress"
        )

    def update(self, url: str, own: int, serial: int) -> Used:
        fetched = spend("curl", "-sS", "-o", self.work / "fetched", f"{url}/{serial}.squashfs")
        return together(
            fetched, spend("unsquashfs", "-quiet", "-no-progress", "-d", self.client, self.work / "fetched")
        )


RIVALS: dict[str, type[Rival]] = {one.name: one for one in (Rsync, RsyncImage, Casync, Squashfs, Zchunk, Ostree)}


class Daemon(Web):
    """An rsync daemon instead of a web server."""

    def start(self) -> list[str]:
        self.url = f"rsync://127.0.0.1:{self.port}/all"
        conf = self.work / "rsyncd.conf"
        conf.write_text(f"use chroot = no\nuid = 0\ngid = 0\nreverse lookup = no\n[all]\npath = {self.work}\n")
        return ["rsync", "--daemon", "--no-detach", f"--port={self.port}", "--address=127.0.0.1", f"--config={conf}"]

    def served(self, said: str = "") -> tuple[int, int | None]:
        """Bytes by what the client says; it makes no requests."""
        found = re.search(r"Total bytes received: ([0-9,]+)", said)
        return int(found[1].replace(",", "")) if found else 0, None


def published(rival: Rival, serial: int) -> Used:
    """Publish, once for all runs."""
    note = rival.work / f"published-{serial}.json"
    if not note.exists():
        used = rival.publish(serial)
        note.write_text(json.dumps([used.cpu, used.mebibytes]))
    return Used(*json.loads(note.read_text()))


def measure(rival: Rival) -> None:
    """All figures of one."""
    for serial in rival.serials:
        used = published(rival, serial)
        figure(f"{rival.name}: publish v{serial}", cpu=f"{used.cpu:.2f}", peak_MiB=f"{used.mebibytes:.0f}")
    for gone in (rival.client, rival.work / "client-repo", rival.work / "before"):
        shutil.rmtree(gone, ignore_errors=True)
        gone.unlink(missing_ok=True)
    with rival.server() as server:
        for own, serial in zip((0, *rival.serials), rival.serials):
            before = server.cpu()
            used = rival.update(server.url, own, serial)
            after = server.cpu()
            size, requests = server.served(used.said)
            wrong = rival.wrong(serial)
            if wrong > rival.overlooks:
                sys.exit(f"{rival.name}: v{own} to v{serial}: {wrong} files differ")
            if not size:
                continue
            values = {"bytes": size, "requests": requests} if requests is not None else {"bytes": size}
            cost = {"cpu": f"{used.cpu:.2f}", "peak_MiB": f"{used.mebibytes:.0f}", "server": f"{after - before:.3f}"}
            figure(f"{rival.name}: {f'v{own}' if own else 'nothing'} to v{serial}", **values, **cost)


def main(argv: t.Sequence[str]) -> None:
    """Measure."""
    data = pathlib.Path(argv[0])
    names = argv[1:] or list(RIVALS)
    if unknown := set(names) - set(RIVALS):
        sys.exit(f"no such rival: {', '.join(sorted(unknown))}; there are {', '.join(RIVALS)}")
    work = data / "rivals"
    for serial in SERIALS:
        tree = work / f"tree{serial}"
        tree.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-o", "ro,loop,noload", data / f"v{serial}.img", tree], check=True)
        # device nodes cost nobody anything, and not everybody can have them
        subprocess.run(["mount", "-t", "tmpfs", "none", tree / "dev"], check=True)
    for name in names:
        measure(RIVALS[name](data, work))


if __name__ == "__main__":
    if os.environ.get("RIVALS_MOUNTS") != "own":
        # mounts of its own, which go with it
        os.environ["RIVALS_MOUNTS"] = "own"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])
    main(sys.argv[1:])
