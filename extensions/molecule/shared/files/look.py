# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a client: print as JSON what it has in scratch and in state."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import subprocess

SHOP = pathlib.Path("/srv/shop")
IDENTITY = ("/etc/machine-id", "/etc/hostname", "/run/stateless/ssh/ssh_host_ed25519_key.pub")


def said(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()


def main() -> None:
    image = json.loads(pathlib.Path("/usr/share/shop.json").read_text())
    found = {str(path.relative_to(SHOP)): path for path in SHOP.rglob("*") if path.is_file()}
    digests = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()}
    report = {
        # what is in state by another content than the image's, too much, or missing
        "different": sorted(name for name in digests.keys() & image.keys() if digests[name] != image[name]),
        "more": sorted(digests.keys() - image.keys()),
        "less": sorted(image.keys() - digests.keys()),
        "small": {name: path.read_text() for name, path in found.items() if "/" not in name},
        "identity": {path: pathlib.Path(path).read_text().strip() for path in IDENTITY},
        "name": os.uname().nodename,
        "systemd_id": said("systemd-id128", "machine-id"),
        "resolv_conf": pathlib.Path("/etc/resolv.conf").read_text(),
        "scratch": sorted(str(path) for path in pathlib.Path("/var/tmp").glob("scratch-*")),
        "state": said("findmnt", "-rno", "SOURCE", "/srv/shop"),
        "log": said("findmnt", "-rno", "SOURCE", "/var/log"),
        "boots": len(said("journalctl", "--list-boots", "--quiet", "--no-pager").splitlines()),
        "said": said("journalctl", "-b", "-u", "stateless-readonly-root", "-o", "cat", "--no-pager").splitlines()[-60:],
        "active": said("systemctl", "is-active", "nginx", "cron", "chrony", "NetworkManager").split(),
        "page": said("curl", "-sS", "--max-time", "20", "http://localhost/")[:15],
        "query": said("runuser", "-u", "postgres", "--", "psql", "-tAc", "select 6*7"),
    }
    print(json.dumps(report))


main()
