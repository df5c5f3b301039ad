# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel arguments by which a client finds its root filesystem and learns what it is.

They are read by dracut (dracut.cmdline(7), versions 059 and 106) with its stock modules ``nfs``, ``livenet``,
``dmsquash-live`` and ``overlayfs``, so that one generic initrd serves every format.
"""

from __future__ import annotations

import re
import typing as t

from .._errors import InvalidValue

#: One word of the kernel's command line that iPXE hands on as it is: no white space, no quotes, no comment sign.
_WORD = re.compile(r"""[A-Za-z0-9_$](?:(?!["'\\#])[!-~])*""")

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


def nfs_arguments(protosystem: str, serial: int, path: str) -> list[str]:
    """Arguments of the format ``nfs``.

    :arg path: the exported directory on the NFS server (whose address is iPXE's setting ``stateless-server``).

    A snapshot never changes, so what the client has read of it stays true: no check at each open(2)
    (``nocto``) and attributes kept for an hour (``actimeo``, seconds), nfs(5).
    """
    return [
        f"root=nfs4:${{stateless-server}}:{path}:ro,nocto,actimeo=3600",
        *_common(protosystem, serial, "nfs"),
    ]


def ram_arguments(protosystem: str, serial: int, file: str) -> list[str]:
    """Arguments of the format ``ram``.

    :arg file: the name of the filesystem image beside the script.

    dracut lays an overlayfs over every squashfs that it boots. It would be writable (into RAM): ``rootflags=ro``
    mounts it read-only.
    """
    return [
        f"root=live:${{stateless-url}}/images/{protosystem}/{serial}/{file}",
        "rd.live.overlay.overlayfs=1",
        "rootflags=ro",
        *_common(protosystem, serial, "ram"),
    ]


def _common(protosystem: str, serial: int, image_format: str) -> list[str]:
    return [
        "ro",
        "ip=dhcp",
        *_ROBUST,
        f"stateless.protosystem={protosystem}",
        f"stateless.serial={serial}",
        f"stateless.format={image_format}",
    ]
