# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real slapd, started by python-ldap's slapdtest, and what tests do with it."""

from __future__ import annotations

import datetime
import ipaddress
import os
import pathlib
import typing as t

import ldap
import slapdtest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.stateless.linux.plugins.module_utils._directory.session import (
    Login,
    Passwords,
    Session,
    connect,
)
from ansible_collections.stateless.linux.plugins.module_utils._directory.slapd.config import LOCAL_ROOT
from ansible_collections.stateless.linux.plugins.module_utils._directory.slapd.state import Settings
from ansible_collections.stateless.linux.plugins.module_utils._directory.tree import Tree

COLLECTION = pathlib.Path(__file__).parents[3]
TREE = Tree("o=stateless")
SECRET = "a *()\\ s3cret, \u00e4"

#: Whoever runs the tests is root to this slapd.
_MYSELF = f"gidNumber={os.getgid()}\\+uidNumber={os.getuid()},cn=peercred,cn=external,cn=auth"
_CONFIG = f"""dn: cn=config
objectClass: olcGlobal
cn: config
olcLogLevel: 0
olcAuthzRegexp: "{_MYSELF}" "{LOCAL_ROOT}"

dn: olcDatabase=config,cn=config
objectClass: olcDatabaseConfig
olcDatabase: config
olcAccess: to * by dn.exact="{LOCAL_ROOT}" manage by * none
"""


_ATTRIBUTES = {
    "CN": x509.NameOID.COMMON_NAME,
    "cn": x509.NameOID.COMMON_NAME,
    "ou": x509.NameOID.ORGANIZATIONAL_UNIT_NAME,
    "o": x509.NameOID.ORGANIZATION_NAME,
}


class Authority:
    """Issues certificates; its own is the file *path*."""

    def __init__(self, place: pathlib.Path, name: str) -> None:
        self._place = place
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.path = str(place / f"{name}.pem")
        constraint = x509.BasicConstraints(ca=True, path_length=None)
        made = self._builder(self._name, self._key, 1).add_extension(constraint, critical=True)
        pathlib.Path(self.path).write_bytes(self._signed(made))

    def issue(self, name: str, address: str, days: int = 1, dn: str = "") -> str:
        """The file of a certificate and its key for *address*, which ends in *days* (negative: so long ago).

        :arg dn: its subject; by default, cn=*name*.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name.from_rfc4514_string(dn or f"CN={name}", _ATTRIBUTES)
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        made = self._signed(self._builder(subject, key, days).add_extension(alternative, critical=False))
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path = self._place / f"{name}.pem"
        path.write_bytes(made + key.private_bytes(*form))
        return str(path)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
        return builder.not_valid_before(now - datetime.timedelta(9)).not_valid_after(now + datetime.timedelta(days))

    def _signed(self, builder: x509.CertificateBuilder) -> bytes:
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class Server(slapdtest.SlapdObject):  # type: ignore[misc]
    """slapd without a database, as a distribution's package leaves it, on ldapi, ldap and ldaps."""

    openldap_schema_files = ("core.ldif", "cosine.ldif", "nis.ldif")

    def __init__(self, place: pathlib.Path) -> None:
        self.TMPDIR = str(place)
        super().__init__()
        self.ldaps_uri = f"ldaps://127.0.0.1:{self._avail_tcp_port()}/"
        # slapd takes all of them in one word.
        self.ldap_uri = f"{self.ldap_uri} {self.ldaps_uri}"

    def gen_config(self) -> str:
        return _CONFIG


class Directory:
    """What a test has to do with: the server, and a connection as its administrator."""

    def __init__(self, server_: Server, place: pathlib.Path, authority: Authority, settings: Settings) -> None:
        self.server = server_
        #: what the server was configured by
        self.settings = settings
        self.uri: str = server_.ldapi_uri
        self.tls_uri = server_.ldaps_uri
        self.plain_uri: str = server_.ldap_uri.split()[0]
        self.place = place
        self.authority = authority
        self.connect()

    def connect(self) -> None:
        """Log in, again if the server was away."""
        self.root: Session = connect(Login(self.uri))
        self.session = connect(self.login())
        self.passwords = Passwords(Login(self.uri))

    def stop(self) -> None:
        """Have the server away, until :meth:`resume`."""
        self.server.terminate()
        self.server.wait()

    def resume(self) -> None:
        """Have the server back, with what it had."""
        self.server.resume()
        self.connect()

    def login(self, kind: str = "administrators", name: str = "alice", **more: t.Any) -> Login:
        return Login(**{"uri": self.uri, "dn": TREE.identity(kind, name), "password": SECRET, **more})

    def dump(self, base: str = TREE.suffix) -> dict[str, dict[str, list[bytes]]]:
        """All that is below *base*."""
        return {
            dn: {name: sorted(values) for name, values in raw.items()}
            for dn, raw in self.root.search(base, "sub", "(objectClass=*)", ("*",))
        }

    def clear(self) -> None:
        """Have no clients, groups and protosystems, and nothing assigned to all clients."""
        for base in (TREE.groups, TREE.clients, TREE.protosystems):
            found = self.root.search(base, "sub", "(objectClass=*)", ("1.1",))
            for dn in sorted((dn for dn, _raw in found if dn != base), key=len, reverse=True):
                self.root.delete(dn)

    def assign_all(self, **values: str) -> None:
        """Write attributes of the entry of all clients; an empty value takes one away."""
        self.root.modify(
            TREE.clients,
            [(ldap.MOD_REPLACE, name, [value.encode()] if value else None) for name, value in values.items()],
        )

    def protosystem(self, name: str, default: str, channels: dict[str, int], snapshots: dict[int, str]) -> None:
        """Publish *snapshots*, with these digests, as nfs and ram."""
        dn = TREE.protosystem(name)
        more = {"statelessDefaultChannel": [default.encode()]} if default else {}
        self.root.add(dn, {"objectClass": [b"statelessProtosystem"], "cn": [name.encode()], **more})
        for serial, digest in snapshots.items():
            at = TREE.snapshot(name, serial)
            number = {"statelessSerial": [str(serial).encode()]}
            told = {"statelessDigest": [digest.encode()]} if digest else {}
            self.root.add(at, {"objectClass": [b"statelessSnapshot"], **number, **told})
            for one in ("nfs", "ram"):
                image = {"objectClass": [b"statelessImage"], "statelessFormat": [one.encode()]}
                self.root.add(TREE.image(name, serial, one), image)
        for channel, serial in channels.items():
            pointer = {"cn": [channel.encode()], "statelessSerial": [str(serial).encode()]}
            self.root.add(TREE.channel(name, channel), {"objectClass": [b"statelessChannel"], **pointer})


def schema() -> str:
    return (COLLECTION / "roles/directory/files/stateless.ldif").read_text()
