# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts: lasting ones as systemd mount units, passing ones that are gone with the process that needs them.

Passing mounts are made in a mount namespace of their own (mount_namespaces(7)). The kernel drops it with its last
process or open descriptor, so that nothing is left however a run ends, and nobody else ever sees the mount.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import subprocess
import typing as t

from ._command import CommandFailed, ProgramMissing, run, search_path
from ._errors import InUse
from ._files import read, remove, sync_directory, write
from ._plan import Step

UNITS = "/etc/systemd/system"
#: Where passing mounts stand, each in its own namespace: outside, an empty directory.
STAND = "/run/stateless/stand"
#: Mount, say so, and keep the namespace until the standard input ends.
_HOLD = 'mount -t "$1" -o "$2" -- "$3" "$4" && echo mounted && read -r _'
#: Mount, then run a program; the shell stays process 1 and reaps what the program leaves.
_INSIDE = 'mount -t "$1" -o "$2" -- "$3" "$4" || exit; shift 4; "$@"; exit $?'


@dataclasses.dataclass(frozen=True)
class Mount:
    """A line of the mount table: proc_pid_mountinfo(5)."""

    where: str
    #: the filesystem's block device as MAJOR:MINOR
    device: str
    fstype: str
    source: str
    options: tuple[str, ...]


def mounts(table: str = "/proc/self/mountinfo") -> list[Mount]:
    """What is mounted, in the order of mounting."""
    found = []
    # A name may have any bytes.
    with open(table, encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
        lines = stream.read().split("\n")
    for line in filter(None, lines):
        # ID PARENT MAJOR:MINOR ROOT WHERE OPTIONS [TAG ...] - FSTYPE SOURCE SUPER-OPTIONS
        own, _dash, other = line.partition(" - ")
        fields, rest = own.split(" "), other.split(" ")
        found.append(
            Mount(
                where=unescape(fields[4]),
                device=fields[2],
                fstype=rest[0],
                source=unescape(rest[1]),
                options=tuple(fields[5].split(",")),
            )
        )
    return found


def mounted_at(path: str) -> Mount | None:
    """The (topmost) mount whose mount point is *path*; None if there is none."""
    real = os.path.realpath(path)
    return next((mount for mount in reversed(mounts()) if mount.where == real), None)


def is_mounted(path: str) -> bool:
    """Whether *path* is a mount point."""
    return mounted_at(path) is not None


def mounted_from(devices: t.Iterable[str]) -> list[Mount]:
    """The mounts of the filesystems on the block devices *devices* (paths)."""
    numbers = {os.stat(device).st_rdev for device in devices}
    wanted = {f"{os.major(number)}:{os.minor(number)}" for number in numbers}
    return [mount for mount in mounts() if mount.device in wanted]


def unescape(text: str) -> str:
    r"""Undo the \040 for a space, and the like, of the kernel's tables and fstab(5)."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


@dataclasses.dataclass(frozen=True)
class MountUnit:
    """A lasting mount: one systemd.mount(5) unit file, enabled and started."""

    where: str
    what: str
    fstype: str
    options: tuple[str, ...]
    description: str

    @property
    def name(self) -> str:
        """The unit's name, which systemd derives from :attr:`where`."""
        return run(["systemd-escape", "--path", "--suffix=mount", "--", self.where]).strip()

    @property
    def content(self) -> str:
        """The unit file."""
        what, where = (text.replace("%", "%%") for text in (self.what, self.where))
        return (
            "# Made by stateless.linux; changes made here are lost.\n"
            f"[Unit]\nDescription={self.description}\n\n"
            f"[Mount]\nWhat={what}\nWhere={where}\nType={self.fstype}\nOptions={','.join(self.options)}\n\n"
            "[Install]\nWantedBy=multi-user.target\n"
        )

    def plan_ensure(self) -> list[Step]:
        """The steps by which the unit exists, is enabled and mounted; none if it is so already."""
        name = self.name
        changed = read(os.path.join(UNITS, name)) != self.content
        if not changed and _enabled(name) and is_mounted(self.where):
            return []
        return [Step(f"mount {self.where} ({name})", lambda: self._act(name, changed))]

    def plan_absent(self) -> list[Step]:
        """The steps by which nothing is mounted there and no unit is left."""
        return plan_unmounted(self.where)

    def ensure(self) -> bool:
        """Do :meth:`plan_ensure`; return whether anything changed."""
        return _do(self.plan_ensure())

    def absent(self) -> bool:
        """Do :meth:`plan_absent`; return whether anything changed. Raises :class:`InUse`."""
        return _do(self.plan_absent())

    def _act(self, name: str, changed: bool) -> None:
        os.makedirs(self.where, exist_ok=True)
        if changed:
            write(os.path.join(UNITS, name), self.content)
            run(["systemctl", "daemon-reload"])
        run(["systemctl", "enable", "--quiet", name])
        # not "start": a unit that failed, or was mounted with older options, is to be mounted anew
        run(["systemctl", "restart" if changed else "start", name])
        sync_directory(UNITS)


def plan_unmounted(where: str) -> list[Step]:
    """The steps by which nothing is mounted at *where*, the unit for it is gone, and so is the empty directory.

    Acting raises :class:`InUse` when a process has something open there; the unit then is still there.
    """
    name = run(["systemd-escape", "--path", "--suffix=mount", "--", where]).strip()
    path = os.path.join(UNITS, name)
    if not os.path.lexists(path) and not is_mounted(where):
        return []
    return [Step(f"unmount {where} ({name})", lambda: _unmount(where, name, path))]


def _unmount(where: str, name: str, path: str) -> None:
    while is_mounted(where):
        try:
            run(["umount", "--", where])
        except CommandFailed as error:
            users = ", ".join(_users(where)) or "unknown"
            raise InUse(f"{where} cannot be unmounted, it is in use (by {users}): {error.stderr.strip()}") from error
    if os.path.lexists(path):
        run(["systemctl", "disable", "--quiet", name])
        remove(path)
        run(["systemctl", "daemon-reload"])
    with contextlib.suppress(OSError):
        os.rmdir(where)


def _users(where: str) -> list[str]:
    """The processes that work in *where*: their working directory, root or an open file is there."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        base = f"/proc/{pid}"
        with contextlib.suppress(OSError):
            links = [f"{base}/cwd", f"{base}/root", *(f"{base}/fd/{fd}" for fd in os.listdir(f"{base}/fd"))]
            targets = [os.readlink(link) for link in links]
            if any(target == where or target.startswith(f"{where}/") for target in targets):
                found.append(f"{(read(f'{base}/comm') or '').strip()} [{pid}]")
    return found


def _enabled(name: str) -> bool:
    return os.path.lexists(os.path.join(UNITS, "multi-user.target.wants", name))


def _do(steps: t.Sequence[Step]) -> bool:
    for step in steps:
        step.act()
    return bool(steps)


@contextlib.contextmanager
def view(what: str, fstype: str, options: t.Sequence[str]) -> t.Iterator[str]:
    """Mount *what*, for this block alone, and give the path of its root directory.

    The path, ``/proc/PID/fd/N/.`` (the dot because ``N`` is a link, which some programs would copy as one), is good
    for this process and every program it runs. Nothing may keep a file of it open after the block.

    :raises CommandFailed: it cannot be mounted.
    """
    os.makedirs(STAND, exist_ok=True)
    argv = ["unshare", "--mount", "--propagation", "private", "--"]
    argv += ["sh", "-c", _HOLD, "sh", fstype, ",".join(options), what, STAND]
    environment = {**os.environ, "PATH": search_path(), "LC_ALL": "C"}
    try:
        holder = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
    except FileNotFoundError as error:
        raise ProgramMissing("the program unshare is not installed: install util-linux") from error
    descriptor = None
    try:
        if holder.stdout is not None and holder.stdout.readline() == "mounted\n":
            descriptor = os.open(f"/proc/{holder.pid}/root{STAND}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        # from here on the descriptor alone holds the mount
        _said, complaint = holder.communicate()
        if descriptor is None:
            raise CommandFailed(["mount", "-t", fstype, "-o", ",".join(options), what], holder.returncode, complaint)
        yield f"/proc/{os.getpid()}/fd/{descriptor}/."
    finally:
        holder.kill()
        holder.wait()
        if descriptor is not None:
            os.close(descriptor)


def inside(what: str, fstype: str, options: t.Sequence[str], argv: t.Sequence[str]) -> list[str]:
    """The command that runs *argv* with *what* mounted at :data:`STAND`, for it alone.

    The program gets namespaces of its own for mounts and processes and dies with this process, and all that it started
    with it: a killed run leaves no mount and no process.
    """
    os.makedirs(STAND, exist_ok=True)
    command = ["setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--propagation", "private"]
    command += ["--pid", "--fork", "--kill-child", "--mount-proc", "--"]
    return [*command, "sh", "-c", _INSIDE, "sh", fstype, ",".join(options), what, STAND, *argv]
