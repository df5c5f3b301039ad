# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel arguments by which a client finds its root filesystem and learns what it is, made and read again.

The first are read by dracut (dracut.cmdline(7), versions 059 and 106) with its stock modules ``nfs``, ``livenet``,
``dmsquash-live`` and ``overlayfs``, so that one generic initrd serves every format.
"""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from .._errors import InvalidValue

#: One word of the kernel's command line that iPXE hands on as it is: no white space, no quotes, no comment sign.
_WORD = re.compile(r"""[A-Za-z0-9_$](?:(?!["'\\#])[!-~])*""")

#: A name that systemd takes for the host's (systemd(1), hostname(5)): labels of letters, digits and hyphens.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"(?=.{{1,64}}$){_LABEL}(?:\.{_LABEL})*")

#: A client whose root cannot be had starts anew instead of waiting at a prompt that nobody sees.
#: rd.retry: seconds without progress until dracut gives up; panic: seconds from a kernel panic to the restart.
_ROBUST = ("rd.shell=0", "rd.emergency=reboot", "rd.retry=60", "panic=10")


def check_arguments(option: str, arguments: t.Sequence[str]) -> list[str]:
    """Return *arguments* if each is one word that a boot script can carry, else raise InvalidValue."""
    for argument in arguments:
        if _WORD.fullmatch(argument) is None:
            raise InvalidValue(
                option,
                argument,
                "give kernel arguments one by one, such as console=ttyS0,115200: first a letter, digit or underscore, "
                "then no white space, quotes, backslash or #",
            )
    return list(arguments)


def check_client_arguments(option: str, arguments: t.Sequence[str]) -> list[str]:
    """:func:`check_arguments` of one client: iPXE hands them on as they are."""
    for argument in check_arguments(option, arguments):
        if "$" in argument:
            raise InvalidValue(option, argument, "use no $: iPXE would put a setting in its place")
    return list(arguments)


def client_arguments(name: str, arguments: t.Sequence[str], host_name: bool) -> list[str]:
    """All kernel arguments that a client has beyond those of its image; its name last, so that no other counts.

    :arg name: the client's, any text.
    :arg arguments: its own.
    :arg host_name: its name is to be its host name, too, if it can be one.
    """
    return [*(host_name_argument(name) if host_name else ()), *arguments, client_argument(name)]


def host_name_argument(name: str) -> list[str]:
    """The argument that gives a host its name (systemd(1)); none, if it cannot be one."""
    return [f"systemd.hostname={name}"] if _HOST_NAME.fullmatch(name) else []


def client_argument(name: str) -> str:
    """The argument by which a client learns its name in the directory: in UTF-8, percent-encoded (RFC 3986)."""
    return f"stateless.client={urllib.parse.quote(name, safe='')}"


def told(command_line: str) -> dict[str, str]:
    """What the arguments ``stateless.NAME=VALUE`` of a kernel's command line say, by NAME; the last one counts."""
    words = (word.partition("=") for word in command_line.split())
    prefix = "stateless."
    found = {name[len(prefix) :]: value for name, equal, value in words if equal and name.startswith(prefix)}
    if "client" in found:
        found["client"] = urllib.parse.unquote(found["client"], errors="replace")
    return found


def nfs_arguments(protosystem: str, serial: int, path: str, digest: str | None = None) -> list[str]:
    """Arguments of the format ``nfs``.

    :arg path: the exported directory on the NFS server (whose address is iPXE's setting ``stateless-server``).
    :arg digest: of the snapshot's content, if it was computed.

    A snapshot never changes, so what the client has read of it stays true: no check at each open(2)
    (``nocto``) and attributes kept for an hour (``actimeo``, seconds), nfs(5).
    """
    return [
        f"root=nfs4:${{stateless-server}}:{path}:ro,nocto,actimeo=3600",
        *_common(protosystem, serial, "nfs", digest),
    ]


def ram_arguments(protosystem: str, serial: int, file: str, digest: str | None = None) -> list[str]:
    """Arguments of the format ``ram``.

    :arg file: the name of the filesystem image beside the script.
    :arg digest: of the snapshot's content, if it was computed.

    dracut lays an overlayfs over every squashfs that it boots. It would be writable (into RAM): ``rootflags=ro``
    mounts it read-only.
    """
    return [
        f"root=live:${{stateless-url}}/images/{protosystem}/{serial}/{file}",
        "rd.live.overlay.overlayfs=1",
        "rootflags=ro",
        *_common(protosystem, serial, "ram", digest),
    ]


def blocks_arguments(protosystem: str, serial: int, digest: str | None = None) -> list[str]:
    """Arguments of the format ``blocks``, but for those that say where on the client's disk the root is."""
    return ["ro", *_ROBUST, *_told(protosystem, serial, "blocks", digest)]


def _common(protosystem: str, serial: int, image_format: str, digest: str | None) -> list[str]:
    return [
        "ro",
        "ip=dhcp",
        *_ROBUST,
        *_told(protosystem, serial, image_format, digest),
    ]


def _told(protosystem: str, serial: int, image_format: str, digest: str | None) -> list[str]:
    """What a running client knows of itself by :func:`told`."""
    return [
        f"stateless.protosystem={protosystem}",
        f"stateless.serial={serial}",
        f"stateless.format={image_format}",
        *([f"stateless.digest={digest}"] if digest else []),
    ]
