# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run in the protosystem: write edition N of /srv/shop, which clients keep in state, and of what it consists."""

from __future__ import annotations

import hashlib
import json
import pathlib
import random
import shutil
import sys

SHOP = pathlib.Path("/srv/shop")
#: In the image, and never in state: what the image has in SHOP.
MANIFEST = pathlib.Path("/usr/share/shop.json")
STOCK = 600
#: An emulated machine on a busy host takes longer than the minute that nm-online(1) has by default.
PATIENCE = pathlib.Path("/etc/systemd/system/NetworkManager-wait-online.service.d/patience.conf")
BAD_LISTS = {
    # The last line has no newline, and is a good one.
    "/etc/rwtab.d/broken": (
        "files\nfiles relative/path\nempty /var/../etc\nempty /not/there\nfiles /proc\nbogus /srv\nempty /opt"
    ),
    "/etc/statetab.d/broken": "relative\n/srv/../etc\n/not/there\n",
    "/etc/rwtab.d/directory/nothing": "",
}


def content(edition: int) -> dict[str, bytes]:
    """The files: what changes from edition to edition, what does not, what goes, and what comes."""
    known = {
        "same": b"1\n",
        "image": b"%d\n" % edition,
        "client": b"1\n",
        "both": b"%d\n" % edition,
        **({"gone": b"1\n"} if edition == 1 else {"new": b"1\n"}),
    }
    # Enough of it that the copy takes a while, and does not compress.
    for number in range(STOCK):
        known[f"stock/{number:04}"] = random.Random(f"{edition} {number}").randbytes(16384)
    return known


def main() -> None:
    edition = int(sys.argv[1])
    files = content(edition)
    manifest = json.dumps({name: hashlib.sha256(data).hexdigest() for name, data in files.items()})
    if MANIFEST.exists() and MANIFEST.read_text() == manifest:
        return
    PATIENCE.parent.mkdir(parents=True, exist_ok=True)
    PATIENCE.write_text("[Service]\nEnvironment=NM_ONLINE_TIMEOUT=500\n")
    shutil.rmtree(SHOP, ignore_errors=True)
    for name, data in files.items():
        path = SHOP / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    if edition == 3:
        for name, text in BAD_LISTS.items():
            path = pathlib.Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    pathlib.Path("/etc/edition").write_text(f"{edition}\n")
    MANIFEST.write_text(manifest)
    print("changed")


main()
