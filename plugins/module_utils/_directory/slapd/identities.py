# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first entries of a directory, and those who log in to it."""

from __future__ import annotations

import dataclasses
import typing as t

from ..._command import find, run
from ..._errors import InvalidValue
from ..connection import ldap
from ..passwords import Hashes, check_password
from ..session import Passwords
from ..tree import KINDS, Tree
from .config import ARGON2, has_module
from .draft import Draft
from .entries import Attributes, Entry, encoded

_PLACES = {
    "o": ["organization"],
    "ou": ["organizationalUnit"],
    "dc": ["dcObject", "organization"],
    "cn": ["applicationProcess"],
}


@dataclasses.dataclass(frozen=True)
class Identity:
    """Who logs in.

    :arg dn: its entry.
    :arg password: None leaves the one that it has.
    """

    dn: str
    name: str
    password: str | None = dataclasses.field(repr=False)
    present: bool = True


def containers(tree: Tree) -> list[Entry]:
    """The entries that hold all others, parents first."""
    return [
        Entry(tree.suffix, {}, _suffix(tree)),
        *(_unit(dn) for dn in (tree.protosystems, tree.groups, tree.identities)),
        # What is assigned here is for machines without an entry.
        Entry(tree.clients, {}, {"objectClass": ["organizationalUnit", "statelessAssignment"], "ou": ["clients"]}),
        *(_unit(tree.kind(kind)) for kind in KINDS),
    ]


def _suffix(tree: Tree) -> Attributes:
    attribute, value = (part.strip() for part in tree.suffix.split(",")[0].split("="))
    classes = _PLACES.get(attribute.lower())
    if classes is None:
        raise InvalidValue("suffix", tree.suffix, "begin it with o=, ou=, dc= or cn=")
    more = {"o": [value]} if attribute.lower() == "dc" else {}
    return {"objectClass": classes, attribute: [value], **more}


def _unit(dn: str) -> Entry:
    return Entry(dn, {}, {"objectClass": ["organizationalUnit"], "ou": [dn.partition(",")[0].partition("=")[2]]})


def draft(
    draft_: Draft, tree: Tree, identities: t.Sequence[Identity], passwords: Passwords, module_path: str, exists: bool
) -> None:
    """Have the containers and the *identities*.

    :arg exists: whether the database is there, so that something can be found.
    """
    for entry in containers(tree):
        found = draft_.session.search(entry.dn, "base", "(objectClass=*)") if exists else []
        draft_.entry(entry, found[0][1] if found else None)
    for identity in identities:
        if identity.password is not None:
            option = "replicator_password" if identity.dn == tree.replicator else f"passwords, {identity.name}"
            check_password(option, identity.password)
        there = exists and bool(draft_.session.search(identity.dn, "base", "(objectClass=*)"))
        _draft(draft_, identity, there, passwords, module_path)


def _draft(draft_: Draft, identity: Identity, exists: bool, passwords: Passwords, module_path: str) -> None:
    session, dn, password = draft_.session, identity.dn, identity.password
    if not identity.present:
        if exists:
            draft_.remove(dn, {"userPassword": []})
        return

    def secret() -> dict[str, list[bytes]]:
        return {"userPassword": [hashed(password or "", module_path).encode()]}

    if exists:
        if password is not None and not passwords.holds(dn, password):
            draft_.before[dn] = {"userPassword": ["(hidden)"]}
            draft_.after[dn] = {"userPassword": ["(hidden, another)"]}
            draft_.step(
                f"change the password of {dn}",
                lambda: session.modify(dn, [(ldap.MOD_REPLACE, name, values) for name, values in secret().items()]),
            )
        return
    if password is None:
        raise InvalidValue("passwords", "", f"{identity.name} is not there yet, so give its password")
    entry = {"objectClass": ["applicationProcess", "simpleSecurityObject"], "cn": [identity.name]}
    draft_.after[dn] = {**entry, "userPassword": ["(hidden)"]}
    draft_.step(f"add {dn}", lambda: session.add(dn, {**encoded(entry), **secret()}))


def hashed(password: str, module_path: str) -> str:
    """*password* as slapd stores it: Argon2 where slapd has the module, else as clients' are.

    Clients' are not, since there are thousands of them, and the server may be another that has no such module.
    slappasswd(8) reads it from its standard input: a process list never shows it.
    """
    if not has_module(module_path, ARGON2):
        return Hashes({"": password}).of("")
    how = ["-h", "{ARGON2}", "-o", f"module-path={module_path}", "-o", f"module-load={ARGON2}"]
    return run([find("slappasswd", "slapd"), "-n", *how, "-T", "/dev/stdin"], stdin=password).strip()
