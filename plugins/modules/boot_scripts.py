#!/usr/bin/python
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: boot_scripts
short_description: Write what each machine boots
version_added: 1.0.0
description:
  - Writes the boot script (iPXE) of every machine, by its MAC addresses, and that of machines without one, all in one
    task, and removes those of machines that are no more. Only what has changed is written.
  - What they boot is said by the LDAP directory of the server, as M(stateless.linux.directory_info) explains it, or by
    O(clients).
  - A client that follows a channel is sent to the channel, so that this need not run when the channel moves. One with
    a snapshot of its own is sent to that.
  - However a run ends, each script is the old or the new one. The next run does the rest.
  - With a directory, what is published on the server and the directory are brought together first, as each run of
    M(stateless.linux.image) does it. Channels point where the directory says, its entries of snapshots and images are
    those that are published.
  - Each client has its name among its kernel arguments, as C(stateless.client=NAME), percent-encoded where it must be.
author:
  - The stateless.linux contributors (!UNKNOWN)
options:
  clients:
    description:
      - The clients, and what each boots. Whoever is not named here has no script afterwards.
      - Left out, it is what the directory of the server says (C(server_directory) of the role
        P(stateless.linux.server#role)). An entry that cannot be used stops no other. Its old script stays as it is, or
        there is one that boots nothing, and there is a warning.
    type: list
    elements: dict
    suboptions:
      name:
        description: The client's name.
        type: str
        required: true
      mac:
        description: The addresses of its network cards, in any usual spelling. Quote them.
        type: list
        elements: str
        required: true
      protosystem:
        description: The protosystem that it runs.
        type: str
        required: true
      channel:
        description: The channel of the protosystem.
        type: str
        default: stable
      format:
        description:
          - How it gets its root, V(nfs) over the network as it needs it, V(ram) as a whole into its memory.
          - V(blocks), it is a caching client, which boots from its own disk. Over the network, it goes on to the next
            boot device.
        type: str
        choices: [nfs, ram, blocks]
        default: nfs
      arguments:
        description: More kernel arguments, each one word without C($).
        type: list
        elements: str
        default: []
      address:
        description: Not used here. The list can be that of the role P(stateless.linux.server#role).
        type: str
  default_client:
    description:
      - What a machine boots that is not in O(clients).
      - Left out, such a machine goes on to its next boot device.
    type: dict
    suboptions:
      protosystem:
        description: The protosystem that it runs.
        type: str
        required: true
      channel:
        description: The channel of the protosystem.
        type: str
        default: stable
      format:
        description: How it gets its root, as for O(clients).
        type: str
        choices: [nfs, ram, blocks]
        default: nfs
      arguments:
        description: More kernel arguments, as for O(clients).
        type: list
        elements: str
        default: []
  host_names:
    description:
      - Whether clients take their name as host name (C(systemd.hostname=NAME)), if it can be one.
      - V(false) is for networks whose DHCP server gives host names.
    type: bool
    default: true
  lock_timeout:
    description: How many seconds to wait for another run that writes boot scripts, or that changes a protosystem.
    type: int
    default: 60
requirements:
  - a server set up by the role P(stateless.linux.server#role)
  - python-ldap, if the server has a directory
notes:
  - Where python-ldap is installed for the system's Python only, the module runs itself again with that.
extends_documentation_fragment:
  - stateless.linux.attributes
seealso:
  - module: stateless.linux.directory_client
  - module: stateless.linux.directory_group
  - module: stateless.linux.directory_info
  - module: stateless.linux.image
"""

EXAMPLES = r"""
- name: Have each machine boot what the directory says
  stateless.linux.boot_scripts:
  register: boot

- name: Say who does not get what it should
  ansible.builtin.debug:
    msg: "{{ item.client | default('others', true) }}: {{ item.problem }}"
  loop: "{{ boot.problems }}"
  loop_control:
    label: "{{ item.client | default('others', true) }}"

- name: Have machines boot what this list says
  stateless.linux.boot_scripts:
    clients:
      - {name: pc1, mac: "52:54:00:12:34:56", protosystem: lab-desktop}
      - {name: pc2, mac: ["52:54:00:12:34:57", "52:54:00:12:34:58"], protosystem: lab-desktop, channel: testing}
    default_client:
      protosystem: kiosk
      format: ram
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: [write 2 boot scripts, remove boot script clients/52-54-00-12-34-59.ipxe]
written:
  description: The scripts that were written, below the directory C(www/boot) of the server's root.
  returned: success
  type: list
  elements: str
  sample: [clients/52-54-00-12-34-56.ipxe, default.ipxe]
removed:
  description: The scripts that were removed.
  returned: success
  type: list
  elements: str
  sample: [clients/52-54-00-12-34-59.ipxe]
kept:
  description: The scripts that stay as they are, since what the directory says of these machines cannot be used.
  returned: success
  type: list
  elements: str
  sample: []
channels:
  description: The channels that were pointed at another serial, as the directory says, each as protosystem/channel.
  returned: success
  type: dict
  sample: {"lab-desktop/stable": 7}
problems:
  description: The clients that do not get what they should, and why. A warning tells the same.
  returned: success
  type: list
  elements: dict
  contains:
    client:
      description: The client's name. V(null) for machines that are no client.
      type: str
      returned: always
      sample: pc3
    problem:
      description: What is wrong.
      type: str
      returned: always
      sample: nothing is assigned in the directory
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stateless.linux.plugins.module_utils import _module
from ansible_collections.stateless.linux.plugins.module_utils._boot_scripts.state import Wanted, state
from ansible_collections.stateless.linux.plugins.module_utils._directory.settings import missing
from ansible_collections.stateless.linux.plugins.module_utils._plan import Outcome
from ansible_collections.stateless.linux.plugins.module_utils._server import load


def main() -> None:
    boots = {
        "protosystem": {"type": "str", "required": True},
        "channel": {"type": "str", "default": "stable"},
        "format": {"type": "str", "choices": ["nfs", "ram", "blocks"], "default": "nfs"},
        "arguments": {"type": "list", "elements": "str", "default": []},
    }
    client = {
        "name": {"type": "str", "required": True},
        "mac": {"type": "list", "elements": "str", "required": True},
        "address": {"type": "str"},
    }
    module = AnsibleModule(
        argument_spec={
            "clients": {"type": "list", "elements": "dict", "options": {**client, **boots}},
            "default_client": {"type": "dict", "options": boots},
            "host_names": {"type": "bool", "default": True},
            "lock_timeout": {"type": "int", "default": 60},
        },
        required_by={"default_client": ("clients",)},
        supports_check_mode=True,
    )
    _module.require(module, missing(), "python-ldap", "ldap")
    options = module.params

    def work() -> Outcome:
        wanted = Wanted(options["clients"], options["default_client"], options["host_names"], options["lock_timeout"])
        return state(load(), wanted, module.check_mode)

    _module.state(module, work)


if __name__ == "__main__":
    main()
