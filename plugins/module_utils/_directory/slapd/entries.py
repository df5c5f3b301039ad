# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries as they should be, compared with those that are."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .. import connection
from ..connection import explained, ldap

Attributes = dict[str, list[str]]

#: Their values have an order; slapd numbers them.
_ORDERED = {"olcAccess", "olcLimits", "olcSyncrepl"}
#: Shown in a diff, but for what is secret in them.
_HIDDEN = re.compile(r'(credentials=)("[^"]*"|\S+)')


@dataclasses.dataclass(frozen=True)
class Entry:
    """What an entry should have.

    :arg whole: these attributes have these values and no others; an empty list: the attribute is not there.
    :arg among: these attributes have these values and maybe others.
    """

    dn: str
    whole: Attributes
    among: Attributes = dataclasses.field(default_factory=dict)

    def new(self) -> Attributes:
        """All attributes of the entry when it is made."""
        return {name: values for name, values in {**self.whole, **self.among}.items() if values}

    def wrong(self, found: Attributes) -> Attributes:
        """The attributes of *found* that have to change, with the values that they are to have."""
        has = {name.lower(): values for name, values in found.items()}
        changed: Attributes = {}
        for name, values in self.whole.items():
            if _comparable(name, has.get(name.lower(), [])) != _comparable(name, values):
                changed[name] = values
        for name, values in self.among.items():
            present = has.get(name.lower(), [])
            known = {value.lower() for value in _plain(present)}
            missing = [value for value in values if value.lower() not in known]
            if missing:
                changed[name] = present + missing
        return changed


def unnumbered(value: str) -> str:
    """A value without the number that slapd puts before it."""
    return re.sub(r"^\{-?[0-9]+\}", "", value)


def _plain(values: t.Iterable[str]) -> list[str]:
    return [" ".join(unnumbered(value).split()) for value in values]


def _comparable(name: str, values: t.Sequence[str]) -> list[str]:
    plain = _plain(values)
    return plain if name in _ORDERED else sorted(plain)


def shown(attributes: Attributes) -> Attributes:
    """*attributes* as a diff may show them: without secrets, and without the numbers that slapd puts before values."""
    return {
        name: ["(hidden)"]
        if name.lower() == "userpassword"
        else [_HIDDEN.sub(r"\1(hidden)", unnumbered(one)) for one in values]
        for name, values in attributes.items()
    }


def search(link: t.Any, base: str, scope: str, filter_: str, names: t.Sequence[str] = ("*",)) -> dict[str, Attributes]:
    """The entries found, by DN; none if *base* does not exist.

    :arg scope: ``base``, ``one`` or ``sub``.
    """
    where = {"base": ldap.SCOPE_BASE, "one": ldap.SCOPE_ONELEVEL, "sub": ldap.SCOPE_SUBTREE}[scope]
    try:
        found = explained(base, lambda: link.search_s(base, where, filter_, list(names)))
    except connection.LdapFailed as error:
        if error.kind == "NO_SUCH_OBJECT":
            return {}
        raise
    return {
        dn: {name: [value.decode("utf-8", "surrogateescape") for value in values] for name, values in found_.items()}
        for dn, found_ in found
        if dn is not None
    }


def add(link: t.Any, dn: str, attributes: Attributes) -> None:
    """Make an entry."""
    values = [(name, [value.encode() for value in values]) for name, values in attributes.items()]
    explained(f"add {dn}", lambda: link.add_s(dn, values))


def change(link: t.Any, dn: str, found: Attributes, wanted: Attributes) -> None:
    """Give attributes of an entry, which has *found*, other values, all in one modify.

    Of an attribute with many values, only those are named that go or come.
    """
    changes: list[tuple[int, str, list[bytes] | None]] = []
    for name, values in wanted.items():
        present = found.get(name, [])
        gone = [one for one in present if _plain([one])[0] not in _plain(values)]
        come = [one for one in values if _plain([one])[0] not in _plain(present)]
        if name in _ORDERED or max(len(present), len(values)) <= 1:
            changes.append((ldap.MOD_REPLACE, name, [one.encode() for one in values] or None))
            continue
        if gone:
            changes.append((ldap.MOD_DELETE, name, [one.encode() for one in gone]))
        if come:
            changes.append((ldap.MOD_ADD, name, [one.encode() for one in come]))
    explained(f"change {dn}", lambda: link.modify_s(dn, changes))


def delete(link: t.Any, dn: str) -> None:
    """Remove an entry."""
    explained(f"remove {dn}", lambda: link.delete_s(dn))
