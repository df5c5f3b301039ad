# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a server knows its directory: a file that the role ``server`` writes, which only root can read."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from .._errors import InvalidValue, StatelessError
from .._files import read_json
from .connection import MISSING
from .options import LOGIN, login
from .session import Login, Session, connect
from .tree import Tree

#: A JSON object with some of the keys of :data:`.options.LOGIN`. Not there: the server has no directory.
CONFIGURATION = "/etc/stateless/directory.json"
_TYPES = {"str": str, "path": str, "bool": bool}


@dataclasses.dataclass(frozen=True)
class Settings:
    """The directory of a server."""

    login: Login
    tree: Tree
    #: the file that says so
    source: str = CONFIGURATION

    def connect(self) -> Session:
        """Log in.

        :raises StatelessError: a setting cannot work; the message names the file.
        :raises LdapFailed: the directory is away, is not trusted, or does not let the server in.
        """
        try:
            return connect(self.login)
        except InvalidValue as error:
            raise StatelessError(f"{self.source}: {error}") from error


def missing(path: str = CONFIGURATION) -> ImportError | None:
    """Why python-ldap cannot be imported, which a server with a directory needs; None if all is well."""
    return MISSING if os.path.exists(path) else None


def load(path: str = CONFIGURATION) -> Settings | None:
    """Read how to log in; None if the server has no directory. Nobody is asked yet: see :meth:`Settings.connect`.

    :raises StatelessError: the file cannot be read, or a setting is unknown or of the wrong kind.
    """
    try:
        found = read_json(path)
    except (OSError, ValueError) as error:  # of a file with a password, no more is told than where the fault is
        raise StatelessError(f"{path} cannot be read: {error}") from error
    return None if found is None else from_settings(found, path)


def from_settings(found: t.Any, source: str = CONFIGURATION) -> Settings:
    """Check *found* (the JSON object in *source*) and make :class:`Settings` of it; null is a key that is not there."""
    if not isinstance(found, dict):
        raise StatelessError(f"{source} is no JSON object: apply the role stateless.linux.server again")
    options: dict[str, t.Any] = {name: one.get("default") for name, one in LOGIN.items()}
    for name, value in found.items():
        if name not in LOGIN:
            raise StatelessError(f"{source}: {name}: there is no such setting, the settings are {', '.join(LOGIN)}")
        if value is not None:
            options[name] = _checked(f"{source}: {name}", LOGIN[name], value)
    return Settings(login(options), Tree.at(f"{source}: suffix", options["suffix"]), source)


def _checked(where: str, spec: t.Mapping[str, t.Any], value: t.Any) -> t.Any:
    shown = "(hidden)" if spec.get("no_log") else value
    if not isinstance(value, _TYPES[spec["type"]]):
        raise InvalidValue(where, shown, "give true or false" if spec["type"] == "bool" else "give a text")
    if value not in spec.get("choices", (value,)):
        raise InvalidValue(where, shown, f"give one of {', '.join(spec['choices'])}")
    return value
