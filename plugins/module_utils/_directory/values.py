# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients and groups as values, and as the attributes of their entries."""

from __future__ import annotations

import dataclasses
import functools
import re
import typing as t
import unicodedata

from .._boot.arguments import check_client_arguments
from .._errors import InUse, InvalidValue
from .._image.manifest import FORMATS
from .._names import check_name
from .connection import ldap
from .tree import mac_address

#: The attributes of an entry; names in lower case.
Raw = dict[str, list[bytes]]
#: Changes of one entry: what to do (ldap.MOD_ADD, ...), with which attribute, with which values.
Changes = list[tuple[int, str, t.Optional[list[bytes]]]]
#: What is equal for two spellings of one DN.
DnKey = tuple[tuple[str, str], ...]

#: The object classes of their entries.
CLIENT_CLASSES = ("device", "ieee802Device", "bootableDevice", "statelessClient")
GROUP_CLASSES = ("groupOfNames", "statelessGroup")
#: Where a group stands whose entry does not say.
DEFAULT_PRIORITY = 100
#: RFC 4517's INTEGER has no bounds; slapd's and Python's do not either, but what reads a serial later may.
_LARGEST = 2**31 - 1
_TEXTS = {
    "description": "description",
    "protosystem": "statelessAssignedProtosystem",
    "channel": "statelessAssignedChannel",
    "format": "statelessAssignedFormat",
}
_SERIAL = "statelessAssignedSerial"
_ARGUMENTS = "statelessKernelArguments"


#: The attributes that :class:`Said` is made of.
SAID = (*_TEXTS.values(), _SERIAL, _ARGUMENTS)


@dataclasses.dataclass(frozen=True)
class Said:
    """What an entry says is to run; a field that is empty says nothing."""

    description: str = ""
    protosystem: str = ""
    channel: str = ""
    serial: int = 0
    format: str = ""
    kernel_arguments: tuple[str, ...] = ()

    @classmethod
    def of(cls, raw: Raw) -> Said:
        """What is said in an entry."""
        texts = {field: text(raw, attribute) for field, attribute in _TEXTS.items()}
        return cls(**texts, serial=number(raw, _SERIAL) or 0, kernel_arguments=tuple(text(raw, _ARGUMENTS).split()))

    def attributes(self) -> dict[str, list[bytes]]:
        """The attributes that say so; one without values is not to be there."""
        return {
            **{attribute: values(getattr(self, field)) for field, attribute in _TEXTS.items()},
            _SERIAL: values(str(self.serial) if self.serial else ""),
            _ARGUMENTS: values(" ".join(self.kernel_arguments)),
        }

    def as_dict(self) -> dict[str, t.Any]:
        """Plain data, with None for what is not said."""
        found = {name: value or None for name, value in vars(self).items()}
        return {**found, "kernel_arguments": list(self.kernel_arguments)}

    def changed(self, wanted: t.Mapping[str, t.Any], where: str) -> Said:
        """This with what is not None in *wanted* said instead.

        :arg where: what is changed, for the message.
        :raises InvalidValue: the whole makes no sense.
        """
        news = {name: wanted[name] for name in FIELDS if wanted.get(name) is not None}
        if "kernel_arguments" in news:
            news["kernel_arguments"] = tuple(news["kernel_arguments"])
        after = dataclasses.replace(self, **news)
        if after.serial and not after.protosystem:
            raise InvalidValue("serial", after.serial, f"{where} names no protosystem: give protosystem, too")
        return after


#: The options of clients and groups that say what is to run.
FIELDS = tuple(field.name for field in dataclasses.fields(Said))


def check_said(wanted: t.Mapping[str, t.Any]) -> None:
    """Raise InvalidValue for what no entry may say. Empty values are good: they take away."""
    for option in ("protosystem", "channel"):
        if wanted.get(option):
            check_name(option, wanted[option])
    if wanted.get("format") and wanted["format"] not in FORMATS:
        raise InvalidValue("format", wanted["format"], f"give one of {', '.join(FORMATS)}")
    if not 0 <= (wanted.get("serial") or 0) <= _LARGEST:
        raise InvalidValue("serial", wanted["serial"], "snapshots are numbered 1, 2, 3 and so on; 0 takes it away")
    check_client_arguments("kernel_arguments", wanted.get("kernel_arguments") or [])
    check_text("description", wanted.get("description") or "")
    if len(wanted.get("description") or "") > 1024:
        raise InvalidValue("description", wanted["description"], "use at most 1024 characters")


def check_text(option: str, value: str, secret: bool = False) -> str:
    """Return *value* if it can be stored and shown as it is, else raise InvalidValue.

    :arg secret: do not show it.
    """
    try:
        value.encode()
        wrong = "\0" in value
    except UnicodeEncodeError:
        wrong = True
    if wrong:
        raise InvalidValue(option, "(hidden)" if secret else value, "it must be UTF-8 without NUL")
    return value


def check_label(option: str, value: str) -> str:
    """Return *value* if it can name a client or a group, else raise InvalidValue.

    Anything that a person can read and type; what LDAP itself would not tell apart (RFC 4518: leading, trailing and
    repeated spaces) is refused, since a name should come back as it was given.
    """
    good = 1 <= len(value) <= 64 and value == " ".join(value.split(" ")).strip() and "  " not in value
    if not good or any(letter != " " and unicodedata.category(letter)[0] in "CZ" for letter in value) or not key(value):
        raise InvalidValue(
            option, value, "use 1 to 64 characters that can be seen, with single spaces only between words"
        )
    return value


def check_names(thing: str, names: t.Iterable[tuple[str, str | None]]) -> None:
    """Raise InvalidValue if one of these cannot be a name, or two things would be the same.

    :arg names: of each *thing*, its name and what it was called before.
    """
    named: dict[str, str] = {}
    for new, before in names:
        for option, name in (("name", new), ("previous_name", before)):
            if name is None:
                continue
            check_label(option, name)
            if option == "previous_name" and key(name) == key(new):
                continue
            if key(name) in named:
                raise InvalidValue(option, name, f"the task names this {thing} twice, also as {named[key(name)]!r}")
            named[key(name)] = name


def key(name: str) -> str:
    """What is equal for two spellings of one name (RFC 4518: neither case nor compatibility forms count)."""
    if name.isascii():  # has no other forms, and most names are
        return name.lower().strip()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).lower()).strip()


# Remembered, since one DN is looked at as an entry's, as a member's, and as that of what is above.
@functools.lru_cache(maxsize=65536)
def dn_key(dn: str) -> DnKey:
    """What is equal for two spellings of one DN. For one that is none, something that no other has."""
    try:
        parts = ldap.dn.str2dn(dn)
    except ldap.DECODING_ERROR:
        return (("", dn),)
    return tuple((attribute.lower(), key(value)) for rdn in parts for attribute, value, _flags in rdn)


def members_of(raw: Raw) -> dict[DnKey, bytes]:
    """The values of ``member``, by what is equal for their spellings."""
    return dict(zip(map(dn_key, texts(raw, "member")), raw.get("member", [])))


def name_of(dn: str) -> str:
    """The name in the first part of a DN."""
    return str(ldap.dn.str2dn(dn)[0][0][1])


def check_renamable(dn: str) -> None:
    """Raise InUse if an entry that another program made has a name of several parts: a new one would lose some."""
    if len(ldap.dn.str2dn(dn)[0]) > 1:
        raise InUse(f"previous_name: the name of {dn} has several parts: rename it with ldapmodrdn(1)")


def addresses(raw: Raw) -> list[str]:
    """The MAC addresses of an entry."""
    return sorted(address(value) for value in texts(raw, "macAddress"))


def address(value: str) -> str:
    """A MAC address in its one spelling. What is none (another server may not mind) is left as it is."""
    try:
        return mac_address("mac", value)
    except InvalidValue:
        return value


def values(value: str) -> list[bytes]:
    """The values of an attribute with one value; none for the empty text."""
    return [value.encode()] if value else []


def texts(raw: Raw, attribute: str) -> list[str]:
    """The values of an attribute; bytes that are no UTF-8 (another server's) are shown as such."""
    return [value.decode("utf-8", "backslashreplace") for value in raw.get(attribute.lower(), [])]


def text(raw: Raw, attribute: str) -> str:
    """The value of an attribute; empty if it is not there."""
    found = raw.get(attribute.lower())
    return found[0].decode("utf-8", "backslashreplace") if found else ""


def number(raw: Raw, attribute: str) -> int | None:
    """The value of an attribute as a number; None if it is not there or is none."""
    found = text(raw, attribute)
    return int(found) if re.fullmatch(r"-?[0-9]{1,18}", found) else None


def class_changes(raw: Raw, wanted: t.Sequence[str]) -> Changes:
    """The changes by which an entry has the object classes *wanted*."""
    present = {one.lower() for one in texts(raw, "objectClass")}
    missing = [one.encode() for one in wanted if one.lower() not in present]
    return [(ldap.MOD_ADD, "objectClass", missing)] if missing else []


def changes(raw: Raw, wanted: t.Mapping[str, list[bytes]]) -> Changes:
    """The changes by which an entry has exactly the values *wanted* in these attributes.

    Of several values, only those are named that come or go: another run may change others at the same time.
    """
    found: Changes = []
    for attribute, after in wanted.items():
        before = raw.get(attribute.lower(), [])
        if sorted(before) == sorted(after):
            continue
        if max(len(before), len(after)) <= 1:
            found.append((ldap.MOD_REPLACE, attribute, after or None))
            continue
        gone = [value for value in before if value not in after]
        come = [value for value in after if value not in before]
        found += [(ldap.MOD_DELETE, attribute, gone)] if gone else []
        found += [(ldap.MOD_ADD, attribute, come)] if come else []
    return found
