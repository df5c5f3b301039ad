# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cached bases that test hosts stand on: a tree for containers, a disk with its kernel for virtual machines."""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import time
import uuid

from . import proxy, ssh
from .process import LabError, run, say
from .state import CACHE, HERE, all_labs, lock

_BASES = CACHE / "bases"
_KEEP_UNUSED = 24 * 3600  #: seconds that a base of another key is kept: somebody may have two checkouts

_COMMON = (
    "ca-certificates dbus iproute2 kmod libpam-systemd netbase openssh-server procps python3 python3-apt"
    " systemd-sysv udev"
).split()
_KERNEL = ["e2fsprogs", "initramfs-tools", "linux-image-cloud-amd64", "zstd"]
#: Nothing that works in the background of a test, and no login prompts on consoles that are logs.
_MASKED = (
    "apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer"
    " getty.target man-db.timer console-getty.service serial-getty@ttyS0.service systemd-networkd-wait-online.service"
).split()
#: Services of packages-server.txt: there, but not running before the role says so.
_DISABLED = "nfs-server nfs-blkmap nginx rpcbind.socket rpcbind".split()
_LOOPS = 128
#: Run in a mount and a process namespace that end with us: a killed build leaves no mount in the tree and no
#: process at work in it.
_SEALED = tuple("setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc --".split())


def words(name: str) -> list[str]:
    """The package names of a list in this directory."""
    lines = (line.partition("#")[0].strip() for line in (HERE / name).read_text().splitlines())
    return [line for line in lines if line]


def get(kind: str, release: str, variant: str = "plain") -> pathlib.Path:
    """The directory of a base, built now if it is not in the cache (one to three minutes).

    :arg kind: ``container`` (a directory ``tree``), ``vm`` (``disk.raw``, ``vmlinuz``, ``initrd``) or ``kernel``
        (``vmlinuz``).
    :arg variant: ``plain``, or ``server`` with the packages of packages-server.txt.
    """
    packages = [] if kind == "kernel" else list(_COMMON)
    packages += _KERNEL if kind == "vm" else ["linux-image-cloud-amd64"] if kind == "kernel" else []
    packages += words("packages-server.txt") if variant == "server" else []
    made_of = [pathlib.Path(__file__).read_text(), release, variant, ssh.public_key(), proxy.URL, *sorted(packages)]
    key = hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:12]
    what = f"{kind}-{release}-{variant}"
    path = _BASES / f"{what}-{key}"
    with lock(_BASES / f".{what}.lock", f"builds the base {what}"):
        if not path.exists():
            _build(path, kind, release, packages)
        os.utime(path)
        _prune(what, path)
    return path


def _build(path: pathlib.Path, kind: str, release: str, packages: list[str]) -> None:
    """Make it beside, and rename."""
    say(f"building the base {path.name} (once; one to three minutes)")
    begun = time.monotonic()
    new = path.with_name(path.name + ".new")
    log = path.with_name(path.name + ".log")
    log.unlink(missing_ok=True)
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        tree = new / "tree"
        _bootstrap(tree, release, packages, "extract" if kind == "kernel" else "minbase", log)
        if kind != "kernel":
            _settle(tree, kind, log)
        if kind != "container":
            _boot_files(tree, new)
        if kind == "vm":
            say("writing its disk")
            disk = new / "disk.raw"
            run("truncate", "--size=24G", disk)
            options = "lazy_itable_init=1,lazy_journal_init=1"
            run("mkfs.ext4", "-q", "-L", "root", "-E", options, "-d", tree, disk, timeout=300, log=log)
        if kind != "container":
            shutil.rmtree(tree)
        new.rename(path)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    log.unlink(missing_ok=True)
    say(f"built in {time.monotonic() - begun:.0f} s")


def _bootstrap(tree: pathlib.Path, release: str, packages: list[str], variant: str, log: pathlib.Path) -> None:
    # The lists of packages stay, so that a host can install at once.
    run(
        *_SEALED, "mmdebstrap", "--mode=root", f"--variant={variant}", f"--include={','.join(packages)}",
        f'--aptopt=Acquire::http::Proxy "{proxy.URL}"', '--aptopt=Acquire::Languages "none"',
        "--dpkgopt=force-unsafe-io", "--skip=cleanup/apt/lists", release, tree,
        timeout=1500, log=log,
    )  # fmt: skip


def _settle(tree: pathlib.Path, kind: str, log: pathlib.Path) -> None:
    """Make a fresh tree a host of the lab: our key, no background work, its network."""
    keys = tree / "root/.ssh/authorized_keys"
    keys.parent.mkdir(mode=0o700, exist_ok=True)
    keys.write_text(ssh.public_key() + "\n")
    (tree / "etc/hostname").write_text("server\n")
    (tree / "etc/hosts").write_text("127.0.0.1 localhost\n127.0.1.1 server\n::1 localhost\n")
    (tree / "etc/resolv.conf").unlink(missing_ok=True)
    (tree / "etc/resolv.conf").write_text("# The lab has no name server of its own.\n")
    # An empty machine-id would make every boot a first boot, which enables every service there is.
    (tree / "etc/machine-id").write_text(uuid.uuid4().hex + "\n")
    # "Updated": else every boot of a fresh overlay rebuilds the caches of ld.so, hwdb and the journal's catalogue.
    for directory in ("etc", "var"):
        (tree / directory / ".updated").touch()
    run("systemctl", f"--root={tree}", "mask", *_MASKED, log=log)
    for unit in _DISABLED:
        run("systemctl", f"--root={tree}", "disable", unit, check=False, log=log)
    if kind == "container":
        # No udev in there: the nodes that losetup(8) will ask for must exist.
        nodes = "".join(f"b! /dev/loop{number} 0660 root disk - 7:{number}\n" for number in range(_LOOPS))
        (tree / "etc/tmpfiles.d/lab-loop.conf").write_text(nodes)
        return
    # The address comes as ip= on the kernel's command line, see systemd-network-generator.service(8).
    run("systemctl", f"--root={tree}", "enable", "systemd-networkd", "systemd-network-generator", log=log)
    (tree / "etc/fstab").write_text("LABEL=root / ext4 noatime 0 1\n")
    # A small initrd: under emulation, unpacking a full one takes longer than the rest of the boot.
    settings = tree / "etc/initramfs-tools"
    (settings / "conf.d/lab").write_text("MODULES=list\nCOMPRESS=zstd\n")
    (settings / "modules").write_text("virtio_pci\nvirtio_blk\next4\ncrc32c_generic\n")
    run(*_SEALED, "chroot", tree, "update-initramfs", "-u", log=log, timeout=300)


def _boot_files(tree: pathlib.Path, into: pathlib.Path) -> None:
    """Copy the kernel, and the initrd if there is one, out of a tree."""
    kernels = sorted((tree / "boot").glob("vmlinuz-*"))
    if not kernels:
        raise LabError(f"no kernel in {tree}/boot")
    shutil.copy(kernels[-1], into / "vmlinuz")
    initrd = kernels[-1].with_name(kernels[-1].name.replace("vmlinuz", "initrd.img", 1))
    if initrd.exists():
        shutil.copy(initrd, into / "initrd")


def _prune(what: str, current: pathlib.Path) -> None:
    """Remove bases of other keys that no lab stands on and that nobody wanted for a day. The caller has the lock."""
    used = {host.base for lab in all_labs() for host in lab.hosts()}
    for path in _BASES.glob(f"{what}-*"):
        if path == current or str(path) in used or not path.is_dir():
            continue
        if path.name.endswith(".new") or time.time() - path.stat().st_mtime > _KEEP_UNUSED:
            say(f"removing the old base {path.name}")
            shutil.rmtree(path, ignore_errors=True)
