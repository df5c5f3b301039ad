# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client needs to boot a root: the manifest's key ``boot``. Kernel and initrd are files of the root itself."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .values import damaged

#: bytes of a kernel or an initrd: what a client may have to copy to its boot partition
_MAX_FILE = 1024**3
_MAX_PATH = 255
_MAX_ARGUMENTS = 256
#: characters of an argument, and of all with a space between them: COMMAND_LINE_SIZE is 2048 on x86-64 and arm64, and
#: what is the client's own is still to come
_MAX_ARGUMENT = 512
_MAX_LINE = 1536
_MAX_TEXT = 200
FILESYSTEMS = ("ext4", "xfs")
#: Neither a word with ``..`` for a name, nor a hidden file.
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~:@-]*(?:/[A-Za-z0-9_][A-Za-z0-9._+~:@-]*)*")
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~:@-]{0,127}")
#: One word of the kernel's command line that means itself to boot loaders: no quotes, backslash, $ or #.
_ARGUMENT = re.compile(r"""[A-Za-z0-9_](?:(?!["'\\#$])[!-~])*""")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CONTENT = re.compile(r"sha256:[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", re.ASCII)
OS = ("id", "version_id", "pretty_name")


@dataclasses.dataclass(frozen=True)
class File:
    """A regular file of the root."""

    #: below the root's own directory, such as ``boot/vmlinuz-6.1.0-41-amd64``; no part of it is a link
    path: str
    #: bytes
    size: int
    #: of its content, in hex
    sha256: str


@dataclasses.dataclass(frozen=True)
class Boot:
    """How a root is booted, and what it is."""

    #: of the kernel, as uname -r says it
    version: str
    kernel: File
    initrd: File
    #: what the volume holds, one of :data:`FILESYSTEMS`
    filesystem: str
    #: kernel arguments, but for those that say where the root is, and those of one machine
    arguments: tuple[str, ...]
    #: of os-release(5): ``id``, ``version_id``, ``pretty_name``; a text may be empty
    os: t.Mapping[str, str]
    #: of the snapshot's content, ``sha256:`` and hex; None: it has none
    digest: str | None
    #: when the snapshot was taken: ISO 8601, UTC
    created: str


def text(value: str) -> str:
    """*value* as a text of a manifest can be: printable, and no longer than its limit."""
    return "".join(one if one.isprintable() else "?" for one in value)[:_MAX_TEXT]


def arguments(what: str, value: t.Any) -> tuple[str, ...]:
    """Kernel arguments as a manifest can have them.

    :raises Damaged: it cannot.
    """
    if not isinstance(value, (list, tuple)) or len(value) > _MAX_ARGUMENTS:
        raise damaged(what, f"boot: arguments is not a list of at most {_MAX_ARGUMENTS}")
    words = tuple(_match(what, "an argument", one, _ARGUMENT, _MAX_ARGUMENT) for one in value)
    if len(" ".join(words)) > _MAX_LINE:
        raise damaged(what, f"boot: its arguments have more than {_MAX_LINE} characters")
    return words


def decode(what: str, value: t.Any) -> Boot | None:
    """Read the key ``boot`` of a manifest; None: the root is none that boots.

    :raises Damaged: it cannot be used.
    """
    if value is None:
        return None
    own = _object(what, "boot", value)
    filesystem = own.get("filesystem")
    if filesystem not in FILESYSTEMS:
        raise damaged(what, f"boot: filesystem is none of {', '.join(FILESYSTEMS)}: {filesystem!r:.100}")
    said = _object(what, "os", own.get("os"))
    digest = own.get("digest")
    return Boot(
        _match(what, "version", own.get("version"), _VERSION, 128),
        _file(what, own.get("kernel")),
        _file(what, own.get("initrd")),
        filesystem,
        arguments(what, own.get("arguments")),
        {name: _text(what, name, said.get(name)) for name in OS},
        None if digest is None else _match(what, "digest", digest, _CONTENT, 71),
        _match(what, "created", own.get("created"), _TIME, 25),
    )


def _file(what: str, value: t.Any) -> File:
    own = _object(what, "kernel or initrd", value)
    size = own.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= _MAX_FILE:
        raise damaged(what, f"boot: size is not a number from 1 to {_MAX_FILE}: {size!r:.100}")
    path = _match(what, "path", own.get("path"), _PATH, _MAX_PATH)
    return File(path, size, _match(what, "sha256", own.get("sha256"), _DIGEST, 64))


def _object(what: str, key: str, value: t.Any) -> dict[str, t.Any]:
    if not isinstance(value, dict):
        raise damaged(what, f"boot: {key} is no JSON object")
    return value


def _match(what: str, key: str, value: t.Any, form: re.Pattern[str], most: int) -> str:
    if not isinstance(value, str) or len(value) > most or form.fullmatch(value) is None:
        raise damaged(what, f"boot: {key} has another form than it may have: {value!r:.100}")
    return value


def _text(what: str, key: str, value: t.Any) -> str:
    if not isinstance(value, str) or value != text(value):
        raise damaged(what, f"boot: {key} is no printable text of at most {_MAX_TEXT} characters: {value!r:.100}")
    return value
