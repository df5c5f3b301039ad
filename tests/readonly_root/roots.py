# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A read-only root to try the service in: this machine's own /, with an image's files over it, in a mount namespace.

What happens in there is gone with the process that did it. Needs root.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import io
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import traceback
import typing as t

from ansible_collections.stateless.linux.plugins.module_utils import _mounts
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.boot import service

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS = 0x20000
_CLONE_NEWUTS = 0x4000000
_CLONE_NEWNET = 0x40000000
#: Where the root is made, outside; a directory of this machine's that may be hidden.
STAND = "/mnt"
SCRATCH = "/var/lib/stateless/writable"
SPARE = "/run/stateless/scratch"
STATE = "/var/lib/stateless/state"

Result = t.TypeVar("Result")


def mount(*arguments: str) -> None:
    """mount(8), which must succeed."""
    subprocess.run(["mount", "-n", *arguments], check=True, capture_output=True)


def unmount(where: str) -> None:
    """umount(8), which must succeed."""
    subprocess.run(["umount", "-n", where], check=True)


def apart(work: t.Callable[[], Result]) -> Result:
    """What *work* returns, called in a process with mounts, a host name and a network of its own.

    The network has nothing in it: what this machine's addresses are called elsewhere is no matter of the tests.
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            answer: tuple[bool, object]
            try:
                if _libc.unshare(_CLONE_NEWNS | _CLONE_NEWUTS | _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "unshare")
                mount("--make-rprivate", "/")
                answer = (True, work())
            except BaseException:
                answer = (False, traceback.format_exc())
            with os.fdopen(writer, "wb") as stream:
                pickle.dump(answer, stream)
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        said = stream.read()
    os.waitpid(child, 0)
    if not said:
        raise AssertionError("the process ended without a word")
    good, value = pickle.loads(said)
    if not good:
        raise AssertionError(value)
    return t.cast(Result, value)


class Root:
    """A root in the making, in the namespace of :func:`apart`.

    :arg arguments: the kernel's, as the service reads them.
    """

    def __init__(self, arguments: str = "") -> None:
        self.path = f"{STAND}/root"
        mount("-t", "tmpfs", "-o", "size=256m,mode=0755", "tmpfs", STAND)
        for name in ("root", "upper", "work"):
            os.mkdir(f"{STAND}/{name}")
        options = f"lowerdir=/,upperdir={STAND}/upper,workdir={STAND}/work"
        mount("-t", "overlay", "-o", options, "root", self.path)
        for name in ("proc", "sys", "dev"):
            mount("--rbind", f"/{name}", f"{self.path}/{name}")
        mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", f"{self.path}/run")
        for name in ("rwtab", "rwtab.d", "statetab", "statetab.d", "sysconfig", "fstab", "stateless"):
            shutil.rmtree(f"{self.path}/etc/{name}", ignore_errors=True)
            if os.path.lexists(f"{self.path}/etc/{name}"):
                os.unlink(f"{self.path}/etc/{name}")
        self.write("/etc/sysconfig/readonly-root", "READONLY=yes\n")
        self.make("/var/lib/stateless/writable")
        self.make("/var/lib/stateless/state")
        with open(f"{STAND}/cmdline", "w", encoding="utf-8") as stream:
            stream.write(f"{arguments}\n")
        mount("--bind", f"{STAND}/cmdline", f"{self.path}/proc/cmdline")

    def make(self, path: str) -> None:
        """Make the directory *path*."""
        os.makedirs(self.path + path, exist_ok=True)

    def write(self, path: str, text: str | bytes = "") -> None:
        """Make the file *path*."""
        self.make(os.path.dirname(path))
        with open(self.path + path, "wb") as stream:
            stream.write(text if isinstance(text, bytes) else os.fsencode(text))

    def enter(self, writable: bool = False) -> None:
        """Make it this process's root, read-only."""
        if not writable:
            mount("-o", "remount,ro", self.path)
        os.chroot(self.path)
        os.chdir("/")

    def put(self, path: str, what: str | bytes | None) -> None:
        """Make *path*: a directory (None), a link (``-> TARGET``) or a file with that text."""
        if what is None:
            self.make(path)
        elif isinstance(what, str) and what.startswith("-> "):
            self.make(os.path.dirname(path))
            os.symlink(what[3:], self.path + path)
        else:
            self.write(path, what)


@dataclasses.dataclass(frozen=True)
class Boot:
    """What the service did: its status, what it said, and what is mounted where by whom, in the order of mounting."""

    status: int
    notes: str
    problems: str
    binds: list[tuple[str, str]]

    def of(self, kind: str) -> list[str]:
        """The paths bound from scratch or state."""
        return sorted(path for path, found in self.binds if found == kind)


def serve() -> Boot:
    """Run the service in the root that was entered."""
    sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
    try:
        status = service.main()
        notes, problems = sys.stdout.getvalue(), sys.stderr.getvalue()
    finally:
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    return Boot(status, notes, problems, binds())


def binds() -> list[tuple[str, str]]:
    """What the kernel says is bound from scratch or state."""
    found = _mounts.mounts()
    places = {
        mount.device: kind
        for mount in found
        for kind, where in (("scratch", SCRATCH), ("scratch", SPARE), ("state", STATE))
        if mount.where == where
    }
    return [
        (mount.where, places[mount.device])
        for mount in found
        if mount.device in places and mount.where not in (SCRATCH, SPARE, STATE)
    ]


def again() -> None:
    """Undo the boot: what is left is what the disks have."""
    for path, _kind in reversed(binds()):
        unmount(path)
    for where in (STATE, SCRATCH):
        if _mounts.is_mounted(where):
            unmount(where)
    os.unlink(service.DONE)


@contextlib.contextmanager
def loop(image: str) -> t.Iterator[str]:
    """A loop device with the file *image*."""
    attach = ["losetup", "--find", "--show", image]
    device = subprocess.run(attach, check=True, capture_output=True, text=True).stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


@contextlib.contextmanager
def disk(label: str, size: str = "32m", kind: str = "ext4") -> t.Iterator[str]:
    """A loop device with a new filesystem; to be made before its root."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["truncate", "-s", size, f"{directory}/disk"], check=True)
        subprocess.run([f"mkfs.{kind}", "-q", "-L", label, f"{directory}/disk"], check=True, capture_output=True)
        with loop(f"{directory}/disk") as device:
            yield device
