# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What slapd's own configuration (cn=config) should say for the directory: values, none of it is read or changed."""

from __future__ import annotations

import dataclasses
import io
import os
import re
import typing as t
from urllib.parse import quote

from ..._errors import InvalidValue
from ..tree import SEARCHED, Tree
from ..values import Raw, check_text, dn_key, texts
from .access import rules
from .entries import Attributes

try:
    import ldif  # of python-ldap
except ImportError:
    ldif = None

#: The DN that slapd gives to root who connects over ldapi (SASL EXTERNAL).
LOCAL_ROOT = "gidNumber=0+uidNumber=0,cn=peercred,cn=external,cn=auth"
#: Modules of slapd: the database, copies to others, and the rules below.
MODULES = ("back_mdb", "syncprov")
RULES = ("unique", "constraint")
ARGON2 = "argon2"
#: Seconds: how often a second server tries again, for the first minute and then on.
_RETRY = "5 12 30 +"
_NAME = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"


@dataclasses.dataclass(frozen=True)
class Provider:
    """The server that this one copies.

    :arg ca: the certificates to trust, PEM.
    :arg mirror: whether both copy each other and both are written to.
    """

    uri: str
    password: str = dataclasses.field(repr=False)
    ca: str
    mirror: bool = False


def has_module(module_path: str, name: str) -> bool:
    """Whether slapd has the file of a module; without one it is built in, or missing."""
    return any(os.path.exists(os.path.join(module_path, f"{name}.{end}")) for end in ("so", "la"))


def schema_of(text: str) -> tuple[str, Attributes]:
    """The DN and the attributes of a schema in LDIF.

    :raises InvalidValue: it is none.
    """
    parser = ldif.LDIFRecordList(io.BytesIO(text.encode()))
    try:
        parser.parse()
        ((dn, found),) = parser.all_records
    except ValueError as error:
        raise InvalidValue("schema", text[:60], f"give one entry in LDIF: {error}") from error
    attributes = {name: [value.decode() for value in values] for name, values in found.items()}
    if not dn.lower().endswith(",cn=schema,cn=config") or "cn" not in attributes:
        raise InvalidValue("schema", dn, "give an entry below cn=schema,cn=config")
    return dn, attributes


def database(tree: Tree, path: str, gibibytes: int, provider: Provider | None, ca_file: str) -> Attributes:
    """The database, as ``olcDatabase=mdb`` should be.

    :arg path: the directory of its files.
    :arg ca_file: the file of the certificates that the provider is trusted by.
    """
    identities = f'dn.subtree="{tree.identities}"'
    copies = [_syncrepl(tree, provider, ca_file)] if provider else []
    return {
        "objectClass": ["olcDatabaseConfig", "olcMdbConfig"],
        "olcSuffix": [tree.suffix],
        "olcDbDirectory": [path],
        "olcDbMaxSize": [str(gibibytes * 1024**3)],
        "olcRootDN": [LOCAL_ROOT],
        # Nothing without TLS: ldapi counts as 71 (olcLocalSSF), a connection without TLS as 0.
        "olcSecurity": ["ssf=71"],
        "olcAccess": rules(tree),
        "olcLimits": [f"{identities} size=unlimited time=unlimited"],
        "olcDbIndex": [*(f"{name} eq" for name in SEARCHED), "entryUUID eq", "entryCSN eq"],
        "olcSyncrepl": copies,
        "olcUpdateRef": [provider.uri] if provider and not provider.mirror else [],
        "olcMultiProvider": ["TRUE"] if provider and provider.mirror else [],
    }


def overlays(tree: Tree, provider: Provider | None) -> dict[str, Attributes]:
    """The overlays of the database, by name. A copy only copies: there, nothing is to be ruled."""
    wanted: dict[str, Attributes] = {
        "syncprov": {"objectClass": ["olcOverlayConfig", "olcSyncProvConfig"], "olcSpCheckpoint": ["100 10"]},
    }
    if provider and not provider.mirror:
        return wanted
    names = [one for one in SEARCHED if one.startswith(("statelessAssigned", "statelessRunning"))]
    names = [one for one in names if one.endswith(("Protosystem", "Channel"))]
    return {
        **wanted,
        "unique": {
            "objectClass": ["olcOverlayConfig", "olcUniqueConfig"],
            "olcUniqueURI": [f"ldap:///{_in_url(tree.clients)}?macAddress?sub"],
        },
        "constraint": {
            "objectClass": ["olcOverlayConfig", "olcConstraintConfig"],
            "olcConstraintAttribute": [
                'macAddress regex "^([0-9a-f]{2}:){5}[0-9a-f]{2}$"',
                f'{",".join([*names, "statelessDefaultChannel"])} regex "{_NAME}"',
            ],
        },
    }


def former(tree: Tree, name: str, found: Raw) -> bool:
    """Whether an overlay is one that this collection configured once.

    slapo-refint(5) took clients that were removed or renamed out of groups, but in its own time: one that was made
    again meanwhile could lose its groups. The modules see to members themselves.
    """
    placeholder = [dn_key(one) for one in texts(found, "olcRefintNothing")]
    ours = texts(found, "olcRefintAttribute") == ["member"] and placeholder == [dn_key(tree.groups)]
    return name == "refint" and ours


def same_copy(found: t.Sequence[str], wanted: t.Sequence[str]) -> bool:
    """Whether two values of olcSyncrepl say the same: slapd writes what it was told in an order of its own."""
    return [_words(value) for value in found] == [_words(value) for value in wanted]


def _words(value: str) -> dict[str, str]:
    return {name.lower(): text.strip('"') for name, text in re.findall(r'([A-Za-z_]+)=("[^"]*"|\S+)', value)}


def _syncrepl(tree: Tree, provider: Provider, ca_file: str) -> str:
    if re.fullmatch(r"(?i)ldaps?://[a-z0-9.:\[\]-]+/?", provider.uri) is None:
        raise InvalidValue("provider", provider.uri, "give a URI such as ldaps://srv1.example.org")
    check_text("replicator_password", provider.password, secret=True)
    if not provider.password or re.search(r'["\\\s]', provider.password):
        raise InvalidValue(
            "replicator_password", "(hidden)", "it must be there, without white space, quotation marks or backslashes"
        )
    words = {
        "rid": "001",
        "provider": provider.uri,
        "bindmethod": "simple",
        "binddn": f'"{tree.replicator}"',
        "credentials": f'"{provider.password}"',
        "searchbase": f'"{tree.suffix}"',
        "type": "refreshAndPersist",
        "retry": f'"{_RETRY}"',
        # A provider that vanished without a word is noticed in a minute and a half.
        "keepalive": "30:3:20",
        "network-timeout": "10",
        "tls_cacert": f'"{ca_file}"',
        "tls_reqcert": "demand",
    }
    if not provider.uri.lower().startswith("ldaps:"):
        words["starttls"] = "critical"
    return " ".join(f"{name}={value}" for name, value in words.items())


def _in_url(dn: str) -> str:
    return quote(dn, safe="=,")


def wanted_tls(certificate: str, key: str, ca: str, verify_client: str) -> Attributes:
    """The TLS settings of slapd as a whole."""
    return {
        "olcTLSCertificateFile": [certificate],
        "olcTLSCertificateKeyFile": [key],
        "olcTLSCACertificateFile": [ca] if ca else [],
        "olcTLSVerifyClient": [verify_client],
    }
