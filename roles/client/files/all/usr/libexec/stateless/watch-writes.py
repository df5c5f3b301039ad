# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch what programs fail to write because the root is read-only, and propose what to make writable.

The kernel's audit (audit.rules(7), linux/audit.h) reports every system call of any process that ends in EROFS,
with the path. Listening to its multicast group needs no audit daemon, and disturbs none that runs.
"""

from __future__ import annotations

import argparse
import collections
import errno
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

NETLINK_AUDIT, READLOG = 9, 1
GET, SET, ADD_RULE, DEL_RULE = 1000, 1001, 1011, 1012
SYSCALL, PATH, CWD, END = 1300, 1302, 1307, 1320
#: Directories of which only parts should ever be writable.
WIDE = re.compile(r"/|/(boot|dev|etc|proc|root|run|sys|var|var/lib|(usr|bin|sbin|lib\w*)(/.*)?)")


def warn(text: str) -> None:
    sys.stderr.write(f"watch-writes: {text}\n")


class Audit:
    """A rule of the kernel's audit while this lives: report system calls that end in EROFS."""

    def __init__(self) -> None:
        self.control = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_AUDIT)
        self.control.bind((0, 0))
        self.records = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_AUDIT)
        self.records.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)  # SO_RCVBUFFORCE: a burst must not overflow it
        self.records.bind((0, READLOG))

    def __enter__(self) -> Audit:
        self.enabled = struct.unpack_from("=2I", self._ask(GET, b"") or bytes(8))[1]
        self._ask(SET, struct.pack("=10I", 1, 1, *[0] * 8))
        self.made = self._ask(ADD_RULE, self._rule(), or_else=errno.EEXIST) is not None
        return self

    def __exit__(self, *_problem: object) -> None:
        if self.made:
            self._ask(DEL_RULE, self._rule())
        if not self.enabled:
            self._ask(SET, struct.pack("=10I", 1, 0, *[0] * 8))

    @staticmethod
    def _rule() -> bytes:
        """``-a always,exit -S all -F exit=-EROFS`` as a struct audit_rule_data: its arrays have 64 words each."""
        exit_field, equal = 103, 0x40000000
        one = [(exit_field,), (-errno.EROFS & 0xFFFFFFFF,), (equal,)]
        arrays = [word for array in one for word in (*array, *[0] * 63)]
        return struct.pack("=3I64I192II", 4, 2, 1, *[0xFFFFFFFF] * 64, *arrays, 0)

    def _ask(self, kind: int, payload: bytes, or_else: int = 0) -> bytes | None:
        """Send a request; return what is answered (b"": a bare acknowledgement), or None for the error *or_else*."""
        request, acknowledge = 1, 4
        self.control.send(struct.pack("=IHHII", 16 + len(payload), kind, request | acknowledge, 1, 0) + payload)
        answer = b""
        while True:
            packet = self.control.recv(65536)
            if struct.unpack_from("=IH", packet)[1] != 2:  # not NLMSG_ERROR, which acknowledges as well
                answer = packet[16:]
                continue
            code = -struct.unpack_from("=i", packet, 16)[0]
            if code == 0:
                return answer
            if code == or_else:
                return None
            raise OSError(code, f"the kernel's audit: {os.strerror(code)}")

    def read(self, seconds: float) -> tuple[int, str] | None:
        """The next record, as its type and text; None after *seconds* without one."""
        self.records.settimeout(seconds)
        try:
            packet = self.records.recv(65536)
        except socket.timeout:
            return None
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                warn("there were more attempts than could be read: some are missing")
                return None
            raise
        kind = struct.unpack_from("=IH", packet)[1]
        # Its length is not always that of the packet (linux/kernel/audit.c): the text ends where the packet does.
        return kind, packet[16:].rstrip(b"\0").decode(errors="surrogateescape")


def value(text: str, key: str) -> str:
    """A field of a record: quoted, or in hexadecimal digits where it has unusual characters (audit's own way)."""
    found = re.search(rf'\b{key}=(?:"([^"]*)"|(\S+))', text)
    if not found:
        return ""
    plain, other = found.groups()
    if plain is not None:
        return plain
    return os.fsdecode(bytes.fromhex(other)) if key in ("name", "cwd", "comm", "exe") and other != "(null)" else other


class Attempts:
    """What was tried: the records of one system call have a number in common."""

    def __init__(self) -> None:
        self.calls: dict[str, dict[str, str]] = {}
        #: path that would have to be writable: the programs that tried, and how often
        self.wanted: dict[str, collections.Counter[str]] = {}

    def add(self, kind: int, text: str) -> None:
        call = re.match(r"audit\([\d.]+:(\d+)\)", text)
        if not call:
            return
        if kind == SYSCALL and value(text, "exit") == str(-errno.EROFS):
            directory = value(text, "a0")
            self.calls[call[1]] = {"exe": value(text, "exe"), "pid": value(text, "pid"), "a0": directory, "cwd": "/"}
        known = self.calls.get(call[1])
        if known is None:
            return
        if kind == CWD:
            known["cwd"] = value(text, "cwd")
        elif kind == PATH and value(text, "nametype") in ("PARENT", "NORMAL"):
            self._want(known, text)
        elif kind == END:
            self._settle(self.calls.pop(call[1]))

    @staticmethod
    def _want(call: dict[str, str], text: str) -> None:
        """Find out which path a record speaks of: names may be relative to a directory that only the process knows."""
        inode = value(text, "inode")
        bases = [call["cwd"]]
        if re.fullmatch(r"[0-9a-f]{1,4}", call["a0"]):
            bases.append(f"/proc/{call['pid']}/fd/{int(call['a0'], 16)}")
        name = value(text, "name")
        for base in bases:
            for path in (os.path.join(base, name), base):
                try:
                    if str(os.stat(path).st_ino) == inode:
                        call[value(text, "nametype")] = os.path.realpath(path)
                        return
                except OSError:
                    continue
        call["lost"] = name

    def _settle(self, call: dict[str, str]) -> None:
        """What exists was to be changed itself; otherwise its directory was: a name made, removed or renamed."""
        path = call.get("NORMAL") or call.get("PARENT")
        if path:
            self.wanted.setdefault(path, collections.Counter())[call["exe"]] += 1
        elif "lost" in call:
            warn(f"{call['exe']} tried to write {call['lost']!r}, relative to an unknown directory")

    def proposal(self) -> str:
        """YAML for the role's variable ``client_scratch``, the outermost paths only."""
        lines, refused, inside = [], [], "\0"
        for path, programs in sorted(self.wanted.items(), key=lambda item: item[0] + "/"):
            who = ", ".join(f"{exe} ({times}x)" for exe, times in programs.most_common())
            if os.path.isdir(path) and WIDE.fullmatch(path):
                refused.append(f"# {path}: {who}")
            elif not (path + "/").startswith(inside):
                inside = path + "/"
                keep = "nothing" if os.path.isdir(path) and not os.listdir(path) else "everything"
                quoted = '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
                lines.append(f"  - {{path: {quoted}, keep: {keep}}}  # {who}")
        text = ["client_scratch:", *lines] if lines else ["# Nothing to make writable was found."]
        if refused:
            text += ["# Files were to be made in these directories, which should not be writable as a whole: have the"]
            text += ["# programs use another directory, or make the files in the image and list them.", *refused]
        return "\n".join(text)


def ready() -> None:
    """Tell systemd, if it waits for that, that nothing will be missed from now on (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
            peer.connect("\0" + address[1:] if address[0] == "@" else address)
            peer.send(b"READY=1")


def main() -> int:
    parser = argparse.ArgumentParser(prog="watch-writes", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="default: until Ctrl-C, or the command's end"
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND", help="run it, and watch until it ends")
    options = parser.parse_args()
    stop: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: stop.append(number))
    attempts = Attempts()
    with Audit() as audit:
        ready()
        child = subprocess.Popen(options.command) if options.command else None
        end = time.monotonic() + options.seconds
        quiet = False
        while not (quiet and (stop or time.monotonic() > end or (child and child.poll() is not None))):
            record = audit.read(0.3)
            quiet = record is None
            if record:
                attempts.add(*record)
    sys.stdout.write(attempts.proposal() + "\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        sys.exit(f"watch-writes: {error}")
