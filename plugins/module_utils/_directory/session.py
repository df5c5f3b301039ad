# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules say to an LDAP server: who logs in how, searches, and changes of one entry each."""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t

from .._errors import InvalidValue
from .connection import TIMEOUT, LdapFailed, explained, ldap
from .tls import refusal
from .values import Changes, Raw, check_text

#: So many entries come in one answer, which keeps below the limits that servers set to a single one (RFC 2696).
_PAGE = 500
#: More than this is looked for by listing everything: one long filter costs the server more.
_MANY = 100


def any_of(wanted: t.Iterable[tuple[str, str]]) -> str:
    """A filter that finds at least the entries where one of these attributes has its value."""
    parts = [ldap.filter.filter_format("(%s=%s)", pair) for pair in dict.fromkeys(wanted)]
    return f"(|{''.join(parts)})" if len(parts) <= _MANY else "(objectClass=*)"


@dataclasses.dataclass(frozen=True)
class Login:
    """How to reach and to enter a directory; the options of the modules.

    :arg dn: empty: by SASL, with *sasl_class*.
    """

    uri: str
    dn: str = ""
    password: str = dataclasses.field(default="", repr=False)
    sasl_class: str = "external"
    start_tls: bool = False
    validate_certs: bool = True
    ca_path: str = ""
    client_cert: str = ""
    client_key: str = ""
    #: seconds to wait for a connection, and for each answer
    timeout: int = TIMEOUT

    @property
    def encrypted(self) -> bool:
        """Whether nobody on the way can read a password: TLS, or a socket of this host."""
        return self.start_tls or not any(uri.lower().startswith("ldap:") for uri in self.uri.split())

    @property
    def who(self) -> str:
        """Who logs in, in words."""
        if self.dn:
            return self.dn
        return "whoever runs this" if "ldapi:" in self.uri else f"the holder of {self.client_cert or 'the ticket'}"

    def check_encrypted(self) -> None:
        """Raise InvalidValue if a password could be read on the way."""
        if not self.encrypted:
            raise InvalidValue(
                "server_uri", self.uri, "the password would be readable on the way: use ldaps:// or start_tls"
            )

    def check(self) -> None:
        """Raise InvalidValue for what cannot work or would give a password away."""
        for option in ("uri", "dn", "password", "ca_path", "client_cert", "client_key"):
            named = {"uri": "server_uri", "dn": "bind_dn", "password": "bind_pw"}.get(option, option)
            check_text(named, getattr(self, option), secret=option == "password")
        if not self.uri.split() or any(re.fullmatch(r"(?i)ldap[is]?://\S*", uri) is None for uri in self.uri.split()):
            raise InvalidValue("server_uri", self.uri, "give a URI such as ldaps://srv1.example.org or ldapi:///")
        if self.dn and not ldap.dn.is_dn(self.dn):
            raise InvalidValue(
                "bind_dn", self.dn, "it is no DN; special characters are escaped by a backslash (RFC 4514)"
            )
        if self.dn and not self.password:
            raise InvalidValue("bind_dn", self.dn, "give bind_pw, too: without a password nobody is logged in")
        if self.dn:
            self.check_encrypted()
        for option in ("ca_path", "client_cert", "client_key"):
            path = getattr(self, option)
            if path and (os.path.isdir(path) or not os.access(path, os.R_OK)):
                raise InvalidValue(option, path, "there is no such file on this host that may be read")
        if bool(self.client_cert) != bool(self.client_key):
            raise InvalidValue("client_cert", self.client_cert, "client_cert and client_key need each other")


class Session:
    """A directory that *who* has logged in to."""

    def __init__(self, link: t.Any, who: str) -> None:
        self._link = link
        self.who = who

    def identity(self) -> str:
        """The DN that the server takes this session for (RFC 4532); empty: one without a DN, or it does not say."""
        said = str(explained(f"{self.who}: ask who that is", self._link.whoami_s))
        return said[len("dn:") :] if said.startswith("dn:") else ""

    def search(self, base: str, scope: str, filter_: str, names: t.Sequence[str] = ("*",)) -> list[tuple[str, Raw]]:
        """The entries found, with their DNs; none if *base* does not exist or is not to be seen.

        :arg scope: ``base``, ``one`` or ``sub``.
        """
        where = {"base": ldap.SCOPE_BASE, "one": ldap.SCOPE_ONELEVEL, "sub": ldap.SCOPE_SUBTREE}[scope]
        page = ldap.controls.SimplePagedResultsControl(False, size=_PAGE, cookie="")
        found: list[tuple[str, Raw]] = []
        try:
            while True:
                data, cookie = explained(f"search {base}", lambda: self._page(base, where, filter_, names, page))
                found += [(dn, {name.lower(): values for name, values in raw.items()}) for dn, raw in data if dn]
                if not cookie:
                    return found
                page.cookie = cookie
        except LdapFailed as error:
            if error.kind == "NO_SUCH_OBJECT":
                return []
            raise

    def _page(self, base: str, scope: int, filter_: str, names: t.Sequence[str], page: t.Any) -> tuple[t.Any, bytes]:
        number = self._link.search_ext(base, scope, filter_, list(names), serverctrls=[page])
        data, controls = self._link.result3(number)[1::2][:2]
        cookies = [one.cookie for one in controls if one.controlType == page.controlType]
        return data, cookies[0] if cookies else b""

    def add(self, dn: str, attributes: t.Mapping[str, list[bytes]]) -> None:
        """Make an entry."""
        explained(f"{self.who}: add {dn}", lambda: self._link.add_s(dn, list(attributes.items())))

    def modify(self, dn: str, changes: Changes) -> None:
        """Change an entry, all at once or not at all."""
        explained(f"{self.who}: change {dn}", lambda: self._link.modify_s(dn, changes))

    def rename(self, dn: str, rdn: str) -> None:
        """Give an entry another name; the old one is forgotten."""
        explained(f"{self.who}: rename {dn} to {rdn}", lambda: self._link.rename_s(dn, rdn, delold=1))

    def delete(self, dn: str) -> None:
        """Remove an entry; nothing happens if it is not there."""
        try:
            explained(f"{self.who}: remove {dn}", lambda: self._link.delete_s(dn))
        except LdapFailed as error:
            if error.kind != "NO_SUCH_OBJECT":
                raise


def _opened(login: Login) -> t.Any:
    """A connection, encrypted as *login* wants it; nobody is logged in."""
    link = ldap.initialize(login.uri)
    link.set_option(ldap.OPT_NETWORK_TIMEOUT, login.timeout)
    link.set_option(ldap.OPT_TIMEOUT, login.timeout)
    link.set_option(ldap.OPT_REFERRALS, 0)
    demand = ldap.OPT_X_TLS_DEMAND if login.validate_certs else ldap.OPT_X_TLS_NEVER
    link.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, demand)
    for option, path in (
        (ldap.OPT_X_TLS_CACERTFILE, login.ca_path),
        (ldap.OPT_X_TLS_CERTFILE, login.client_cert),
        (ldap.OPT_X_TLS_KEYFILE, login.client_key),
    ):
        if path:
            link.set_option(option, path)
    try:
        link.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    except ValueError as error:  # "option error" is all that libldap says of files that it cannot use
        option, path = ("client_cert", login.client_cert) if login.client_cert else ("ca_path", login.ca_path)
        raise InvalidValue(option, path, "give files in PEM, and the key that fits the certificate") from error
    if login.start_tls and "ldap:" in login.uri.lower():
        link.start_tls_s()
    return link


def _enter(link: t.Any, login: Login) -> None:
    if login.dn:
        link.simple_bind_s(login.dn, login.password)
    elif login.sasl_class == "gssapi":
        link.sasl_gssapi_bind_s()
    else:
        link.sasl_external_bind_s()


def connect(login: Login) -> Session:
    """Log in.

    :raises InvalidValue: an option cannot work.
    :raises LdapFailed: the server is away, is not trusted (the reason is told), or does not let *login* in.
    """
    login.check()

    def work() -> t.Any:
        link = _opened(login)
        _enter(link, login)
        return link

    what = f"log in to {login.uri} as {login.who}"
    try:
        return Session(work(), login.who)
    except (ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.TIMEOUT) as error:
        raise LdapFailed(what, error, _refusals(login)) from error
    except ldap.LDAPError as error:
        raise LdapFailed(what, error) from error


def _refusals(login: Login) -> str:
    """Why no server is reached by TLS; empty if that is not why."""
    secure = [uri for uri in login.uri.split() if uri.lower().startswith("ldaps:" if not login.start_tls else "ldap")]
    remote = [uri for uri in secure if not uri.lower().startswith("ldapi:")]
    found = [refusal(uri, login.ca_path or None, login.timeout) for uri in remote]
    return "; ".join(found) if all(found) else ""


class Passwords:
    """Tells whether passwords are those of entries, by logging in as them."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._link: t.Any = None

    def check(self) -> None:
        """Raise InvalidValue if a password could be read on the way."""
        self._login.check_encrypted()

    def holds(self, dn: str, password: str) -> bool:
        """Whether *password*, which must not be empty, is that of *dn*."""
        if self._link is None:
            self._link = explained(f"connect to {self._login.uri}", lambda: _opened(self._login))
        try:
            self._link.simple_bind_s(dn, password)
        except (ldap.INVALID_CREDENTIALS, ldap.INAPPROPRIATE_AUTH, ldap.NO_SUCH_OBJECT):
            return False
        except ldap.LDAPError as error:
            raise LdapFailed(f"log in as {dn}", error) from error
        return True
