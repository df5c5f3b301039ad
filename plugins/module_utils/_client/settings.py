# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which directory the clients of an image ask: a file of the image, without secrets."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from .._directory import settings as directory
from .._directory.session import Login
from .._directory.tree import Tree
from .._errors import InvalidValue, NotFound, StatelessError
from .._files import read_json

#: Of the settings of a directory, those that are the same for all machines.
KEYS = ("server_uri", "suffix", "start_tls", "ca_path")


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to reach the directory; as whom, each machine finds out for itself."""

    login: Login
    tree: Tree


def load(path: str) -> Settings:
    """Read the file.

    :raises NotFound: there is none.
    :raises StatelessError: it cannot be read, or a setting cannot work.
    """
    try:
        found = read_json(path)
    except (OSError, ValueError) as error:
        raise StatelessError(f"{path} cannot be read: {error}") from error
    if found is None:
        raise NotFound(f"this machine knows no directory: there is no {path}")
    return check(found, path)


def check(found: t.Any, source: str) -> Settings:
    """Check the JSON object *found*.

    :arg source: where it is from, for messages.
    :raises StatelessError: a setting is missing, unknown or of the wrong kind, or would give passwords away.
    """
    if not isinstance(found, dict):
        raise StatelessError(f"{source} is no JSON object")
    unknown = sorted(set(found) - set(KEYS))
    if unknown:
        raise StatelessError(f"{source}: {unknown[0]}: there is no such setting, the settings are {', '.join(KEYS)}")
    if not found.get("server_uri"):
        raise StatelessError(f"{source}: server_uri: give the URI of the directory, such as ldaps://srv1.example.org")
    whole = directory.from_settings(found, source)
    try:
        dataclasses.replace(whole.login, ca_path="").check()
        whole.login.check_encrypted()
    except InvalidValue as error:
        raise StatelessError(f"{source}: {error}") from error
    return Settings(whole.login, whole.tree)


def text(found: t.Mapping[str, t.Any]) -> str:
    """The file that says *found*, without what is None."""
    said = {name: value for name, value in found.items() if value is not None}
    return json.dumps(said, indent=2, sort_keys=True) + "\n"
