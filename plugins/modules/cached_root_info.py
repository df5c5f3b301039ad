#!/usr/bin/python
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cached_root_info
short_description: Say which roots a caching client has
version_added: 1.0.0
description:
  - Runs on a caching client, a machine with a copy of its root on its own disk, and says which roots that has, which of
    them runs, and which is booted next.
author:
  - The stateless.linux contributors (!UNKNOWN)
options:
  verify:
    description:
      - Compare every block of these serials with what was published. An empty list is every root of the protosystem
        that runs.
      - That reads all of them; nothing is fetched. C(stateless verify --mend) has them as they should be.
    type: list
    elements: int
requirements:
  - A machine that was installed by C(stateless install); the guide C(docs/caching-clients.md) says how.
extends_documentation_fragment:
  - stateless.linux.attributes.info
seealso:
  - module: stateless.linux.cached_root
"""

EXAMPLES = r"""
- name: Learn which roots the machine has
  stateless.linux.cached_root_info:
  register: cached

- name: Say what it boots next
  ansible.builtin.debug:
    msg: "{{ cached.roots | selectattr('next') | map(attribute='serial') | first }}"

- name: Find roots whose blocks are not what was published
  stateless.linux.cached_root_info:
    verify: []
  register: cached
  failed_when: cached.verified | selectattr('differing') | length > 0
"""

RETURN = r"""
roots:
  description: The roots on the disk.
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
      sample: good
    tries:
      description: Tries that are left of one on trial; null of others.
      type: int
      returned: always
      sample: null
    why:
      description: What was wrong with one that failed; null of others, and of one that could not say so.
      type: str
      returned: always
      sample: null
    runs:
      description: Whether it is what runs.
      type: bool
      returned: always
      sample: true
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
verified:
  description: What came of the comparison.
  type: list
  elements: dict
  returned: if O(verify) was given
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
    blocks:
      description: Blocks of 4096 bytes that it has.
      type: int
      returned: always
      sample: 524288
    differing:
      description: Those that differ.
      type: int
      returned: always
      sample: 0
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stateless.linux.plugins.module_utils import _module
from ansible_collections.stateless.linux.plugins.module_utils._client.cached_state import info
from ansible_collections.stateless.linux.plugins.module_utils._client.places import Places


def main() -> None:
    module = AnsibleModule(
        argument_spec={"verify": {"type": "list", "elements": "int"}},
        supports_check_mode=True,
    )
    _module.info(module, lambda: info(module.params, Places()))


if __name__ == "__main__":
    main()
