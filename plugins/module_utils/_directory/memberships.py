# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which clients are in which groups, and how that is to change: at most two changes of a group, however many clients.

Who joins is added before the clients' own entries change, who leaves is removed afterwards: a run that is killed leaves
nobody without the groups that he had or is to have. Only who is removed himself leaves first.
"""

from __future__ import annotations

import collections
import dataclasses
import time
import typing as t

from .._errors import NotFound
from .._plan import Step
from .connection import LdapFailed, ldap
from .session import Session, any_of
from .tree import Tree
from .values import Changes, DnKey, Raw, dn_key, key, members_of, name_of

#: Seconds between tries to change a group that somebody else is changing; after the last, 0, there is none.
_PAUSES = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 0.0)


@dataclasses.dataclass
class _Group:
    dn: str
    name: str
    #: its values of member, by what is equal for two spellings
    members: dict[DnKey, bytes]
    join: list[str] = dataclasses.field(default_factory=list)
    part: list[bytes] = dataclasses.field(default_factory=list)
    leave: list[bytes] = dataclasses.field(default_factory=list)


class Memberships:
    """The groups of some clients."""

    def __init__(self, session: Session, tree: Tree, groups: t.Iterable[tuple[str, Raw]]) -> None:
        self._session = session
        self._tree = tree
        self._groups: dict[str, _Group] = {}
        self._of: dict[DnKey, set[str]] = collections.defaultdict(set)
        for dn, raw in sorted(groups):
            group = _Group(dn, name_of(dn), members_of(raw))
            self._groups[key(group.name)] = group
            for member in group.members:
                self._of[member].add(key(group.name))

    @classmethod
    def read(cls, session: Session, tree: Tree, members: t.Iterable[str], groups: t.Iterable[str]) -> Memberships:
        """The groups of the entries *members* (DNs), and those with the names *groups*."""
        wanted = [*(("member", dn) for dn in members), *(("cn", name) for name in groups)]
        return cls(session, tree, session.search(tree.groups, "one", any_of(wanted), ("cn", "member")))

    def names(self, dn: str) -> list[str]:
        """The groups that an entry is in, or will be."""
        member = dn_key(dn)
        return sorted((self._groups[one].name for one in self._of.get(member, ())), key=key)

    def missing(self, names: t.Iterable[str]) -> list[str]:
        """Which of these groups do not exist."""
        return [name for name in names if key(name) not in self._groups]

    def check(self, names: t.Iterable[str]) -> None:
        """Raise NotFound if one of these groups does not exist."""
        missing = self.missing(names)
        if missing:
            raise NotFound(f"groups: there is no group {missing[0]!r} below {self._tree.groups}: make it first")

    def have(self, dn: str, others: t.Iterable[str], names: t.Sequence[str] | None, exact: bool) -> None:
        """Have the entry *dn* in the groups *names*, and, unless *exact*, in those that it is in.

        :arg others: DNs that the entry has or had before; their memberships become its own.
        :arg names: None: as it is.
        """
        member = dn_key(dn)
        old = [one for one in {dn_key(other) for other in others} if one != member]
        has = set(self._of.get(member, ())).union(*(self._of.get(one, ()) for one in old))
        wanted = {key(name) for name in names or () if key(name) in self._groups}
        target = wanted if exact and names is not None else has | wanted
        for name in sorted(target - self._of.get(member, set())):
            self._groups[name].join.append(dn)
            self._of[member].add(name)
        for name in sorted(self._of.get(member, set()) - target):
            self._leave(name, member)
        for one in old:
            for name in sorted(self._of.get(one, ())):
                self._leave(name, one)

    def gone(self, dn: str) -> None:
        """Have an entry in no group, before it is removed itself."""
        member = dn_key(dn)
        for name in sorted(self._of.pop(member, ())):
            self._groups[name].part.append(self._groups[name].members[member])

    def _leave(self, name: str, member: DnKey) -> None:
        self._groups[name].leave.append(self._groups[name].members[member])
        self._of[member].discard(name)

    def first(self) -> list[Step]:
        """The steps before entries change."""
        joining = [self._step(group, group.join, []) for group in self._groups.values() if group.join]
        return joining + [self._step(group, [], group.part) for group in self._groups.values() if group.part]

    def last(self) -> list[Step]:
        """The steps after entries have changed."""
        return [self._step(group, [], group.leave) for group in self._groups.values() if group.leave]

    def _step(self, group: _Group, join: list[str], leave: list[bytes]) -> Step:
        who = _listed([name_of(dn) for dn in (*join, *(one.decode() for one in leave))])
        text = f"add to group {group.name}: {who}" if join else f"remove from group {group.name}: {who}"
        return Step(text, lambda: self._change(group.dn, join, leave))

    def _change(self, dn: str, join: list[str], leave: list[bytes]) -> None:
        """Have members come and go; what somebody else does to them at the same time, do not do again.

        That may be another run, or a server of the site that itself follows who is renamed or removed (slapo-refint(5)
        does so in the background).
        """
        for pause in _PAUSES:
            found = self._session.search(dn, "base", "(objectClass=*)", ("member",))
            present = members_of(found[0][1] if found else {})
            # A group must have a member (RFC 4519): the entry that holds the groups is one of each.
            come = [one.encode() for one in (self._tree.groups, *join) if dn_key(one) not in present]
            gone = [present[one] for one in (dn_key(value.decode()) for value in leave) if one in present]
            changes: Changes = [(ldap.MOD_ADD, "member", come)] if come else []
            changes += [(ldap.MOD_DELETE, "member", gone)] if gone else []
            try:
                if changes:
                    self._session.modify(dn, changes)
                break
            except LdapFailed as error:
                if not pause or error.kind not in ("NO_SUCH_ATTRIBUTE", "TYPE_OR_VALUE_EXISTS"):
                    raise
                time.sleep(pause)


def _listed(names: list[str]) -> str:
    """Names as a text of bounded length."""
    return ", ".join(names) if len(names) <= 10 else f"{', '.join(names[:10])} and {len(names) - 10} more"
