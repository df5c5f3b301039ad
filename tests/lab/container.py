# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test hosts as systemd-nspawn containers: native speed, a kernel shared with this machine."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import time

from . import network
from .process import LabError, Process, run, spawn
from .state import Host, Lab

_CGROUPS = pathlib.Path("/sys/fs/cgroup")


def _machine(host: Host) -> str:
    return f"stateless-{host.lab}-{host.name}"


def _root(host: Host) -> pathlib.Path:
    return host.disk_dir / "root"


def _cgroups(host: Host) -> list[pathlib.Path]:
    """A control group of its own in every hierarchy that systemd would look at.

    Two containers started from one group would else manage the same one.
    """
    if (_CGROUPS / "cgroup.procs").exists():
        roots = [_CGROUPS]
    else:
        roots = [_CGROUPS / name for name in ("unified", "systemd") if (_CGROUPS / name / "cgroup.procs").exists()]
    return [root / _machine(host) for root in roots]


def start(lab: Lab, host: Host) -> None:
    """Mount the root if it is not, and boot it."""
    root = _root(host)
    if not os.path.ismount(root):
        upper, work = host.disk_dir / "upper", host.disk_dir / "work"
        for directory in (root, upper, work):
            directory.mkdir(parents=True, exist_ok=True)
        # volatile: nothing here outlives the lab, so fsync(2) need not wait for a disk.
        options = f"lowerdir={host.base}/tree,upperdir={upper},workdir={work},volatile"
        run("mount", "-t", "overlay", "-o", options, f"stateless-{host.lab}", root)
    for group in _cgroups(host):
        group.mkdir(exist_ok=True)
    host.powered = time.time()
    host.save()
    spawn(
        [
            "systemd-nspawn", "--quiet", "--boot", f"--directory={root}", "--console=pipe",
            f"--machine={_machine(host)}", f"--hostname={host.name}",
            f"--network-namespace-path={network.container(lab, host)}",
            "--register=no", "--keep-unit", "--link-journal=no", "--resolv-conf=off", "--timezone=off",
            "--capability=all", "--bind=/dev/loop-control",
        ],
        host.record,
        host.console,
        # A pure cgroup2 tree inside, whatever this machine has: systemd 256 and newer wants no other.
        # No system call filter: containers, keyrings and mounts must work inside.
        env={"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_SECCOMP": "0", "SYSTEMD_NSPAWN_LOCK": "0"},
        enter=_cgroups(host),
    )  # fmt: skip


def stop(host: Host) -> None:
    """End it at once. Its first process is killed, so that nspawn clears up after itself; then whatever is left."""
    process = host.process
    if process and process.alive:
        for init in process.children():
            init.kill()
        process.ended(10)
    # A container that was just being started is not yet a child of nspawn, and does not end with it.
    deadline = time.monotonic() + 10
    while left := _members(host):
        for one in left:
            one.kill()
        if time.monotonic() > deadline:
            raise LabError(f"{host.name}: processes do not end: {', '.join(str(one.pid) for one in left)}")
        time.sleep(0.05)


def _members(host: Host) -> list[Process]:
    """What runs in the control groups that only this container has."""
    pids: set[str] = set()
    for group in _cgroups(host):
        for directory, _below, _files in os.walk(group):
            with contextlib.suppress(OSError):  # it may be removed meanwhile
                pids.update(pathlib.Path(directory, "cgroup.procs").read_text().split())
    found = (Process.read(pathlib.Path(f"/proc/{pid}/stat")) for pid in pids)
    return [process for process in found if process and process.alive]


def remove(host: Host) -> None:
    """Give back what a stopped container had: loop devices, the mount, the control groups."""
    root = _root(host)
    if os.path.ismount(root):
        _detach_loops(root)
        run("umount", root)
    for group in _cgroups(host):
        _remove_cgroup(group)
    # nspawn does not remove this one where /run is no tmpfs.
    shutil.rmtree(f"/run/systemd/nspawn/propagate/{_machine(host)}", ignore_errors=True)


def _detach_loops(root: pathlib.Path) -> None:
    """Detach the loop devices on files of the container, and those on files in filesystems on such devices."""
    deadline = time.monotonic() + 15
    while mine := _loops(root):
        for device in mine:
            run("losetup", "--detach", device, check=False)
        if time.monotonic() > deadline:
            raise LabError(f"loop devices of the container stay in use: {', '.join(mine)}")
        time.sleep(0.2)


def _loops(root: pathlib.Path) -> list[str]:
    """The loop devices that stand on the filesystem mounted on *root*, the innermost first."""
    stat = os.stat(root)
    inside = {f"{os.major(stat.st_dev)}:{os.minor(stat.st_dev)}"}
    listed = json.loads(run("losetup", "--list", "--json", "-O", "NAME,MAJ:MIN,BACK-MAJ:MIN") or "{}")
    others = [{name: str(value).strip() for name, value in one.items()} for one in listed.get("loopdevices", [])]
    found: list[str] = []
    while more := [one for one in others if one["back-maj:min"] in inside]:
        others = [one for one in others if one not in more]
        inside |= {one["maj:min"] for one in more}
        found = [one["name"] for one in more] + found
    return found


def _remove_cgroup(group: pathlib.Path) -> None:
    deadline = time.monotonic() + 5
    while group.exists():
        for directory, _below, _files in os.walk(group, topdown=False):
            try:
                os.rmdir(directory)
            except OSError:
                if time.monotonic() > deadline:
                    return  # an empty directory in cgroupfs is all that stays
        time.sleep(0.05)
