# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python-ldap, and what its errors mean in words. The only place that knows whether python-ldap is there."""

from __future__ import annotations

import typing as t

from .._errors import StatelessError

try:
    import ldap
    import ldap.dn
    import ldap.filter
except ImportError as error:
    ldap = None
    MISSING: ImportError | None = error
else:
    MISSING = None

#: Seconds to wait for a connection, and for an answer, if nothing else is said.
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
    "TIMEOUT": "the server does not answer in time",
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
