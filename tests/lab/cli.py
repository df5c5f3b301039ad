# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: lab up, client, ssh, down and so on."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
import typing as t

from . import control, report, ssh, state
from .process import LabError, catch_interrupts, say

_TEXT = """\
Test hosts on a network of their own, 10.77.N.0/24. The server is always called "server" and has
10.77.N.2; this machine is 10.77.N.1. There is no DHCP but what the server under test gives, unless asked for.

  container  systemd-nspawn: native speed, the kernel of this machine (loop devices, no device-mapper, no nfsd)
  vm         QEMU: a kernel of its own (LVM, nfsd), slow where KVM does not work
  client     QEMU: boots from the network

Progress goes to standard error, results to standard output. State is in /run/stateless-lab, base images,
packages and the key pair in ${STATELESS_CACHE:-/var/cache/stateless}/lab. Needs root and the packages of
tests/lab/packages.txt.
"""


def _seconds(text: str) -> float:
    value = float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError("must be more than 0 seconds")
    return value


def _mebibytes(text: str) -> int:
    value = int(text)
    if not 64 <= value <= 65536:
        raise argparse.ArgumentTypeError("must be 64 to 65536 MiB")
    return value


def _mebibytes_written(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1024:
        raise argparse.ArgumentTypeError("must be 1 to 1024 MiB")
    return value


def _size(text: str) -> str:
    if not (text[:-1].isdigit() and text[-1] in "MGT"):
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 512M or 8G")
    return text


def _disk(text: str) -> str:
    size, colon, label = text.partition(":")
    if colon and not re.fullmatch("[a-z0-9-]{1,16}", label):
        raise argparse.ArgumentTypeError(f"{label!r} is no label: 1 to 16 of a-z 0-9 -")
    return _size(size) + colon + label


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="lab", description=_TEXT, formatter_class=form)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, help_: str, *places: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=help_, description=help_[0].upper() + help_[1:] + ".")
        for place in places:
            one.add_argument(place, metavar=place.upper())
        return one

    up = add("up", "start a lab and its server, and wait for ssh; nothing happens if it is up", "lab")
    up.add_argument("--server", choices=("container", "vm"), default="container")
    up.add_argument("--release", choices=state.RELEASES, default="bookworm")
    up.add_argument("--memory", type=_mebibytes, default=2048, metavar="MIB", help="of a vm (default 2048)")
    up.add_argument("--disk", type=_size, action="append", default=[], metavar="SIZE", help="a blank disk of a vm")
    up.add_argument(
        "--base",
        choices=("plain", "server"),
        help="server: with the packages of packages-server.txt (default for a vm), plain: without (container)",
    )

    text = "a DHCP server beside the server, at 10.77.N.3, that gives addresses and knows nothing of booting"
    counted = "a vm whose clock counts instructions: figures that do not depend on this machine; slow"
    up.add_argument("--icount", action="store_true", help=counted)
    up.add_argument("--site-dhcp", action="store_true", help=text)

    client = add("client", "power a client on; it boots from the network, or else from its disk", "lab", "name")
    client.add_argument("--mac", default="", help="default: 52:54:00:77:N:INDEX")
    client.add_argument("--memory", type=_mebibytes, default=1024, metavar="MIB", help="default 1024")
    client.add_argument("--uefi", action="store_true", help="OVMF and TFTP; default: BIOS and QEMU's iPXE")
    text = "boot from the disk, and from the network if that does not boot"
    client.add_argument("--disk-first", action="store_true", help=text)
    text = "a disk: blank, or an ext4 filesystem of that label"
    client.add_argument("--disk", type=_disk, action="append", default=[], metavar="SIZE[:LABEL]", help=text)
    until = client.add_mutually_exclusive_group()
    until.add_argument("--wait", type=_seconds, metavar="SECONDS", help="wait for ssh; print NAME ADDRESS SECONDS")
    text = "take its power when that much was written to its disks, which take any more very slowly"
    until.add_argument("--cut", type=_mebibytes_written, metavar="MIB", help=text)

    wait = add("wait", "wait until root can log in; print NAME ADDRESS SECONDS (since power-on)", "lab", "name")
    wait.add_argument("--timeout", type=_seconds, default=300.0, metavar="SECONDS", help="default 300")
    reboot = add("reboot", "reboot by systemctl, or else by reset", "lab", "name")
    reboot.add_argument("--wait", type=_seconds, metavar="SECONDS", help="wait for ssh; print NAME ADDRESS SECONDS")
    press = add("press", "press keys of a client's keyboard", "lab", "name")
    press.add_argument("keys", nargs="+", metavar="KEY", help="as QEMU calls it: down, ret, a ...")
    press.add_argument("--after", default="", metavar="TEXT", help="wait until its console has said this")
    add("off", "take the power away from a host; its disks stay", "lab", "name")
    shell = add("ssh", "log in to a host, or run a command there", "lab", "host")
    shell.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")
    console = add("console", "print the console's log", "lab", "name")
    console.add_argument("-f", "--follow", action="store_true", help="go on as it grows, until interrupted")
    add("inventory", "print an Ansible inventory (YAML)", "lab")
    add("key", "print the path of the public key that every host must let in")
    status = add("status", "show what is up")
    status.add_argument("lab", nargs="?", metavar="LAB")
    status.add_argument("--json", action="store_true")
    down = add("down", "end a lab: processes, mounts, network, state")
    down.add_argument("lab", nargs="?", metavar="LAB")
    down.add_argument("--all", action="store_true", help="every lab")
    return parser


def _waited(lab: str, name: str, timeout: float, boot: str = "") -> None:
    host, seconds = control.wait(lab, name, timeout, boot)
    print(host.name, host.address, seconds, flush=True)


def _console(lab: str, name: str, follow: bool) -> None:
    host = state.get(lab).host(name)
    with host.console.open("rb") as log:
        while True:
            sys.stdout.buffer.write(log.read())
            sys.stdout.flush()
            if not follow:
                return
            time.sleep(0.3)


def _act(options: argparse.Namespace) -> None:
    command: str = options.command
    lab: t.Any = getattr(options, "lab", None)
    if command == "up":
        base = options.base or ("server" if options.server == "vm" else "plain")
        control.up(
            lab, options.server, options.release, options.memory, options.disk, base, options.site_dhcp, options.icount
        )
    elif command == "client":
        machine = (options.mac, options.memory, options.uefi, options.disk, options.cut, options.disk_first)
        control.client(lab, options.name, *machine)
        if options.cut:
            control.cut(lab, options.name, options.cut)
        elif options.wait:
            _waited(lab, options.name, options.wait)
    elif command == "wait":
        _waited(lab, options.name, options.timeout)
    elif command == "reboot":
        boot = control.reboot(lab, options.name)
        if options.wait:
            _waited(lab, options.name, options.wait, boot)
    elif command == "press":
        control.press(lab, options.name, options.keys, options.after)
    elif command == "off":
        control.off(lab, options.name)
    elif command == "ssh":
        host = state.get(lab).host(options.host)
        if not host.address:
            raise LabError(f"{host.name} has not been seen yet: lab wait {lab} {host.name}")
        argv = ssh.argv(host.address, *options.words)
        os.execvp(argv[0], argv)
    elif command == "console":
        _console(lab, options.name, options.follow)
    elif command == "inventory":
        print(report.inventory(state.get(lab)), end="")
    elif command == "key":
        print(ssh.key().with_suffix(".pub"))
    elif command == "status":
        labs = [state.get(lab)] if lab else state.all_labs()
        print(json.dumps([report.status(one) for one in labs], indent=2) if options.json else report.table(labs))
    elif command == "down":
        if bool(lab) == options.all:
            raise LabError("down: name a lab, or say --all")
        for name in [lab] if lab else [one.name for one in state.all_labs()]:
            control.down(name)


def main() -> int:
    """Run one command; return its exit status: 0, 1 a failure that was told, 130 interrupted."""
    catch_interrupts()
    try:
        _act(_parser().parse_args())
    except LabError as error:
        say(f"error: {error}")
        return 1
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    return 0
