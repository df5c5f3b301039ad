# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot scripts as they should be: values, made by :mod:`.listed` or :mod:`.resolved`."""

from __future__ import annotations

import dataclasses
import typing as t

from .._boot.arguments import check_client_arguments
from .._boot.ipxe import Boot
from .._errors import InvalidValue
from .._image.manifest import FORMATS
from .._names import check_name, check_serial

#: The script of machines that have none of their own; names are relative to the directory of boot scripts.
DEFAULT = "default.ipxe"
CLIENTS = "clients"
#: So many clients are named by a warning, and so many warnings are given: the rest is counted.
_NAMED = 5
_WARNED = 20


@dataclasses.dataclass(frozen=True)
class Script:
    """What is to be in a file."""

    #: whose it is; None: of machines that have no script of their own
    clients: tuple[str | None, ...]
    text: str
    #: it is not known what to boot: a script of these clients that is there stays, as what they last had
    spare: bool = False


@dataclasses.dataclass(frozen=True)
class Problem:
    """Why a machine does not get what it should."""

    #: None: the machines that have no script of their own
    client: str | None
    text: str


@dataclasses.dataclass(frozen=True)
class Scripts:
    """All of them, by the names of their files."""

    files: dict[str, Script] = dataclasses.field(default_factory=dict)
    problems: list[Problem] = dataclasses.field(default_factory=list)


def file_name(mac: str) -> str:
    """The file for a MAC address in the directory's spelling: iPXE asks for ``${mac:hexhyp}``."""
    return f"{CLIENTS}/{mac.replace(':', '-')}.ipxe"


def check(boot: Boot, arguments: str) -> Boot:
    """Return *boot* if all of it may be written into a script, else raise InvalidValue.

    :arg arguments: the option that says its kernel arguments.
    """
    check_name("protosystem", boot.protosystem)
    if boot.channel:
        check_name("channel", boot.channel)
    else:
        check_serial("serial", boot.serial)
    if boot.format not in FORMATS:
        raise InvalidValue("format", boot.format, f"use one of {', '.join(FORMATS)}")
    check_client_arguments(arguments, boot.arguments)
    return boot


def warnings(problems: t.Sequence[Problem]) -> list[str]:
    """What to tell of *problems*: each once, with the clients that have it."""
    by_text: dict[str, list[str]] = {}
    for problem in problems:
        whose = "machines that are no client" if problem.client is None else shown(problem.client)
        by_text.setdefault(problem.text, []).append(whose)
    told = [f"{text} ({_listed(names)})" for text, names in by_text.items()]
    rest = len(told) - _WARNED
    return told if rest <= 0 else [*told[:_WARNED], f"and {rest} more such warnings: the result has all as problems"]


def shown(text: str) -> str:
    """A name from anywhere, as it may be put on a terminal."""
    return text if text.isprintable() else repr(text)


def _listed(names: t.Sequence[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names) if rest <= 0 else f"{', '.join(names[:_NAMED])} and {rest} more"
