#!/usr/bin/python
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image
short_description: Publish a snapshot, point a channel at it, withdraw it
version_added: 1.0.0
description:
  - An image is what clients boot of a snapshot, in one or more formats. A channel is a name, such as V(stable),
    that points at one image of a protosystem. Clients run channels.
  - Publishing is atomic. A client sees the whole image or none, and a published file never changes. A run that is
    killed leaves nothing visible, and the next run for the protosystem clears up.
  - Going back is pointing the channel at an older image. Nothing is built for that.
  - If the server has a directory (C(server_directory) of the role P(stateless.linux.server#role)), the same is said
    there. What fails half way is undone, in the directory and in files. The directory is logged in to and read first,
    so that one that is away, or refuses to be written to, is told before anything was changed.
  - Entries of snapshots and images follow what is published. Of channels, the directory says where they point, and
    files follow; a channel that only has a file is written into the directory. Each run brings all of the protosystem
    to that, also after one that was killed. Other attributes, such as C(description), stay as they are.
author:
  - The stateless.linux contributors (!UNKNOWN)
options:
  protosystem:
    description: The protosystem.
    type: str
    required: true
  serial:
    description:
      - The number of the snapshot.
      - Needed for O(state=present). With O(state=absent), the image to withdraw.
    type: int
  state:
    description:
      - V(present) publishes the snapshot in the O(formats) that are missing, and then points O(channel) at it.
      - V(absent) withdraws the image O(serial), or removes the channel O(channel), whichever is given.
      - An image is not withdrawn while a channel points at it, nor, without O(force), while clients run it over
        NFS, or the directory has them boot this snapshot whatever a channel says. The snapshot itself stays.
    type: str
    choices: [present, absent]
    default: present
  formats:
    description:
      - How clients can boot the image. Formats that are published already stay, whether they are named or not.
      - V(nfs), the root filesystem is mounted from the server. Nothing is copied but the kernel and its initrd. The
        snapshot is mounted read-only on the server and exported to the clients that the role
        P(stateless.linux.server#role) was given. This needs an NFS server in the kernel, which a container does not
        have.
      - V(ram), the root filesystem is one compressed file that the client loads into its memory over HTTP, see
        O(ram_filesystem). Its root is read-only. An overlay in memory, which the initrd lays over it, would take
        what root writes after remounting it.
      - V(blocks), caching clients boot from a copy on their disk and fetch what has changed while they run. Of a
        snapshot, the blocks that no other has yet are published, compressed and signed, in
        C(/images/PROTOSYSTEM/blocks) of the web server, which all serials share. That costs what has changed since the
        newest snapshot before that is published so. The protosystem is not held up. A client with this format that
        boots from the network is sent on to its next boot device.
      - Needed if the image is not published yet.
    type: list
    elements: str
    choices: [nfs, ram, blocks]
    default: []
  channel:
    description:
      - The channel that is to point at the image. It is made if it does not exist. The module warns if clients
        would lose their format by that.
      - With O(state=absent), the channel to remove. The image stays.
    type: str
  kernel_arguments:
    description:
      - Kernel arguments for all clients of this image, beyond those by which they find their root. They are written
        into the boot scripts, which can be changed later.
      - If left out, they stay as they are.
    type: list
    elements: str
  ram_filesystem:
    description:
      - The filesystem of the format V(ram), V(squashfs) unless given. It cannot be changed once it is published.
      - V(squashfs) files are smaller. Extended attributes and file capabilities are kept, POSIX ACLs are not.
      - V(erofs) keeps POSIX ACLs, too, and needs less memory and time to read. The initrd needs the kernel module
        erofs.
    type: str
    choices: [squashfs, erofs]
  ram_compression:
    description:
      - The compression of the format V(ram), V(zstd) for squashfs and V(lz4) for EROFS unless given. It cannot be
        changed once it is published.
      - The kernel of the snapshot must be able to read it. V(zstd) in EROFS needs Linux 6.10 and V(xz) in EROFS
        Linux 5.16, and mkfs.erofs must have been built with it.
    type: str
    choices: [zstd, lz4, xz]
  ram_compression_level:
    description:
      - How hard to compress, from 1 (fast). V(zstd) goes up to 22, V(lz4) in EROFS up to 12, V(xz) in EROFS up to
        9. The others have no levels.
      - V(6) for V(zstd) in squashfs unless given, else the default of mksquashfs or mkfs.erofs.
    type: int
  blocks_level:
    description:
      - How small the format V(blocks) is made. V(default) is quick. V(thorough) takes minutes of one processor for a
        full round of updates, and makes what clients fetch smaller still.
      - With V(thorough), the image is published and O(channel) points at it first, and it is made smaller then. What
        is published already is made smaller, too. It needs the snapshot against which it was published, see C(parent).
      - Left out, or V(default), what is published stays as small as it is.
    type: str
    choices: [default, thorough]
  force:
    description:
      - With O(state=absent), withdraw the image even if clients run it over NFS, or the directory has them boot it.
        What they have not in memory, they cannot read any more. Their open files are closed by making the NFS server
        forget these clients.
    type: bool
    default: false
  lock_timeout:
    description: Seconds to wait for another run that changes the protosystem.
    type: int
    default: 60
requirements:
  - a server set up by the role P(stateless.linux.server#role)
  - squashfs-tools or erofs-utils, for the format V(ram)
  - the NFS server of the kernel and its tools, for the format V(nfs)
  - libzstd 1.4, ssh-keygen and a key, for the format V(blocks), see M(stateless.linux.signing_keys)
  - thin_delta and dmsetup, for the format V(blocks) with the store C(lvm)
  - python-ldap, if the server has a directory
notes:
  - With the store C(lvm), what has changed for the format V(blocks) is read from a metadata snapshot of the thin pool,
    of which a pool has one. It is released whatever happens. If somebody else holds it, the task fails.
  - Where python-ldap is installed for the system's Python only, the module runs itself again with that.
extends_documentation_fragment:
  - stateless.linux.attributes
seealso:
  - module: stateless.linux.image_info
  - module: stateless.linux.signing_keys
  - module: stateless.linux.snapshot
"""

EXAMPLES = r"""
- name: Take a snapshot
  stateless.linux.snapshot:
    protosystem: lab-desktop
  register: taken

- name: Publish it, and let the clients of the channel testing boot it
  stateless.linux.image:
    protosystem: lab-desktop
    serial: "{{ taken.snapshot.serial }}"
    formats: [nfs, ram]
    channel: testing

- name: Let the clients of the channel stable boot what was tested
  stateless.linux.image:
    protosystem: lab-desktop
    serial: 7
    channel: stable

- name: Go back to the image before
  stateless.linux.image:
    protosystem: lab-desktop
    serial: 6
    channel: stable

- name: Publish with a serial console, as EROFS
  stateless.linux.image:
    protosystem: kiosk
    serial: 3
    formats: [ram]
    ram_filesystem: erofs
    kernel_arguments: ["console=tty0", "console=ttyS0,115200"]

- name: Publish for caching clients as well, small at once, smaller when that is out
  stateless.linux.image:
    protosystem: lab-desktop
    serial: 7
    formats: [nfs, blocks]
    blocks_level: thorough
    channel: testing

- name: Withdraw an image
  stateless.linux.image:
    protosystem: lab-desktop
    serial: 5
    state: absent

- name: Remove a channel
  stateless.linux.image:
    protosystem: lab-desktop
    channel: testing
    state: absent
"""

RETURN = r"""
image:
  description:
    - The image; V(null) if O(state=absent). In check mode, as it would be, without what is known only when it is
      built.
  returned: success
  type: dict
  contains:
    protosystem:
      description: The protosystem that it was made of.
      type: str
      returned: always
      sample: lab-desktop
    serial:
      description: The number of its snapshot.
      type: int
      returned: always
      sample: 7
    created:
      description: When it was first published, in ISO 8601, UTC.
      type: str
      returned: always
      sample: "2026-11-23T09:31:12+00:00"
    kernel:
      description: The version of the kernel that it boots.
      type: str
      returned: always
      sample: 6.1.0-41-amd64
    os:
      description: The fields C(ID), C(VERSION_ID) and C(PRETTY_NAME) of its os-release(5).
      type: dict
      returned: always
      sample: {"id": "debian", "version_id": "12", "pretty_name": "Debian GNU/Linux 12 (bookworm)"}
    digest:
      description: The digest of the content of its snapshot. V(null) if the snapshot was taken without one.
      type: str
      returned: always
      sample: sha256:dfa0bf042d200677601e7a1aa28b4781761fc9f5c6cfc5638f3cbeaaeb0592e2
    formats:
      description:
        - Its formats, by name. For V(nfs), the exported path. For V(ram), the file, its filesystem, compression and
          compression level (V(null) for the default of the program).
        - For V(blocks), the manifest (C(file), relative to the image), the C(level), the serial against which it was
          published (C(parent), V(null) if there was none), how many blocks of 4096 bytes were new (C(new_blocks)), the
          bytes of the pack that has them, which is what a client fetches that is one version behind (C(new_bytes)), and
          the C(seconds) that publishing took.
      type: dict
      returned: always
      sample:
        nfs: {"path": "/srv/stateless/snapshots/lab-desktop/7"}
        ram: {"file": "root.squashfs", "filesystem": "squashfs", "compression": "zstd", "compression_level": 6}
        blocks: {"file": "../blocks/7.manifest", "level": "default", "parent": 6, "new_blocks": 1733,
                 "new_bytes": 2210816, "seconds": 0.712}
    files:
      description: Its files, by name, each with its C(size) in bytes and its C(sha256).
      type: dict
      returned: always
      sample:
        vmlinuz: {"size": 8177600, "sha256": "e0a1d8c5b7b1d5a51c1b0d5f9e1f7f1b1c56a5a5d9b0ba6f0a5b0c5f5d3c4b2a"}
    kernel_arguments:
      description: The kernel arguments for this image, beyond those by which a client finds its root.
      type: list
      elements: str
      returned: always
      sample: ["console=ttyS0,115200"]
    channels:
      description: The channels that point at it.
      type: list
      elements: str
      returned: always
      sample: [testing]
    mounted:
      description: Whether its snapshot is mounted on the server, for the format V(nfs).
      type: bool
      returned: always
      sample: true
    exported:
      description: Whether its snapshot is exported over NFS now.
      type: bool
      returned: always
      sample: true
    clients:
      description:
        - The addresses of the clients that run it over NFS now. Of clients that run it from memory, the server
          knows nothing.
      type: list
      elements: str
      returned: always
      sample: [192.0.2.17]
channels:
  description: All channels of the protosystem, by name, and the serial that each points at.
  returned: success
  type: dict
  sample: {"stable": 6, "testing": 7}
actions:
  description: What was done. In check mode, what would be done.
  returned: success
  type: list
  elements: str
  sample: [point channel stable at serial 6]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stateless.linux.plugins.module_utils import _module
from ansible_collections.stateless.linux.plugins.module_utils._directory.published import configured
from ansible_collections.stateless.linux.plugins.module_utils._directory.settings import missing
from ansible_collections.stateless.linux.plugins.module_utils._image.follow import NOBODY, Follower
from ansible_collections.stateless.linux.plugins.module_utils._image.ram import Ram
from ansible_collections.stateless.linux.plugins.module_utils._image.state import Wanted, present
from ansible_collections.stateless.linux.plugins.module_utils._image.withdraw import absent
from ansible_collections.stateless.linux.plugins.module_utils._plan import Outcome
from ansible_collections.stateless.linux.plugins.module_utils._server import load


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "protosystem": {"type": "str", "required": True},
            "serial": {"type": "int"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "formats": {"type": "list", "elements": "str", "choices": ["nfs", "ram", "blocks"], "default": []},
            "channel": {"type": "str"},
            "kernel_arguments": {"type": "list", "elements": "str"},
            "ram_filesystem": {"type": "str", "choices": ["squashfs", "erofs"]},
            "ram_compression": {"type": "str", "choices": ["zstd", "lz4", "xz"]},
            "ram_compression_level": {"type": "int"},
            "blocks_level": {"type": "str", "choices": ["default", "thorough"]},
            "force": {"type": "bool", "default": False},
            "lock_timeout": {"type": "int", "default": 60},
        },
        required_if=[("state", "present", ("serial",))],
        supports_check_mode=True,
    )
    _module.require(module, missing(), "python-ldap", "ldap")
    options = module.params

    def follower() -> Follower:
        return configured() or NOBODY

    def work() -> Outcome:
        if options["state"] == "absent":
            return absent(
                load(),
                options["protosystem"],
                options["serial"],
                options["channel"],
                options["force"],
                module.check_mode,
                options["lock_timeout"],
                follower(),
            )
        wanted = Wanted(
            options["serial"],
            options["formats"],
            options["channel"],
            options["kernel_arguments"],
            Ram(options["ram_filesystem"], options["ram_compression"], options["ram_compression_level"]),
            options["blocks_level"],
            options["lock_timeout"],
        )
        return present(load(), options["protosystem"], wanted, module.check_mode, follower())

    _module.state(module, work)


if __name__ == "__main__":
    main()
