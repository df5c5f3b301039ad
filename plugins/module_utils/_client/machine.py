# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine is and runs: its kernel's command line, read and checked."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import re

from .._boot.arguments import told
from .._directory.fleet import Running
from .._directory.values import check_label
from .._errors import InvalidValue, StatelessError
from .._image.manifest import FORMATS
from .._names import check_name
from .places import Places

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SERIAL = re.compile(r"[1-9][0-9]{0,9}")
_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")


@dataclasses.dataclass(frozen=True)
class Machine:
    """This machine."""

    #: None: it runs no image, as its own disk or a container does
    running: Running | None
    #: what its boot script calls it; nothing proves it
    name: str | None
    #: of its network interfaces
    macs: frozenset[str]


def look(places: Places) -> Machine:
    """Read what this machine is.

    :raises StatelessError: the kernel's command line says what cannot be.
    """
    # In a container, it is the host's.
    with open(places.of("/proc/cmdline"), encoding="utf-8", errors="replace") as stream:
        line = "" if os.path.exists(places.of("/run/systemd/container")) else stream.read()
    said = told(line)
    try:
        running = _running(said, _since(places)) if "protosystem" in said or "serial" in said else None
        name = check_label("stateless.client", said["client"]) if "client" in said else None
    except InvalidValue as error:
        raise StatelessError(f"the kernel's command line is not that of an image: {error}") from error
    return Machine(running, name, frozenset(_macs(places)))


def _running(said: dict[str, str], since: str | None) -> Running:
    serial, digest, format_ = said.get("serial", ""), said.get("digest"), said.get("format", "")
    if _SERIAL.fullmatch(serial) is None or int(serial) >= 2**31:
        raise InvalidValue("stateless.serial", serial, "snapshots are numbered 1, 2, 3 and so on")
    if format_ not in FORMATS:
        raise InvalidValue("stateless.format", format_, f"it is one of {', '.join(FORMATS)}")
    if digest is not None and _DIGEST.fullmatch(digest) is None:
        raise InvalidValue("stateless.digest", digest, "it is sha256: and 64 hexadecimal digits")
    protosystem = check_name("stateless.protosystem", said.get("protosystem", ""))
    return Running(protosystem, int(serial), digest, format_, since)


def _since(places: Places) -> str | None:
    """When the kernel started, by the clock as it is now: ISO 8601, UTC (proc(5), btime in /proc/stat)."""
    with contextlib.suppress(OSError), open(places.of("/proc/stat"), encoding="ascii", errors="replace") as stream:
        for line in stream:
            if line.startswith("btime "):
                return iso(datetime.datetime.fromtimestamp(int(line.split()[1]), datetime.timezone.utc))
    return None


def _macs(places: Places) -> list[str]:
    network = places.of("/sys/class/net")
    found = []
    with contextlib.suppress(OSError):
        for name in os.listdir(network):
            with contextlib.suppress(OSError), open(os.path.join(network, name, "address"), encoding="ascii") as stream:
                found.append(stream.read().strip())
    return [mac for mac in found if _MAC.fullmatch(mac) and mac != "00:00:00:00:00:00"]


def iso(when: datetime.datetime) -> str:
    """A time as the library writes it: ISO 8601, UTC, whole seconds."""
    return when.astimezone(datetime.timezone.utc).replace(microsecond=0).isoformat()


def now() -> str:
    """:func:`iso` of now."""
    return iso(datetime.datetime.now(datetime.timezone.utc))
