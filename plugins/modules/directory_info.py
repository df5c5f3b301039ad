#!/usr/bin/python
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: directory_info
short_description: Say what machines run, what they should run, and why
version_added: 1.0.0
description:
  - Reads clients, groups and protosystems from the LDAP directory, and says for each client what it should run,
    because of which entry, and whether a reboot would change it.
  - What is said counts in this order, by the client's own entry, by its groups (the lowest priority first, then by
    name), by the entry C(ou=clients), which is also for machines without an entry.
  - The first of them that names a protosystem decides that. The first that names a snapshot or a channel, and no
    other protosystem, decides that. If none does, it is the protosystem's default channel. Format and kernel
    arguments come from the first that names them.
author:
  - The stateless.linux contributors (!UNKNOWN)
options:
  name:
    description: Only the clients with these names, in any spelling, and what counts for them.
    type: list
    elements: str
    default: []
  mac:
    description: Only the clients with these MAC addresses, in any spelling, and what counts for them. Quote them.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - stateless.linux.directory
  - stateless.linux.directory.module
  - stateless.linux.attributes.info
seealso:
  - module: stateless.linux.directory_client
  - module: stateless.linux.directory_group
"""

EXAMPLES = r"""
- name: Read the directory
  stateless.linux.directory_info:
    server_uri: ldaps://srv1.example.org
    ca_path: /etc/stateless/directory.pem
    bind_dn: cn=watch,ou=clients,ou=identities,o=stateless
    bind_pw: "{{ vault_watch }}"
  register: directory

- name: Say which machines need a reboot
  ansible.builtin.debug:
    msg: "{{ directory.clients | selectattr('stale') | map(attribute='name') }}"

- name: Say which machines would not get what they should, and why
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.run.problem }}"
  loop: "{{ directory.clients | selectattr('run.problem') }}"
  loop_control:
    label: "{{ item.name }}"

- name: Ask what one machine should run
  stateless.linux.directory_info:
    mac: ["52-54-00-12-34-56"]
  register: one

- name: Explain it
  ansible.builtin.debug:
    msg: "{{ one.clients[0].run.reason }}"
"""

RETURN = r"""
clients:
  description: The clients, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name.
      type: str
      returned: always
      sample: pc1
    dn:
      description: Its entry.
      type: str
      returned: always
      sample: cn=pc1,ou=clients,o=stateless
    mac:
      description: Its MAC addresses, lower case, with colons.
      type: list
      elements: str
      returned: always
      sample: ["52:54:00:12:34:56"]
    description:
      description: What it is, for people. V(null) if not said.
      type: str
      returned: always
      sample: the machine at the door
    groups:
      description: The groups that it is in, in the order in which they count.
      type: list
      elements: str
      returned: always
      sample: [early birds, lab]
    assigned:
      description:
        - What its own entry says, that is C(protosystem), C(channel), C(serial), C(format) (V(null) if not said) and
          C(kernel_arguments).
      type: dict
      returned: always
      sample: {"protosystem": null, "channel": null, "serial": null, "format": "ram", "kernel_arguments": []}
    run:
      description: What it should run.
      type: dict
      returned: always
      contains:
        protosystem:
          description: The protosystem. V(null) if nobody says.
          type: str
          returned: always
          sample: lab-desktop
        channel:
          description: The channel that it follows. V(null) if a snapshot is named itself, or nobody says.
          type: str
          returned: always
          sample: stable
        serial:
          description: The number of the snapshot. V(null) if it is not known.
          type: int
          returned: always
          sample: 7
        digest:
          description: The digest of the snapshot's content. V(null) if it is not known.
          type: str
          returned: always
          sample: sha256:dfa0bf042d200677601e7a1aa28b4781761fc9f5c6cfc5638f3cbeaaeb0592e2
        format:
          description: The format to boot. If nobody says, the first that is published.
          type: str
          returned: always
          sample: nfs
        kernel_arguments:
          description: More kernel arguments.
          type: list
          elements: str
          returned: always
          sample: [quiet]
        because:
          description: The DNs of the entries that decided C(protosystem), C(channel), C(serial), and so on, by field.
          type: dict
          returned: always
          sample:
            protosystem: cn=lab,ou=groups,o=stateless
            channel: cn=lab,ou=groups,o=stateless
            serial: cn=stable,cn=lab-desktop,ou=protosystems,o=stateless
        reason:
          description: The same in words.
          type: str
          returned: always
          sample: >-
            group lab (priority 100) names protosystem lab-desktop; group lab (priority 100) names channel stable, which
            points at 7
        problem:
          description: Why it would not get that if it started now. Empty if it would.
          type: str
          returned: always
          sample: "lab-desktop has no channel stable; there is: testing"
    running:
      description:
        - What it has reported to run, that is C(protosystem), C(serial), C(digest), C(format), C(since) (when it
          booted) and C(reported) (when it said so), both in ISO 8601, UTC. V(null) for what it has not.
        - C(failed) is what a caching client has booted, was not healthy with, and is back from by itself.
      type: dict
      returned: always
      sample:
        protosystem: lab-desktop
        serial: 6
        digest: sha256:0b4ea1e2d0f9a5c0f0d5c6f9a0f6a1d1d8a1f0a5b6c7d8e9f00112233445566f
        format: nfs
        since: "2026-11-23T07:02:11+00:00"
        reported: "2026-11-23T07:02:40+00:00"
        failed: lab-desktop 7
    stale:
      description:
        - Whether a reboot would change the content of what it runs. Two snapshots with the same digest are the same.
          Where a digest is missing, protosystem and number are compared.
        - V(null) if it has not reported, or what it should run is not known.
      type: bool
      returned: always
      sample: true
groups:
  description:
    - The groups, in the order in which they count. If O(name) or O(mac) was given, those of the clients found.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name.
      type: str
      returned: always
      sample: lab
    dn:
      description: Its entry.
      type: str
      returned: always
      sample: cn=lab,ou=groups,o=stateless
    description:
      description: What it is, for people. V(null) if not said.
      type: str
      returned: always
      sample: room 12
    priority:
      description: The lowest counts first.
      type: int
      returned: always
      sample: 100
    members:
      description: The names of its clients. V(null) if whoever asks may not read them.
      type: list
      elements: str
      returned: always
      sample: [pc1, pc2]
    assigned:
      description: What it says, as for clients.
      type: dict
      returned: always
      sample:
        protosystem: lab-desktop
        channel: stable
        serial: null
        format: null
        kernel_arguments: []
protosystems:
  description: The protosystems. If O(name) or O(mac) was given, those that count for the clients found.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name.
      type: str
      returned: always
      sample: lab-desktop
    dn:
      description: Its entry.
      type: str
      returned: always
      sample: cn=lab-desktop,ou=protosystems,o=stateless
    description:
      description: What it is, for people. V(null) if not said.
      type: str
      returned: always
      sample: the desktop of the labs
    default_channel:
      description: The channel for clients for which none is named. V(null) if there is none.
      type: str
      returned: always
      sample: stable
    channels:
      description: The serial that each channel points at.
      type: dict
      returned: always
      sample: {"stable": 6, "testing": 7}
    snapshots:
      description:
        - The snapshots, oldest first, each with C(serial), C(digest), C(created) (ISO 8601, UTC), C(kernel), and the
          C(formats) in which it is published.
      type: list
      elements: dict
      returned: always
      sample:
        - serial: 7
          digest: sha256:dfa0bf042d200677601e7a1aa28b4781761fc9f5c6cfc5638f3cbeaaeb0592e2
          created: "2026-11-23T09:31:12+00:00"
          kernel: 6.1.0-41-amd64
          formats: [nfs, ram]
default:
  description: What counts last, and for machines without an entry.
  returned: success
  type: dict
  contains:
    dn:
      description: The entry that says it.
      type: str
      returned: always
      sample: ou=clients,o=stateless
    assigned:
      description: What it says, as for clients.
      type: dict
      returned: always
      sample:
        protosystem: lab-desktop
        channel: null
        serial: null
        format: null
        kernel_arguments: []
    run:
      description: What a machine without an entry should run, as for clients.
      type: dict
      returned: always
      sample:
        protosystem: lab-desktop
        channel: stable
        serial: 6
        digest: null
        format: nfs
        kernel_arguments: []
        because:
          protosystem: ou=clients,o=stateless
          channel: cn=lab-desktop,ou=protosystems,o=stateless
          serial: cn=stable,cn=lab-desktop,ou=protosystems,o=stateless
        reason: >-
          the entry of all clients names protosystem lab-desktop; the protosystem's default is channel stable, which
          points at 6
        problem: ""
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stateless.linux.plugins.module_utils import _module
from ansible_collections.stateless.linux.plugins.module_utils._directory import options as shared
from ansible_collections.stateless.linux.plugins.module_utils._directory.connection import MISSING
from ansible_collections.stateless.linux.plugins.module_utils._directory.info import information
from ansible_collections.stateless.linux.plugins.module_utils._directory.session import connect
from ansible_collections.stateless.linux.plugins.module_utils._directory.tree import Tree


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **shared.LOGIN,
            "name": {"type": "list", "elements": "str", "default": []},
            "mac": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    _module.require(module, MISSING, "python-ldap", "ldap")
    options = module.params

    def work() -> dict[str, object]:
        tree = Tree.at("suffix", options["suffix"])
        session = connect(shared.login(options))
        return information(session, tree, options["name"], options["mac"])

    _module.info(module, work)


if __name__ == "__main__":
    main()
