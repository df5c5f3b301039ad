# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to LDAP servers, and what their errors mean. The only place that knows whether python-ldap is there."""

from __future__ import annotations

import typing as t

from .._errors import StatelessError
from .tls import refusal

try:
    import ldap
    import ldap.dn
    import ldap.filter
except ImportError as error:
    ldap = None
    MISSING: ImportError | None = error
else:
    MISSING = None

#: The DN that slapd gives to root who connects over ldapi (SASL EXTERNAL).
LOCAL_ROOT = "gidNumber=0+uidNumber=0,cn=peercred,cn=external,cn=auth"
LOCAL = "ldapi:///"
#: Seconds to wait for a connection, and for an answer.
TIMEOUT = 10

_WORDS = {
    "INVALID_CREDENTIALS": "the password is wrong, or there is no such identity",
    "CONFIDENTIALITY_REQUIRED": "the server wants TLS: use ldaps:// or StartTLS",
    "INSUFFICIENT_ACCESS": "this identity may not do that",
    "NO_SUCH_OBJECT": "there is no such entry, or this identity may not see it",
    "SERVER_DOWN": "the server does not answer, or its certificate is refused",
    "CONNECT_ERROR": "no connection with TLS",
    "REFERRAL": "this server only has a copy: write to the one it names",
    "CONSTRAINT_VIOLATION": "the directory refuses this value",
    "INVALID_SYNTAX": "the directory refuses this value",
    "OBJECT_CLASS_VIOLATION": "the entry may not be so, or the schema of this collection is not loaded",
    "UNDEFINED_TYPE": "the schema of this collection is not loaded into the server",
    "ALREADY_EXISTS": "somebody else has made it meanwhile: run it again",
    "NO_SUCH_ATTRIBUTE": "somebody else has changed it meanwhile: run it again",
    "TYPE_OR_VALUE_EXISTS": "somebody else has changed it meanwhile: run it again",
    "SIZELIMIT_EXCEEDED": "the server lets this identity read no more entries (olcLimits, olcSizeLimit)",
    "UNWILLING_TO_PERFORM": "the server does not do that, or is a copy that is only read: use its provider",
    "INAPPROPRIATE_AUTH": "there is no such identity, or it has no password",
    "TIMEOUT": f"no answer in {TIMEOUT} seconds",
}


class LdapFailed(StatelessError):
    """An LDAP operation failed; :attr:`kind` is the name of python-ldap's exception, such as ``NO_SUCH_OBJECT``.

    :arg what: what was tried, with whom.
    :arg reason: in words, where more is known than the error says.
    """

    def __init__(self, what: str, error: Exception, reason: str = "") -> None:
        self.kind = type(error).__name__
        told = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        said = [_WORDS.get(self.kind, ""), str(told.get("desc", "")), " ".join(str(told.get("info", "")).split())]
        super().__init__(f"{what}: " + (reason or ": ".join(part for part in said if part)))


def explained(what: str, work: t.Callable[[], t.Any]) -> t.Any:
    """Do *work*; an LDAPError of it becomes :class:`LdapFailed`, of which *what* is the beginning."""
    try:
        return work()
    except ldap.LDAPError as error:
        raise LdapFailed(what, error) from error


def _opened(uri: str) -> t.Any:
    link = ldap.initialize(uri)
    link.set_option(ldap.OPT_NETWORK_TIMEOUT, TIMEOUT)
    link.set_option(ldap.OPT_TIMEOUT, TIMEOUT)
    link.set_option(ldap.OPT_REFERRALS, 0)
    return link


def local() -> t.Any:
    """Connect to slapd on this host as root."""
    link = _opened(LOCAL)
    explained(f"slapd on this host ({LOCAL})", link.sasl_external_bind_s)
    return link


def password_holds(dn: str, password: str) -> bool:
    """Whether slapd on this host lets *dn* in with *password*."""
    link = _opened(LOCAL)
    try:
        link.simple_bind_s(dn, password)
    except ldap.INVALID_CREDENTIALS:
        return False
    except ldap.LDAPError as error:
        raise LdapFailed(f"log in as {dn}", error) from error
    finally:
        link.unbind_s()
    return True


def remote(uri: str, ca: str, dn: str, password: str) -> t.Any:
    """Connect with TLS, always, and log in.

    :arg ca: the file with the certificates to trust, PEM.
    :raises LdapFailed: the server is away, its certificate is refused (the error says why), or *dn* is not let in.
    """
    link = _opened(uri)
    link.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
    link.set_option(ldap.OPT_X_TLS_CACERTFILE, ca)
    link.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    try:
        if not uri.lower().startswith("ldaps:"):
            link.start_tls_s()
        link.simple_bind_s(dn, password)
    except (ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.TIMEOUT) as error:
        raise LdapFailed(uri, error, refusal(uri, ca, TIMEOUT)) from error
    except ldap.LDAPError as error:
        raise LdapFailed(f"{uri}, as {dn}", error) from error
    return link
