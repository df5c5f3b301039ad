# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The iPXE scripts of an image, of a channel and of a client: made, and read again.

Relative names in a script are resolved against its own URL, so that the same files work on every mirror.
The settings ``stateless-url``, ``stateless-server``, ``stateless-format`` and ``stateless-arguments`` come from
the scripts before them (docs/architecture.md, "Published layout").
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._errors import StatelessError
from .arguments import client_argument

_SERIAL = re.compile(r"^set stateless-serial ([1-9][0-9]*)$", re.MULTILINE)
_ARGUMENTS = re.compile(r"^# kernel_arguments:((?: \S+)*)$", re.MULTILINE)
#: Go on to the next boot device: UEFI does so after a failure, and shows its menu after a success (2.10, 3.1.1).
_NEXT_DEVICE = ("exit 1", "")
#: Milliseconds that a menu is shown.
_MENU = 3000
#: The kernel argument by which a machine installs the only blank disk that it has.
INSTALL = "stateless.install=auto"
#: What is not shown on a client's screen, since iPXE would take it for a setting, an operator or an option.
_UNSAID = re.compile(r"[^A-Za-z0-9 .,:;=()/_-]|(?<!\S)-")


@dataclasses.dataclass(frozen=True)
class Boot:
    """What a machine boots. Whoever makes one has checked that its names are names."""

    protosystem: str
    format: str
    #: what it follows; empty: it boots :attr:`serial`
    channel: str = ""
    serial: int = 0
    #: more kernel arguments
    arguments: tuple[str, ...] = ()


def image_script(
    protosystem: str, serial: int, image_format: str, arguments: t.Sequence[str], extra: t.Sequence[str]
) -> str:
    """The script that boots one format of an image.

    :arg arguments: the arguments of the format.
    :arg extra: the administrator's arguments for this image; the client's own come after them, because of
        two arguments with the same name the last one counts.
    """
    line = " ".join(["initrd=initrd", *arguments, *extra, "${stateless-arguments}"])
    return "\n".join(
        [
            "#!ipxe",
            f"# stateless.linux: serial {serial} of {protosystem}, format {image_format}",
            " ".join(["# kernel_arguments:", *extra]),
            f"echo {protosystem} {serial} ({image_format})",
            f"kernel vmlinuz {line} || goto failed",
            "initrd initrd || goto failed",
            "boot || goto failed",
            *_failed(f"{protosystem} {serial} ({image_format}) does not boot"),
        ]
    )


def disk_script(protosystem: str, serial: int, extra: t.Sequence[str]) -> str:
    """The script of the format ``blocks``: a caching client boots from its own disk.

    For a few seconds, there is a menu: somebody at the machine can have a blank disk of it installed, by the same
    serial in memory. Whatever iPXE cannot do of that, the disk is booted.

    :arg extra: the administrator's arguments for this image, which that client has from the manifest of its blocks.
    """
    return "\n".join(
        [
            "#!ipxe",
            f"# stateless.linux: serial {serial} of {protosystem}, format blocks",
            " ".join(["# kernel_arguments:", *extra]),
            f"menu {protosystem} {serial} || goto disk",
            "item disk Boot from the disk",
            "item install Install a blank disk (one with anything on it is left alone)",
            f"choose --default disk --timeout {_MENU} stateless-choice && goto ${{stateless-choice}} || goto disk",
            ":install",
            f"set stateless-arguments ${{stateless-arguments}} {INSTALL}",
            "chain --replace ram.ipxe || goto failed",
            *_failed(f"{protosystem} {serial} is not published as ram, which it takes to install a disk")[:-1],
            ":disk",
            f"echo {protosystem} {serial} (blocks): going on to the next boot device",
            *_NEXT_DEVICE,
        ]
    )


def kernel_arguments(script: str) -> list[str] | None:
    """The administrator's arguments in an :func:`image_script`; ``None`` if the text is no such script."""
    found = _ARGUMENTS.search(script)
    return found.group(1).split() if found else None


def channel_script(protosystem: str, channel: str, serial: int) -> str:
    """The script that is the pointer *channel*: it chains to the image of *serial*."""
    return "\n".join(
        [
            "#!ipxe",
            f"# stateless.linux: channel {channel} of {protosystem}",
            f"set stateless-serial {serial}",
            "chain --replace ../${stateless-serial}/${stateless-format}.ipxe || goto failed",
            *_failed(f"{protosystem} {serial} is not published as ${{stateless-format}}"),
        ]
    )


def channel_serial(script: str, source: str) -> int:
    """The serial that a :func:`channel_script` points at.

    :arg source: the file it was read from, for the message.
    :raises StatelessError: the text is no channel.
    """
    found = _SERIAL.search(script)
    if found is None:
        raise StatelessError(f"{source} is no channel: it has no line 'set stateless-serial N'; remove the file")
    return int(found.group(1))


def client_script(name: str, boot: Boot) -> str:
    """The script of the client *name*."""
    return "\n".join([*_begin(name), *_boots(boot, "../../images")])


def default_script(boot: Boot | None) -> str:
    """The script of machines that have none of their own. None: they are not booted from here."""
    if boot is not None:
        return "\n".join([*_begin(None), *_boots(boot, "../images")])
    end = ["echo ${netX/mac} is not a client of this server: going on to the next boot device", *_NEXT_DEVICE]
    return "\n".join([*_begin(None), *end])


def stopped_script(name: str | None, why: str) -> str:
    """The script of a machine of which is not known what it should boot: it says why, and nothing else is booted.

    :arg name: the client's; None: for machines that have no script of their own.
    :arg why: for people; what iPXE would not show as it is becomes a question mark.
    """
    shown = " ".join(_UNSAID.sub("?", " ".join(why.split())).split())
    return "\n".join([*_begin(name), *_failed(f"stateless.linux: {shown[:300]}")[1:]])


def is_for(script: str, name: str | None) -> bool:
    """Whether a script is that of the client *name*; None: of machines that have no script of their own."""
    return script.split("\n")[:2] == _begin(name)


def _begin(name: str | None) -> list[str]:
    return ["#!ipxe", f"# stateless.linux: {'machines that are no client' if name is None else client_argument(name)}"]


def _boots(boot: Boot, images: str) -> list[str]:
    """The rest of a script that boots *boot*; *images*: how its directory is reached from there."""
    arguments = [f"set stateless-arguments {' '.join(boot.arguments)}"] if boot.arguments else []
    if boot.channel:
        then = f"channels/{boot.channel}.ipxe"
        missing = f"{boot.protosystem} has no channel {boot.channel}"
    else:
        then = f"{boot.serial}/{boot.format}.ipxe"
        missing = f"{boot.protosystem} {boot.serial} is not published as {boot.format}"
    return [
        f"set stateless-format {boot.format}",
        *arguments,
        f"chain --replace {images}/{boot.protosystem}/{then} || goto failed",
        *_failed(missing),
    ]


def _failed(message: str) -> list[str]:
    """What a client does that cannot go on: say so, and start anew, so that a repaired server gets it back."""
    return [":failed", f"echo {message}: starting anew in 10 seconds", "sleep 10", "reboot", ""]
