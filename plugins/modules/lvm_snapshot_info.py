#!/usr/bin/python
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lvm_snapshot_info
short_description: List LVM snapshot volumes and the thin pools that hold them
version_added: 1.0.0
description:
  - Lists the LVM snapshots of this host, thin and COW, with their health, and how full the thin pools are.
  - A snapshot that is being merged is listed too, until that is done.
author:
  - The stateless.linux contributors (!UNKNOWN)
extends_documentation_fragment:
  - stateless.linux.attributes.info
requirements:
  - lvm2
options:
  vg:
    description: Only snapshots in this volume group. It is an error if there is no such group.
    type: str
  origin:
    description: Only snapshots of the logical volume with this name.
    type: str
  name:
    description: Only snapshots with this name.
    type: str
seealso:
  - module: stateless.linux.lvm_snapshot
"""

EXAMPLES = r"""
- name: Read all snapshots of a volume
  stateless.linux.lvm_snapshot_info:
    vg: vg0
    origin: root
  register: found

- name: Fail if one of them is lost, or about to be
  ansible.builtin.assert:
    that: found.snapshots | rejectattr('kind', 'eq', 'thin') | selectattr('data_percent', 'ge', 80) | length == 0

- name: Remove what carries the tag of an old upgrade
  stateless.linux.lvm_snapshot:
    vg: "{{ item.vg }}"
    name: "{{ item.name }}"
    state: absent
  loop: "{{ found.snapshots | selectattr('tags', 'contains', 'upgrade') }}"
  loop_control:
    label: "{{ item.name }}"
"""

RETURN = r"""
snapshots:
  description: The snapshots, sorted by volume group and name.
  returned: success
  type: list
  elements: dict
  contains:
    vg:
      description: The volume group.
      type: str
    name:
      description: The name of the snapshot.
      type: str
    path:
      description: Its block device, which is there while the snapshot is active.
      type: str
    origin:
      description: The name of the volume that it is a snapshot of.
      type: str
    kind:
      description: V(thin) or V(cow).
      type: str
    pool:
      description: The thin pool that it is in; C(null) for a V(cow) snapshot.
      type: str
    size:
      description:
        - Of a V(thin) snapshot, the size of the volume; of a V(cow) one, the space for differences. In bytes.
      type: int
    tags:
      description: Its tags, sorted.
      type: list
      elements: str
    read_only:
      description: Whether it can only be read.
      type: bool
    active:
      description: Whether its device is there.
      type: bool
    activation_skip:
      description: Whether it has the flag that keeps it from being activated with its volume group.
      type: bool
    data_percent:
      description:
        - Of a V(thin) snapshot, how much of its size has blocks in the pool, own or shared; of a V(cow) one, how much
          of its space for differences is used. In percent.
        - C(null) while the snapshot is inactive, because LVM does not know then.
      type: float
    metadata_percent:
      description:
        - How much of the metadata of its pool is used, in percent; C(null) if the pool is inactive, and for V(cow).
      type: float
    valid:
      description:
        - V(false) if it is a V(cow) snapshot that was full, so that its content is lost.
        - C(null) for a V(cow) snapshot that is inactive, because LVM does not know then.
      type: bool
    merging:
      description: Whether it is being merged into its origin, or will be when that is activated next.
      type: bool
    created:
      description: When it was created, in ISO 8601, UTC. C(null) if LVM does not know.
      type: str
pools:
  description: The thin pools, of the volume group if one is given, sorted by volume group and name.
  returned: success
  type: list
  elements: dict
  contains:
    vg:
      description: The volume group.
      type: str
    name:
      description: The name of the thin pool.
      type: str
    size:
      description: The size of its data, in bytes.
      type: int
    metadata_size:
      description: The size of its metadata, in bytes.
      type: int
    active:
      description: Whether it is active.
      type: bool
    data_percent:
      description: How much of its data is used, in percent; C(null) while it is inactive.
      type: float
    metadata_percent:
      description: How much of its metadata is used, in percent; C(null) while it is inactive.
      type: float
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stateless.linux.plugins.module_utils import _module
from ansible_collections.stateless.linux.plugins.module_utils._volumes import lvm_snapshot_found


def main() -> None:
    module = AnsibleModule(
        argument_spec={"vg": {"type": "str"}, "origin": {"type": "str"}, "name": {"type": "str"}},
        supports_check_mode=True,
    )
    _module.info(module, lambda: lvm_snapshot_found.find(**module.params))


if __name__ == "__main__":
    main()
