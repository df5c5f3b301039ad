# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A slapd whose configuration is killed again and again: each run begins with what the one before has left."""

from __future__ import annotations

import dataclasses
import grp
import os
import pathlib
import shutil
import ssl
import typing as t
import urllib.parse

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._directory.session import Login, Passwords, connect
from ansible_collections.stateless.linux.plugins.module_utils._directory.slapd import state
from ansible_collections.stateless.linux.plugins.module_utils._directory.slapd.certificate import Own
from ansible_collections.stateless.linux.plugins.module_utils._directory.slapd.identities import Identity
from ansible_collections.stateless.linux.tests.unit.directory.publishing import audit, killed
from ansible_collections.stateless.linux.tests.unit.directory.served import TREE, Directory, Server

ALICE = TREE.identity("administrators", "alice")
PC1 = TREE.client("pc1")


@pytest.fixture
def empty(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Server]:
    """A slapd without a database."""
    audit(monkeypatch)
    # Only root can give a file to another; whose the files are is seen in the scenario directory.
    monkeypatch.setattr(shutil, "chown", lambda *_arguments: None)
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    running = Server(tmp_path)
    running.start()
    try:
        yield running
    finally:
        running.stop()


def steps(wanted: state.Settings) -> list[str]:
    """What a run would do."""
    return [step.text for step in state.state(wanted, check=True).plan.steps]


def finish(wanted: state.Settings, whole: t.Callable[[], None]) -> int:
    """Run until a run comes to its end, killing each that would do more than one step; return how many were killed.

    :arg whole: fails if something is lost; called after each.
    """
    count, at, left = 0, 2, len(steps(wanted))
    while killed(at, lambda: state.state(wanted, check=False)):
        count += 1
        whole()
        before, left = left, len(steps(wanted))
        assert left <= before, "a killed run has left more to do than there was"
        # A step that is done only as a whole is begun anew, and gets further each time.
        at = 2 if left < before else at + 1
        assert at < 40, f"no further than {steps(wanted)[0]}"
    whole()
    assert steps(wanted) == []
    return count


def test_runs_that_are_killed_are_finished_by_the_next(directory: Directory, empty: Server) -> None:
    place = pathlib.Path(empty.TMPDIR)
    (place / "database").mkdir()
    group = grp.getgrgid(os.getgid()).gr_name
    server = urllib.parse.urlsplit(empty.ldaps_uri)
    address = (server.hostname or "", server.port or 0)

    def settings(password: str, gibibytes: int, *names: str) -> state.Settings:
        return dataclasses.replace(
            directory.settings,
            path=str(place / "database"),
            gibibytes=gibibytes,
            tls=state.Tls(Own(str(place / "own"), names, group), "", "", "", "allow"),
            identities=[Identity(ALICE, "alice", password)],
            uri=empty.ldapi_uri,
        )

    def check(password: str) -> None:
        assert Passwords(Login(empty.ldapi_uri)).holds(ALICE, password)
        # what slapd hands out, and not only the file, is the newest
        served = ssl.get_server_certificate(address)
        assert served.strip() in (place / "own/server.pem").read_text()
        assert not (place / "own/.stateless-new").exists()

    def nothing_yet() -> None:
        pass

    first = settings("first", 1, "127.0.0.1")
    assert finish(first, nothing_yet) > 15
    check("first")
    authority = (place / "own/ca.pem").read_text()

    root = connect(Login(empty.ldapi_uri))
    root.add(PC1, {"objectClass": [b"device", b"statelessClient"], "cn": [b"pc1"], "description": [b"mine"]})

    def whole() -> None:
        ((_dn, found),) = root.search(PC1, "base", "(objectClass=*)")
        assert found["description"] == [b"mine"]
        passwords = Passwords(Login(empty.ldapi_uri))
        assert passwords.holds(ALICE, "first") != passwords.holds(ALICE, "second")

    second = settings("second", 2, "127.0.0.1", "dir.example.org")
    assert finish(second, whole) > 3
    check("second")
    assert (place / "own/ca.pem").read_text() == authority
