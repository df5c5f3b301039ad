# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures: one slapd for all tests of this folder, configured by the library as the role configures it."""

from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._directory.slapd import state
from ansible_collections.stateless.linux.plugins.module_utils._directory.slapd.certificate import Own
from ansible_collections.stateless.linux.plugins.module_utils._directory.slapd.identities import Identity
from ansible_collections.stateless.linux.tests.unit.directory.served import (
    SECRET,
    TREE,
    Authority,
    Directory,
    Server,
    schema,
)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Directory]:
    place = tmp_path_factory.mktemp("directory")
    running = Server(place)
    running.start()
    try:
        (place / "database").mkdir()
        authority = Authority(place, "authority")
        certificate = authority.issue("server", "127.0.0.1")
        wanted = state.Settings(
            schema=schema(),
            schema_path=str(running.SCHEMADIR),
            module_path="/usr/lib/ldap" if os.path.isdir("/usr/lib/ldap") else "/usr/lib64/openldap",
            tree=TREE,
            path=str(place / "database"),
            gibibytes=1,
            tls=state.Tls(Own(str(place), [], ""), certificate, certificate, authority.path, "allow"),
            identities=[
                Identity(TREE.identity("administrators", "alice"), "alice", SECRET),
                Identity(TREE.identity("publishers", "paul"), "paul", SECRET),
                Identity(TREE.identity("clients", "watch"), "watch", SECRET),
            ],
            provider=None,
            ca_file="",
            server_id=1,
            timeout=10,
            uri=running.ldapi_uri,
        )
        state.state(wanted, check=False)
        yield Directory(running, place, authority, wanted)
    finally:
        running.stop()


@pytest.fixture
def directory(served: Directory) -> Directory:
    """An empty directory."""
    served.clear()
    return served
