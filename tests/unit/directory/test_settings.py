# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a server knows its directory: the file, what is refused of it, and that nobody gets to see its password."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._directory import settings
from ansible_collections.stateless.linux.plugins.module_utils._errors import StatelessError
from ansible_collections.stateless.linux.tests.unit.directory.served import SECRET, TREE, Directory


def write(tmp_path: pathlib.Path, found: t.Any) -> str:
    path = tmp_path / "directory.json"
    path.write_text(found if isinstance(found, str) else json.dumps(found))
    return str(path)


def test_without_the_file_there_is_no_directory(tmp_path: pathlib.Path) -> None:
    assert settings.load(str(tmp_path / "none.json")) is None
    assert settings.missing(str(tmp_path / "none.json")) is None


def test_what_is_not_said_is_as_in_the_modules(tmp_path: pathlib.Path) -> None:
    found = settings.load(write(tmp_path, {"bind_dn": None}))
    assert found is not None
    assert (found.login.uri, found.login.dn, found.login.sasl_class) == ("ldapi:///", "", "external")
    assert found.login.validate_certs and not found.login.start_tls
    assert found.tree == TREE


def test_it_logs_in(directory: Directory, tmp_path: pathlib.Path) -> None:
    said = {"server_uri": directory.tls_uri, "ca_path": directory.authority.path, "suffix": " o=stateless "}
    paul = TREE.identity("publishers", "paul")
    found = settings.load(write(tmp_path, {**said, "bind_dn": paul, "bind_pw": SECRET}))
    assert found is not None and found.tree == TREE
    assert found.connect().who == paul
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("{", "cannot be read: "),
        ([], "is no JSON object"),
        ({"bind_password": "s3cret"}, "bind_password: there is no such setting"),
        ({"bind_pw": ["s3cret"]}, "bind_pw: '\\(hidden\\)' cannot be used: give a text"),
        ({"start_tls": "yes"}, "start_tls: 'yes' cannot be used: give true or false"),
        ({"sasl_class": "plain"}, "sasl_class: 'plain' cannot be used: give one of external, gssapi"),
        ({"suffix": "stateless"}, "suffix: 'stateless' cannot be used: give a DN"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_key(tmp_path: pathlib.Path, wrong: t.Any, told: str) -> None:
    path = write(tmp_path, wrong)
    with pytest.raises(StatelessError, match=f"^{path}:? {told}") as caught:
        settings.load(path)
    assert "s3cret" not in str(caught.value)


def test_what_cannot_log_in_is_told_with_the_file(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, {"server_uri": "ldap://srv1", "bind_dn": "cn=a", "bind_pw": "s3cret"})
    found = settings.load(path)
    assert found is not None
    with pytest.raises(StatelessError, match=f"^{path}: server_uri: 'ldap://srv1' cannot be used") as caught:
        found.connect()
    assert "s3cret" not in str(caught.value)
