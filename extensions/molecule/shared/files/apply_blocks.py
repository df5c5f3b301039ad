# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply what a server has published as blocks, as a client does, and compare it with the volumes.

Runs as root on the server. From nothing to the first serial, and on to each next one; then from nothing to the last.
Each result is compared, byte for byte, with the snapshot's volume, and has the kernel and initrd that its manifest
names. Ends with 1 if anything differs.

    python3 apply_blocks.py PROTOSYSTEM DIRECTORY [--client]

--client: the role client was applied to the protosystem, so that its root has to trust the server's keys.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import urllib.request

from ansible_collections.stateless.linux.plugins.module_utils._blocks.fetch import Site
from ansible_collections.stateless.linux.plugins.module_utils._blocks.local import Local, Root
from ansible_collections.stateless.linux.plugins.module_utils._blocks.update import Update, trusting
from ansible_collections.stateless.linux.plugins.module_utils._blocks.volume import Volume
from ansible_collections.stateless.linux.plugins.module_utils._image import blocks
from ansible_collections.stateless.linux.plugins.module_utils._mounts import view
from ansible_collections.stateless.linux.plugins.module_utils._server import load
from ansible_collections.stateless.linux.plugins.module_utils._snapshot.manifest import volume_name
from ansible_collections.stateless.linux.plugins.module_utils._volumes.choose import open_store
from ansible_collections.stateless.linux.plugins.module_utils._volumes.filesystem import read_only


def step(name: str, work: str, client: str, own: int | None, serial: int, *, trusting_root: bool) -> None:
    """Bring a client from one serial to another, and look at what it has."""
    server = load()
    local = Local(name, os.path.join(work, client))
    site = Site([f"{server.url}/images/{name}/blocks"])
    before, target = os.path.join(work, f"{client}.old"), os.path.join(work, f"{client}.new")
    with contextlib.ExitStack() as stack:
        volume = None
        pathlib.Path(target).touch()
        if own is not None:
            # a client makes a snapshot of its root
            subprocess.run(["cp", "--sparse=always", "--reflink=auto", target, before], check=True)
            volume = stack.enter_context(Volume(before))
        root = local.root(own) if own is not None else None
        update = Update(site, local, serial, root, volume, trusting(name, server.trusted_keys))
        made = update.run(stack.enter_context(Volume(target, writable=True)), work)
    print(json.dumps({"from": own, "to": serial, "requests": site.requests, "bytes": site.bytes}), flush=True)
    check(name, serial, target, made, trusting_root=trusting_root)


def check(name: str, serial: int, target: str, root: Root, *, trusting_root: bool) -> None:
    """Compare with the volume of the snapshot, and look for the kernel, and the keys that the role client brings."""
    store, volume = open_store(load()), volume_name(name, serial)
    with store.attached(volume) as (path,):
        subprocess.run(["cmp", path, target], check=True)
    boot = root.manifest.boot
    if boot is None:
        sys.exit(f"serial {serial} says nothing of how it is booted")
    with view(target, boot.filesystem, (*read_only(boot.filesystem), "loop")) as tree:
        for file in (boot.kernel, boot.initrd):
            content = pathlib.Path(tree, file.path).read_bytes()
            if (len(content), hashlib.sha256(content).hexdigest()) != (file.size, file.sha256):
                sys.exit(f"serial {serial} has another {file.path} than its manifest says")
        if trusting_root:
            own = pathlib.Path(tree, "etc/stateless/trusted-keys").read_bytes()
            if own != pathlib.Path(load().trusted_keys).read_bytes():
                sys.exit(f"a client that runs serial {serial} trusts others than this server")


def ask(name: str) -> None:
    """Ask the web server for a part of each file, as a cache on the way does."""
    server = load()
    due = {"manifest": "no-cache"}
    for file in sorted(os.listdir(server.blocks(name))):
        request = urllib.request.Request(f"{server.url}/images/{name}/blocks/{file}", headers={"Range": "bytes=5-14"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            size = os.path.getsize(os.path.join(server.blocks(name), file))
            got = answer.status, answer.headers["Content-Range"], answer.headers["Cache-Control"]
            caching = due.get(file.rpartition(".")[2], "public, max-age=31536000, immutable")
            if got != (206, f"bytes 5-14/{size}", caching) or len(answer.read()) != 10:
                sys.exit(f"the web server answers {got} for {file}")


def main(name: str, work: str, *options: str) -> None:
    """See above."""
    trusting_root = "--client" in options
    os.makedirs(work)
    try:
        own = None
        serials = blocks.serials(load(), name)
        for serial in serials:
            step(name, work, "old", own, serial, trusting_root=trusting_root)
            own = serial
        ask(name)
        if len(serials) > 1:
            step(name, work, "new", None, serials[-1], trusting_root=trusting_root)
        print(json.dumps({"serials": serials}))
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main(*sys.argv[1:])
