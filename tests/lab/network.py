# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab's network: a namespace with a bridge, and one link from it to this machine. Nothing is forwarded."""

from __future__ import annotations

import ipaddress
import json
import pathlib
import socket
import struct
import time

from .process import LabError, run
from .state import Host, Lab

_ARP = 0x0806


def ip(*words: str, netns: str = "") -> str:
    return run("ip", *(("-n", netns) if netns else ()), *words)


def namespaces(lab: Lab) -> list[str]:
    """The network namespaces of a lab that exist: its own, and one per container."""
    directory = pathlib.Path("/run/netns")
    names = [path.name for path in directory.iterdir()] if directory.is_dir() else []
    return [name for name in names if name == lab.netns or name.startswith(lab.netns + ".")]


def up(lab: Lab) -> None:
    """Make the bridge, and give this machine the first address."""
    subnet = ipaddress.ip_network(lab.subnet)
    for route in json.loads(ip("-json", "route", "show", "table", "all", "type", "unicast") or "[]"):
        if route["dst"] != "default" and subnet.overlaps(ipaddress.ip_network(route["dst"], strict=False)):
            raise LabError(f"this machine already has a route to {route['dst']}, which the lab wants: {lab.subnet}")
    ip("netns", "add", lab.netns)
    ip("link", "set", "lo", "up", netns=lab.netns)
    # With neither STP nor a delay, a port forwards at once: firmware does not wait for it.
    bridge = ("type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0")
    ip("link", "add", "br0", *bridge, netns=lab.netns)
    ip("link", "set", "br0", "up", netns=lab.netns)
    ip("link", "add", lab.link, "type", "veth", "peer", "name", "host", "netns", lab.netns)
    ip("link", "set", "host", "master", "br0", "up", netns=lab.netns)
    ip("address", "add", f"{lab.address(1)}/24", "dev", lab.link)
    ip("link", "set", lab.link, "up")


def down(lab: Lab) -> None:
    """Remove the namespaces and the link. Whatever ran in them has been ended before."""
    for name in namespaces(lab):
        ip("netns", "delete", name)
    if pathlib.Path("/sys/class/net", lab.link).exists():
        run("ip", "link", "delete", lab.link, check=False)  # its other end went with the namespace


def container(lab: Lab, host: Host) -> str:
    """Make the namespace of a container, with eth0 configured; return its path."""
    name = f"{lab.netns}.{host.name}"
    if name not in namespaces(lab):
        ip("netns", "add", name)
        port = f"veth{host.index}"
        link = ("name", "eth0", "address", host.mac, "netns", name)
        ip("link", "add", port, "type", "veth", "peer", *link, netns=lab.netns)
        ip("link", "set", port, "master", "br0", "up", netns=lab.netns)
        ip("link", "set", "lo", "up", netns=name)
        ip("address", "add", f"{host.address}/24", "dev", "eth0", netns=name)
        ip("link", "set", "eth0", "up", netns=name)
        ip("route", "add", "default", "via", lab.address(1), netns=name)
    return f"/run/netns/{name}"


def tap(lab: Lab, host: Host) -> str:
    """Make the tap device of a virtual machine on the bridge; return its name in the lab's namespace."""
    name = f"tap{host.index}"
    if name not in {link["ifname"] for link in json.loads(ip("-json", "link", "show", netns=lab.netns))}:
        ip("tuntap", "add", name, "mode", "tap", netns=lab.netns)
        ip("link", "set", name, "master", "br0", "up", netns=lab.netns)
    return name


def addresses_of(lab: Lab, mac: str, seconds: float = 1.0) -> list[str]:
    """Ask the whole subnet by ARP, and return the IPv4 addresses that *mac* answers for.

    It works whoever gave the address: a DHCP server, the kernel command line, a file. RFC 826.
    """
    wanted = bytes.fromhex(mac.replace(":", ""))
    own = bytes.fromhex(pathlib.Path(f"/sys/class/net/{lab.link}/address").read_text().strip().replace(":", ""))
    sender = socket.inet_aton(lab.address(1))
    found: set[str] = set()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ARP)) as raw:
        raw.bind((lab.link, _ARP))
        raw.settimeout(0.1)
        for last in range(2, 255):
            target = socket.inet_aton(lab.address(last))
            head = b"\xff" * 6 + own + struct.pack("!HHHBBH", _ARP, 1, 0x0800, 6, 4, 1)
            raw.send(head + own + sender + bytes(6) + target)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                frame = raw.recv(2048)
            except TimeoutError:
                continue
            # Requests count too: whoever asks says its own address. A probe (RFC 5227) says 0.0.0.0.
            if len(frame) >= 42 and frame[22:28] == wanted and frame[28:32] != bytes(4):
                found.add(socket.inet_ntoa(frame[28:32]))
    return sorted(address for address in found if ipaddress.ip_address(address) in ipaddress.ip_network(lab.subnet))
