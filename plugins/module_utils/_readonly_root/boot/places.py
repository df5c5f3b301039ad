# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a client's scratch and state are: which filesystem is mounted for each."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time

from ... import _mounts
from ..._command import run
from ..._errors import StatelessError
from ..model import Settings
from . import copying, mounting
from .log import Log

#: What the state keeps for itself, in its mount.
OWN = ".stateless"
#: Scratch, if the image has no directory for it.
SPARE_SCRATCH = "/run/stateless/scratch"
#: A name of a host that is no name.
_NAMELESS = re.compile(r"|\(none\)|localhost|localhost\.localdomain")
#: What a name may look like that becomes part of a path.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
#: Seconds to wait for the name of the host.
_NAME_PATIENCE = 3


def own_file(where: str, name: str) -> str:
    """The file of that *name* which the state in *where* keeps for itself."""
    return f"{where}/{OWN}/{name}.json"


def scratch(settings: Settings, log: Log) -> str | None:
    """Mount the scratch, empty, and return where; ``None`` if there is no way."""
    where = settings.rw_mount
    if not os.path.isdir(where):
        # tmpfs is writable in any image: better there than nowhere.
        log.problem(f"the image has no directory {where} (RW_MOUNT): {SPARE_SCRATCH} is used")
        where = SPARE_SCRATCH
        os.makedirs(where, exist_ok=True)
    elif _lasting_scratch(where, settings.rw_label, log):
        return where
    for options in (settings.rw_options, ""):
        try:
            mounting.mount("-t", "tmpfs", "-o", "mode=0755", *mounting.split(options), "stateless-scratch", where)
            return where
        except StatelessError as error:
            log.problem(f"scratch: {error}")
            if not options:
                break
    return None


def _lasting_scratch(where: str, label: str, log: Log) -> bool:
    """Mount what fstab or the label say at *where*, and empty it; False if that cannot be."""
    if not _mounts.is_mounted(where):
        try:
            mounting.mount_by_fstab(where, "")
        except StatelessError as error:
            if not _mounts.is_mounted(where):  # by systemd, meanwhile
                log.problem(f"scratch: {error}")
    if not _mounts.is_mounted(where):
        device = mounting.device_with_label(label)
        if device is None:
            return False
        try:
            mounting.mount(device, where)
        except StatelessError as error:
            log.problem(f"scratch: {error}")
            return False
    refusal = _must_not_be_wiped(where)
    if refusal:
        log.problem(f"scratch: {where} is not wiped: {refusal}; a tmpfs is used")
        return False
    try:
        copying.empty(where, {mount.where for mount in _mounts.mounts() if mount.where.startswith(where + "/")})
    except OSError as error:
        log.problem(f"scratch: {where} could not be wiped: {error}")
    return _is_writable(where, log)


def _must_not_be_wiped(where: str) -> str:
    """Why what is mounted at *where* is no scratch; empty if it may be one."""
    if os.path.lexists(f"{where}/{OWN}"):
        return "it holds a state"
    if os.lstat(where).st_dev == os.lstat("/").st_dev:
        return "it is the root filesystem"
    return ""


def _is_writable(where: str, log: Log) -> bool:
    try:
        # A server may refuse what the mount allows; this needs no room.
        os.utime(where)
    except OSError as error:
        log.problem(f"{where} cannot be written: {error.strerror}")
        return False
    return True


def state(settings: Settings, log: Log) -> str | None:
    """Mount the state and return where; ``None`` if there is none, or it cannot be written.

    The machine then is what it is without state: what rwtab makes writable is, until the next boot.
    """
    where = settings.state_mount
    try:
        # Scratch may lie over it, and has no such directory then.
        os.makedirs(where, exist_ok=True)
    except OSError:
        log.problem(f"the image has no directory {where} (STATE_MOUNT): nothing is kept")
        return None
    try:
        if not _mounts.is_mounted(where) and not _mount_state(settings, where, log):
            return None
    except StatelessError as error:
        log.problem(f"nothing is kept: {error}")
        return None
    return where if _is_writable(where, log) else None


def _mount_state(settings: Settings, where: str, log: Log) -> bool:
    """Mount what there is for the state; False if there is nothing."""
    failure: StatelessError | None = None
    try:
        if mounting.mount_by_fstab(where, settings.state_options):
            return True
    except StatelessError as error:
        failure = error
    if _mounts.is_mounted(where):
        # systemd has done it meanwhile, since its line is without noauto.
        return True
    device = mounting.device_with_label(settings.state_label)
    if device is not None:
        mounting.mount(device, where)
        return True
    if settings.client_state:
        source = f"{settings.client_state}/{host_name()}"
        # Without a lock manager, which does not run yet; and no second try, since the boot waits.
        mounting.mount("-t", "nfs", source, where, "-o", "rw,nolock,retry=0")
        return True
    if failure is not None:
        raise failure
    label = settings.state_label
    log.note(f"there is no state: no line of fstab whose device is there, no filesystem with the label {label!r}")
    return False


def take_name() -> None:
    """Give a host without a name the one that reverse DNS has for its address; nothing happens if there is none."""
    name = socket.gethostname()
    if not _NAMELESS.fullmatch(name):
        return
    until = time.monotonic() + _NAME_PATIENCE
    for address in _addresses():
        with contextlib.suppress(StatelessError, OSError):
            left = until - time.monotonic()
            words = run(["getent", "hosts", address], timeout=left).split() if left > 0 else []
            if len(words) > 1 and _NAME.fullmatch(words[1]) and not _NAMELESS.fullmatch(words[1]):
                socket.sethostname(words[1])
                return


def _addresses() -> list[str]:
    """The global IPv4 addresses of this host."""
    # The kernel's own table: no program needs to be there for it.
    with contextlib.suppress(OSError), open("/proc/net/fib_trie", encoding="ascii", errors="replace") as stream:
        found: list[str] = []
        address = ""
        for line in stream:
            words = line.split()
            if words[:1] == ["|--"]:
                address = words[1]
            elif words[:3] == ["/32", "host", "LOCAL"] and not address.startswith(("127.", "169.254.")):
                found += [address] if address not in found else []
        return found
    return []


def host_name() -> str:
    """The name that selects the state of this host on a server.

    :raises StatelessError: it has none that could be a directory's.
    """
    name = socket.gethostname()
    if _NAMELESS.fullmatch(name) or not _NAME.fullmatch(name):
        raise StatelessError(f"CLIENTSTATE needs the name of the host, and {name!r} is none")
    return name
