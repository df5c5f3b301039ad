# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of a caching client: a file of its image, without secrets; and where it has what it knows."""

from __future__ import annotations

import dataclasses
import os
import typing as t
import urllib.parse

from .. import _files
from .._errors import InvalidValue, StatelessError
from .grub import MAX_TRIES

#: The image's settings, and the keys that it trusts (ssh-keygen(1), allowed signers).
SETTINGS = "/etc/stateless/cached.json"
TRUSTED = "/etc/stateless/trusted-keys"
#: In state.
KNOWN = "/var/lib/stateless/cached"
_LOCK = "/run/stateless/cached.lock"
_MOST = 100


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the image says."""

    #: base URLs of servers that publish the same, tried in this order
    urls: tuple[str, ...] = ()
    #: good roots that stay, if there is room
    keep: int = 3
    #: tries of a new root
    tries: int = 3
    #: bytes per second; 0: as many as come
    limit: int = 0
    #: seconds that a machine has to become healthy
    health_seconds: int = 300
    #: systemd units that may have failed
    health_ignored_units: tuple[str, ...] = ()

    def sites(self, protosystem: str) -> list[str]:
        """The URLs of a protosystem's blocks.

        :raises InvalidValue: there is no URL.
        """
        if not self.urls:
            raise InvalidValue("urls", "[]", f"say in {SETTINGS}, or with --url, where images are published")
        return [f"{url.rstrip('/')}/images/{protosystem}/blocks" for url in self.urls]


@dataclasses.dataclass(frozen=True)
class Places:
    """Paths; below *root* for tests."""

    root: str = ""
    #: where state is; the machine's own has its paths bound over the root's
    state: str = ""

    def of(self, path: str) -> str:
        """Where *path* is."""
        return self.root + path

    @property
    def trusted(self) -> str:
        """The trusted keys."""
        return self.of(TRUSTED)

    @property
    def known(self) -> str:
        """The directory of what is known of roots."""
        return self.of(self.state + KNOWN)

    def local(self, protosystem: str) -> str:
        """That of one protosystem."""
        return os.path.join(self.known, protosystem)

    @property
    def spool(self) -> str:
        """For what is needed while a root is made."""
        return os.path.join(self.known, "spool")

    @property
    def decisions(self) -> str:
        """What happened here."""
        return os.path.join(self.known, "decisions.json")

    @property
    def lock(self) -> str:
        """Held by whoever changes roots."""
        return self.of(_LOCK)


def load(places: Places) -> Settings:
    """Read the settings; an image without them has the defaults.

    :raises StatelessError: they cannot be read.
    :raises InvalidValue: one of them cannot work.
    """
    path = places.of(SETTINGS)
    try:
        found = _files.read_json(path)
    except (OSError, ValueError) as error:
        raise StatelessError(f"{path} cannot be read: {error}") from error
    return check({} if found is None else found, path)


def check(found: t.Any, source: str) -> Settings:
    """The settings that *found* says.

    :arg source: where it is from, for messages.
    """
    names = [field.name for field in dataclasses.fields(Settings)]
    if not isinstance(found, dict) or set(found) - set(names):
        raise StatelessError(f"{source} is no JSON object with settings among {', '.join(names)}")
    texts = {name: _texts(found, name, source) for name in ("urls", "health_ignored_units")}
    for url in texts["urls"]:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidValue("urls", url, "use http://HOST/PATH or https://HOST/PATH")
    numbers = {"keep": (1, _MOST), "tries": (1, MAX_TRIES), "limit": (0, 2**40), "health_seconds": (10, 3600)}
    for name, (least, most) in numbers.items():
        value = found.get(name, least)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise InvalidValue(name, value, f"it is a whole number from {least} to {most} in {source}")
    return Settings(**{**found, **texts})


def _texts(found: dict[str, t.Any], name: str, source: str) -> tuple[str, ...]:
    value = found.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InvalidValue(name, value, f"give a list of texts in {source}")
    return tuple(value)
