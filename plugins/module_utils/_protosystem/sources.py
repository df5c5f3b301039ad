# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a protosystem is made from: a bootstrap, an archive, a directory tree, or a running machine.

A source checks itself while the task is planned, and gives the commands that fill an empty filesystem, mounted at
:data:`.._mounts.STAND` for each of them alone.
"""

from __future__ import annotations

import abc
import dataclasses
import os
import re
import typing as t

from .._command import CommandFailed, find, run
from .._errors import InvalidValue
from .._mounts import STAND

#: ssh never asks: there is nobody to answer.
_SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15")
_MACHINE = re.compile(r"(?:(?P<user>[A-Za-z_][\w.-]*)@)?(?P<host>[A-Za-z0-9][\w.-]*)")
#: What no copy of a system needs: filled anew at every boot. Other filesystems are left out anyway.
_PASSING = ("/proc/*", "/sys/*", "/run/*", "/tmp/*", "/lost+found")
#: XFS shows its ACLs a second time, as attributes of its own. rsync, which carries ACLs by themselves, must neither
#: copy those to another filesystem nor take them for surplus, which deletes the default ACL. A first rule of one's own
#: replaces rsync's default, so that is said, too.
_ATTRIBUTES = ("-x system.*", "-x trusted.SGI_ACL_*")


class Source(abc.ABC):
    """What a new protosystem is filled from."""

    @abc.abstractmethod
    def check(self) -> None:
        """Raise InvalidValue, or ProgramMissing, if it cannot work. Changes nothing."""

    @abc.abstractmethod
    def commands(self, scratch: str) -> list[list[str]]:
        """The commands that fill the filesystem, in order. *scratch* is an empty directory for files they need."""

    @property
    @abc.abstractmethod
    def record(self) -> dict[str, t.Any]:
        """What is kept on record of it."""

    @property
    @abc.abstractmethod
    def text(self) -> str:
        """What it is, in the words of a message."""


@dataclasses.dataclass(frozen=True)
class Archive(Source):
    """A tar archive on the server, compressed or not, with the root directory at its top."""

    path: str

    def check(self) -> None:
        _absolute("archive", self.path)
        if not os.path.isfile(self.path):
            raise InvalidValue("archive", self.path, "there is no such file on the server")
        find("tar", "tar")
        for suffix, program, package in ((".zst", "zstd", "zstd"), (".xz", "xz", "xz-utils (Debian) or xz")):
            if self.path.endswith(suffix):
                find(program, package)

    def commands(self, scratch: str) -> list[list[str]]:
        kept = ("--numeric-owner", "--same-owner", "--preserve-permissions", "--acls", "--xattrs", "--xattrs-include=*")
        return [["tar", "--extract", f"--file={self.path}", "--force-local", f"--directory={STAND}", *kept]]

    @property
    def record(self) -> dict[str, t.Any]:
        return {"archive": self.path}

    @property
    def text(self) -> str:
        return f"the archive {self.path}"


@dataclasses.dataclass(frozen=True)
class Copy(Source):
    """A directory tree of the server, or a running machine, copied by rsync(1)."""

    #: the directory, or a mounted root; of a machine, always ``/``
    tree: str
    #: ``[USER@]HOST``; empty for a directory of the server
    machine: str = ""
    exclude: tuple[str, ...] = ()
    #: further mount points below :attr:`tree` that belong to the system, such as /boot
    filesystems: tuple[str, ...] = ()
    #: paths that are never copied: what this collection keeps on a server
    own: tuple[str, ...] = ()

    @property
    def option(self) -> str:
        """The name of the module's option."""
        return "machine" if self.machine else "tree"

    def check(self) -> None:
        find("rsync", "rsync")
        for path in self.filesystems:
            _absolute("filesystems", path)
        if not self.machine:
            _absolute("tree", self.tree)
            if not os.path.isdir(os.path.join(self.tree, "usr")):
                raise InvalidValue("tree", self.tree, "use the root directory of a system: it has no directory usr")
            return
        match = _MACHINE.fullmatch(self.machine)
        if match is None:
            raise InvalidValue("machine", self.machine, "use HOST or USER@HOST")
        find("ssh", "openssh-client (Debian) or openssh-clients")
        try:
            run([*_SSH, "--", self.machine, *self._sudo, "rsync", "--version"], timeout=60)
        except CommandFailed as error:
            raise InvalidValue(
                "machine",
                self.machine,
                "root of this server has to reach it by ssh with a key and a known host key, and run rsync there "
                f"{'by sudo without a password' if self._sudo else 'as root'}: {error.stderr.strip()}",
            ) from error

    @property
    def _sudo(self) -> tuple[str, ...]:
        match = _MACHINE.fullmatch(self.machine)
        user = match["user"] if match else None
        return ("sudo", "--non-interactive") if user not in (None, "root") else ()

    def commands(self, scratch: str) -> list[list[str]]:
        rsync = ["rsync", "--archive", "--hard-links", "--acls", "--xattrs", "--sparse", "--numeric-ids"]
        rsync += [f"--filter={rule}" for rule in _ATTRIBUTES]
        rsync += ["--one-file-system", *(f"--exclude={pattern}" for pattern in self._excluded())]
        start = f"{self.machine}:" if self.machine else ""
        if self.machine:
            rsync += [f"--rsh={' '.join(_SSH)}", f"--rsync-path={' '.join([*self._sudo, 'rsync'])}"]
        tree = self.tree.rstrip("/")
        copies = [[*rsync, "--", f"{start}{tree}/", f"{STAND}/"]]
        for path in self.filesystems:
            # --relative with /./ makes the patterns and the target start at the root of the tree here, too
            copies.append([*rsync, "--relative", "--", f"{start}{tree}/.{path.rstrip('/')}/", f"{STAND}/"])
        return copies

    def _excluded(self) -> list[str]:
        below = (os.path.relpath(path, self.tree) for path in self.own)
        return [*_PASSING, *(f"/{path}" for path in below if not path.startswith("..")), *self.exclude]

    @property
    def record(self) -> dict[str, t.Any]:
        kept: dict[str, t.Any] = {self.option: self.machine or self.tree}
        for name in ("exclude", "filesystems"):
            if getattr(self, name):
                kept[name] = list(getattr(self, name))
        return kept

    @property
    def text(self) -> str:
        return f"the machine {self.machine}" if self.machine else f"the directory {self.tree}"


def _absolute(option: str, path: str) -> None:
    if not os.path.isabs(path) or os.path.normpath(path) != (path.rstrip("/") or "/"):
        raise InvalidValue(option, path, "use an absolute path without . and ..")
