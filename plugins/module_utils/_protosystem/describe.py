# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What protosystems are now, as modules return it."""

from __future__ import annotations

import shutil
import typing as t

from .._mounts import is_mounted
from .._names import check_name
from . import container
from .record import Record, find, names

if t.TYPE_CHECKING:
    from .._server import Server
    from .._volumes.store import Store


def information(server: Server, store: Store, name: str | None) -> list[dict[str, t.Any]]:
    """All protosystems, or the one *name* (none if it does not exist), as modules return them."""
    if name is not None:
        check_name("name", name)
    volumes = store.volumes()
    found = []
    for known in names(server):
        record = find(server, known)
        if record is not None and name in (None, known):
            volume = volumes.get(known)
            found.append(described(server, record, volume.size if volume else None))
    return found


def described(server: Server, record: Record, size: int | None) -> dict[str, t.Any]:
    """A protosystem as modules return it. *size*: bytes of its volume."""
    where = server.protosystem_mount(record.name)
    mounted = is_mounted(where)
    return {
        "name": record.name,
        "filesystem": record.filesystem,
        "size": size,
        "used": shutil.disk_usage(where).used if mounted else None,
        "path": where,
        "mounted": mounted,
        "booted": container.booted(record.name),
        "created": record.created,
        "default_channel": record.default_channel,
        "source": dict(record.source),
    }
