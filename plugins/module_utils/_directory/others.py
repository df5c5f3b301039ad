# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts last for clients, and for machines without an entry: the entry that holds the clients says it."""

from __future__ import annotations

import typing as t

from .._plan import Step
from .session import Session
from .tree import Tree
from .values import SAID, Said, changes, check_said, class_changes


def plan(session: Session, tree: Tree, wanted: t.Mapping[str, t.Any]) -> tuple[Said, Said, list[Step]]:
    """What the entry says, what it is to say, and the step to that."""
    check_said(wanted)
    found = session.search(tree.clients, "base", "(objectClass=*)", ("objectClass", *SAID))
    raw = found[0][1] if found else {}
    before = Said.of(raw)
    after = before.changed(wanted, "others")
    news = changes(raw, after.attributes())
    if not news:
        return before, after, []
    what = ", ".join(dict.fromkeys(one[1] for one in news))
    news = [*class_changes(raw, ("statelessAssignment",)), *news]
    return before, after, [Step(f"change {what} of all clients", lambda: session.modify(tree.clients, news))]
