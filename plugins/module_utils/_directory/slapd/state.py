# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The slapd of this host as a directory: what the module directory_server does."""

from __future__ import annotations

import dataclasses
import os
import re
import tempfile
import time
import typing as t

from ..._errors import InUse, InvalidValue, StatelessError
from ..._files import read, write
from ..._plan import Outcome
from ..session import Login, Passwords, Session, connect
from ..tree import Tree
from ..values import Raw, dn_key, text, texts
from . import config, identities
from .certificate import Own
from .draft import Draft
from .entries import Entry, unnumbered

#: slapd on this host, where root is let in as root.
LOCAL = "ldapi:///"
_CONFIG = "cn=config"
_SCHEMA = "cn=schema,cn=config"
#: Schemas that ours builds on: the file of the distribution, and one of its names.
_NEEDED = (("cosine", "pilotPerson"), ("nis", "ieee802Device"))


@dataclasses.dataclass(frozen=True)
class Tls:
    """The given files, or, without *certificate*, those of a certificate that is made."""

    own: Own
    certificate: str
    key: str
    ca: str
    verify_client: str


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the directory should be; see the options of the module.

    :arg tree: None: only the schema is wanted.
    """

    schema: str
    schema_path: str
    module_path: str
    tree: Tree | None
    path: str
    gibibytes: int
    tls: Tls
    identities: t.Sequence[identities.Identity]
    provider: config.Provider | None
    ca_file: str
    server_id: int
    timeout: int
    uri: str = LOCAL

    @property
    def makes_tree(self) -> bool:
        """Whether the first entries are made here, and do not come from another server."""
        return self.provider is None or (self.provider.mirror and self.server_id == 1)


def state(settings: Settings, check: bool) -> Outcome:
    """Have slapd so; in *check* mode only say what would change."""
    login = Login(settings.uri)
    session = connect(login)
    draft = Draft(session)
    trusted = ""
    _schema(draft, settings)
    if settings.tree:
        _modules(draft, settings)
        _tls(draft, settings)
        exists = _database(draft, settings, settings.tree)
        if settings.makes_tree:
            passwords = Passwords(login)
            identities.draft(draft, settings.tree, settings.identities, passwords, settings.module_path, exists)
        elif settings.provider and not (exists and _context(session, settings.tree)):
            _first_copy(draft, settings.tree, settings.provider, settings.timeout)
    plan = draft.plan()
    if not check:
        plan.act()
    if settings.tree:
        trusted = _trusted(session)
    return Outcome(plan, {"suffix": settings.tree.suffix if settings.tree else "", "certificate": trusted})


def _config(session: Session, base: str, scope: str, filter_: str = "(objectClass=*)") -> dict[str, Raw]:
    found = dict(session.search(base, scope, filter_))
    if not found and base in (_CONFIG, _SCHEMA) and filter_ == "(objectClass=*)":
        raise StatelessError(
            f"root may not read {base} of slapd over {LOCAL}: it needs olcAccess of"
            f" olcDatabase={{0}}config for {config.LOCAL_ROOT}, or slapd is not configured by cn=config"
        )
    return found


def _schema(draft: Draft, settings: Settings) -> None:
    loaded = _config(draft.session, _SCHEMA, "sub")
    classes = "\n".join(one for found in loaded.values() for one in texts(found, "olcObjectClasses"))
    dn, wanted = config.schema_of(settings.schema)
    for name, probe in _NEEDED if "'ieee802Device'" not in classes else ():
        if f"'{probe}'" not in classes:
            path = os.path.join(settings.schema_path, f"{name}.ldif")
            needed_dn, needed = config.schema_of(read(path) or "")
            draft.entry(Entry(needed_dn, needed), None)
    present = [
        (one, found) for one, found in loaded.items() if unnumbered(text(found, "cn")).lower() == wanted["cn"][0]
    ]
    if not present:
        draft.entry(Entry(dn, wanted), None)
        return
    there, found = present[0]
    values = {name: value for name, value in wanted.items() if name not in ("objectClass", "cn")}
    draft.entry(Entry(there, values), found)


def _modules(draft: Draft, settings: Settings) -> None:
    lists = _config(draft.session, _CONFIG, "one", "(objectClass=olcModuleList)")
    loaded = {
        os.path.basename(unnumbered(one)).partition(".")[0]
        for found in lists.values()
        for one in texts(found, "olcModuleLoad")
    }
    copies = settings.provider is not None and not settings.provider.mirror
    wanted = [*config.MODULES, *([] if copies else config.RULES), config.ARGON2]
    # A module without a file is built in, or, as Argon2, not needed.
    missing = [name for name in wanted if name not in loaded and config.has_module(settings.module_path, name)]
    if not missing:
        return
    for dn, found in lists.items():
        if text(found, "olcModulePath") in ("", settings.module_path):
            draft.change(dn, found, {"olcModuleLoad": [*texts(found, "olcModuleLoad"), *missing]})
            return
    new = {"objectClass": ["olcModuleList"], "cn": ["module"], "olcModulePath": [settings.module_path]}
    draft.entry(Entry(f"cn=module,{_CONFIG}", {**new, "olcModuleLoad": missing}), None)


def _tls(draft: Draft, settings: Settings) -> None:
    """These settings are of slapd as a whole: what the site has set itself stays, unless files are given."""
    tls = settings.tls
    found = _config(draft.session, _CONFIG, "base")[_CONFIG]
    present = texts(found, "olcTLSCertificateFile")
    if settings.provider and settings.provider.mirror:
        _server_id(draft, found, settings.server_id)
    if tls.certificate:
        for option, path in (("tls_certificate", tls.certificate), ("tls_key", tls.key), ("tls_ca", tls.ca)):
            if (path or option == "tls_key") and not os.path.exists(path):
                raise InvalidValue(option, path, "there is no such file on this host")
        wanted = config.wanted_tls(tls.certificate, tls.key, tls.ca, tls.verify_client)
        draft.entry(Entry(_CONFIG, wanted), found)
        return
    if present and present != [tls.own.server]:
        return
    wanted = config.wanted_tls(tls.own.server, tls.own.server, tls.own.authority, tls.verify_client)
    if tls.own.good():
        draft.entry(Entry(_CONFIG, wanted), found)
        return
    if not tls.own.names:
        raise InvalidValue("tls_names", [], "name this host, to make a certificate, or give one by tls_certificate")
    draft.step(f"make a certificate for {', '.join(tls.own.names)}", tls.own.make)
    # Written also if it was the same before: slapd reads the files when it is told their names.
    draft.change(_CONFIG, found, wanted)
    draft.step("have slapd use it", tls.own.told)


def _server_id(draft: Draft, found: Raw, number: int) -> None:
    present = texts(found, "olcServerID")
    if present and present != [str(number)]:
        raise InvalidValue("server_id", number, f"this slapd is already {', '.join(present)} (olcServerID)")
    draft.entry(Entry(_CONFIG, {"olcServerID": [str(number)]}), found)


def _databases(session: Session, tree: Tree, path: str) -> tuple[str, Raw] | None:
    """Our database, if there is one.

    :raises InUse: another one has the suffix, or one above or below it.
    """
    ours = dn_key(tree.suffix)
    for dn, found in _config(session, _CONFIG, "one", "(objectClass=olcDatabaseConfig)").items():
        for suffix in texts(found, "olcSuffix"):
            its = dn_key(suffix)
            if its == ours and text(found, "olcDbDirectory") == path:
                return dn, found
            if suffix and (its[-len(ours) :] == ours or ours[-len(its) :] == its):
                raise InUse(f"suffix: {tree.suffix!r} cannot be used: the database {dn} of this slapd has {suffix!r}")
    return None


def _database(draft: Draft, settings: Settings, tree: Tree) -> bool:
    """Have the database and its overlays; return whether it was there."""
    session, provider = draft.session, settings.provider
    if provider:
        ca = provider.ca.strip() + "\n"
        if read(settings.ca_file) != ca:
            draft.step(f"write {settings.ca_file}", lambda: write(settings.ca_file, ca))
    wanted = config.database(tree, settings.path, settings.gibibytes, provider, settings.ca_file)
    at = _databases(session, tree, settings.path)
    if at is None:
        draft.entry(Entry(f"olcDatabase=mdb,{_CONFIG}", wanted), None)
    else:
        del wanted["objectClass"]
        if config.same_copy(texts(at[1], "olcSyncrepl"), wanted["olcSyncrepl"]):
            wanted["olcSyncrepl"] = texts(at[1], "olcSyncrepl")
        draft.entry(Entry(at[0], wanted), at[1])

    def place(name: str) -> t.Callable[[], str]:
        return lambda: f"olcOverlay={name},{(_databases(session, tree, settings.path) or ('',))[0]}"

    found = _config(session, at[0], "one", "(objectClass=olcOverlayConfig)") if at else {}
    present = [(unnumbered(text(one, "olcOverlay")), dn, one) for dn, one in found.items()]
    named = {name: (dn, one) for name, dn, one in present}
    wanted_overlays = config.overlays(tree, provider)
    for name, attributes in wanted_overlays.items():
        if name in named:
            draft.entry(Entry(named[name][0], attributes), named[name][1])
        else:
            new = {**attributes, "olcOverlay": [name]}
            draft.entry(Entry(f"olcOverlay={name},olcDatabase=mdb,{_CONFIG}", new), None, place(name))
    # The last one first: slapd gives those behind one that is removed another number.
    for name, dn, one in sorted(present, key=lambda each: each[1], reverse=True):
        if (name in config.RULES and name not in wanted_overlays) or config.former(tree, name, one):
            draft.remove(dn, one)
    return at is not None


def _first_copy(draft: Draft, tree: Tree, provider: config.Provider, timeout: int) -> None:
    """Wait for the provider's entries in the end, but log in to it now: if it refuses, nothing was changed yet."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as trusted:
        trusted.write(provider.ca)
        trusted.flush()
        session = connect(
            Login(
                provider.uri,
                tree.replicator,
                provider.password,
                start_tls=not provider.uri.lower().startswith("ldaps:"),
                ca_path=trusted.name,
            )
        )
    goal = _context(session, tree)

    def wait() -> None:
        until = time.monotonic() + timeout
        while not _reached(_context(draft.session, tree), goal):
            if time.monotonic() > until:
                raise StatelessError(
                    f"provider: {provider.uri} answers, but has not been copied in {timeout} seconds:"
                    " see the log of slapd on this host"
                )
            time.sleep(0.2)

    draft.step(f"wait for the first copy from {provider.uri}", wait)


def _context(session: Session, tree: Tree) -> list[str]:
    """How new a copy is: one CSN for each server that was written to."""
    found = session.search(tree.suffix, "base", "(objectClass=*)", ("contextCSN",))
    return [value for _dn, raw in found for value in texts(raw, "contextCSN")]


def _reached(present: t.Sequence[str], goal: t.Sequence[str]) -> bool:
    """Whether for each server (the third field of a CSN), *present* is as new as *goal*."""
    by_server = {value.split("#")[2]: value for value in present}
    return all(by_server.get(value.split("#")[2], "") >= value for value in goal)


def _trusted(session: Session) -> str:
    """What clients should trust: the authority if slapd has one configured, else its certificate without the key."""
    found = _config(session, _CONFIG, "base")[_CONFIG]
    for name in ("olcTLSCACertificateFile", "olcTLSCertificateFile"):
        files = "".join(read(path) or "" for path in texts(found, name))
        blocks = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", files, re.DOTALL)
        if blocks:
            return "".join(blocks)
    return ""
