# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NFS exports: one file each in /etc/exports.d, see exports(5); and who uses them."""

from __future__ import annotations

import contextlib
import os
import re
import typing as t

from .._command import find, run
from .._errors import InvalidValue
from .._files import read, remove, write
from .._plan import Step

if t.TYPE_CHECKING:
    from .._server import Server

DIRECTORY = "/etc/exports.d"
#: nfsd(7): the kernel's NFS server
NFSD = "/proc/fs/nfsd"
#: what exports(8) made of its files: exportfs(8)
ETAB = "/var/lib/nfs/etab"


def path(protosystem: str, serial: int) -> str:
    """The file that exports a snapshot."""
    # exportfs(8) reads no other names than those that end so
    return os.path.join(DIRECTORY, f"stateless-{protosystem}-{serial}.exports")


def published(protosystem: str) -> list[int]:
    """The serials of *protosystem* for which there is a file."""
    pattern = re.compile(rf"stateless-{re.escape(protosystem)}-([1-9][0-9]*)\.exports")
    names: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        names = os.listdir(DIRECTORY)
    return sorted(int(found.group(1)) for found in map(pattern.fullmatch, names) if found)


def check_possible(server: Server) -> None:
    """Raise InvalidValue if this server cannot export over NFS."""
    if not server.nfs_clients:
        raise InvalidValue(
            "formats", "nfs", "the server lets nobody mount: name the clients in the role server's server_nfs_clients"
        )
    find("exportfs", "nfs-kernel-server (Debian) or nfs-utils (Fedora)")
    if (read(os.path.join(NFSD, "threads")) or "0").strip() == "0":
        raise InvalidValue(
            "formats",
            "nfs",
            f"no NFS server runs here ({NFSD}/threads): start nfs-server.service; where the kernel has none, as in a "
            "container, publish the format ram instead",
        )


def content(directory: str, clients: t.Sequence[str], uuid: str) -> str:
    """The file's text.

    :arg uuid: of the snapshot. Without fsid the server would tell clients the UUID of the filesystem, which all
        snapshots of a protosystem have in common: a client of one could be given the files of another.

    ``mp``: while nothing is mounted there, nothing is exported (rather than an empty directory).
    """
    options = f"ro,no_root_squash,no_subtree_check,mp,fsid={uuid}"
    return (
        "# Made by stateless.linux; changes made here are lost.\n"
        f'"{directory}" {" ".join(f"{client}({options})" for client in clients)}\n'
    )


def is_exported(directory: str) -> bool:
    """Whether the NFS server hands out *directory* now."""
    return any(line.split("\t", 1)[0] == directory for line in (read(ETAB) or "").splitlines())


def plan_export(server: Server, protosystem: str, serial: int, uuid: str) -> list[Step]:
    """The steps by which a snapshot's mount is exported; none if it is already."""
    directory = server.snapshot_mount(protosystem, serial)
    text = content(directory, server.nfs_clients, uuid)
    file = path(protosystem, serial)
    if read(file) == text and is_exported(directory):
        return []
    return [Step(f"export {directory} to {' '.join(server.nfs_clients)}", lambda: _write(file, text))]


def plan_unexport(server: Server, protosystem: str, serial: int) -> list[Step]:
    """The steps by which a snapshot is not exported."""
    file = path(protosystem, serial)
    directory = server.snapshot_mount(protosystem, serial)
    if not os.path.exists(file) and not is_exported(directory):
        return []
    return [Step(f"end the export of {directory}", lambda: _remove(file))]


def _write(file: str, text: str) -> None:
    write(file, text)
    run(["exportfs", "-r"])


def _remove(file: str) -> None:
    remove(file)
    # a server that was never able to export has nothing to tell
    if os.path.exists(ETAB):
        run(["exportfs", "-r"])


def clients(directory: str) -> dict[str, str]:
    """Who has files of *directory* open over NFSv4: the address of each client, by its directory in /proc.

    nfsd names the filesystem of each open file, lock or delegation as "major:minor:inode", in hexadecimal.
    """
    device = os.stat(directory).st_dev
    wanted = (os.major(device), os.minor(device))
    found = {}
    base = os.path.join(NFSD, "clients")
    names: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        names = os.listdir(base)
    for name in names:
        client = os.path.join(base, name)
        # a client may leave while its files are read
        with contextlib.suppress(OSError):
            states = read(os.path.join(client, "states")) or ""
            if wanted in devices(states):
                found[client] = address(read(os.path.join(client, "info")) or "")
    return found


def devices(states: str) -> set[tuple[int, int]]:
    """The devices that a client's file ``states`` names, as (major, minor)."""
    pattern = re.compile(r'superblock: "([0-9a-f]+):([0-9a-f]+):')
    return {(int(major, 16), int(minor, 16)) for major, minor in pattern.findall(states)}


def address(info: str) -> str:
    """The address in a client's file ``info``, without the port."""
    found = re.search(r'^address: "(.*):\d+"$', info, re.MULTILINE)
    return found.group(1).strip("[]") if found else "unknown"


def expire(client: str) -> None:
    """Make the NFS server forget a client (a key of :func:`clients`) and close its files: nfsd(7)."""
    with contextlib.suppress(FileNotFoundError), open(os.path.join(client, "ctl"), "w", encoding="ascii") as control:
        control.write("expire\n")
