# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The iPXE scripts of an image and of a channel: made, and read again.

Relative names in a script are resolved against its own URL, so that the same files work on every mirror.
The settings ``stateless-url``, ``stateless-server``, ``stateless-format`` and ``stateless-arguments`` come from
the scripts before them (docs/architecture.md, "Published layout").
"""

from __future__ import annotations

import re
import typing as t

from .._errors import StatelessError

_SERIAL = re.compile(r"^set stateless-serial ([1-9][0-9]*)$", re.MULTILINE)
_ARGUMENTS = re.compile(r"^# kernel_arguments:((?: \S+)*)$", re.MULTILINE)


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


def _failed(message: str) -> list[str]:
    """What a client does that cannot go on: say so, and start anew, so that a repaired server gets it back."""
    return [":failed", f"echo {message}: starting anew in 10 seconds", "sleep 10", "reboot", ""]
