# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module directory_info returns."""

from __future__ import annotations

import dataclasses
import typing as t

from .fleet import Client, Fleet, Group, Protosystem, read
from .resolve import levels, resolve, stale
from .session import Session
from .tree import Tree, mac_address
from .values import check_label


def information(session: Session, tree: Tree, names: t.Sequence[str], macs: t.Sequence[str]) -> dict[str, t.Any]:
    """The directory as results; of *names* and *macs*, if any are given, those clients and what counts for them."""
    fleet = read(session, tree, [check_label("name", one) for one in names], [mac_address("mac", one) for one in macs])
    return {
        "clients": [_client(fleet, one) for one in fleet.clients],
        "groups": [_group(one) for one in fleet.groups],
        "protosystems": [_protosystem(one) for one in fleet.protosystems.values()],
        "default": {
            "dn": fleet.default_dn,
            "assigned": fleet.default.as_dict(),
            "run": resolve(levels(fleet, None), fleet.protosystems).as_dict(),
        },
    }


def _client(fleet: Fleet, client: Client) -> dict[str, t.Any]:
    run = resolve(levels(fleet, client), fleet.protosystems)
    assigned = client.said.as_dict()
    return {
        "name": client.name,
        "dn": client.dn,
        "mac": list(client.macs),
        "description": assigned.pop("description"),
        "groups": [group.name for group in client.groups],
        "assigned": assigned,
        "run": run.as_dict(),
        "running": dict(vars(client.running)),
        "stale": stale(client.running, run),
    }


def _group(group: Group) -> dict[str, t.Any]:
    assigned = group.said.as_dict()
    return {
        "name": group.name,
        "dn": group.dn,
        "description": assigned.pop("description"),
        "priority": group.priority,
        "members": None if group.members is None else list(group.members),
        "assigned": assigned,
    }


def _protosystem(protosystem: Protosystem) -> dict[str, t.Any]:
    return {
        "name": protosystem.name,
        "dn": protosystem.dn,
        "description": protosystem.description or None,
        "default_channel": protosystem.default_channel or None,
        "channels": dict(protosystem.channels),
        "snapshots": [
            {**dataclasses.asdict(one), "formats": list(one.formats)} for one in protosystem.snapshots.values()
        ],
    }
