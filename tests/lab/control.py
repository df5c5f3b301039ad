# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands do: labs up and down, clients on and off."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
import typing as t

from . import base, container, dhcp, network, proxy, ssh, state
from .process import LabError, say, tail
from .state import Host, Lab

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


def _need_root() -> None:
    if os.geteuid() != 0:
        raise LabError("the lab needs root: it makes network namespaces, mounts and containers")


@contextlib.contextmanager
def _or_down(lab: Lab) -> t.Iterator[None]:
    """If the body fails or is interrupted, take the lab down before the error goes on."""
    try:
        yield
    except BaseException as error:
        say(f"clearing up after: {type(error).__name__}")
        old = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            _tear_down(lab)
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)
        raise


def up(
    name: str,
    kind: str,
    release: str,
    memory: int,
    disks: list[str],
    variant: str,
    site_dhcp: bool = False,
    icount: bool = False,
) -> Lab:
    """Start a lab with its server, and wait for ssh. A lab that is up as asked is left alone."""
    _need_root()
    state.check_name("LAB", name)
    if kind == "container" and disks:
        raise LabError("--disk: a container has no disks of its own; use --server vm, or a loop device inside")
    if kind == "container" and icount:
        raise LabError("--icount: a container has no clock of its own; use --server vm")
    lab = state.find(name) or Lab(name, 0)
    with lab.lock():
        found = state.find(name)
        if found and _up_as_asked(found, kind, release, memory, disks, icount):
            if site_dhcp:
                dhcp.up(found)
            return found
        if found:
            say(f"clearing up what an earlier run of {name} left")
            _tear_down(found)
        with state.global_lock(), _or_forget(lab):
            lab = state.claim(name)
            proxy.up()
        with _or_down(lab):
            host = Host(
                name, "server", kind, 0, lab.mac(0), lab.address(2), memory, release, disks=disks, icount=icount
            )
            host.base = str(base.get(kind, release, variant))
            host.save()
            network.up(lab)
            if site_dhcp:
                dhcp.up(lab)
            say(f"{name}: starting a {kind} with {release}")
            _start(lab, host)
            seconds = ssh.wait(lab, host, 120 if kind == "container" else 900)
            say(f"{name}: server {host.address} answers after {seconds:.1f} s")
    return lab


@contextlib.contextmanager
def _or_forget(lab: Lab) -> t.Iterator[None]:
    """As :func:`_or_down`, for a lab that has nothing yet, while the lock of all labs is held."""
    try:
        yield
    except BaseException:
        state.forget(lab)
        proxy.down_unless_needed()
        raise


def _up_as_asked(lab: Lab, kind: str, release: str, memory: int, disks: list[str], icount: bool) -> bool:
    """Whether the server runs; an error if it runs, but is another one than asked for."""
    hosts = [host for host in lab.hosts() if host.name == "server" and host.running]
    if not hosts or not ssh.answers(hosts[0].address):
        return False
    server = hosts[0]
    is_ = [server.kind, server.release, *server.disks, server.memory if kind == "vm" else 0]
    asked = [kind, release, *disks, memory if kind == "vm" else 0]
    if server.icount != icount:
        raise LabError(
            f"lab {lab.name} is up {'with' if server.icount else 'without'} --icount: first lab down {lab.name}"
        )
    if is_ != asked:
        raise LabError(f"lab {lab.name} is up as {is_}, not {asked}: first lab down {lab.name}")
    say(f"{lab.name}: is up, server {server.address}")
    return True


def _start(lab: Lab, host: Host, burst: int | None = None) -> None:
    if host.kind == "container":
        container.start(lab, host)
    else:
        from . import machine

        machine.start(lab, host, burst)


def _stop(host: Host) -> None:
    if host.kind == "container":
        container.stop(host)
    elif host.process:
        host.process.end()


def _tear_down(lab: Lab) -> None:
    """End what was recorded, in an order in which each step finds what it needs. The caller has the lab's lock."""
    hosts = lab.hosts()
    for host in hosts:
        _stop(host)
    for host in hosts:
        if host.kind == "container":
            container.remove(host)
    dhcp.down(lab)
    network.down(lab)
    with state.global_lock():
        state.forget(lab)
        proxy.down_unless_needed()


def down(name: str) -> None:
    """End a lab; nothing is wrong if there is none."""
    _need_root()
    lab = state.find(name)
    if lab is None:
        say(f"{name}: is not up")
        return
    with lab.lock():
        lab = state.find(name)
        if lab:
            _tear_down(lab)
    say(f"{name}: is down")


def client(
    name: str,
    client_name: str,
    mac: str,
    memory: int,
    uefi: bool,
    disks: list[str],
    burst: int | None = None,
    disk_first: bool = False,
) -> tuple[Lab, Host]:
    """Power a client on: a new one, or one that is off. See :func:`machine.start` for *burst*."""
    lab = state.get(name)
    state.check_name("NAME", client_name)
    if mac and not _MAC.fullmatch(mac.lower()):
        raise LabError(f"--mac: {mac!r} cannot be used: six bytes such as 52:54:00:12:34:56")
    with lab.lock():
        hosts = state.get(name).hosts()
        old = next((host for host in hosts if host.name == client_name), None)
        if client_name == "server" or (old and old.running):
            raise LabError(f"lab {name} already runs a host {client_name}: lab off {name} {client_name} first")
        index = old.index if old else 1 + max((host.index for host in hosts), default=0)
        host = Host(name, client_name, "client", index, mac.lower() or lab.mac(index), memory=memory, uefi=uefi)
        host.disks = disks
        host.disk_first = disk_first
        if any(host.mac == other.mac and other.name != client_name for other in hosts):
            raise LabError(f"--mac: another host of lab {name} has {host.mac}")
        host.save()
        _start(lab, host, burst)
    say(f"{client_name}: on, {host.mac}, console in {host.console}")
    return lab, host


def wait(name: str, host_name: str, timeout: float, not_boot: str = "") -> tuple[Host, float]:
    """Wait until root can log in; return the host and the seconds since its power-on."""
    lab = state.get(name)
    host = lab.host(host_name)
    return host, ssh.wait(lab, host, timeout, not_boot)


def off(name: str, host_name: str) -> None:
    """Take the power away from a host. Its disks stay until the lab goes down."""
    lab = state.get(name)
    with lab.lock():
        _stop(lab.host(host_name))
    say(f"{host_name}: off")


def cut(name: str, host_name: str, burst: int, timeout: float = 1200) -> None:
    """Take the power of a client as soon as it has written *burst* MiB to its disks; error after *timeout* seconds."""
    from . import machine

    host = state.get(name).host(host_name)
    deadline = time.monotonic() + timeout
    written = 0
    while host.running and written < burst << 20:
        if time.monotonic() > deadline:
            raise LabError(f"{host_name} wrote {written} bytes in {timeout:.0f} seconds{tail(host.console)}")
        time.sleep(0.2)
        written = machine.written(host)
    if not host.running:
        raise LabError(f"{host_name} ended by itself{tail(host.log)}{tail(host.console)}")
    off(name, host_name)
    say(f"{host_name}: had written {written} bytes")


def press(name: str, host_name: str, keys: t.Sequence[str], after: str = "", timeout: float = 300) -> None:
    """Press keys of a client one after the other, once its console has said *after*.

    :arg timeout: seconds for that.
    """
    from . import machine

    host = state.get(name).host(host_name)
    deadline = time.monotonic() + timeout
    while after.encode() not in host.console.read_bytes():
        if not host.running or time.monotonic() > deadline:
            raise LabError(f"{host_name} has not said {after!r}{tail(host.console)}")
        time.sleep(0.1)
    for key in keys:
        machine.press(host, key)
        # each is down for a tenth of a second
        time.sleep(0.2)


def on(name: str, host_name: str) -> Host:
    """Power a host on again as it was."""
    lab = state.get(name)
    with lab.lock():
        host = lab.host(host_name)
        if host.running:
            raise LabError(f"{host_name} is on")
        _start(lab, host)
    return host


def reboot(name: str, host_name: str, grace: float = 120) -> str:
    """Reboot a host in order, or reset it after *grace* seconds; return the boot id that is over ("" if unknown)."""
    lab = state.get(name)
    host = lab.host(host_name)
    boot = ssh.answers(host.address) if host.address and host.running else ""
    if boot:
        host.powered = time.time()
        host.save()
        with contextlib.suppress(LabError):  # the connection may die with the host
            ssh.call(host.address, "systemctl reboot", timeout=30)
        if _gone(host, boot, grace):
            if host.kind == "container":  # nspawn leaves starting it again to whoever started it
                on(name, host_name)
            return boot
        say(f"{host_name}: no orderly reboot in {grace:.0f} s")
    say(f"{host_name}: reset")
    with lab.lock():
        if host.kind == "container" or not host.running:
            _stop(host)
            _start(lab, host)
        else:
            from . import machine

            machine.reset(host)
    return boot


def _gone(host: Host, boot: str, timeout: float) -> bool:
    """Whether the system of that boot id ended within *timeout* seconds."""
    if host.kind == "container" and host.process:
        return host.process.ended(timeout)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if not host.running or ssh.answers(host.address) != boot:
            return True
        time.sleep(1)
    return False
