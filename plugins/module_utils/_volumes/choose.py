# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which driver a server's store has: the one place that knows them all."""

from __future__ import annotations

import os
import typing as t

from .file import FileStore
from .thin import ThinStore

if t.TYPE_CHECKING:
    from .._server import Server
    from .store import Store


def open_store(server: Server) -> Store:
    """The store that *server* is set up with."""
    if server.store == "lvm":
        return ThinStore(server.vg, server.pool, os.path.join(server.state, "reserved"))
    return FileStore(server.root)
