# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill a work of the library at points spread at random over its duration, and look at what is left.

Runs as root on a server that has the protosystem; kill_points.yml brings it there. For each point: the work is begun
in a process of its own, which gets SIGKILL. Then the old or the new state must be there and usable, at once; and one
run that is not killed must succeed and leave nothing but what is on record. Ends with 1 if anything was wrong.

    python3 kill_points.py WORK PROTOSYSTEM [POINTS [SEED]]
"""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time
import typing as t

from ansible_collections.stateless.linux.plugins.module_utils._image import (
    blocks,
    channels,
    exports,
    follow,
    manifest,
    withdraw,
)
from ansible_collections.stateless.linux.plugins.module_utils._image import (
    state as images,
)
from ansible_collections.stateless.linux.plugins.module_utils._mounts import is_mounted
from ansible_collections.stateless.linux.plugins.module_utils._protosystem import record as records
from ansible_collections.stateless.linux.plugins.module_utils._protosystem import state as protosystems
from ansible_collections.stateless.linux.plugins.module_utils._protosystem.sources import Copy
from ansible_collections.stateless.linux.plugins.module_utils._server import Server, load
from ansible_collections.stateless.linux.plugins.module_utils._snapshot import protosystem, state
from ansible_collections.stateless.linux.plugins.module_utils._snapshot.digest import digest
from ansible_collections.stateless.linux.plugins.module_utils._snapshot.manifest import (
    last_serial,
    snapshots,
    view_snapshot,
)
from ansible_collections.stateless.linux.plugins.module_utils._snapshot.take import is_snapshot_of
from ansible_collections.stateless.linux.plugins.module_utils._volumes import thin_delta
from ansible_collections.stateless.linux.plugins.module_utils._volumes.choose import open_store

#: Seconds that no work takes, however slow the machine.
LIMIT = 300
#: What a protosystem is made of here.
TREE = "/var/tmp/kill-points-tree"


@dataclasses.dataclass(frozen=True)
class Work:
    """Something to be killed."""

    #: does it, from beginning to end, with something new each time
    act: t.Callable[[Server, str], object]
    #: what it makes, as one comparable value, of what counts as existing
    look: t.Callable[[Server, str], t.Any]
    #: what is wrong right after it was killed, given the value before
    broken: t.Callable[[Server, str, t.Any], list[str]]
    #: what is left that should not be, after a run that was not killed
    left: t.Callable[[Server, str], list[str]]


def take(server: Server, name: str) -> object:
    """Change the protosystem, take a snapshot, remove the oldest but two."""
    with open(os.path.join(server.protosystem_mount(name), "kill-points"), "w", encoding="ascii") as stream:
        stream.write(f"{time.time()}\n" * 100_000)
    return state.present(server, name, state.Wanted(comment="killed?", keep_last=2, lock_timeout=30), check=False)


def serials(server: Server, name: str) -> list[int]:
    """The snapshots that exist."""
    return [snapshot.serial for snapshot in snapshots(server, name)]


def broken_snapshots(server: Server, name: str, before: list[int]) -> list[str]:
    """Whether writers go on, nothing but the wanted happened, and each snapshot that exists is whole."""
    faults = []
    probe = os.path.join(server.protosystem_mount(name), "kill-points-probe")
    # what the killed run had begun comes to its end: a filesystem may be frozen only now, and has to be thawed
    time.sleep(2)
    # a frozen filesystem lets nobody write, and a process that waits for it cannot even be killed
    writer = subprocess.Popen(
        ["dd", "if=/dev/zero", f"of={probe}", "count=1", "conv=fsync", "status=none"],
        # whoever reads what this program says does not wait for a writer that never ends
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        if writer.wait(timeout=5) != 0:
            faults.append("writing failed")
    except subprocess.TimeoutExpired:
        faults.append("the filesystem is frozen")
        subprocess.run(["fsfreeze", "--unfreeze", server.protosystem_mount(name)], check=True)
        writer.wait()
    after = serials(server, name)
    new = [serial for serial in after if serial not in before]
    if len(new) > 1 or (new and new[0] <= max(before, default=0)) or (not new and after != before):
        faults.append(f"neither the old nor the new snapshots: {before} became {after}")
    if max([*after, *before]) > last_serial(server, name):
        faults.append("the counter is behind")
    for snapshot in snapshots(server, name):
        with view_snapshot(server, snapshot) as tree:
            if digest(tree) != snapshot.digest:
                faults.append(f"snapshot {snapshot.serial} does not hold what its manifest says")
    return faults


def left_snapshots(server: Server, name: str) -> list[str]:
    """Volumes without manifest, and what else is no part of a snapshot."""
    volumes = {volume for volume in open_store(server).volumes() if is_snapshot_of(name, volume)}
    known = {snapshot.volume for snapshot in snapshots(server, name)}
    return [f"volume {volume}" for volume in sorted(volumes ^ known)] + left_files(server)


def left_files(server: Server) -> list[str]:
    """Files half written, and mounts that were to be seen by one program alone."""
    faults: list[str] = []
    for directory, _directories, files in [*os.walk(server.state), *os.walk(os.path.join(server.root, "volumes"))]:
        faults += [os.path.join(directory, file) for file in files if file.startswith(".")]
    with open("/proc/self/mounts", encoding="utf-8") as stream:
        faults += [f"mount {line.split()[1]}" for line in stream if line.split()[1].startswith("/run/stateless/stand")]
    return faults


def make_or_remove(server: Server, name: str) -> object:
    """Make the protosystem of a small tree if there is none, else remove it with its snapshots."""
    if records.find(server, name) is not None:
        return protosystem.absent(server, name, force=True, check=False)
    if not os.path.isdir(TREE):
        shutil.copytree("/usr/bin", os.path.join(TREE, "usr", "bin"), symlinks=True)
    wanted = protosystems.Wanted(name, "present", size=512 * 1024**2, source=Copy(TREE))
    return protosystem.present(server, wanted, check=False)


def exists(server: Server, name: str) -> bool:
    """Whether the protosystem exists."""
    return records.find(server, name) is not None


def broken_protosystem(server: Server, name: str, before: bool) -> list[str]:
    """Whether one that exists has its volume, with a whole system in it."""
    del before  # it may be there or not
    if not exists(server, name):
        return []
    if name not in open_store(server).volumes():
        return ["it exists without its volume"]
    # what the next run does first
    wanted = protosystems.Wanted(name, "present")
    protosystem.present(server, wanted, check=False)
    got, due = (set(os.listdir(os.path.join(root, "usr", "bin"))) for root in (server.protosystem_mount(name), TREE))
    return [] if got == due else [f"it holds {len(got)} of {len(due)} files"]


def left_protosystem(server: Server, name: str) -> list[str]:
    """A volume, a mount, a unit or files of one that does not exist, or of one in the making."""
    kept = {name} if exists(server, name) else set()
    volumes = {volume for volume in open_store(server).volumes() if volume.partition(".")[0] == name}
    faults = [f"volume {volume}" for volume in sorted(volumes ^ kept)]
    where = server.protosystem_mount(name)
    for path in [where, os.path.join("/run/stateless/new", name), *glob.glob(f"/etc/systemd/system/*-{name}.mount")]:
        expected = bool(kept) and not path.startswith("/run")
        if os.path.lexists(path) != expected:
            faults.append(path)
    if is_mounted(where) != bool(kept):
        faults.append(f"mount {where}")
    return faults + left_files(server)


CHANNEL = "kill-points"


def publish_or_withdraw(server: Server, name: str) -> object:
    """Publish the newest snapshot and point a channel at it; the other way round if it is published."""
    return _publish_or_withdraw(server, name, ["nfs"] if server.nfs_clients else ["ram"])


def blocks_or_withdraw(server: Server, name: str) -> object:
    """The same, for caching clients."""
    return _publish_or_withdraw(server, name, ["blocks"])


def _publish_or_withdraw(server: Server, name: str, formats: list[str]) -> object:
    newest = serials(server, name)[-1]
    if pointed(server, name):
        withdraw.absent(server, name, None, CHANNEL, force=False, check=False, follower=follower())
        return withdraw.absent(server, name, newest, None, force=False, check=False, follower=follower())
    wanted = images.Wanted(newest, formats, CHANNEL, lock_timeout=30)
    return images.present(server, name, wanted, check=False, follower=follower())


def follower() -> follow.Follower:
    """The directory of this server, which has to say the same, if it has one."""
    if not os.path.exists("/etc/stateless/directory.json"):
        return follow.NOBODY
    # needs python-ldap, which a server without a directory need not have
    from ansible_collections.stateless.linux.plugins.module_utils._directory import published

    return published.configured() or follow.NOBODY


def pointed(server: Server, name: str) -> bool:
    """Whether clients of the channel find an image."""
    return CHANNEL in channels.channels(server, name)


def broken_image(server: Server, name: str, before: bool) -> list[str]:
    """Whether every image that a client can see is whole, and every channel points at one."""
    del before  # it may be there or not
    faults = []
    published = manifest.serials(server, name)
    for channel, serial in channels.channels(server, name).items():
        if serial not in published:
            faults.append(f"channel {channel} points at {serial}, which is not published")
    for serial in published:
        image = manifest.get(server, name, serial)
        directory = server.image(name, serial)
        for file, due in image.files.items():
            found = hashlib.sha256(pathlib.Path(directory, file).read_bytes()).hexdigest()
            if found != due["sha256"]:
                faults.append(f"{file} of {serial} is not what the manifest says")
        faults += [
            f"{serial} has no boot script for {image_format}"
            for image_format in image.formats
            if not os.path.exists(os.path.join(directory, manifest.script_name(image_format)))
        ]
        where = server.snapshot_mount(name, serial)
        if "nfs" in image.formats and not (is_mounted(where) and exports.is_exported(where)):
            faults.append(f"{serial} is published by NFS, but not mounted and exported")
    return faults


def broken_blocks(server: Server, name: str, before: bool) -> list[str]:
    """Whether everything that a manifest of blocks names is there, whole."""
    faults = broken_image(server, name, before)
    place = blocks.place_of(server, name)
    for serial, found in place.manifests().items():
        place.index(found)
        for pack in found.packs:
            frames = place.table(pack).frames
            size = os.path.getsize(os.path.join(place.public, pack.file))
            if size != pack.size or (frames and frames[-1].offset + frames[-1].size > size):
                faults.append(f"{pack.file} of {serial} has {size} bytes")
    published = [one for one in manifest.serials(server, name) if "blocks" in manifest.get(server, name, one).formats]
    faults += [f"{serial} has no blocks" for serial in published if serial not in place.serials()]
    return faults


def left_blocks(server: Server, name: str) -> list[str]:
    """Files of blocks that nothing names, and a metadata snapshot of the pool that somebody has still reserved."""
    place = blocks.place_of(server, name)
    faults = left_image(server, name) + place.leftovers(place.manifests())
    if os.path.exists(place.untidy):
        faults.append(place.untidy)
    if server.store == "lvm":
        pool = thin_delta.Pool(server.vg, server.pool)
        status = subprocess.run(
            ["dmsetup", "status", pool.device], stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        if thin_delta.held(status) is not None or os.path.exists(pool.mark):
            faults.append(f"the metadata snapshot of the pool: {status}")
    return faults


def left_image(server: Server, name: str) -> list[str]:
    """Directories, mounts and exports of images that are not published, and what the directory says of them."""
    published = manifest.serials(server, name)
    by_nfs = [serial for serial in published if "nfs" in manifest.get(server, name, serial).formats]
    faults = [f"directory {path}" for path in glob.glob(os.path.join(server.www, "images", name, ".*"))]
    for serial in serials(server, name):
        where = server.snapshot_mount(name, serial)
        if is_mounted(where) != (serial in by_nfs):
            faults.append(f"mount {where}")
        if (serial in exports.published(name)) != (serial in by_nfs):
            faults.append(f"export {where}")
    said = follow.published(server, name, follow.images(server, name), channels.channels(server, name))
    plan = follower().plan(said)
    faults += [f"the directory: {step.text}" for step in (*plan.first, *plan.come, *plan.go)]
    return faults + left_files(server)


WORKS = {
    "image": Work(publish_or_withdraw, pointed, broken_image, left_image),
    "blocks": Work(blocks_or_withdraw, pointed, broken_blocks, left_blocks),
    "snapshot": Work(take, serials, broken_snapshots, left_snapshots),
    # of a name that is not in use otherwise
    "protosystem": Work(make_or_remove, exists, broken_protosystem, left_protosystem),
}


def start(work: str, name: str) -> subprocess.Popen[bytes]:
    """The work in a process of its own, silent."""
    return subprocess.Popen([sys.executable, __file__, "--act", work, name], stderr=subprocess.PIPE)


def ended(process: subprocess.Popen[bytes]) -> bytes:
    """What the work has complained of, at its end and that of all that it has started; if it never ends: why."""
    try:
        return process.communicate(timeout=LIMIT)[1]
    except subprocess.TimeoutExpired:
        print(f"no end after {LIMIT} s of {process.args!r}, or of what it has started:", flush=True)
        subprocess.run(["ps", "-eo", "pid,ppid,stat,wchan:30,args", "--forest"], check=False)
        subprocess.run(["dmsetup", "info", "--columns"], check=False)
        process.kill()
        sys.exit(1)


def finish(work: str, name: str) -> float:
    """The work, not killed; returns the seconds it took."""
    began = time.monotonic()
    process = start(work, name)
    complaint = ended(process)
    if process.returncode != 0:
        sys.exit(f"a run that was not killed failed:\n{complaint.decode(errors='replace')}")
    return time.monotonic() - began


def kill(work: str, name: str, server: Server, share: float, duration: float) -> tuple[t.Any, float, bool]:
    """Start the work and kill it after a *share* of its *duration*; earlier if it was done: each point is a real one.

    Returns the state before, the seconds, and whether it was killed at last.
    """
    for _attempt in range(8):
        before = WORKS[work].look(server, name)
        after = share * duration
        began = time.monotonic()
        process = start(work, name)
        try:
            process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            ended(process)
        if process.returncode == -signal.SIGKILL:
            return before, after, True
        # the machine has less to do now than it had before
        duration, share = time.monotonic() - began, 0.9 * share
    return before, after, False


def main(work: str, name: str, points: int = 10, seed: int | None = None) -> int:
    """Kill *work* at so many *points*; returns the exit status."""
    server = load()
    seed = random.randrange(10**6) if seed is None else seed
    chance = random.Random(seed)
    finish(work, name)
    duration = max(finish(work, name), finish(work, name))
    print(json.dumps({"work": work, "seconds": round(duration, 2), "points": points, "seed": seed}))
    wrong = 0
    for point in range(points):
        before, after, killed = kill(work, name, server, (point + chance.random()) / points, duration)
        faults = WORKS[work].broken(server, name, before)
        seen = WORKS[work].look(server, name)
        finish(work, name)
        faults += [f"left behind: {fault}" for fault in WORKS[work].left(server, name)]
        wrong += bool(faults)
        if not killed:
            faults.append("it had always ended before it could be killed")
            wrong += len(faults) == 1
        line = {"point": point, "after": round(after, 2), "killed": killed, "new": seen != before, "faults": faults}
        print(json.dumps(line), flush=True)
    print(f"{points - wrong} of {points} points left the old or the new state")
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1] == "--act":
        WORKS[sys.argv[2]].act(load(), sys.argv[3])
    else:
        sys.exit(main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])))
