# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publish a snapshot by NFS, which the directory refuses when all else has been done: everything must be as before.

Runs as root on a server that has the protosystem, and NFS; kill_points.yml brings it there. The unit tests do the same
with a real directory at every step, but have no NFS. Ends with 1 if anything is not as it was.

    python3 refused.py PROTOSYSTEM
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import sys
import typing as t

from ansible_collections.stateless.linux.plugins.module_utils._errors import StatelessError
from ansible_collections.stateless.linux.plugins.module_utils._image import exports, follow, manifest, state
from ansible_collections.stateless.linux.plugins.module_utils._mounts import is_mounted
from ansible_collections.stateless.linux.plugins.module_utils._plan import Step
from ansible_collections.stateless.linux.plugins.module_utils._server import Server, load
from ansible_collections.stateless.linux.plugins.module_utils._snapshot.manifest import snapshots

CHANNEL = "refused"
REASON = "the directory refuses"


class Refusing(follow.Nobody):
    """A directory whose last change fails, and fails only if clients would find what is published."""

    def __init__(self, server: Server, name: str, serial: int) -> None:
        self._where = server.snapshot_mount(name, serial)
        self._pointer = os.path.join(server.www, "images", name, "channels", f"{CHANNEL}.ipxe")

    def plan(self, published: follow.Published) -> follow.Following:
        """See :meth:`follow.Follower.plan`."""
        return follow.Following(go=[Step("say it in the directory", self._refuse)])

    def _refuse(self) -> None:
        if is_mounted(self._where) and exports.is_exported(self._where) and os.path.exists(self._pointer):
            raise StatelessError(REASON)


def look(server: Server, name: str, serial: int) -> dict[str, t.Any]:
    """What a server has of what is published by NFS: files, by their digests, mount and exports."""
    where = server.snapshot_mount(name, serial)
    trees = (os.path.join(server.www, "images", name), exports.DIRECTORY, "/etc/systemd/system")
    files = [path for tree in trees for path in sorted(pathlib.Path(tree).rglob("*")) if path.is_file()]
    exported = pathlib.Path(exports.ETAB).read_text(encoding="utf-8").splitlines()
    return {
        "files": {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        "mount point": os.path.lexists(where),
        "mounted": is_mounted(where),
        "exported": sorted(line.split("\t", 1)[0] for line in exported),
    }


def main(name: str) -> int:
    """Returns the exit status."""
    server = load()
    published = manifest.serials(server, name)
    serial = [one.serial for one in snapshots(server, name) if one.serial not in published][-1]
    before = look(server, name, serial)
    wanted = state.Wanted(serial, ["nfs"], CHANNEL, lock_timeout=30)
    said = "nothing"
    try:
        state.present(server, name, wanted, check=False, follower=Refusing(server, name, serial))
    except StatelessError as error:
        said = str(error)
    faults = [] if said == REASON else [f"it said {said!r}, not {REASON!r}"]
    after = look(server, name, serial)
    faults += [f"{what}: {after[what]}, not {was}" for what, was in before.items() if after[what] != was]
    print(*faults or ["all is as it was"], sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
