# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logging in: over TLS, whose certificates are refused with the reason, and with passwords that nobody gets to see."""

from __future__ import annotations

import pathlib
import typing as t

import ldap
import pytest

from ansible_collections.stateless.linux.plugins.module_utils._directory.connection import LdapFailed
from ansible_collections.stateless.linux.plugins.module_utils._directory.session import Login, connect
from ansible_collections.stateless.linux.plugins.module_utils._directory.tree import Tree
from ansible_collections.stateless.linux.plugins.module_utils._errors import InvalidValue
from ansible_collections.stateless.linux.tests.unit.directory.served import SECRET, TREE, Authority, Directory

ALICE = TREE.identity("administrators", "alice")


def ways(directory: Directory) -> list[dict[str, t.Any]]:
    return [{"uri": directory.tls_uri}, {"uri": directory.plain_uri, "start_tls": True}]


def test_tls_from_the_first_octet_or_later(directory: Directory) -> None:
    for way in ways(directory):
        found = connect(directory.login(ca_path=directory.authority.path, **way))
        assert found.search(TREE.suffix, "base", "(objectClass=*)", ("1.1",))
        assert connect(directory.login(validate_certs=False, **way)).who == ALICE
    both = f"ldaps://127.0.0.1:1 {directory.tls_uri}"
    connect(directory.login(uri=both, ca_path=directory.authority.path))


def test_a_client_s_certificate_logs_in(directory: Directory) -> None:
    certificate = directory.authority.issue("machine", "127.0.0.1")
    more = {"client_cert": certificate, "client_key": certificate, "ca_path": directory.authority.path}
    connect(Login(directory.tls_uri, **more))
    with pytest.raises(InvalidValue, match="client_cert and client_key need each other"):
        connect(Login(directory.tls_uri, client_cert=certificate))


@pytest.mark.parametrize("case", ["unknown", "expired", "name"])
def test_a_certificate_is_refused_with_the_reason(directory: Directory, case: str, tmp_path: pathlib.Path) -> None:
    reasons = {"unknown": "(self.signed|issuer)", "expired": "certificate has expired", "name": "IP address mismatch"}
    other = Authority(tmp_path, "other")
    made = {
        "unknown": lambda: directory.authority.issue("server2", "127.0.0.1"),
        "expired": lambda: directory.authority.issue("server3", "127.0.0.1", days=-1),
        "name": lambda: directory.authority.issue("server4", "192.0.2.1"),
    }[case]()
    (config,) = directory.root.search("cn=config", "base", "(objectClass=*)", ("*",))
    names = ("olcTLSCertificateFile", "olcTLSCertificateKeyFile")

    def use(paths: list[bytes]) -> None:
        directory.root.modify("cn=config", [(ldap.MOD_REPLACE, name, [path]) for name, path in zip(names, paths)])

    use([made.encode(), made.encode()])
    try:
        for way in ways(directory):
            ca = other.path if case == "unknown" else directory.authority.path
            with pytest.raises(LdapFailed, match=f"its certificate is refused: .*{reasons[case]}"):
                connect(directory.login(ca_path=ca, **way))
    finally:
        use([config[1][name.lower()][0] for name in names])


def test_a_server_that_is_away_is_told(directory: Directory) -> None:
    with pytest.raises(LdapFailed, match=f"log in to ldaps://127.0.0.1:1 as {ALICE}: .*port 1 does not answer"):
        connect(directory.login(uri="ldaps://127.0.0.1:1"))
    with pytest.raises(LdapFailed, match="the server does not answer"):
        connect(directory.login(uri="ldapi://%2Fnowhere"))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"password": "wrong s3cret"}, "the password is wrong, or there is no such identity"),
        ({"dn": TREE.identity("clients", "*")}, "the password is wrong, or there is no such identity"),
        ({"dn": TREE.client("nobody)(cn=*")}, "the password is wrong, or there is no such identity"),
    ],
)
def test_who_is_not_let_in_learns_why_and_shows_no_password(
    directory: Directory, wrong: dict[str, str], told: str
) -> None:
    login = directory.login(**wrong)
    with pytest.raises(LdapFailed, match=told) as caught:
        connect(login)
    assert login.password not in f"{caught.value} {login!r}"
    assert login.dn in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "option"),
    [
        ({"uri": ""}, "server_uri"),
        ({"uri": "http://srv1"}, "server_uri"),
        ({"uri": "ldaps://srv1 srv2"}, "server_uri"),
        ({"uri": "ldaps://srv1\0"}, "server_uri"),
        ({"uri": "ldap://127.0.0.1"}, "server_uri"),
        ({"dn": "alice"}, "bind_dn"),
        ({"dn": "cn=a,b"}, "bind_dn"),
        ({"dn": "cn=a\0"}, "bind_dn"),
        ({"dn": "cn=\ud800"}, "bind_dn"),
        ({"password": ""}, "bind_dn"),
        ({"password": "s3cret\0"}, "bind_pw"),
        ({"password": "s3cret\ud800"}, "bind_pw"),
        ({"ca_path": "/nowhere.pem"}, "ca_path"),
        ({"ca_path": "/"}, "ca_path"),
        ({"client_cert": "/nowhere.pem", "client_key": "/nowhere.pem"}, "client_cert"),
        ({"client_cert": "/etc/passwd", "client_key": "/etc/passwd"}, "client_cert"),
    ],
)
def test_options_that_cannot_work_are_refused(directory: Directory, wrong: dict[str, str], option: str) -> None:
    with pytest.raises(InvalidValue, match=f"^{option}: ") as caught:
        connect(directory.login(**wrong))
    assert "s3cret" not in str(caught.value)


SUFFIXES = ["", "a", "o=a)(b", "o=*", "o=a,", 'o="a"', "o=a\0", "o=a\ud800", "o=a\\,b", "o=#a", "o=a;b", "o=a<b>"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_suffix_is_a_dn_of_plain_words_or_nothing_is_found(directory: Directory, suffix: str) -> None:
    try:
        tree = Tree.at("suffix", suffix)
    except InvalidValue:
        return
    assert directory.session.search(tree.clients, "one", "(objectClass=*)", ("1.1",)) == []


def test_a_password_is_data(directory: Directory) -> None:
    assert connect(directory.login()).who == ALICE
    assert directory.passwords.holds(ALICE, SECRET)
    assert not directory.passwords.holds(ALICE, f"{SECRET} ")
    assert not directory.passwords.holds(TREE.client("nobody"), SECRET)
