# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bootstraps: a protosystem made from a distribution's packages, by mmdebstrap(1) or dnf(8)."""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t

from .._command import find
from .._errors import InvalidValue
from .._files import write
from .._mounts import STAND
from .sources import Source

#: Words that become a part of a configuration file or a command: no blanks, no leading hyphen.
_WORD = re.compile(r"[A-Za-z0-9@/(][^\s]*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
#: a URL, or a line of sources.list(5)
_MIRROR = re.compile(r"[A-Za-z/][^\n]*")
_RULES = {"release": _NAME, "variant": _NAME, "name": _NAME, "mirrors": _MIRROR}
_PASSWORD = re.compile(r"://[^/\s]*@")
#: Scriptlets of packages need devices and processes; all this is seen by the one command alone.
_WITH_DEVICES = """
mkdir -p "$1/dev" "$1/proc" && mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" || exit
shift
exec "$@"
"""
#: Debian builds rpm(8) to keep its database in root's home directory: RPM systems look for theirs here,
_RPM_DATABASE = "/var/lib/rpm"
#: or, if their own rpm says so, in another place.
_MOVE_RPM_DATABASE = """
new="$1/usr/lib/sysimage/rpm" old="$1/var/lib/rpm"
grep -qs '^%_dbpath.*/lib/sysimage/rpm' "$1/usr/lib/rpm/macros" && [ -d "$old" ] && [ ! -L "$old" ] || exit 0
mkdir -p "$new" && mv -f "$old"/* "$new/"
"""


def default_tool(os_release: t.Mapping[str, str]) -> str:
    """The bootstrap of the server's own distribution, by ID and ID_LIKE of its os-release(5)."""
    family = f"{os_release.get('ID', '')} {os_release.get('ID_LIKE', '')}".split()
    return "mmdebstrap" if {"debian", "ubuntu"} & set(family) else "dnf"


@dataclasses.dataclass(frozen=True)
class Mmdebstrap(Source):
    """Debian, Ubuntu and the like."""

    release: str
    #: base URLs; none: the mirrors that mmdebstrap itself knows for the release
    mirrors: tuple[str, ...] = ()
    components: tuple[str, ...] = ("main",)
    variant: str = "important"
    packages: tuple[str, ...] = ()
    keyring: str = ""

    def check(self) -> None:
        find("mmdebstrap", "mmdebstrap")
        _check_words("bootstrap", self)
        if self.keyring and not os.path.exists(self.keyring):
            raise InvalidValue("bootstrap: keyring", self.keyring, "there is no such file on the server")

    def commands(self, scratch: str) -> list[list[str]]:
        command = ["mmdebstrap", "--mode=root", "--format=directory", f"--variant={self.variant}"]
        command += [f"--components={','.join(self.components)}"]
        if self.packages:
            command.append(f"--include={','.join(self.packages)}")
        if self.keyring:
            command.append(f"--keyring={self.keyring}")
        return [[*command, "--", self.release, STAND, *self.mirrors]]

    @property
    def record(self) -> dict[str, t.Any]:
        return {"bootstrap": _recorded("mmdebstrap", self)}

    @property
    def text(self) -> str:
        return f"packages of {self.release} (mmdebstrap)"


@dataclasses.dataclass(frozen=True)
class Repository:
    """A dnf repository: repo options of dnf.conf(5)."""

    name: str
    baseurl: tuple[str, ...] = ()
    metalink: str = ""
    gpgkey: tuple[str, ...] = ()
    gpgcheck: bool = True


@dataclasses.dataclass(frozen=True)
class Dnf(Source):
    """Fedora, RHEL and its relatives."""

    release: str
    packages: tuple[str, ...]
    #: none: those that the server itself is set up with
    repositories: tuple[Repository, ...] = ()

    def check(self) -> None:
        find("dnf", "dnf")
        _check_words("bootstrap", self)
        if not self.packages:
            raise InvalidValue("bootstrap: packages", [], "dnf needs at least one package or @group to install")
        if not self.repositories and os.path.exists("/etc/debian_version"):
            raise InvalidValue("bootstrap: repositories", [], "this server has none for dnf: name at least one")
        for repository in self.repositories:
            _check_words("bootstrap: repositories", repository)
            if not repository.baseurl and not repository.metalink:
                raise InvalidValue(
                    "bootstrap: repositories", repository.name, "a repository needs a baseurl or a metalink"
                )
            if repository.gpgcheck and not repository.gpgkey:
                raise InvalidValue(
                    "bootstrap: repositories", repository.name, "name its gpgkey, or say gpgcheck: false if it has none"
                )

    def commands(self, scratch: str) -> list[list[str]]:
        command = ["dnf", "--assumeyes", f"--installroot={STAND}", f"--releasever={self.release}"]
        if os.path.basename(os.path.realpath(find("dnf", "dnf"))).startswith("dnf5"):
            # dnf 5 looks for its settings in the new root otherwise
            command.append("--use-host-config")
        if self.repositories:
            write(os.path.join(scratch, "repos", "protosystem.repo"), self._configuration(), 0o600)
            command.append(f"--setopt=reposdir={scratch}/repos")
        around = ["sh", "-c", _WITH_DEVICES, "sh", STAND]
        if os.path.exists("/etc/debian_version"):
            write(os.path.join(scratch, ".rpmmacros"), f"%_dbpath {_RPM_DATABASE}\n", 0o600)
            around = ["env", f"HOME={scratch}", *around]
        return [
            [*around, *command, "install", *self.packages],
            [*around, *command, "clean", "all"],
            ["sh", "-c", _MOVE_RPM_DATABASE, "sh", STAND],
        ]

    def _configuration(self) -> str:
        lines = []
        for repository in self.repositories:
            lines += [f"[{repository.name}]", f"name={repository.name}", "enabled=1"]
            lines.append(f"gpgcheck={int(repository.gpgcheck)}")
            if repository.baseurl:
                lines.append(f"baseurl={' '.join(repository.baseurl)}")
            if repository.metalink:
                lines.append(f"metalink={repository.metalink}")
            if repository.gpgkey:
                lines.append(f"gpgkey={' '.join(repository.gpgkey)}")
        return "\n".join([*lines, ""])

    @property
    def record(self) -> dict[str, t.Any]:
        return {"bootstrap": _recorded("dnf", self)}

    @property
    def text(self) -> str:
        return f"packages of release {self.release} (dnf)"


def _recorded(tool: str, source: Source) -> dict[str, t.Any]:
    fields = dataclasses.asdict(t.cast("t.Any", source))
    return {"tool": tool, **{name: value for name, value in fields.items() if value}}


def _check_words(option: str, source: Source | Repository) -> None:
    """Refuse what would become an option or a second word, and passwords: whatever is here ends up in the image."""
    for name, value in vars(source).items():
        words = (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ()
        for word in words:
            if not isinstance(word, str) or word == "":
                continue
            rule = _RULES.get(name, _WORD)
            if rule.fullmatch(word) is None or ("," in word and name in ("components", "packages")):
                raise InvalidValue(
                    f"{option}: {name}", word, "use words without blanks that start with a letter or digit"
                )
            if _PASSWORD.search(word):
                shown = _PASSWORD.sub("://...@", word)
                raise InvalidValue(f"{option}: {name}", shown, "leave the password out: the image would publish it")
