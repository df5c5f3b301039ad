# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is stored is found in any spelling and by an index; what is ambiguous or malformed is refused.

Run on the first directory, as root. Arguments: the URI and the file to trust it by.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
import typing as t

import ldap

SUFFIX = "o=stateless"
CLIENTS, GROUPS = f"ou=clients,{SUFFIX}", f"ou=groups,{SUFFIX}"
PC1 = f"cn=pc1,{CLIENTS}"
MAC = "52:54:00:ab:cd:01"
#: Seconds that the journal may take to have what slapd has said.
PATIENCE = 60.0
#: Every kind of search that is made of the directory, with what it must find.
SEARCHES = {
    f"(macAddress={MAC})": ["pc1"],
    f"(macAddress={MAC.upper()})": ["pc1"],
    "(cn=pc1)": ["pc1"],
    "(CN=PC1)": ["pc1"],
    f"(&(objectClass=statelessClient)(macAddress={MAC}))": ["pc1"],
    f"(&(objectClass=groupOfNames)(member={PC1}))": ["lab"],
    "(&(objectClass=groupOfNames)(member=CN=Pc1, OU=Clients, O=Stateless))": ["lab"],
    "(&(objectClass=statelessClient)(statelessAssignedProtosystem=DESK))": ["pc1", "pc2"],
    "(&(objectClass=statelessClient)(statelessAssignedProtosystem=desk)(statelessAssignedChannel=testing))": ["pc2"],
    "(&(objectClass=statelessClient)(statelessAssignedSerial=7))": ["pc1"],
    "(&(objectClass=statelessClient)(statelessAssignedSerial=07))": [],  # RFC 4517: no leading zeros
    "(&(objectClass=statelessClient)(statelessRunningProtosystem=desk)(statelessRunningSerial=6))": ["pc1"],
    "(statelessRunningDigest=SHA256:AB)": ["pc1"],
    "(&(objectClass=statelessSnapshot)(statelessSerial=7))": ["7"],
    "(&(objectClass=statelessChannel)(statelessSerial=7))": ["stable"],
    "(&(objectClass=statelessImage)(statelessFormat=RAM))": ["ram"],
}
PROTOSYSTEM = f"cn=desk,ou=protosystems,{SUFFIX}"


def encoded(**attributes: t.Sequence[str]) -> list[tuple[str, list[bytes]]]:
    return [(name, [one.encode() for one in values]) for name, values in attributes.items()]


def client(name: str, mac: str, **more: t.Sequence[str]) -> list[tuple[str, list[bytes]]]:
    classes = ["device", "ieee802Device", "bootableDevice", "statelessClient"]
    return encoded(objectClass=classes, cn=[name], macAddress=[mac], userPassword=[f"{name}-s3cret"], **more)


MADE = {
    PROTOSYSTEM: encoded(objectClass=["statelessProtosystem"], cn=["desk"]),
    f"statelessSerial=7,{PROTOSYSTEM}": encoded(objectClass=["statelessSnapshot"], statelessSerial=["7"]),
    f"statelessFormat=ram,statelessSerial=7,{PROTOSYSTEM}": encoded(
        objectClass=["statelessImage"], statelessFormat=["ram"]
    ),
    f"cn=stable,{PROTOSYSTEM}": encoded(objectClass=["statelessChannel"], cn=["stable"], statelessSerial=["7"]),
    PC1: client(
        "pc1",
        MAC,
        statelessAssignedProtosystem=["desk"],
        statelessAssignedSerial=["7"],
        statelessRunningProtosystem=["desk"],
        statelessRunningSerial=["6"],
        statelessRunningDigest=["sha256:ab"],
    ),
    f"cn=pc2,{CLIENTS}": client(
        "pc2", "52:54:00:ab:cd:02", statelessAssignedProtosystem=["desk"], statelessAssignedChannel=["testing"]
    ),
    f"cn=lab,{GROUPS}": encoded(objectClass=["groupOfNames", "statelessGroup"], cn=["lab"], member=[GROUPS, PC1]),
}
#: Refused, whoever wants it: a MAC that is there already, in another spelling than the stored one, what is no name.
REFUSED = {
    "a MAC twice": (f"cn=pc3,{CLIENTS}", client("pc3", MAC)),
    "a MAC twice, in capitals": (f"cn=pc3,{CLIENTS}", client("pc3", MAC.upper())),
    "hyphens": (f"cn=pc3,{CLIENTS}", client("pc3", "52-54-00-ab-cd-03")),
    "capitals": (f"cn=pc3,{CLIENTS}", client("pc3", "52:54:00:AB:CD:03")),
    "a filter": (
        f"cn=pc3,{CLIENTS}",
        client("pc3", "52:54:00:ab:cd:03", statelessAssignedProtosystem=["*)(cn=*"]),
    ),
    "a report in words": (f"cn=pc3,{CLIENTS}", client("pc3", "52:54:00:ab:cd:03", statelessRunningSerial=["six"])),
}


def check(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise SystemExit(f"{what}: {found!r}, not {wanted!r}")


def searched(root: t.Any, filter_: str) -> list[str]:
    found = root.search_s(SUFFIX, ldap.SCOPE_SUBTREE, filter_, ["1.1"])
    return sorted(dn.partition(",")[0].partition("=")[2] for dn, _attributes in found)


def names(root: t.Any) -> set[str]:
    return {dn for dn, _attributes in root.search_s(SUFFIX, ldap.SCOPE_SUBTREE, attrlist=["1.1"])}


def unindexed(root: t.Any, filters: t.Collection[str]) -> int:
    """How often slapd's log says that a search had no index."""
    mark = secrets.token_hex(8)
    # Before and after, a search for what only this run looks for: in the log, what is between them is what is meant.
    for filter_ in (f"(cn=from-{mark})", *filters, f"(cn=to-{mark})"):
        searched(root, filter_)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        log = subprocess.run(["journalctl", "--unit=slapd"], capture_output=True, text=True, check=True).stdout
        _before, begun, after = log.partition(f'filter="(cn=from-{mark})"')
        between, ended, _after = after.partition(f'filter="(cn=to-{mark})"')
        if begun and ended:
            check("all searches are in the log", between.count("SRCH base=") > len(filters), True)
            return between.count("not indexed")
        time.sleep(0.2)
    raise SystemExit(f"the journal does not have the searches of {mark} after {PATIENCE} seconds")


def renamed(root: t.Any, uri: str, trusted: str) -> None:
    """A client that gets another name writes to its own entry alone; the old name lets nobody in."""
    new = f"cn=Moved \\2C with \\22care\\22,{CLIENTS}"
    root.rename_s(PC1, new.partition(f",{CLIENTS}")[0])
    check("found by its MAC", searched(root, f"(macAddress={MAC})"), ["Moved \\2C with \\22care\\22"])
    ldap.set_option(ldap.OPT_X_TLS_CACERTFILE, trusted)
    link = ldap.initialize(uri)
    report = [(ldap.MOD_REPLACE, "statelessRunningSerial", [b"7"])]
    try:
        link.simple_bind_s(PC1, "pc1-s3cret")
    except ldap.INVALID_CREDENTIALS:
        pass
    else:
        raise SystemExit("the old name lets in")
    link.simple_bind_s(new, "pc1-s3cret")
    link.modify_s(new, report)
    for victim in (f"cn=pc2,{CLIENTS}", CLIENTS):
        try:
            link.modify_s(victim, report)
        except ldap.INSUFFICIENT_ACCESS:
            continue
        raise SystemExit(f"pc1 wrote to {victim}")


def main() -> None:
    uri, trusted = sys.argv[1:3]
    root = ldap.initialize("ldapi:///")
    root.sasl_external_bind_s()
    # slapd 2.5 says "not indexed" at the level filter, not at stats.
    level = [(ldap.MOD_REPLACE, "olcLogLevel", [b"stats", b"filter"])]
    was = root.search_s("cn=config", ldap.SCOPE_BASE)[0][1].get("olcLogLevel")
    root.modify_s("cn=config", level)
    before = names(root)
    try:
        for dn, attributes in MADE.items():
            root.add_s(dn, attributes)
        for filter_, wanted in SEARCHES.items():
            check(filter_, searched(root, filter_), wanted)
        check("searches without an index", unindexed(root, SEARCHES), 0)
        check("a search without an index is seen", unindexed(root, ["(description=x)"]) > 0, True)
        for what, (dn, attributes) in REFUSED.items():
            try:
                root.add_s(dn, attributes)
            except (ldap.CONSTRAINT_VIOLATION, ldap.INVALID_SYNTAX):
                continue
            raise SystemExit(f"not refused: {what}")
        renamed(root, uri, trusted)
    finally:
        for dn in sorted(names(root) - before, key=len, reverse=True):
            root.delete_s(dn)
        root.modify_s("cn=config", [(ldap.MOD_REPLACE, "olcLogLevel", was)])


if __name__ == "__main__":
    main()
