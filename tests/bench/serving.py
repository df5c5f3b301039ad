# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server that says what it served, and what that took."""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import typing as t

_NGINX = """worker_processes 1; daemon off; pid {work}/nginx.pid; error_log stderr; user root;
events {{ worker_connections 1024; }}
http {{ log_format sent '$bytes_sent'; access_log {work}/nginx.log sent; sendfile on;
  default_type application/octet-stream; server {{ listen {address}:{port}; root {work}{below}; }} }}
"""


def free_port() -> int:
    """A port of loopback that nobody uses."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def cpu_of(pids: t.Iterable[int]) -> float:
    """CPU seconds of processes, with their children that have ended: these in hundredths, as the kernel counts them."""
    nanoseconds = ticks = 0
    for pid in pids:
        process = pathlib.Path(f"/proc/{pid}")
        for thread in process.glob("task/*/schedstat"):
            nanoseconds += int(thread.read_text().split()[0])
        # cutime, cstime: proc_pid_stat(5)
        ticks += sum(map(int, (process / "stat").read_text().rpartition(")")[2].split()[13:15]))
    return nanoseconds / 1e9 + ticks / os.sysconf("SC_CLK_TCK")


class Web:
    """nginx over *work*; a context manager.

    :arg below: what of it is served, such as ``/public``.
    :arg address: where it listens; what it writes itself is in *work*.
    """

    def __init__(self, work: pathlib.Path, below: str = "", port: int = 0, address: str = "127.0.0.1") -> None:
        self.work = work
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._below = below
        self._address = address
        self._seen = 0

    def start(self) -> list[str]:
        """The server's command."""
        conf = self.work / "nginx.conf"
        conf.write_text(_NGINX.format(work=self.work, address=self._address, port=self.port, below=self._below))
        (self.work / "nginx.log").write_text("")
        return ["nginx", "-c", str(conf)]

    def __enter__(self) -> Web:
        self._process = subprocess.Popen(self.start())
        for _try in range(100):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self.port)) == 0:
                    break
            time.sleep(0.1)
        if self._process.poll() is not None:
            sys.exit("the server does not start")
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()

    def cpu(self) -> float:
        """CPU seconds since it started."""
        # what has just ended is counted when the server has looked
        time.sleep(0.5)
        pid = self._process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return cpu_of([pid, *map(int, children)])

    def served(self, said: str = "") -> tuple[int, int | None]:
        """Bytes, headers included, and requests since it was asked last; what the client *said* is not needed."""
        lines = (self.work / "nginx.log").read_text().split()[self._seen :]
        self._seen += len(lines)
        return sum(map(int, lines)), len(lines)
