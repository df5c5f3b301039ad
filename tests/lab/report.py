# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others read about a lab: an Ansible inventory, and its status."""

from __future__ import annotations

import json
import typing as t

from . import proxy, ssh
from .state import Host, Lab

#: The network interface of a server: the same in a container and in a virtual machine.
INTERFACE = "eth0"


def _of_host(lab: Lab, host: Host) -> dict[str, t.Any]:
    facts: dict[str, t.Any] = {"lab_kind": host.kind, "lab_mac": host.mac, "lab_console": str(host.console)}
    if host.address:
        facts |= {"ansible_host": host.address, "lab_address": host.address}
    if host.kind != "client":
        facts |= {"lab_release": host.release, "lab_interface": INTERFACE, "lab_disks": disks(host)}
    return facts


def disks(host: Host) -> list[str]:
    """The extra disks as the host sees them."""
    first = "b" if host.kind == "vm" else "a"
    return [f"/dev/vd{chr(ord(first) + number)}" for number in range(len(host.disks))]


def inventory(lab: Lab) -> str:
    """A YAML inventory: host server, group clients. (Every scalar is JSON, which YAML reads.)"""
    common = {
        "ansible_user": "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": str(ssh.key()),
        "ansible_ssh_common_args": " ".join(ssh.OPTIONS),
        "lab_name": lab.name,
        "lab_http_proxy": proxy.URL,
        "lab_subnet": lab.subnet,
        "lab_gateway": lab.address(1),
        "lab_server_address": lab.address(2),
        "lab_public_key": ssh.public_key(),
    }
    hosts = lab.hosts()
    lines = ["all:", "  vars:", *_mapping(common, 4), "  hosts:"]
    for host in hosts:
        if host.kind != "client":
            lines += [f"    {host.name}:", *_mapping(_of_host(lab, host), 6)]
    clients = [host for host in hosts if host.kind == "client"]
    lines += ["  children:", "    clients:", "      hosts:" if clients else "      hosts: {}"]
    for host in clients:
        lines += [f"        {host.name}:", *_mapping(_of_host(lab, host), 10)]
    return "\n".join(lines) + "\n"


def _mapping(values: dict[str, t.Any], indent: int) -> list[str]:
    return [f"{' ' * indent}{name}: {json.dumps(value)}" for name, value in values.items()]


def status(lab: Lab) -> dict[str, t.Any]:
    """What there is, for ``lab status --json``."""
    return {
        "lab": lab.name,
        "subnet": lab.subnet,
        "netns": lab.netns,
        "http_proxy": proxy.URL,
        "hosts": [
            {
                "name": host.name,
                "kind": host.kind,
                "running": host.running,
                "address": host.address,
                "mac": host.mac,
                "memory_mib": host.memory if host.kind != "container" else None,
                "uefi": host.uefi,
                "disks": disks(host),
                "release": host.release,
                "boot_seconds": host.boot_seconds,
                "console": str(host.console),
                "pid": host.process.pid if host.process and host.running else None,
            }
            for host in lab.hosts()
        ],
    }


def table(labs: list[Lab]) -> str:
    """The same for a reader."""
    rows = [("LAB", "HOST", "KIND", "STATE", "ADDRESS", "MAC", "BOOT")]
    for lab in labs:
        hosts = status(lab)["hosts"]
        if not hosts:
            rows.append((lab.name, "-", "-", "starting", "-", "-", "-"))
        for host in hosts:
            on = "on" if host["running"] else "off"
            boot = f"{host['boot_seconds']} s" if host["boot_seconds"] else "-"
            rows.append((lab.name, host["name"], host["kind"], on, host["address"] or "-", host["mac"], boot))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
