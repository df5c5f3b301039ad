# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries as they should be, compared with those that are."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ..connection import ldap
from ..values import Changes, Raw, texts
from ..values import changes as value_changes

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

    def wrong(self, found: Raw) -> Attributes:
        """The attributes of *found* that have to change, with the values that they are to have."""
        changed: Attributes = {}
        for name, values in self.whole.items():
            if self._comparable(name, texts(found, name)) != self._comparable(name, values):
                changed[name] = values
        for name, values in self.among.items():
            present = texts(found, name)
            known = {_plain(self.dn, value).lower() for value in present}
            missing = [value for value in values if _plain(self.dn, value).lower() not in known]
            if missing:
                changed[name] = present + missing
        return changed

    def _comparable(self, name: str, values: t.Sequence[str]) -> list[str]:
        plain = [_plain(self.dn, value) for value in values]
        return plain if name in _ORDERED else sorted(plain)


def unnumbered(value: str) -> str:
    """A value of slapd's configuration without the number that slapd puts before it."""
    return re.sub(r"^\{-?[0-9]+\}", "", value)


def _plain(dn: str, value: str) -> str:
    """What is equal for two spellings of a value; only in slapd's configuration, a number before it is not its own."""
    return " ".join((unnumbered(value) if _is_config(dn) else value).split())


def _is_config(dn: str) -> bool:
    return dn.lower().endswith("cn=config")


def shown(dn: str, attributes: Attributes) -> Attributes:
    """*attributes* as a diff may show them: without secrets, and without the numbers that slapd puts before values."""
    return {
        name: ["(hidden)"]
        if name.lower() == "userpassword"
        else [_HIDDEN.sub(r"\1(hidden)", unnumbered(one) if _is_config(dn) else one) for one in values]
        for name, values in attributes.items()
    }


def encoded(attributes: Attributes) -> dict[str, list[bytes]]:
    """*attributes* as LDAP sends them."""
    return {name: [value.encode() for value in values] for name, values in attributes.items()}


def changes(dn: str, found: Raw, wanted: Attributes) -> Changes:
    """The changes that give attributes of an entry, which has *found*, other values.

    Of an attribute with many values, only those are named that go or come. One value is written also if it is there
    already: slapd reads a file again when it is told its name.
    """
    made: Changes = []
    for name, values in wanted.items():
        present = found.get(name.lower(), [])
        if name in _ORDERED or max(len(present), len(values)) <= 1:
            made.append((ldap.MOD_REPLACE, name, [one.encode() for one in values] or None))
            continue
        # As slapd spells them, with their numbers.
        spelled = dict(zip((_plain(dn, one) for one in texts(found, name)), present))
        whole = [spelled.get(_plain(dn, one), one.encode()) for one in values]
        made += value_changes(found, {name: whole})
    return made
