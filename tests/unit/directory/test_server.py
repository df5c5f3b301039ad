# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The slapd of the other tests, configured again: what is as it should be stays, what is not becomes so."""

from __future__ import annotations

import dataclasses
import pathlib

import ldap
import pytest

from ansible_collections.stateless.linux.plugins.module_utils._directory import clients, groups
from ansible_collections.stateless.linux.plugins.module_utils._directory.connection import LdapFailed
from ansible_collections.stateless.linux.plugins.module_utils._directory.session import Login, connect
from ansible_collections.stateless.linux.plugins.module_utils._directory.slapd.config import Provider
from ansible_collections.stateless.linux.plugins.module_utils._directory.slapd.identities import Identity
from ansible_collections.stateless.linux.plugins.module_utils._directory.slapd.state import Settings, state
from ansible_collections.stateless.linux.plugins.module_utils._directory.tree import Tree
from ansible_collections.stateless.linux.plugins.module_utils._errors import InUse, InvalidValue
from ansible_collections.stateless.linux.tests.unit.directory.served import TREE, Authority, Directory, Server


def actions(settings: Settings, check: bool = False) -> list[str]:
    return [step.text for step in state(settings, check).plan.steps]


def test_nothing_changes_again(directory: Directory) -> None:
    assert actions(directory.settings) == []


def test_a_suffix_may_begin_with_a_number_in_braces(directory: Directory) -> None:
    path = directory.place / "numbered"
    path.mkdir()
    tree = Tree("o={1}x")
    alice = Identity(tree.identity("administrators", "alice"), "alice", "s3cret")
    wanted = dataclasses.replace(directory.settings, tree=tree, path=str(path), identities=[alice])
    assert "add o={1}x" in actions(wanted)
    assert actions(wanted) == []
    assert directory.root.search("o={1}x", "base", "(o={1}x)")
    again = dataclasses.replace(alice, password="another s3cret")
    wanted = dataclasses.replace(wanted, identities=[again])
    assert actions(wanted) == [f"change the password of {alice.dn}"]
    assert actions(wanted) == []
    wanted = dataclasses.replace(wanted, identities=[dataclasses.replace(again, present=False)])
    assert actions(wanted) == [f"remove {alice.dn}"]
    assert actions(wanted) == []


def test_what_an_earlier_version_configured_goes(directory: Directory) -> None:
    """slapo-refint(5), which follows clients in the background; clients get where they should be while it does, too."""
    ((database, _raw),) = directory.root.search("cn=config", "one", "(olcSuffix=o=stateless)", ("1.1",))
    modules = directory.root.search("cn=config", "one", "(objectClass=olcModuleList)", ("1.1",))
    directory.root.modify(modules[-1][0], [(ldap.MOD_ADD, "olcModuleLoad", [b"refint"])])
    overlay = {"objectClass": [b"olcOverlayConfig", b"olcRefintConfig"], "olcOverlay": [b"refint"]}
    for attribute, value in (("member", TREE.groups), ("seeAlso", "o=stateless")):
        more = {"olcRefintAttribute": [attribute.encode()], "olcRefintNothing": [value.encode()]}
        directory.root.add(f"olcOverlay=refint,{database}", {**overlay, **more})

    names = [f"pc{number}" for number in range(50)]
    groups.state(directory.session, TREE, [groups.Wanted("lab"), groups.Wanted("door")], False)
    for before, after in (("", ""), ("", "x"), ("x", "y")):
        wanted = [
            clients.Wanted(after + name, previous_name=before + name if after else None, groups=["lab", "door"])
            for name in names
        ]
        clients.state(directory.session, directory.passwords, TREE, wanted, False)
    found = directory.root.search(TREE.groups, "one", "(cn=lab)", ("member",))
    assert len(found[0][1]["member"]) == 1 + len(names)

    ours = directory.root.search(database, "one", "(olcRefintAttribute=member)", ("1.1",))
    assert actions(directory.settings) == [f"remove {dn}" for dn, _raw in ours]
    assert actions(directory.settings) == []
    ((other, raw),) = directory.root.search(database, "one", "(olcOverlay=refint)")
    assert raw["olcrefintattribute"] == [b"seeAlso"]
    directory.root.delete(other)


def test_another_version_of_the_schema_is_loaded(directory: Directory) -> None:
    ((dn, _raw),) = directory.root.search("cn=schema,cn=config", "one", "(cn=*stateless)", ("1.1",))
    old = b"{6}( 2.25.289436213793665459979922805035327899408.2.7 NAME 'statelessGroup' DESC 'old' AUXILIARY )"
    directory.root.modify(
        dn, [(ldap.MOD_DELETE, "olcObjectClasses", [b"{6}"]), (ldap.MOD_ADD, "olcObjectClasses", [old])]
    )
    assert actions(directory.settings) == [f"change olcObjectClasses of {dn}"]
    assert actions(directory.settings) == []


def test_a_second_server_copies_the_first(directory: Directory, tmp_path: pathlib.Path) -> None:
    directory.protosystem("desk", "stable", {"stable": 2}, {2: "sha256:2"})
    replicator = Identity(TREE.replicator, "replicator", "replicator-s3cret")
    actions(dataclasses.replace(directory.settings, identities=[replicator]))
    ca = pathlib.Path(directory.authority.path).read_text()
    provider = Provider(directory.tls_uri.rstrip("/"), "replicator-s3cret", ca)
    second = Server(tmp_path)
    second.start()
    try:
        (tmp_path / "copy").mkdir()
        wanted = dataclasses.replace(
            directory.settings,
            path=str(tmp_path / "copy"),
            identities=[],
            provider=provider,
            ca_file=str(tmp_path / "provider.pem"),
            uri=second.ldapi_uri,
        )
        for wrong, told in (
            ({"password": "another-s3cret"}, "the password is wrong"),
            ({"ca": pathlib.Path(Authority(tmp_path, "other").path).read_text()}, "its certificate is refused"),
        ):
            with pytest.raises(LdapFailed, match=told):
                state(dataclasses.replace(wanted, provider=dataclasses.replace(provider, **wrong)), check=False)
        assert actions(wanted)[-1] == f"wait for the first copy from {provider.uri}"
        assert actions(wanted) == []
        copy = connect(Login(second.ldapi_uri))
        assert copy.search(TREE.image("desk", 2, "ram"), "base", "(objectClass=*)", ("1.1",))
    finally:
        second.stop()
        actions(dataclasses.replace(directory.settings, identities=[dataclasses.replace(replicator, present=False)]))


@pytest.mark.parametrize("password", ["", "a" * 257, "s3cret\nline", "s3cret\0"])
def test_what_is_no_password_is_refused(directory: Directory, password: str) -> None:
    (alice, *_others) = directory.settings.identities
    for name, identity in (
        ("passwords, alice", dataclasses.replace(alice, password=password)),
        ("replicator_password", Identity(TREE.replicator, "replicator", password)),
    ):
        with pytest.raises(InvalidValue, match=f"^{name}: ") as caught:
            state(dataclasses.replace(directory.settings, identities=[identity]), check=True)
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("module_path", ["", "/nowhere"])
def test_a_password_is_stored_as_a_hash_that_lets_in(directory: Directory, module_path: str) -> None:
    kind = b"{CRYPT}$6$" if module_path else b"{ARGON2}$argon2"
    settings = dataclasses.replace(directory.settings, module_path=module_path or directory.settings.module_path)
    dn = TREE.identity("clients", "guest")
    guest = Identity(dn, "guest", "guest's s3cret: \"\\\u00e4")
    assert actions(dataclasses.replace(settings, identities=[guest])) == [f"add {dn}"]
    ((_dn, raw),) = directory.root.search(dn, "base", "(objectClass=*)")
    assert raw["userpassword"][0].startswith(kind)
    assert directory.passwords.holds(dn, guest.password or "")
    actions(dataclasses.replace(settings, identities=[dataclasses.replace(guest, present=False)]))


@pytest.mark.parametrize("suffix", ["dc=boot,o=stateless", "DC=a , O=Stateless"])
def test_a_suffix_below_another_is_refused(directory: Directory, suffix: str) -> None:
    wanted = dataclasses.replace(directory.settings, tree=Tree(suffix))
    with pytest.raises(InUse, match=r"^suffix: .*has 'o=stateless'"):
        state(wanted, check=True)


@pytest.mark.parametrize(
    ("option", "provider"),
    [
        ("provider", Provider("srv1", "s3cret", "PEM")),
        ("provider", Provider('ldaps://srv1" by', "s3cret", "PEM")),
        ("replicator_password", Provider("ldaps://srv1", "", "PEM")),
        ("replicator_password", Provider("ldaps://srv1", 's3cret"', "PEM")),
        ("replicator_password", Provider("ldaps://srv1", "s3cret\0", "PEM")),
    ],
)
def test_a_provider_that_cannot_be_is_refused(directory: Directory, option: str, provider: Provider) -> None:
    wanted = dataclasses.replace(
        directory.settings, tree=Tree("o=copy"), path="/nowhere", provider=provider, ca_file=str(directory.place / "ca")
    )
    with pytest.raises(InvalidValue, match=f"^{option}: ") as caught:
        state(wanted, check=True)
    assert "s3cret" not in str(caught.value)
