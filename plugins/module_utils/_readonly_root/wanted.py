# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task wants of a read-only root: its options, checked."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._errors import InvalidValue
from . import lists
from .model import Keep
from .tree import clean

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SIZE = re.compile(r"[1-9][0-9]*[kKmMgG%]?")
#: A word that neither the shell nor fstab splits or expands.
_WORD = re.compile(r"[A-Za-z0-9_.,=:%/@+-]+")
_LABEL = re.compile(r"[A-Za-z0-9_.:@+-]+")
_SERVER = re.compile(r"[A-Za-z0-9_.:\[\]-]+:/[A-Za-z0-9_.,=:%/@+-]*")
#: The most that a filesystem takes: XFS 12, ext4 16.
_LONGEST_LABEL = 16

_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
KEEP = {"nothing": Keep.NOTHING, "directories": Keep.DIRECTORIES, "everything": Keep.EVERYTHING}


@dataclasses.dataclass(frozen=True)
class Storage:
    """Where scratch or state are; fields that do not belong to *kind* are ``None``."""

    kind: str
    mount_point: str | None = None
    label: str | None = None
    source: str | None = None
    filesystem: str | None = None
    options: tuple[str, ...] | None = None
    size: str | None = None
    export: str | None = None


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The options of a task; ``None``: not mentioned, so it stays."""

    root: str = "/"
    enabled: bool | None = None
    temporary_state: bool | None = None
    slave_mounts: bool | None = None
    scratch_storage: Storage | None = None
    state_storage: Storage | None = None
    name: str | None = None
    scratch: tuple[tuple[str, Keep], ...] | None = None
    state: tuple[str, ...] | None = None
    once: frozenset[str] = frozenset()


def wanted(options: t.Mapping[str, t.Any]) -> Wanted:
    """The options of the module, checked.

    :raises InvalidValue: one cannot be used, whatever the root has.
    """
    scratch = _scratch(options["scratch"])
    state, once = _state(options["state"])
    name = options["name"]
    if options["list_state"] == "absent":
        if scratch or state:
            raise InvalidValue("list_state", "absent", "leave out scratch and state, or say present")
        if name is None:
            raise InvalidValue("name", None, "list_state absent needs the name of the lists")
        scratch, state = (), ()
    if name is not None:
        _check_name(name)
    elif scratch is not None or state is not None:
        raise InvalidValue("name", None, "scratch and state need the name of the lists that they are written to")
    return Wanted(
        root_of(options["root"]),
        options["enabled"],
        options["temporary_state"],
        options["slave_mounts"],
        storage("scratch_storage", options["scratch_storage"], "tmpfs"),
        storage("state_storage", options["state_storage"], "none"),
        name,
        scratch,
        state,
        once,
    )


def root_of(root: str) -> str:
    """The option root, checked.

    :raises InvalidValue: it is no absolute path.
    """
    if not root.startswith("/") or ".." in root.split("/") or not root.isprintable():
        raise InvalidValue("root", root, "it must be the absolute path of a directory, without ..")
    return clean(root)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidValue("name", name, "letters, digits, dots, dashes and underscores; a dot or a dash not first")
    for suffix in lists.IGNORED_SUFFIXES + lists.IGNORED_BY_OURS:
        if name.endswith(suffix):
            raise InvalidValue("name", name, f"lists whose names end with {suffix} are ignored at boot")


def path_of(option: str, value: object) -> str:
    """*value* as a path for a list.

    :raises InvalidValue: no reader could do anything with it.
    """
    if not isinstance(value, str):
        raise InvalidValue(option, value, "it must be a path")
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise InvalidValue(option, value, "a path in a list has no newline, NUL or other control character")
    if value != value.strip():
        raise InvalidValue(option, value, "a space at the end of a path is lost at boot")
    if not value.startswith("/"):
        raise InvalidValue(option, value, "it must be an absolute path")
    if ".." in value.split("/"):
        raise InvalidValue(option, value, "write the path without ..")
    if clean(value) == "/":
        raise InvalidValue(option, value, "name the directories that must be writable: the root cannot be one")
    return clean(value)


def _scratch(value: t.Sequence[t.Mapping[str, t.Any]] | None) -> tuple[tuple[str, Keep], ...] | None:
    if value is None:
        return None
    found = [(path_of("scratch", entry["path"]), KEEP[entry["keep"]]) for entry in value]
    _no_twice("scratch", [path for path, keep in found])
    return tuple(found)


def _state(value: t.Sequence[t.Any] | None) -> tuple[tuple[str, ...] | None, frozenset[str]]:
    if value is None:
        return None, frozenset()
    paths: list[str] = []
    once: set[str] = set()
    for entry in value:
        if isinstance(entry, dict):
            if "path" not in entry or set(entry) - {"path", "forward"}:
                raise InvalidValue("state", entry, "an entry is a path, or has path and perhaps forward")
            # A template makes text of a boolean, where Ansible does not know the type.
            forward = _BOOLEANS.get(str(entry.get("forward", True)).lower())
            if forward is None:
                raise InvalidValue("state", entry, "forward is true or false")
            paths.append(path_of("state", entry["path"]))
            if not forward:
                once.add(paths[-1])
        else:
            paths.append(path_of("state", entry))
    _no_twice("state", paths)
    return tuple(paths), frozenset(once)


def _no_twice(option: str, paths: list[str]) -> None:
    for path in paths:
        if paths.count(path) > 1:
            raise InvalidValue(option, path, "it is listed twice")


def storage(option: str, value: t.Mapping[str, t.Any] | None, without: str) -> Storage | None:
    """A storage option, checked. *without*: the kind that needs no device.

    :raises InvalidValue: a part of it cannot be used, or does not go with its type.
    """
    if value is None:
        return None
    kind = value["type"]
    fitting = {
        "tmpfs": {"size", "options"},
        "label": {"label"},
        "fstab": {"source", "filesystem", "options"},
        "nfs": {"export"},
        "none": set(),
    }[kind] | {"mount_point"}
    for key, given in value.items():
        if given is not None and key != "type" and key not in fitting:
            raise InvalidValue(f"{option}.{key}", given, f"it does not go with the type {kind}")
    need = {"label": "label", "nfs": "export"}.get(kind)
    if need and value[need] is None:
        raise InvalidValue(f"{option}.{need}", None, f"the type {kind} needs it")
    _match(option, value, "size", _SIZE, "a number with k, m, g or %, such as 512m")
    _match(option, value, "label", _LABEL, "letters, digits and _.:@+-")
    _match(option, value, "source", _WORD, "a device such as /dev/sda3 or LABEL=scratch, without spaces")
    _match(option, value, "filesystem", _WORD, "a filesystem such as ext4")
    _match(option, value, "export", _SERVER, "SERVER:/DIRECTORY, without spaces")
    _match(option, value, "mount_point", _WORD, "an absolute path without spaces")
    for one in value.get("options") or ():
        if not _WORD.fullmatch(one) or "," in one:
            raise InvalidValue(f"{option}.options", one, "a mount option without spaces, commas or quotes")
    label = value.get("label")
    if label is not None and len(label) > _LONGEST_LABEL:
        raise InvalidValue(f"{option}.label", label, "a label has at most 16 characters with ext4, 12 with XFS")
    point = value.get("mount_point")
    if point is not None:
        point = path_of(f"{option}.mount_point", point)
    options = value.get("options")
    export = value.get("export")
    return Storage(
        kind,
        point,
        label,
        value.get("source"),
        value.get("filesystem"),
        None if options is None else tuple(options),
        value.get("size"),
        export.rstrip("/") if export else None,
    )


def _match(option: str, value: t.Mapping[str, t.Any], key: str, pattern: re.Pattern[str], expected: str) -> None:
    given = value.get(key)
    if given is not None and not pattern.fullmatch(given):
        raise InvalidValue(f"{option}.{key}", given, expected)
