#!/usr/bin/python
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: snapshot
short_description: Take, keep and remove snapshots of a protosystem
version_added: 1.0.0
description:
  - A snapshot is an immutable, numbered copy of a protosystem as it was at one moment.
  - It is consistent also while the protosystem is mounted or booted. Its filesystem stands still while the copy is
    made. With the store V(lvm) that takes less than a second, whatever the size. With the store V(file) the copy
    shares its blocks with the protosystem where the filesystem of the server can (Btrfs, XFS), else it takes as long as
    copying.
  - The module waits for plays that run inside the protosystem, and keeps new ones out until the snapshot is taken.
  - A run that is killed leaves the old or the new snapshots. The next run clears up.
author:
  - The stateless.linux contributors (!UNKNOWN)
options:
  protosystem:
    description: The protosystem.
    type: str
    required: true
  state:
    description:
      - V(present) takes a snapshot, unless the newest one holds the same content.
      - V(absent) removes the snapshot O(serial), or all but the last O(keep_last).
    type: str
    choices: [present, absent]
    default: present
  serial:
    description: The number of the snapshot to remove. The number of a new one is given by the server, and never twice.
    type: int
  comment:
    description: What to remember of a new snapshot.
    type: str
    default: ""
  always:
    description: Take a snapshot even if nothing has changed since the newest one.
    type: bool
    default: false
  digest:
    description:
      - Compute the content digest, by which the module knows whether anything has changed.
      - If V(false), a snapshot is always taken, since there is nothing to compare.
      - The first digest reads every file, the following ones only those that have changed.
    type: bool
    default: true
  keep_last:
    description:
      - Keep this many of the newest snapshots, and remove the older ones.
      - Never removed is one that a channel points to, that is published, or that is mounted. Such are reported in
        RV(kept_in_use).
    type: int
  lock_timeout:
    description: Seconds to wait for another run that changes the protosystem, or for plays inside it.
    type: int
    default: 60
requirements:
  - a server set up by the role P(stateless.linux.server#role)
  - util-linux
extends_documentation_fragment:
  - stateless.linux.attributes
seealso:
  - module: stateless.linux.snapshot_info
  - module: stateless.linux.protosystem
"""

EXAMPLES = r"""
- name: Take a snapshot if anything has changed since the newest one, and keep the last five
  stateless.linux.snapshot:
    protosystem: lab-desktop
    comment: security updates of November
    keep_last: 5
  register: taken

- name: Show its number
  ansible.builtin.debug:
    var: taken.snapshot.serial

- name: Remove one snapshot
  stateless.linux.snapshot:
    protosystem: lab-desktop
    serial: 3
    state: absent

- name: Remove all but the last two
  stateless.linux.snapshot:
    protosystem: lab-desktop
    keep_last: 2
    state: absent
"""

RETURN = r"""
snapshot:
  description:
    - The newest snapshot. In check mode, one that would be taken, with what is known of it before.
  returned: O(state=present)
  type: dict
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
removed:
  description: The numbers of the snapshots that were removed.
  type: list
  elements: int
  returned: success
  sample: [2, 3]
kept_in_use:
  description: The snapshots that O(keep_last) would have removed, if they were not in use.
  type: list
  elements: dict
  returned: success
  contains:
    serial:
      description: The number of the snapshot.
      type: int
      returned: always
      sample: 1
    reasons:
      description: What needs it.
      type: list
      elements: str
      returned: always
      sample: [the channel stable points to it]
seconds:
  description: How many seconds writers in the protosystem had to wait at most, while the volume was copied.
  type: float
  returned: O(state=present)
  sample: 0.41
actions:
  description: What was done. In check mode, what would be done.
  type: list
  elements: str
  returned: success
  sample: [take snapshot 7 of lab-desktop]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stateless.linux.plugins.module_utils import _module
from ansible_collections.stateless.linux.plugins.module_utils._plan import Outcome
from ansible_collections.stateless.linux.plugins.module_utils._server import load
from ansible_collections.stateless.linux.plugins.module_utils._snapshot.state import Wanted, absent, present


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "protosystem": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "serial": {"type": "int"},
            "comment": {"type": "str", "default": ""},
            "always": {"type": "bool", "default": False},
            "digest": {"type": "bool", "default": True},
            "keep_last": {"type": "int"},
            "lock_timeout": {"type": "int", "default": 60},
        },
        required_if=[("state", "absent", ("serial", "keep_last"), True)],
        supports_check_mode=True,
    )
    options = module.params

    def work() -> Outcome:
        if options["state"] == "absent":
            return absent(
                load(),
                options["protosystem"],
                options["serial"],
                options["keep_last"],
                module.check_mode,
                options["lock_timeout"],
            )
        wanted = Wanted(
            options["comment"], options["always"], options["digest"], options["keep_last"], options["lock_timeout"]
        )
        return present(load(), options["protosystem"], wanted, module.check_mode)

    if options["state"] == "present" and options["serial"] is not None:
        module.fail_json(msg="serial: the server numbers new snapshots: leave it out (or remove one by state absent)")
    _module.state(module, work)


if __name__ == "__main__":
    main()
