# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what in the directory: the access rules (slapd.access(5)) of its database."""

from __future__ import annotations

from ..tree import REPORT, Tree


def rules(tree: Tree) -> list[str]:
    """The values of olcAccess, in order: slapd takes the first that names the entry and the attribute.

    Root on the server itself is above them, being the database's rootdn.
    """
    administrators, publishers, readers = (
        f'dn.onelevel="{tree.kind(kind)}"' for kind in ("administrators", "publishers", "clients")
    )
    clients = f'dn.onelevel="{tree.clients}"'
    replicator = f'dn.exact="{tree.replicator}"'

    def rule(to: str, *by: str) -> str:
        who = [f"{administrators} write", *by, f"{replicator} read", "* none"]
        return " by ".join([f"to {to}", *who])

    # A password is set and used, never read: a second server alone gets the hashes. Nobody changes his own: the role
    # is where passwords are managed.
    passwords = (
        f'to dn.subtree="{tree.suffix}" attrs=userPassword by {administrators} =w by {replicator} read'
        " by anonymous auth by * none"
    )
    everyone = (f"{publishers} read", f"{readers} read", f"{clients} read")
    return [
        passwords,
        rule(f'dn.subtree="{tree.identities}"'),
        rule(f'dn.base="{tree.protosystems}" attrs=children', f"{publishers} write"),
        rule(f'dn.children="{tree.protosystems}"', f"{publishers} write", f"{readers} read", f"{clients} read"),
        # "self" is whose password or certificate it was, whatever a machine calls itself.
        rule(
            f'dn.children="{tree.clients}" attrs={",".join(REPORT)}',
            "self write",
            f"{publishers} read",
            f"{readers} read",
        ),
        rule(f'dn.children="{tree.clients}"', "self read", f"{publishers} read", f"{readers} read"),
        # A client finds the groups that it is in, and not who else is.
        rule(
            f'dn.children="{tree.groups}" attrs=member',
            f"{publishers} read",
            f"{readers} read",
            "dnattr=member search",
        ),
        rule(f'dn.children="{tree.groups}"', f"{publishers} read", f"{readers} read", "dnattr=member read"),
        rule(f'dn.subtree="{tree.suffix}"', *everyone),
    ]
