#!/usr/bin/python
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: directory_client
short_description: Say which machines there are, and what they run
version_added: 1.0.0
description:
  - States clients in the LDAP directory, one by its name, or any number with O(clients), which takes one search and
    writes only what has changed.
  - What is mentioned becomes so, in one change of the entry. What is not mentioned stays.
  - What a client runs is decided in this order, by what is said in its own entry, in its groups (the lowest priority
    first), in the entry C(ou=clients), and by the default channel of the protosystem. The module
    M(stateless.linux.directory_info) explains it.
  - A run that is killed can be run again. No client loses a group on the way, renamed or not.
author:
  - The stateless.linux contributors (!UNKNOWN)
options:
  name:
    description:
      - The name of the client. It is found in any spelling (case does not matter), and keeps the one that it was made
        with.
      - 1 to 64 characters, with no control characters and single spaces only between words.
    type: str
  previous_name:
    description:
      - What the client was called before. If there is such a client, it is renamed, and stays in its groups.
      - If there is none, nothing happens, so that it can stay in the playbook.
    type: str
  mac:
    description:
      - Its MAC addresses, six pairs of hexadecimal digits with colons, hyphens, dots or nothing between them. Quote
        them, since YAML reads some as numbers.
      - They are added to those that it has, unless O(exact=true).
      - An address belongs to one client. It can only be given to another if the same task takes it away from the first.
    type: list
    elements: str
  groups:
    description:
      - Groups that it is in. They must exist.
      - They are added to those that it is in, unless O(exact=true).
    type: list
    elements: str
  description:
    description: What it is, for people. At most 1024 characters. Empty takes it away.
    type: str
  protosystem:
    description:
      - The protosystem to run. It counts for the client itself, whatever its groups say.
      - Empty takes it away.
    type: str
  channel:
    description:
      - The channel of the protosystem to follow. Empty takes it away.
      - Without O(protosystem) it is a channel of the protosystem that is named elsewhere, for a client by a group.
    type: str
  serial:
    description:
      - The number of the snapshot of O(protosystem) to run, whatever channel is followed. V(0) takes it away.
      - It needs O(protosystem), here or in the directory already.
    type: int
  format:
    description: The format to boot, V(nfs), V(ram) or V(blocks). Empty takes it away.
    type: str
  kernel_arguments:
    description: More kernel arguments, each one word without C($). An empty list takes them away.
    type: list
    elements: str
  password:
    description:
      - The password with which the machine logs in to the directory as its own entry, to report what it runs. One
        line of at most 256 bytes.
      - It is stored as a salted hash (SHA-512 of C(crypt(5\))), and checked by logging in, so that it is only written
        if it is another.
    type: str
  clients:
    description: Clients, instead of one by O(name).
    type: list
    elements: dict
    suboptions:
      name:
        description: See O(name).
        type: str
        required: true
      previous_name:
        description:
          - What the client was called before. If there is such a client, it is renamed, and stays in its groups.
          - If there is none, nothing happens, so that it can stay in the playbook.
        type: str
      mac:
        description:
          - Its MAC addresses, six pairs of hexadecimal digits with colons, hyphens, dots or nothing between them.
            Quote them, since YAML reads some as numbers.
          - They are added to those that it has, unless O(exact=true).
          - An address belongs to one client. It can only be given to another if the same task takes it away from the
            first.
        type: list
        elements: str
      groups:
        description:
          - Groups that it is in. They must exist.
          - They are added to those that it is in, unless O(exact=true).
        type: list
        elements: str
      description:
        description: What it is, for people. At most 1024 characters. Empty takes it away.
        type: str
      protosystem:
        description:
          - The protosystem to run. It counts for the client itself, whatever its groups say.
          - Empty takes it away.
        type: str
      channel:
        description:
          - The channel of the protosystem to follow. Empty takes it away.
          - Without O(clients[].protosystem) it is a channel of the protosystem that is named elsewhere, for a client
            by a group.
        type: str
      serial:
        description:
          - The number of the snapshot of O(clients[].protosystem) to run, whatever channel is followed. V(0) takes it
            away.
          - It needs O(clients[].protosystem), here or in the directory already.
        type: int
      format:
        description: The format to boot, V(nfs), V(ram) or V(blocks). Empty takes it away.
        type: str
      kernel_arguments:
        description: More kernel arguments, each one word without C($). An empty list takes them away.
        type: list
        elements: str
      password:
        description:
          - The password with which the machine logs in to the directory as its own entry, to report what it runs. One
            line of at most 256 bytes.
          - It is stored as a salted hash (SHA-512 of C(crypt(5\))), and checked by logging in, so that it is only
            written if it is another.
        type: str
      state:
        description: See O(state), which is the default.
        type: str
        choices: [present, absent]
      exact:
        description: See O(exact), which is the default.
        type: bool
  others:
    description:
      - What counts last, that is for clients about which neither their entry nor a group says it, and for machines
        without an entry. It is kept in the entry C(ou=clients).
      - The options mean the same as for a client. What is not given stays.
    type: dict
    suboptions:
      description:
        description: See O(description).
        type: str
      protosystem:
        description: See O(protosystem).
        type: str
      channel:
        description: See O(channel).
        type: str
      serial:
        description: See O(serial).
        type: int
      format:
        description: See O(format).
        type: str
      kernel_arguments:
        description: See O(kernel_arguments).
        type: list
        elements: str
  state:
    description: Whether the client is there. One that is removed is also removed from its groups.
    type: str
    choices: [present, absent]
    default: present
  exact:
    description:
      - Whether the lists O(mac) and O(groups) are meant whole, so that what they do not name is taken away. A list
        that is not given stays as it is.
    type: bool
    default: false
extends_documentation_fragment:
  - stateless.linux.directory
  - stateless.linux.directory.module
  - stateless.linux.attributes
seealso:
  - module: stateless.linux.directory_group
  - module: stateless.linux.directory_info
  - module: stateless.linux.directory_server
"""

EXAMPLES = r"""
- name: Add a machine that runs the channel stable of lab-desktop
  stateless.linux.directory_client:
    server_uri: ldaps://srv1.example.org
    ca_path: /etc/stateless/directory.pem
    bind_dn: cn=alice,ou=administrators,ou=identities,o=stateless
    bind_pw: "{{ vault_alice }}"
    name: pc1
    mac: "52:54:00:12:34:56"
    protosystem: lab-desktop
    channel: stable

# With module_defaults for group/stateless.linux.directory, no task needs to say how to log in.

- name: Load all machines of the inventory in one task
  stateless.linux.directory_client:
    clients: "{{ machines }}"
  vars:
    machines:
      - {name: pc1, mac: "52:54:00:12:34:56", groups: [lab]}
      - {name: pc2, mac: "52:54:00:12:34:57", groups: [lab], channel: testing}
      - {name: pc3, state: absent}

- name: Let one machine run a snapshot, whatever its channel points at
  stateless.linux.directory_client:
    name: pc1
    protosystem: lab-desktop
    serial: 6

- name: Let all other machines run the kiosk, those without an entry, too
  stateless.linux.directory_client:
    others: {protosystem: kiosk, channel: stable, format: ram}

- name: Let it follow its groups again
  stateless.linux.directory_client:
    name: pc1
    protosystem: ""
    channel: ""
    serial: 0

- name: The machine got another network card
  stateless.linux.directory_client:
    name: pc1
    mac: "52:54:00:ab:cd:ef"
    exact: true

- name: Rename a machine
  stateless.linux.directory_client:
    name: reception
    previous_name: pc1
"""

RETURN = r"""
clients:
  description: The clients that the task names and that are there, in its order. In check mode, as they would be.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name, as the task has it.
      type: str
      returned: always
      sample: pc1
    mac:
      description: The MAC addresses, lower case, with colons.
      type: list
      elements: str
      returned: always
      sample: ["52:54:00:12:34:56"]
    groups:
      description: The groups that it is in.
      type: list
      elements: str
      returned: always
      sample: [lab]
    description:
      description: What it is, for people. V(null) if not said.
      type: str
      returned: always
      sample: the machine at the door
    protosystem:
      description: The protosystem that its own entry names. V(null) if not said.
      type: str
      returned: always
      sample: lab-desktop
    channel:
      description: The channel that its own entry names. V(null) if not said.
      type: str
      returned: always
      sample: stable
    serial:
      description: The number of the snapshot that its own entry names. V(null) if not said.
      type: int
      returned: always
      sample: 6
    format:
      description: The format that its own entry names. V(null) if not said.
      type: str
      returned: always
      sample: nfs
    kernel_arguments:
      description: The kernel arguments of its own entry.
      type: list
      elements: str
      returned: always
      sample: [quiet]
others:
  description:
    - What counts last, and for machines without an entry, that is C(description), C(protosystem), C(channel),
      C(serial), C(format) (V(null) if not said) and C(kernel_arguments).
  returned: success
  type: dict
  sample:
    description: null
    protosystem: kiosk
    channel: stable
    serial: null
    format: ram
    kernel_arguments: []
actions:
  description: What was done. In check mode, what would be done.
  returned: success
  type: list
  elements: str
  sample: [add client pc1, "add to group lab: pc1"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stateless.linux.plugins.module_utils import _module
from ansible_collections.stateless.linux.plugins.module_utils._directory import options as shared
from ansible_collections.stateless.linux.plugins.module_utils._directory.clients import Wanted, state
from ansible_collections.stateless.linux.plugins.module_utils._directory.connection import MISSING
from ansible_collections.stateless.linux.plugins.module_utils._directory.session import Passwords, connect
from ansible_collections.stateless.linux.plugins.module_utils._directory.tree import Tree
from ansible_collections.stateless.linux.plugins.module_utils._plan import Outcome

CLIENT: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str"},
    "previous_name": {"type": "str"},
    "mac": {"type": "list", "elements": "str"},
    "groups": {"type": "list", "elements": "str"},
    **shared.SAID,
    "password": {"type": "str", "no_log": True},
    "state": {"type": "str", "choices": ["present", "absent"]},
    "exact": {"type": "bool"},
}


def wanted(item: t.Mapping[str, t.Any]) -> Wanted:
    return Wanted(
        name=item["name"],
        previous_name=item["previous_name"],
        mac=item["mac"],
        groups=item["groups"],
        said=shared.said(item),
        password=item["password"],
        exact=item["exact"],
        present=item["state"] == "present",
    )


def main() -> None:
    module = AnsibleModule(**shared.arguments(CLIENT, "clients", others={"type": "dict", "options": shared.SAID}))
    _module.require(module, MISSING, "python-ldap", "ldap")
    options = module.params

    def work() -> Outcome:
        tree = Tree.at("suffix", options["suffix"])
        login = shared.login(options)
        items = [wanted(item) for item in shared.one_or_many(options, "clients", CLIENT)]
        return state(connect(login), Passwords(login), tree, items, module.check_mode, options["others"])

    _module.state(module, work)


if __name__ == "__main__":
    main()
