# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A package cache for all labs: apt-cacher-ng with our configuration, on an address that only this machine has.

Hosts in a lab reach it because this machine answers on the lab's network for all its addresses; nothing
is forwarded, and the proxy is their only way out.
"""

from __future__ import annotations

import contextlib
import socket
import time

from .process import LabError, Process, run, say, spawn, tail
from .state import CACHE, STATE, all_labs

ADDRESS = "10.77.0.1"
PORT = 3142
URL = f"http://{ADDRESS}:{PORT}"
_RECORD = STATE / ".proxy"
_LOG = CACHE / "proxy" / "proxy.log"


def _listens() -> bool:
    with contextlib.suppress(OSError), socket.create_connection((ADDRESS, PORT), timeout=2):
        return True
    return False


def _comes_up(process: Process) -> bool:
    """Whether it listens within 15 seconds: others may be downloading through it, so slow is no reason to end it."""
    deadline = time.monotonic() + 15
    while process.alive and time.monotonic() < deadline:
        if _listens():
            return True
        time.sleep(0.1)
    return False


def up() -> None:
    """Start the cache unless it runs. The caller holds the lock of all labs."""
    process = Process.read(_RECORD)
    if process and _comes_up(process):
        return
    if process:
        process.end()
    say("starting the package cache")
    run("ip", "address", "replace", f"{ADDRESS}/32", "dev", "lo")
    conf = _LOG.parent / "conf"
    conf.mkdir(parents=True, exist_ok=True)
    (conf / "acng.conf").write_text(
        f"CacheDir: {_LOG.parent}/cache\nLogDir: {_LOG.parent}/log\nPort: {PORT}\nBindAddress: {ADDRESS}\n"
        f"ForeGround: 1\nReportPage:\nExThreshold: 30\nSocketPath: {STATE}/.proxy.sock\n"
    )
    for name in ("cache", "log"):
        (_LOG.parent / name).mkdir(exist_ok=True)
    _LOG.write_text("")
    if not _comes_up(spawn(["apt-cacher-ng", "-c", conf], _RECORD, _LOG)):
        down()
        raise LabError(f"the package cache does not listen on {URL}{tail(_LOG)}")


def down_unless_needed() -> None:
    """End the cache when no lab is left. The caller holds the lock of all labs."""
    if not all_labs():
        down()


def down() -> None:
    """End the cache and take its address away."""
    process = Process.read(_RECORD)
    if process:
        process.end()
    for left in (_RECORD, STATE / ".proxy.sock"):
        left.unlink(missing_ok=True)
    run("ip", "address", "delete", f"{ADDRESS}/32", "dev", "lo", check=False)
