#!/usr/bin/python
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cached_root
short_description: Say which root a caching client boots next
version_added: 1.0.0
description:
  - Runs on a caching client, a machine with a copy of its root on its own disk, and has a root booted at its next
    restart. One that the disk does not have is fetched as C(stateless update) does it, while the machine runs.
  - Where the directory says which, the root is booted with the kernel arguments that the directory gives this machine.
    If these are others than before, that is a change, too. Without the directory, those in use go on.
  - The new root is booted on trial. If the machine does not come up healthy, it is back on the one before by itself.
  - The machine is not restarted; RV(reboot_required) says whether that would change what it runs.
author:
  - The stateless.linux contributors (!UNKNOWN)
options:
  protosystem:
    description: The protosystem of O(serial). Without this, that of what runs.
    type: str
  serial:
    description:
      - The snapshot to boot next. Without this, the one that the directory says.
      - With O(rollback=true), it has to be a good one on the disk. Without this, it is then the newest good one besides
        what runs.
    type: int
  rollback:
    description:
      - Go back to a root that was good here, without fetching anything.
      - C(stateless update) then stays away from what was rolled back from, until another one is assigned.
    type: bool
    default: false
  again:
    description: Boot the root even if it failed here before, or somebody rolled back from it.
    type: bool
    default: false
  urls:
    description:
      - Where images are published.
      - Without this, what the image says (O(stateless.linux.client_command#module:caching)).
    type: list
    elements: str
  limit:
    description: Bytes per second that are fetched at most; V(0) is as many as come. Without this, what the image says.
    type: int
requirements:
  - A machine that was installed by C(stateless install); the guide C(docs/caching-clients.md) says how.
extends_documentation_fragment:
  - stateless.linux.attributes
seealso:
  - module: stateless.linux.cached_root_info
  - module: stateless.linux.client_command
"""

EXAMPLES = r"""
- name: Fetch what the directory says, and boot it at the next restart
  stateless.linux.cached_root:
  register: staged

- name: Restart where that changes what runs
  ansible.builtin.reboot:
  when: staged.reboot_required

- name: Boot snapshot 12 next, and take no more than two megabytes a second
  stateless.linux.cached_root:
    serial: 12
    limit: 2000000

- name: Go back to the root before
  stateless.linux.cached_root:
    rollback: true
"""

RETURN = r"""
actions:
  description: What was done. In check mode, what would be done.
  type: list
  elements: str
  returned: success
  sample: ["fetch lab-desktop 12, and boot it next"]
root:
  description: The root that is booted next.
  type: dict
  returned: success
  contains:
    protosystem:
      description: Its protosystem.
      type: str
      returned: always
      sample: lab-desktop
    serial:
      description: Its serial.
      type: int
      returned: always
      sample: 12
reboot_required:
  description: Whether that is another one than what runs, or with other kernel arguments.
  type: bool
  returned: success
  sample: true
fetched:
  description: Bytes that were fetched. In check mode, those of the changed blocks.
  type: int
  returned: success
  sample: 20971520
removed:
  description: Roots that had to go for it, or had their time. Not foreseen in check mode.
  type: list
  elements: dict
  returned: success
  sample: [{protosystem: lab-desktop, serial: 9}]
roots:
  description: The roots on the disk afterwards. In check mode, before.
  type: list
  elements: dict
  returned: success
  contains:
    protosystem:
      description: Its protosystem.
      type: str
      returned: always
      sample: lab-desktop
    serial:
      description: Its serial.
      type: int
      returned: always
      sample: 12
    state:
      description: V(good), V(trial), V(failed), V(unused) (nothing boots it) or V(unfinished).
      type: str
      returned: always
      sample: trial
    tries:
      description: Tries that are left of one on trial; null of others.
      type: int
      returned: always
      sample: 3
    why:
      description: What was wrong with one that failed; null of others, and of one that could not say so.
      type: str
      returned: always
      sample: null
    runs:
      description: Whether it is what runs.
      type: bool
      returned: always
      sample: false
    next:
      description: Whether it is booted next.
      type: bool
      returned: always
      sample: true
    used:
      description: Bytes of the pool that it has, alone or with others.
      type: int
      returned: always
      sample: 1610612736
pool:
  description: The pool that they are in.
  type: dict
  returned: success
  contains:
    size:
      description: Bytes.
      type: int
      returned: always
      sample: 17179869184
    used:
      description: Bytes that are used.
      type: int
      returned: always
      sample: 2147483648
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stateless.linux.plugins.module_utils import _module
from ansible_collections.stateless.linux.plugins.module_utils._client.cached_state import apply
from ansible_collections.stateless.linux.plugins.module_utils._client.places import Places


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "protosystem": {"type": "str"},
            "serial": {"type": "int"},
            "rollback": {"type": "bool", "default": False},
            "again": {"type": "bool", "default": False},
            "urls": {"type": "list", "elements": "str"},
            "limit": {"type": "int"},
        },
        required_by={"protosystem": ["serial"]},
        supports_check_mode=True,
    )
    _module.state(module, lambda: apply(module.params, module.check_mode, Places()))


if __name__ == "__main__":
    main()
