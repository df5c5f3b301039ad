# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of single entries that can be undone, where much else happens between planning and acting."""

from __future__ import annotations

import dataclasses
import typing as t

from .._errors import StatelessError
from .._plan import Step
from .connection import LdapFailed, ldap
from .session import Session
from .values import Changes, Raw, texts

#: Of an entry that is to be: the values of attributes; one without values is not to be there.
Wanted = t.Mapping[str, list[bytes]]


class Writer:
    """Logs in again when the first change is made, since what comes before that may take long, and after a failure."""

    def __init__(self, connect: t.Callable[[], Session]) -> None:
        self._connect = connect
        self._session: Session | None = None

    def do(self, work: t.Callable[[Session], None]) -> None:
        """Have *work* done.

        :raises LdapFailed: the directory refuses it, or is away.
        """
        if self._session is None:
            self._session = self._connect()
        try:
            work(self._session)
        except LdapFailed:
            self._session = None
            raise


@dataclasses.dataclass(frozen=True)
class Change:
    """What becomes of one entry. What its other attributes say is not touched."""

    dn: str
    #: what it is, in words
    what: str
    #: the entry as it is; None: there is none
    before: Raw | None
    #: what it is to say; None: it is not to be there
    after: Wanted | None

    @property
    def changes(self) -> bool:
        """Whether there is something to do."""
        if self.before is None or self.after is None:
            return (self.before is None) != (self.after is None)
        return bool(_changes(self.before, self.after))

    def step(self, writer: Writer, text: str = "") -> Step:
        """The step that does it.

        :arg text: says what is done; by default that the entry is added, changed or removed.
        """
        kinds = {(True, False): "add", (False, False): "change", (False, True): "remove"}
        kind = kinds[self.before is None, self.after is None]
        return Step(
            f"{text or f'{kind} {self.what}'} in the directory",
            lambda: writer.do(self._act),
            lambda: writer.do(self._undo),
        )

    def shown(self) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
        """What diff mode shows of it before, and after."""
        attributes = self.after if self.after is not None else (self.before or {})
        return _shown(self.before, attributes), _shown(self.after, attributes)

    def _act(self, session: Session) -> None:
        if self.after is None:
            session.delete(self.dn)
        elif self.before is None:
            session.add(self.dn, {name: values for name, values in self.after.items() if values})
        else:
            session.modify(self.dn, _changes(self.before, self.after))

    def _undo(self, session: Session) -> None:
        found = session.search(self.dn, "base", "(objectClass=*)", ("*",))
        now = found[0][1] if found else None
        if self.before is None:
            session.delete(self.dn)
        elif self.after is None:
            if now is None:
                session.add(self.dn, self.before)
        elif now is None or not _changes(self.before, _like(self.after, now)):
            return  # whoever has removed it meanwhile meant that; or it was never changed
        elif _changes(now, self.after):
            raise StatelessError(f"somebody else has changed {self.dn} meanwhile")
        else:
            session.modify(self.dn, _changes(now, _like(self.after, self.before)))


def _like(names: t.Iterable[str], raw: Raw) -> dict[str, list[bytes]]:
    """The values in *raw* of these attributes."""
    return {name: raw.get(name.lower(), []) for name in names}


def _changes(before: Raw, after: Wanted) -> Changes:
    """What is to be changed, named by the value that goes: it fails if somebody else has changed that meanwhile."""
    found: Changes = []
    for name, values in after.items():
        had = before.get(name.lower(), [])
        if sorted(had) != sorted(values):
            found += [(ldap.MOD_DELETE, name, had)] if had else []
            found += [(ldap.MOD_ADD, name, values)] if values else []
    return found


def _shown(values: t.Mapping[str, list[bytes]] | None, names: t.Iterable[str]) -> dict[str, t.Any]:
    raw = {name.lower(): found for name, found in (values or {}).items()}
    said = {name: texts(raw, name) for name in names}
    return {name: found[0] if len(found) == 1 else found for name, found in said.items() if found}
