# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server knows of itself, so that no task has to say it, and where everything lies on it.

The role ``server`` writes :data:`CONFIGURATION`; modules read it.
"""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ._errors import InvalidValue, NotFound
from ._files import read_json

#: A JSON object with the fields of :class:`Server`, written by the role ``server``.
CONFIGURATION = "/etc/stateless/server.json"


@dataclasses.dataclass(frozen=True)
class Server:
    """A server's settings and the paths that follow from them."""

    #: ``lvm`` (a thin pool) or ``file`` (sparse images)
    store: str
    #: ``lvm``: the volume group and its thin pool
    vg: str = ""
    pool: str = ""
    #: where protosystems and snapshots are mounted and images published
    root: str = "/srv/stateless"
    #: records, manifests and serial counters
    state: str = "/var/lib/stateless"
    #: the address that clients reach this server by (IPv4 or name), for NFS and in boot scripts
    address: str = ""
    #: base URL of :attr:`www` as clients see it, without a final slash
    url: str = ""
    #: exports(5) client specifications that may mount snapshots over NFS
    nfs_clients: tuple[str, ...] = ()

    # -- protosystems
    def protosystem_mount(self, protosystem: str) -> str:
        """Where the writable root of *protosystem* is mounted."""
        return os.path.join(self.root, "protosystems", protosystem)

    def protosystem_record(self, protosystem: str) -> str:
        """The JSON file whose existence makes *protosystem* exist."""
        return os.path.join(self.state, "protosystems", f"{protosystem}.json")

    def serial_counter(self, protosystem: str) -> str:
        """The last serial given; it outlives the protosystem, because a serial is never used twice."""
        return os.path.join(self.state, "serials", protosystem)

    def protosystem_run(self, protosystem: str) -> str:
        """The /run of *protosystem* at rest; the connection plugin makes it."""
        return f"/run/stateless/protosystem/{protosystem}"

    # -- snapshots
    def snapshot_mount(self, protosystem: str, serial: int) -> str:
        """Where a published snapshot is mounted read-only; the NFS export."""
        return os.path.join(self.root, "snapshots", protosystem, str(serial))

    def snapshot_manifest(self, protosystem: str, serial: int) -> str:
        """The JSON file whose existence makes the snapshot exist."""
        return os.path.join(self.state, "snapshots", protosystem, f"{serial}.json")

    def digest_cache(self, protosystem: str) -> str:
        """What is known of the contents of the files in *protosystem*; only saves time, may be missing."""
        return os.path.join(self.state, "digests", protosystem)

    # -- images, under the web root
    @property
    def www(self) -> str:
        """The web root: everything in it is public and static."""
        return os.path.join(self.root, "www")

    def image(self, protosystem: str, serial: int) -> str:
        """The directory of a published image; what it holds is what its manifest.json lists."""
        return os.path.join(self.www, "images", protosystem, str(serial))

    def channel(self, protosystem: str, channel: str) -> str:
        """The pointer file of a channel, replaced by rename."""
        return os.path.join(self.www, "images", protosystem, "channels", f"{channel}.ipxe")

    @property
    def boot(self) -> str:
        """The directory of the boot scripts: ``default.ipxe``, and in ``clients`` one of each machine."""
        return os.path.join(self.www, "boot")

    # -- the format blocks
    def blocks(self, protosystem: str) -> str:
        """The directory of the format blocks, under the web root, shared by all serials."""
        return os.path.join(self.www, "images", protosystem, "blocks")

    def blocks_records(self, protosystem: str) -> str:
        """What a publisher knows of blocks; it outlives the protosystem, because a content's id is never used twice."""
        return os.path.join(self.state, "blocks", protosystem)

    @property
    def keys(self) -> str:
        """The directory of the private keys that sign, for root alone."""
        return "/etc/stateless/keys"

    @property
    def trusted_keys(self) -> str:
        """The public keys of these, as clients have them: allowed signers, ssh-keygen(1)."""
        return "/etc/stateless/trusted-keys"

    # -- locks (on a tmpfs: a reboot clears them)
    def content_lock(self, protosystem: str) -> str:
        """Held shared by whoever runs something inside *protosystem*, exclusively while a snapshot is taken."""
        return f"/run/stateless/lock/{protosystem}.content"

    def change_lock(self, protosystem: str) -> str:
        """Held exclusively by the one run that changes *protosystem*, its snapshots, images or channels."""
        return f"/run/stateless/lock/{protosystem}.change"

    @property
    def boot_lock(self) -> str:
        """Held exclusively by the one run that writes boot scripts. No protosystem's lock has such a name."""
        return "/run/stateless/lock/boot"

    @property
    def keys_lock(self) -> str:
        """Held exclusively by the one run that changes the keys that sign."""
        return "/run/stateless/lock/keys"


def load(path: str = CONFIGURATION) -> Server:
    """Read the server's settings.

    :raises NotFound: the file is missing: this host is no server yet.
    :raises InvalidValue: a setting is unknown or cannot work.
    """
    settings = read_json(path)
    if settings is None:
        raise NotFound(f"{path} does not exist: apply the role stateless.linux.server to this host first")
    return from_settings(settings, path)


def from_settings(settings: t.Mapping[str, t.Any], source: str = CONFIGURATION) -> Server:
    """Check *settings* (the JSON object in *source*) and make a :class:`Server` of them."""
    known = {field.name for field in dataclasses.fields(Server)}
    for name in settings:
        if name not in known:
            raise InvalidValue(f"{source}: {name}", settings[name], f"the settings are {', '.join(sorted(known))}")
    store = settings.get("store")
    if store not in ("lvm", "file"):
        raise InvalidValue(f"{source}: store", store, "use lvm or file")
    if store == "lvm":
        for name in ("vg", "pool"):
            if not settings.get(name):
                raise InvalidValue(
                    f"{source}: {name}", settings.get(name), "the store lvm needs a volume group and a thin pool"
                )
    return Server(**{**settings, "nfs_clients": tuple(settings.get("nfs_clients", ()))})
