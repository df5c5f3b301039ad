# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things are in the directory, and how they are named there. docs/directory-schema.md is the same for people."""

from __future__ import annotations

import dataclasses
import re

from .._errors import InvalidValue
from .connection import ldap

#: The kinds of identity, each an organizationalUnit below ou=identities. What each may do: :mod:`.slapd.access`.
KINDS = ("administrators", "publishers", "clients")
#: What a client reports of itself: the only attributes that it can write.
REPORT = (
    "statelessRunningProtosystem",
    "statelessRunningSerial",
    "statelessRunningDigest",
    "statelessRunningFormat",
    "statelessRunningSince",
    "statelessFailed",
    "statelessReported",
)
#: What is looked for by equality, and so is indexed.
SEARCHED = (
    "objectClass",
    "cn",
    "macAddress",
    "member",
    "statelessSerial",
    "statelessFormat",
    "statelessAssignedProtosystem",
    "statelessAssignedChannel",
    "statelessAssignedSerial",
    "statelessRunningProtosystem",
    "statelessRunningSerial",
    "statelessRunningDigest",
)
_WORD = r",+\"\\<>;=#\x00-\x1f\x7f\ud800-\udfff"
_RDN = re.compile(rf"[A-Za-z][A-Za-z0-9-]*=[^\s{_WORD}](?:[^{_WORD}]*[^\s{_WORD}])?")
_MAC = re.compile(r"[0-9a-f]{12}")


def mac_address(option: str, value: str) -> str:
    """A MAC address in the one spelling that the directory stores: six pairs, lower case, colons (RFC 2307).

    Read are the usual ones: colons, hyphens, dots (``5254.0012.3456``) or nothing between the digits.

    :raises InvalidValue: it is none.
    """
    digits = re.sub(r"[:.-]", "", value.strip()).lower()
    if _MAC.fullmatch(digits) is None:
        raise InvalidValue(option, value, "give six pairs of hexadecimal digits, such as 52:54:00:12:34:56")
    return ":".join(digits[index : index + 2] for index in range(0, 12, 2))


def escape(value: str) -> str:
    """*value* as it is written in a DN (RFC 4514), byte for byte what ldap.dn.escape_dn_chars makes of it."""
    return str(ldap.dn.escape_dn_chars(value))


@dataclasses.dataclass(frozen=True)
class Tree:
    """The names of the entries below *suffix*."""

    suffix: str

    @classmethod
    def at(cls, option: str, suffix: str) -> Tree:
        """The tree at *suffix*.

        :raises InvalidValue: it is no DN of plain words, which could be written into access rules as it is.
        """
        parts = [part.strip() for part in suffix.split(",")]
        if not all(_RDN.fullmatch(part) for part in parts):
            raise InvalidValue(option, suffix, "give a DN such as o=stateless or dc=boot,dc=example,dc=org")
        return cls(",".join(parts))

    @property
    def protosystems(self) -> str:
        """Of the protosystems, their snapshots, images and channels. Publishers write here."""
        return f"ou=protosystems,{self.suffix}"

    @property
    def clients(self) -> str:
        """Of the clients. What is assigned to this entry itself is for machines that have no entry."""
        return f"ou=clients,{self.suffix}"

    @property
    def groups(self) -> str:
        """Of the groups. It is a member of each group, since groupOfNames must not be empty."""
        return f"ou=groups,{self.suffix}"

    @property
    def identities(self) -> str:
        """Of those who log in to the directory, except for the clients themselves."""
        return f"ou=identities,{self.suffix}"

    @property
    def replicator(self) -> str:
        """As whom a second server reads everything."""
        return f"cn=replicator,{self.identities}"

    def kind(self, kind: str) -> str:
        """Of the identities of a *kind* (:data:`KINDS`)."""
        return f"ou={kind},{self.identities}"

    def identity(self, kind: str, name: str) -> str:
        """An identity of a *kind*."""
        return f"cn={escape(name)},{self.kind(kind)}"

    def protosystem(self, name: str) -> str:
        """A protosystem."""
        return f"cn={escape(name)},{self.protosystems}"

    def snapshot(self, protosystem: str, serial: int) -> str:
        """A snapshot, below its protosystem."""
        return f"statelessSerial={serial},{self.protosystem(protosystem)}"

    def image(self, protosystem: str, serial: int, format_: str) -> str:
        """An image, below its snapshot."""
        return f"statelessFormat={escape(format_)},{self.snapshot(protosystem, serial)}"

    def channel(self, protosystem: str, name: str) -> str:
        """A channel, below its protosystem."""
        return f"cn={escape(name)},{self.protosystem(protosystem)}"

    def client(self, name: str) -> str:
        """A client."""
        return f"cn={escape(name)},{self.clients}"

    def group(self, name: str) -> str:
        """A group of clients."""
        return f"cn={escape(name)},{self.groups}"
