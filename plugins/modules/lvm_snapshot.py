#!/usr/bin/python
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lvm_snapshot
short_description: Take, change, merge and remove LVM snapshot volumes
version_added: 1.0.0
description:
  - States that a logical volume is a snapshot of another one, that it is not there, or that it was merged into its
    origin.
  - Knows both kinds. A V(thin) snapshot takes its space from the thin pool of its origin. A V(cow) snapshot (classic,
    copy on write) has space of its own for what changes, and becomes invalid when that is full.
  - What the options leave out stays as it is on a snapshot that exists. All that is wrong is found before anything is
    changed.
author:
  - The stateless.linux contributors (!UNKNOWN)
extends_documentation_fragment:
  - stateless.linux.attributes
requirements:
  - lvm2
  - for thin snapshots, the thin-provisioning-tools (device-mapper-persistent-data)
options:
  vg:
    description: The volume group.
    type: str
    required: true
  name:
    description:
      - The name of the snapshot, alone, without a path.
      - By the rules of LVM, letters, digits and V(+ _ . -), no hyphen at the start, none of the names and parts of
        names that LVM reserves, and together with O(vg) at most 124 characters (fewer with hyphens, and for a V(cow)
        snapshot).
    type: str
    required: true
  origin:
    description:
      - The name of the logical volume that it is a snapshot of.
      - Needed for O(state=present). For the other states it guards against naming another volume's snapshot by
        mistake.
    type: str
  state:
    description:
      - V(present), the snapshot exists and has the properties that are given. Its content is that of the origin at
        the time when it was created; it is never taken anew, except with O(replace_invalid).
      - V(absent), there is no such snapshot. Refused while it is open (mounted, for example), while it is being
        merged, and if volumes depend on it that would be lost with it.
      - V(merged), the origin gets the content of the snapshot, and the snapshot is gone. If one of them is open, or a
        V(cow) snapshot's origin is inactive, LVM does it when the origin is activated next; see RV(merging) and
        RV(reboot_required). Otherwise the module waits until it is done. Nothing is changed if there is no such
        snapshot, because a merge leaves no trace.
      - When a thin snapshot is merged, other snapshots of the same origin keep their content, but LVM no longer knows
        them as snapshots; when a V(cow) one is merged, others of the same origin fill up. The module warns of both.
    type: str
    choices: [present, absent, merged]
    default: present
  kind:
    description:
      - The kind of snapshot. It follows the origin unless given, V(thin) if that is in a thin pool, else V(cow).
      - V(cow) is also possible for an origin in a thin pool. The kind of a snapshot that exists cannot be changed.
    type: str
    choices: [thin, cow]
  size:
    description:
      - The space of a V(cow) snapshot for differences, in bytes (V(1073741824)), with a unit of 1024 (V(512M),
        V(1.5GiB)) or as a share of the origin (V(20%)). It is rounded up to whole extents, and reduced to what the
        origin can ever need, somewhat more than V(100%).
      - Needed to create one. Refused for a V(thin) snapshot, which has no space of its own.
      - A smaller snapshot is grown. A larger one is an error, because LVM cannot shrink it.
    type: str
  read_only:
    description:
      - Whether the snapshot can only be read. A new one is writable unless this is V(true).
      - An open snapshot is not made read-only, because what is being written to it would be lost.
    type: bool
  active:
    description:
      - Whether the device of the snapshot is there. A new V(thin) snapshot is inactive unless this is V(true).
      - A V(cow) snapshot is active exactly when its origin is; anything else is an error.
      - An open snapshot is not deactivated.
    type: bool
  activation_skip:
    description:
      - Whether the snapshot stays inactive when its volume group is activated, such as at boot (C(lvchange
        --setactivationskip)). The module itself activates it all the same if O(active=true).
      - As in LVM, a new V(thin) snapshot has it unless this is V(false), and a new V(cow) one has not unless this is
        V(true). On a V(cow) snapshot LVM keeps the flag, but activates the snapshot with its origin anyway.
    type: bool
  tags:
    description:
      - The tags of the snapshot, all of them; tags that it has besides are removed.
      - A tag has letters, digits and the characters V(_+.-/=!:&#).
    type: list
    elements: str
  replace_invalid:
    description:
      - Whether a V(cow) snapshot that was full, and so became invalid, is removed and taken anew, with what the task
        says, as if there had been none. That needs O(size).
      - If V(false), an invalid snapshot is left as it is, with a warning and RV(snapshot.valid=false).
    type: bool
    default: false
  pool_data_limit:
    description:
      - No V(thin) snapshot is created if its pool uses this share of its data, in percent, or more.
      - A thin pool that is full stops writes to all its volumes. Every snapshot makes it fill faster, because what is
        overwritten or discarded in the origin is no longer freed.
      - With V(100) a snapshot is also created in a pool that is inactive, whose usage cannot be known.
    type: float
    default: 90
  pool_metadata_limit:
    description:
      - The same for the pool's metadata. The default is lower, because a pool whose metadata is full may need repair.
    type: float
    default: 80
seealso:
  - module: stateless.linux.lvm_snapshot_info
notes:
  - Volume groups shared by several hosts (lvmlockd) are not supported.
"""

EXAMPLES = r"""
- name: Take a snapshot before an upgrade (thin, because the origin is)
  stateless.linux.lvm_snapshot:
    vg: vg0
    name: root-before-upgrade
    origin: root
    read_only: true
    tags: [upgrade, "date={{ ansible_facts.date_time.date }}"]

- name: The same for a volume outside any thin pool, with room for changes to a fifth of it
  stateless.linux.lvm_snapshot:
    vg: vg0
    name: var-before-upgrade
    origin: var
    size: 20%

- name: Go back to it
  stateless.linux.lvm_snapshot:
    vg: vg0
    name: root-before-upgrade
    origin: root
    state: merged
  register: merge

- name: The root filesystem is in use, so LVM merges when it is activated at boot
  ansible.builtin.reboot:
  when: merge.reboot_required

- name: Or be done with it
  stateless.linux.lvm_snapshot:
    vg: vg0
    name: root-before-upgrade
    origin: root
    state: absent

- name: Make a backup from a snapshot that is always fresh enough to be valid
  stateless.linux.lvm_snapshot:
    vg: vg0
    name: backup
    origin: home
    size: 10G
    replace_invalid: true
"""

RETURN = r"""
snapshot:
  description:
    - The snapshot as it is now, or in check mode as it would be. C(null) if there is none.
    - The same as an element of RV(stateless.linux.lvm_snapshot_info#module:snapshots).
  returned: success
  type: dict
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
      description:
        - When it was created, in ISO 8601, UTC. C(null) if LVM does not know, and in check mode for a new one.
      type: str
  sample:
    activation_skip: true
    active: false
    created: "2026-11-23T00:07:06+00:00"
    data_percent: null
    kind: thin
    merging: false
    metadata_percent: 11.04
    name: root-before-upgrade
    origin: root
    path: /dev/vg0/root-before-upgrade
    pool: pool
    read_only: true
    size: 4294967296
    tags: [upgrade]
    valid: true
    vg: vg0
merging:
  description:
    - Whether the snapshot is still there because it is being merged, or will be when its origin is activated next.
  returned: success
  type: bool
reboot_required:
  description:
    - Whether the merge waits for the origin, which is active, to be deactivated and activated again. For a root
      filesystem that means a reboot; any other can be unmounted, deactivated and activated instead.
  returned: success
  type: bool
actions:
  description: What was done, or in check mode would be, in words.
  returned: success
  type: list
  elements: str
  sample: [create the thin snapshot vg0/root-before-upgrade of root]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stateless.linux.plugins.module_utils import _module
from ansible_collections.stateless.linux.plugins.module_utils._volumes import lvm_snapshot


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "vg": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "origin": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent", "merged"], "default": "present"},
            "kind": {"type": "str", "choices": ["thin", "cow"]},
            "size": {"type": "str"},
            "read_only": {"type": "bool"},
            "active": {"type": "bool"},
            "activation_skip": {"type": "bool"},
            "tags": {"type": "list", "elements": "str"},
            "replace_invalid": {"type": "bool", "default": False},
            "pool_data_limit": {"type": "float", "default": 90},
            "pool_metadata_limit": {"type": "float", "default": 80},
        },
        required_if=[("state", "present", ["origin"])],
        supports_check_mode=True,
    )
    wanted = lvm_snapshot.Wanted(**module.params)
    _module.state(module, lambda: lvm_snapshot.work(wanted, module.check_mode))


if __name__ == "__main__":
    main()
