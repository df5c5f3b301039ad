#!/usr/bin/python
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: protosystem_info
short_description: List the protosystems of a server
version_added: 1.0.0
description:
  - Lists the protosystems that a server has.
author:
  - The stateless.linux contributors (!UNKNOWN)
options:
  name:
    description: Only the protosystem of this name. By default, all.
    type: str
requirements:
  - a server set up by the role P(stateless.linux.server#role)
extends_documentation_fragment:
  - stateless.linux.attributes.info
seealso:
  - module: stateless.linux.protosystem
"""

EXAMPLES = r"""
- name: Read the protosystems
  stateless.linux.protosystem_info:
  register: found

- name: Show those that are booted
  ansible.builtin.debug:
    msg: "{{ found.protosystems | selectattr('booted') | map(attribute='name') }}"
"""

RETURN = r"""
protosystems:
  description: The protosystems, by name. Empty if there is none.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Its name.
      type: str
      returned: always
      sample: lab-desktop
    filesystem:
      description: Its filesystem, V(ext4) or V(xfs).
      type: str
      returned: always
      sample: ext4
    size:
      description: The size of its volume in bytes. V(null) if the volume is gone.
      type: int
      returned: always
      sample: 8589934592
    used:
      description: How many bytes its files use. V(null) if it is not mounted.
      type: int
      returned: always
      sample: 1263403008
    path:
      description: Where its root directory is mounted on the server.
      type: str
      returned: always
      sample: /srv/stateless/protosystems/lab-desktop
    mounted:
      description: Whether it is mounted there.
      type: bool
      returned: always
      sample: true
    booted:
      description: Whether it is booted in its container.
      type: bool
      returned: always
      sample: false
    created:
      description: When it was made, in ISO 8601, UTC.
      type: str
      returned: always
      sample: "2026-11-23T09:00:00+00:00"
    default_channel:
      description: The channel of clients for which none is named. Empty if there is none.
      type: str
      returned: always
      sample: stable
    source:
      description: What it was made from, by the name of the option.
      type: dict
      returned: always
      sample: {"bootstrap": {"tool": "mmdebstrap", "release": "bookworm"}}
    snapshots:
      description: The numbers of its snapshots, oldest first.
      type: list
      elements: int
      returned: always
      sample: [1, 2, 5]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stateless.linux.plugins.module_utils import _module
from ansible_collections.stateless.linux.plugins.module_utils._server import load
from ansible_collections.stateless.linux.plugins.module_utils._snapshot.protosystem import information


def main() -> None:
    module = AnsibleModule(argument_spec={"name": {"type": "str"}}, supports_check_mode=True)
    _module.info(module, lambda: {"protosystems": information(load(), module.params["name"])})


if __name__ == "__main__":
    main()
