# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's key pair, and ssh to its hosts."""

from __future__ import annotations

import pathlib
import socket
import time

from .process import LabError, run, say, tail
from .state import CACHE, Host, Lab, lock

#: Lab hosts are made anew all the time: there is no host key to know them by.
OPTIONS = (
    "-o", "StrictHostKeyChecking=no",
    "-o", "UserKnownHostsFile=/dev/null",
    "-o", "GlobalKnownHostsFile=/dev/null",
    "-o", "LogLevel=ERROR",
    "-o", "IdentitiesOnly=yes",
    "-o", "BatchMode=yes",
    "-o", "ConnectTimeout=10",
    "-o", "ServerAliveInterval=15",
    "-o", "ServerAliveCountMax=8",
)  # fmt: skip


def key() -> pathlib.Path:
    """The private key (0600) of all labs, made when first wanted; the public one is beside it with .pub."""
    path = CACHE / "key" / "id_ed25519"
    if not path.with_suffix(".pub").exists() or not path.exists():
        with lock(CACHE / ".key.lock", "makes the key pair"):
            if not path.exists() or not path.with_suffix(".pub").exists():
                new = CACHE / "key.new"
                run("rm", "-rf", "--", new, path.parent)
                new.mkdir(mode=0o700, parents=True)
                run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "stateless-lab", "-f", new / path.name)
                new.rename(path.parent)
    return path


def public_key() -> str:
    return key().with_suffix(".pub").read_text().strip()


def argv(address: str, *command: str) -> list[str]:
    """The words of an ssh command to a lab host as root."""
    return ["ssh", "-i", str(key()), *OPTIONS, f"root@{address}", *command]


def call(address: str, command: str, timeout: float = 60) -> str:
    """Run a shell command on a host and return its output; time limit in seconds."""
    return run(*argv(address, "-T", command), timeout=timeout)


def _greets(address: str) -> bool:
    """Whether an SSH server greets there; cheaper to ask than by ssh, and it never hangs."""
    try:
        with socket.create_connection((address, 22), timeout=2) as peer:
            peer.settimeout(10)
            return peer.recv(4) == b"SSH-"
    except OSError:
        return False


def _boot_id(address: str) -> str:
    """What tells one boot of a host from the next; "" if it does not let us in."""
    # In a container the kernel's boot id is that of the machine: the start of its first process is its own.
    command = "cat /proc/sys/kernel/random/boot_id; cut -d' ' -f22 /proc/1/stat"
    try:
        return "-".join(call(address, command, timeout=40).split())
    except LabError:
        return ""


def answers(address: str) -> str:
    """The boot id of the host that takes our key at that address; "" if none does."""
    return _boot_id(address) if _greets(address) else ""


def wait(lab: Lab, host: Host, timeout: float, not_boot: str = "") -> float:
    """Wait until root can log in to *host*; return the seconds since its power-on.

    The address of a client is found from its MAC and remembered.

    :arg not_boot: a boot id that does not count: the one before a reboot.
    :raises LabError: no answer in *timeout* seconds, or the host is gone; with the end of its console.
    """
    from . import network

    deadline = time.monotonic() + timeout
    told = time.monotonic()
    seen = "no address found for its MAC" if host.kind == "client" else "no SSH server"
    while time.monotonic() < deadline:
        if not host.running:
            raise LabError(f"{host.name} has stopped{tail(host.log)}{tail(host.console)}")
        known = [host.address] if host.kind != "client" else network.addresses_of(lab, host.mac)
        for address in known:
            greets = _greets(address)
            seen = f"{address} " + ("has an SSH server that does not let us in" if greets else "has no SSH server")
            boot = _boot_id(address) if greets else ""
            if boot and boot != not_boot:
                host.address = address
                host.boot_seconds = round(time.time() - host.powered, 1)
                host.save()
                return host.boot_seconds
        if time.monotonic() - told > 20:
            told = time.monotonic()
            say(f"{host.name}: no ssh yet, {time.time() - host.powered:.0f} s after power-on")
        time.sleep(0.2 if host.kind == "container" else 1)
    raise LabError(f"{host.name}: no ssh after {timeout:.0f} seconds ({seen}){tail(host.log)}{tail(host.console)}")
