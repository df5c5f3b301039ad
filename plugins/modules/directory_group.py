#!/usr/bin/python
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: directory_group
short_description: Say what groups of machines run
version_added: 1.0.0
description:
  - States groups of clients in the LDAP directory, one by its name, or any number with O(groups).
  - What is mentioned becomes so, in one change of the entry. What is not mentioned stays.
  - A client that is in several groups runs what the one with the lowest priority says, unless its own entry says
    something. The module M(stateless.linux.directory_info) explains it.
author:
  - The stateless.linux contributors (!UNKNOWN)
options:
  name:
    description:
      - The name of the group. It is found in any spelling (case does not matter), and keeps the one that it was made
        with.
      - 1 to 64 characters, with no control characters and single spaces only between words.
    type: str
  previous_name:
    description:
      - What the group was called before. If there is such a group, it is renamed and keeps its members.
      - If there is none, nothing happens, so that it can stay in the playbook.
    type: str
  members:
    description:
      - Names of clients that are in it. They must exist.
      - They are added to those that are in it, unless O(exact=true).
    type: list
    elements: str
  priority:
    description:
      - Which group counts if a client is in several. The lowest does, and of equals the first by name.
      - A group that was never given one has V(100).
    type: int
  description:
    description: What it is, for people. At most 1024 characters. Empty takes it away.
    type: str
  protosystem:
    description:
      - The protosystem to run. It counts for its members, unless they say something themselves, or a group before it
        does.
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
  groups:
    description: Groups, instead of one by O(name).
    type: list
    elements: dict
    suboptions:
      name:
        description: See O(name).
        type: str
        required: true
      previous_name:
        description:
          - What the group was called before. If there is such a group, it is renamed and keeps its members.
          - If there is none, nothing happens, so that it can stay in the playbook.
        type: str
      members:
        description:
          - Names of clients that are in it. They must exist.
          - They are added to those that are in it, unless O(exact=true).
        type: list
        elements: str
      priority:
        description:
          - Which group counts if a client is in several. The lowest does, and of equals the first by name.
          - A group that was never given one has V(100).
        type: int
      description:
        description: What it is, for people. At most 1024 characters. Empty takes it away.
        type: str
      protosystem:
        description:
          - The protosystem to run. It counts for its members, unless they say something themselves, or a group before
            it does.
          - Empty takes it away.
        type: str
      channel:
        description:
          - The channel of the protosystem to follow. Empty takes it away.
          - Without O(groups[].protosystem) it is a channel of the protosystem that is named elsewhere, for a client
            by a group.
        type: str
      serial:
        description:
          - The number of the snapshot of O(groups[].protosystem) to run, whatever channel is followed. V(0) takes it
            away.
          - It needs O(groups[].protosystem), here or in the directory already.
        type: int
      format:
        description: The format to boot, V(nfs), V(ram) or V(blocks). Empty takes it away.
        type: str
      kernel_arguments:
        description: More kernel arguments, each one word without C($). An empty list takes them away.
        type: list
        elements: str
      state:
        description: See O(state), which is the default.
        type: str
        choices: [present, absent]
      exact:
        description: See O(exact), which is the default.
        type: bool
  state:
    description: Whether the group is there. Its members stay when it is removed.
    type: str
    choices: [present, absent]
    default: present
  exact:
    description:
      - Whether the list O(members) is meant whole, so that who is not named in it leaves. If it is not given, the
        members stay as they are.
    type: bool
    default: false
extends_documentation_fragment:
  - stateless.linux.directory
  - stateless.linux.directory.module
  - stateless.linux.attributes
seealso:
  - module: stateless.linux.directory_client
  - module: stateless.linux.directory_info
"""

EXAMPLES = r"""
- name: Let all of a lab run the channel stable, from memory
  stateless.linux.directory_group:
    name: lab
    members: [pc1, pc2]
    protosystem: lab-desktop
    channel: stable
    format: ram

- name: Let some of them try what comes next
  stateless.linux.directory_group:
    name: early birds
    priority: 10
    members: [pc2]
    channel: testing

- name: Move a whole group with one change
  stateless.linux.directory_group:
    name: lab
    channel: testing

- name: Let nobody else be in it
  stateless.linux.directory_group:
    name: early birds
    members: [pc1]
    exact: true

- name: Make several groups
  stateless.linux.directory_group:
    groups:
      - {name: library, protosystem: kiosk, channel: stable}
      - {name: old lab, state: absent}
"""

RETURN = r"""
groups:
  description: The groups that the task names and that are there, in its order. In check mode, as they would be.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name, as the task has it.
      type: str
      returned: always
      sample: lab
    priority:
      description: Which group counts if a client is in several, the lowest first.
      type: int
      returned: always
      sample: 100
    members:
      description: The names of the clients that are in it. A member that is no client is given by its DN.
      type: list
      elements: str
      returned: always
      sample: [pc1, pc2]
    description:
      description: What it is, for people. V(null) if not said.
      type: str
      returned: always
      sample: room 12
    protosystem:
      description: The protosystem that it names. V(null) if not said.
      type: str
      returned: always
      sample: lab-desktop
    channel:
      description: The channel that it names. V(null) if not said.
      type: str
      returned: always
      sample: stable
    serial:
      description: The number of the snapshot that it names. V(null) if not said.
      type: int
      returned: always
      sample: 6
    format:
      description: The format that it names. V(null) if not said.
      type: str
      returned: always
      sample: ram
    kernel_arguments:
      description: Its kernel arguments.
      type: list
      elements: str
      returned: always
      sample: [quiet]
actions:
  description: What was done. In check mode, what would be done.
  returned: success
  type: list
  elements: str
  sample: [change statelessAssignedChannel of group lab]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stateless.linux.plugins.module_utils import _module
from ansible_collections.stateless.linux.plugins.module_utils._directory import options as shared
from ansible_collections.stateless.linux.plugins.module_utils._directory.connection import MISSING
from ansible_collections.stateless.linux.plugins.module_utils._directory.groups import Wanted, state
from ansible_collections.stateless.linux.plugins.module_utils._directory.session import connect
from ansible_collections.stateless.linux.plugins.module_utils._directory.tree import Tree
from ansible_collections.stateless.linux.plugins.module_utils._plan import Outcome

GROUP: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str"},
    "previous_name": {"type": "str"},
    "members": {"type": "list", "elements": "str"},
    "priority": {"type": "int"},
    **shared.SAID,
    "state": {"type": "str", "choices": ["present", "absent"]},
    "exact": {"type": "bool"},
}


def wanted(item: t.Mapping[str, t.Any]) -> Wanted:
    return Wanted(
        name=item["name"],
        previous_name=item["previous_name"],
        members=item["members"],
        priority=item["priority"],
        said=shared.said(item),
        exact=item["exact"],
        present=item["state"] == "present",
    )


def main() -> None:
    module = AnsibleModule(**shared.arguments(GROUP, "groups"))
    _module.require(module, MISSING, "python-ldap", "ldap")
    options = module.params

    def work() -> Outcome:
        tree = Tree.at("suffix", options["suffix"])
        items = [wanted(item) for item in shared.one_or_many(options, "groups", GROUP)]
        return state(connect(shared.login(options)), tree, items, module.check_mode)

    _module.state(module, work)


if __name__ == "__main__":
    main()
