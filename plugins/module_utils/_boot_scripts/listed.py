# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot scripts of clients that a task lists."""

from __future__ import annotations

import typing as t

from .._boot.arguments import client_arguments
from .._boot.ipxe import Boot, client_script, default_script
from .._directory.tree import mac_address
from .._directory.values import check_names
from .._errors import InvalidValue
from .._names import check_name
from .wanted import DEFAULT, Script, Scripts, check, file_name


def listed(
    clients: t.Sequence[t.Mapping[str, t.Any]], others: t.Mapping[str, t.Any] | None, host_names: bool
) -> Scripts:
    """The scripts of *clients* and *others*, the options of the module boot_scripts.

    :raises InvalidValue: one of them cannot be; there are none of the others then.
    """
    check_names("client", ((one["name"], None) for one in clients))
    scripts = Scripts()
    for one in clients:
        boot = _boot(one)
        arguments = tuple(client_arguments(one["name"], boot.arguments, host_names))
        text = client_script(one["name"], Boot(boot.protosystem, boot.format, boot.channel, 0, arguments))
        for mac in dict.fromkeys(mac_address("mac", mac) for mac in one["mac"]):
            if file_name(mac) in scripts.files:
                raise InvalidValue("mac", mac, f"two clients cannot have the same, {one['name']!r} and another")
            scripts.files[file_name(mac)] = Script((one["name"],), text)
    scripts.files[DEFAULT] = Script((None,), default_script(None if others is None else _boot(others)))
    return scripts


def _boot(one: t.Mapping[str, t.Any]) -> Boot:
    channel = check_name("channel", one["channel"])
    return check(Boot(one["protosystem"], one["format"], channel, 0, tuple(one["arguments"])), "arguments")
