#!/usr/bin/python
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_info
short_description: List what is published of a protosystem, and its channels
version_added: 1.0.0
description:
  - Says which snapshots of a protosystem are published and how, whether they are mounted and exported, who runs
    them over NFS, and where the channels point.
author:
  - The stateless.linux contributors (!UNKNOWN)
options:
  protosystem:
    description: The protosystem.
    type: str
    required: true
  serial:
    description: Only the image of this snapshot.
    type: int
requirements:
  - a server set up by the role P(stateless.linux.server#role)
extends_documentation_fragment:
  - stateless.linux.attributes.info
seealso:
  - module: stateless.linux.image
"""

EXAMPLES = r"""
- name: See what is published
  stateless.linux.image_info:
    protosystem: lab-desktop
  register: published

- name: Say what the channel stable points at
  ansible.builtin.debug:
    msg: "{{ published.channels.stable }}"

- name: Say which images no channel points at
  ansible.builtin.debug:
    msg: "{{ published.images | selectattr('channels', 'equalto', []) | map(attribute='serial') }}"
"""

RETURN = r"""
images:
  description: The images, oldest first. Empty if none is published.
  returned: success
  type: list
  elements: dict
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
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stateless.linux.plugins.module_utils import _module
from ansible_collections.stateless.linux.plugins.module_utils._image.state import information
from ansible_collections.stateless.linux.plugins.module_utils._server import load


def main() -> None:
    module = AnsibleModule(
        argument_spec={"protosystem": {"type": "str", "required": True}, "serial": {"type": "int"}},
        supports_check_mode=True,
    )
    options = module.params
    _module.info(module, lambda: information(load(), options["protosystem"], options["serial"]))


if __name__ == "__main__":
    main()
