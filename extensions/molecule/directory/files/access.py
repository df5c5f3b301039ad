# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every identity tries every operation on every kind of entry, over TLS; the outcome is compared with the table below.

Run on the first directory, as root, which makes what is tried upon, and makes it anew when something was changed.
Arguments: the URI, the file to trust it by, and the passwords of alice, paul, fleet and the replicator, as JSON on
standard input.
"""

from __future__ import annotations

import json
import sys
import typing as t

import ldap
import ldap.modlist

SUFFIX = "o=stateless"
PROTOSYSTEM = f"cn=desk,ou=protosystems,{SUFFIX}"
PC1, PC2 = f"cn=pc1,ou=clients,{SUFFIX}", f"cn=pc2,ou=clients,{SUFFIX}"

#: What an operation is called in the table.
LETTERS = """
s see        read the entry                           p password   read userPassword
c compare    compare an attribute                     C            compare userPassword
a add        add an entry below                       m modify     change the description
g assign     change what is assigned                  b member     add a member
r report     change what a client reports             w            set a password
n rename     give it another name                     d delete     delete it
"""
#: Hyphens are for "nothing". An operation that the class of an entry has no attribute for is not tried.
TABLE = """
entry           anonymous admin     publisher reader pc1 pc2 replicator
suffix          -         scam      sc        sc     sc  sc  sc
protosystems    -         scamnd    sca       sc     sc  sc  sc
clients         -         scamgnd   sc        sc     sc  sc  sc
groups          -         scamnd    sc        sc     sc  sc  sc
identities      -         scamnd    -         -      -   -   sc
administrator   -         scamwnd   -         -      -   -   spcC
publisher       -         scamwnd   -         -      -   -   spcC
reader          -         scamwnd   -         -      -   -   spcC
protosystem     -         scamnd    scamnd    sc     sc  sc  sc
snapshot        -         scamnd    scamnd    sc     sc  sc  sc
image           -         scamnd    scamnd    sc     sc  sc  sc
channel         -         scamnd    scamnd    sc     sc  sc  sc
pc1             -         scamgrwnd sc        sc     scr -   spcC
pc2             -         scamgrwnd sc        sc     -   scr spcC
group-of-pc1    -         scamgbnd  sc        sc     sc  -   sc
group-of-pc2    -         scamgbnd  sc        sc     -   sc  sc
"""

Attributes = dict[str, list[bytes]]


def entry(*classes: str, **attributes: str) -> Attributes:
    return {"objectClass": [one.encode() for one in classes], **{name: [v.encode()] for name, v in attributes.items()}}


def client(name: str, mac: str) -> Attributes:
    classes = ("device", "ieee802Device", "bootableDevice", "statelessClient")
    return entry(*classes, cn=name, macAddress=mac, userPassword=f"{name}-s3cret", statelessAssignedProtosystem="desk")


#: What is tried upon, parents first.
MADE: dict[str, tuple[str, Attributes]] = {
    "protosystem": (PROTOSYSTEM, entry("statelessProtosystem", cn="desk", statelessDefaultChannel="stable")),
    "snapshot": (f"statelessSerial=1,{PROTOSYSTEM}", entry("statelessSnapshot", statelessSerial="1")),
    "image": (f"statelessFormat=ram,statelessSerial=1,{PROTOSYSTEM}", entry("statelessImage", statelessFormat="ram")),
    "channel": (f"cn=stable,{PROTOSYSTEM}", entry("statelessChannel", cn="stable", statelessSerial="1")),
    "pc1": (PC1, client("pc1", "52:54:00:00:00:01")),
    "pc2": (PC2, client("pc2", "52:54:00:00:00:02")),
    "group-of-pc1": (f"cn=one,ou=groups,{SUFFIX}", entry("groupOfNames", "statelessGroup", cn="one", member=PC1)),
    "group-of-pc2": (f"cn=two,ou=groups,{SUFFIX}", entry("groupOfNames", "statelessGroup", cn="two", member=PC2)),
}
FOUND = {
    "suffix": SUFFIX,
    "protosystems": f"ou=protosystems,{SUFFIX}",
    "clients": f"ou=clients,{SUFFIX}",
    "groups": f"ou=groups,{SUFFIX}",
    "identities": f"ou=identities,{SUFFIX}",
    # Others than those who try, so that nobody locks himself out.
    "administrator": f"cn=other,ou=administrators,ou=identities,{SUFFIX}",
    "publisher": f"cn=other,ou=publishers,ou=identities,{SUFFIX}",
    "reader": f"cn=other,ou=clients,ou=identities,{SUFFIX}",
}
for kind in ("administrator", "publisher", "reader"):
    MADE[kind] = (FOUND[kind], entry("applicationProcess", "simpleSecurityObject", cn="other", userPassword="x"))
DNS = {**FOUND, **{name: dn for name, (dn, _attributes) in MADE.items()}}
NEW = entry("device", cn="new")
REFUSED = (ldap.INSUFFICIENT_ACCESS, ldap.NO_SUCH_OBJECT, ldap.STRONG_AUTH_REQUIRED)


class Directory:
    """The entries as they are before anything is tried."""

    def __init__(self) -> None:
        self.root = ldap.initialize("ldapi:///")
        self.root.sasl_external_bind_s()
        self.saved = self.dump()

    def dump(self) -> dict[str, Attributes]:
        return dict(self.root.search_s(SUFFIX, ldap.SCOPE_SUBTREE))

    def make(self) -> None:
        """Put back what was there, and what is made for the test."""
        wanted = {**self.saved, **dict(MADE.values())}
        present = self.dump()
        for dn in sorted(present, key=len, reverse=True):
            if dn not in wanted:
                self.root.delete_s(dn)
        for dn in sorted(wanted, key=len):
            if dn not in present:
                self.root.add_s(dn, list(wanted[dn].items()))
            elif present[dn] != wanted[dn]:
                self.root.modify_s(dn, ldap.modlist.modifyModlist(present[dn], wanted[dn]))

    def clear(self) -> None:
        for dn in sorted((dn for dn in self.dump() if dn not in self.saved), key=len, reverse=True):
            self.root.delete_s(dn)


def attempts(name: str) -> dict[str, t.Callable[[t.Any], t.Any]]:
    """The operations on an entry, by letter. Each returns something that is true if it was done."""
    dn = DNS[name]

    def read(*attributes: str) -> t.Callable[[t.Any], bool]:
        def attempt(link: t.Any) -> bool:
            found = link.search_s(dn, ldap.SCOPE_BASE, "(objectClass=*)", list(attributes))
            return bool(found) and (attributes == ("1.1",) or bool(found[0][1]))

        return attempt

    def put(attribute: str, value: str) -> t.Callable[[t.Any], t.Any]:
        return lambda link: link.modify_s(dn, [(ldap.MOD_REPLACE, attribute, [value.encode()])]) or True

    def compare(attribute: str, value: str) -> t.Callable[[t.Any], bool]:
        return lambda link: link.compare_s(dn, attribute, value.encode()) in (True, False)

    rdn = dn.partition(",")[0].partition("=")
    tried: dict[str, t.Callable[[t.Any], t.Any]] = {
        "s": read("1.1"),
        "c": compare("objectClass", "top"),
        "a": lambda link: link.add_s(f"cn=new,{dn}", list(NEW.items())) or True,
        "m": put("description", "changed"),
    }
    if name in ("clients", "pc1", "pc2") or name.startswith("group-"):
        tried["g"] = put("statelessAssignedSerial", "1")
    if name.startswith("group-"):
        tried["b"] = lambda link: link.modify_s(dn, [(ldap.MOD_ADD, "member", [SUFFIX.encode()])]) or True
    if name in ("pc1", "pc2"):
        tried["r"] = put("statelessRunningSerial", "1")
    if name in ("pc1", "pc2", "administrator", "publisher", "reader"):
        tried["p"] = read("userPassword")
        tried["C"] = compare("userPassword", "x")
        tried["w"] = put("userPassword", "changed")
    if name != "suffix":
        other = "2" if rdn[0] == "statelessSerial" else "other-name"
        tried["n"] = lambda link: link.rename_s(dn, f"{rdn[0]}={other}") or True
        tried["d"] = lambda link: link.delete_s(dn) or True
    return tried


def main() -> int:
    uri, trusted = sys.argv[1:3]
    passwords = json.load(sys.stdin)
    header, *rows = [line.split() for line in TABLE.strip().splitlines()]
    who = {
        "anonymous": ("", ""),
        "admin": (f"cn=alice,ou=administrators,ou=identities,{SUFFIX}", passwords["alice"]),
        "publisher": (f"cn=paul,ou=publishers,ou=identities,{SUFFIX}", passwords["paul"]),
        "reader": (f"cn=fleet,ou=clients,ou=identities,{SUFFIX}", passwords["fleet"]),
        "pc1": (PC1, "pc1-s3cret"),
        "pc2": (PC2, "pc2-s3cret"),
        "replicator": (f"cn=replicator,ou=identities,{SUFFIX}", passwords["replicator"]),
    }
    directory = Directory()
    wrong, count = [], 0
    try:
        directory.make()
        for column, (dn, password) in who.items():
            link = ldap.initialize(uri)
            link.set_option(ldap.OPT_X_TLS_CACERTFILE, trusted)
            link.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
            link.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
            link.simple_bind_s(dn, password)
            for name, *cells in rows:
                wanted = set(cells[header[1:].index(column)]) - {"-"}
                done = set()
                for letter, attempt in attempts(name).items():
                    count += 1
                    try:
                        if attempt(link):
                            done.add(letter)
                    except REFUSED:
                        continue
                    except ldap.NOT_ALLOWED_ON_NONLEAF:
                        done.add(letter)  # allowed, but for what is below
                    if letter not in "spcC":
                        directory.make()
                if done != wanted:
                    wrong.append(f"{column} on {name}: {''.join(sorted(done))}, not {''.join(sorted(wanted))}")
    finally:
        directory.clear()
    print(f"{count} operations", *wrong, sep="\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
