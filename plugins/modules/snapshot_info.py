#!/usr/bin/python
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: snapshot_info
short_description: List the snapshots of protosystems
version_added: 1.0.0
description:
  - Lists the snapshots that a server has.
author:
  - The stateless.linux contributors (!UNKNOWN)
options:
  protosystem:
    description: Only the snapshots of this protosystem. By default, those of all.
    type: str
  serial:
    description: Only the snapshot with this number.
    type: int
requirements:
  - a server set up by the role P(stateless.linux.server#role)
extends_documentation_fragment:
  - stateless.linux.attributes.info
seealso:
  - module: stateless.linux.snapshot
"""

EXAMPLES = r"""
- name: Read the snapshots of a protosystem
  stateless.linux.snapshot_info:
    protosystem: lab-desktop
  register: found

- name: Show those that could be removed
  ansible.builtin.debug:
    msg: "{{ found.snapshots | rejectattr('in_use') | map(attribute='serial') }}"
"""

RETURN = r"""
snapshots:
  description: The snapshots, by protosystem, oldest first. Empty if there is none.
  type: list
  elements: dict
  returned: success
  contains:
    protosystem:
      description: The protosystem that it is a copy of.
      type: str
      returned: always
      sample: lab-desktop
    serial:
      description: Its number.
      type: int
      returned: always
      sample: 7
    created:
      description: When it was taken, in ISO 8601, UTC.
      type: str
      returned: always
      sample: "2026-11-23T09:30:00+00:00"
    comment:
      description: What the administrator said of it.
      type: str
      returned: always
      sample: security updates of November
    kernel:
      description: The version of the newest kernel in it. Empty if there is none.
      type: str
      returned: always
      sample: 6.1.0-41-amd64
    kernels:
      description: The versions of all kernels in it, oldest first.
      type: list
      elements: str
      returned: always
      sample: [6.1.0-40-amd64, 6.1.0-41-amd64]
    os:
      description: The fields C(ID), C(VERSION_ID) and C(PRETTY_NAME) of its os-release(5).
      type: dict
      returned: always
      sample: {"id": "debian", "version_id": "12", "pretty_name": "Debian GNU/Linux 12 (bookworm)"}
    filesystem:
      description: Its filesystem, V(ext4) or V(xfs).
      type: str
      returned: always
      sample: ext4
    size:
      description: The size of its volume in bytes.
      type: int
      returned: always
      sample: 8589934592
    used:
      description: How many bytes of it the filesystem uses.
      type: int
      returned: always
      sample: 1263403008
    uuid:
      description: Its UUID, the same for ever. It is the fsid of its NFS export.
      type: str
      returned: always
      sample: f38f9dd8-5eae-54e5-941b-688c1701bbb5
    digest:
      description: The digest of its content. V(null) if it was taken without one.
      type: str
      returned: always
      sample: sha256:dfa0bf042d200677601e7a1aa28b4781761fc9f5c6cfc5638f3cbeaaeb0592e2
    in_use:
      description: Why it cannot be removed now. Empty if it can.
      type: list
      elements: str
      returned: always
      sample: [the channel stable points to it]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stateless.linux.plugins.module_utils import _module
from ansible_collections.stateless.linux.plugins.module_utils._server import load
from ansible_collections.stateless.linux.plugins.module_utils._snapshot.state import information


def main() -> None:
    module = AnsibleModule(
        argument_spec={"protosystem": {"type": "str"}, "serial": {"type": "int"}},
        supports_check_mode=True,
    )
    options = module.params
    _module.info(module, lambda: {"snapshots": information(load(), options["protosystem"], options["serial"])})


if __name__ == "__main__":
    main()
