# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot scripts that follow from the directory. What is wrong with one entry stops none of the others."""

from __future__ import annotations

import dataclasses
import typing as t

from .._boot.arguments import client_arguments
from .._boot.ipxe import Boot, client_script, default_script, stopped_script
from .._directory.fleet import Client, Fleet
from .._directory.resolve import Answer, levels, resolve
from .._directory.tree import mac_address
from .._directory.values import check_label
from .._errors import InvalidValue
from .._names import check_name
from .wanted import DEFAULT, Problem, Script, Scripts, check, file_name, shown

#: Says why what is to be booted cannot be had from this server; empty if it can.
Lacking = t.Callable[[Answer], str]


def resolved(fleet: Fleet, host_names: bool, lacking: Lacking) -> Scripts:
    """The scripts of all clients of *fleet*, and that of machines without an entry.

    A client whose assignment leads to one place is sent there, even if there is nothing yet: it says so on its screen,
    and boots as soon as that is published. A client of which is not known what it should boot boots nothing.

    :arg host_names: clients take their name in the directory as their host name, if it can be one.
    """
    scripts = Scripts()
    for client in fleet.clients:
        script = _of(fleet, client, host_names, lacking, scripts.problems)
        for mac in dict.fromkeys(client.macs):
            try:
                name = file_name(mac_address("mac", mac))
            except InvalidValue as error:
                scripts.problems.append(Problem(client.name, f"{error}, so the directory's entry is left out"))
                continue
            before = scripts.files.get(name)
            scripts.files[name] = script if before is None else _taken(mac, before, script, scripts.problems)
    scripts.files[DEFAULT] = _of(fleet, None, host_names, lacking, scripts.problems)
    return scripts


def _of(fleet: Fleet, client: Client | None, host_names: bool, lacking: Lacking, problems: list[Problem]) -> Script:
    name = client.name if client else None
    answer = resolve(levels(fleet, client), fleet.protosystems)
    if client is None and answer.protosystem is None:
        return Script((None,), default_script(None))
    try:
        if name is not None:
            check_label("name", name)
        boot = _boot(answer)
    except InvalidValue as error:
        problems.append(Problem(name, f"{error}, so the directory's entry is left out"))
        why = "what the directory says of this machine cannot be used"
        return Script((name,), stopped_script(name, why), spare=True)
    if boot is None:
        # Why is not told by its name here, so that a warning can be for many.
        unassigned = answer.protosystem is None
        problems.append(Problem(name, "nothing is assigned in the directory" if unassigned else shown(answer.problem)))
        return Script((name,), stopped_script(name, answer.problem))
    problem = answer.problem or lacking(answer)
    if problem:
        problems.append(Problem(name, shown(problem)))
    if name is None:
        return Script((None,), default_script(boot))
    arguments = tuple(client_arguments(name, boot.arguments, host_names))
    return Script((name,), client_script(name, dataclasses.replace(boot, arguments=arguments)))


def _boot(answer: Answer) -> Boot | None:
    """Where *answer* leads to, checked; None: nowhere."""
    if answer.protosystem is None:
        return None
    check_name("protosystem", answer.protosystem)
    if answer.channel is None and answer.serial is None:
        return None
    channel = answer.channel or ""
    serial = 0 if channel else answer.serial or 0
    boot = Boot(answer.protosystem, answer.format or "", channel, serial, answer.kernel_arguments)
    return check(boot, "kernel_arguments")


def _taken(mac: str, before: Script, script: Script, problems: list[Problem]) -> Script:
    """The script of a machine that two entries claim, which slapd with our rules does not let happen."""
    clients = (*before.clients, *script.clients)
    names = " and ".join(shown(name or "") for name in clients)
    problems.append(Problem(script.clients[0], f"mac: {mac} is said to be that of {names}, so neither counts for it"))
    return Script(clients, stopped_script(before.clients[0], f"the directory says that {mac} is {names}"), spare=True)
