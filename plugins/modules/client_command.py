#!/usr/bin/python
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: client_command
short_description: Let machines say what they run, and what they should run
version_added: 1.0.0
description:
  - Installs the command C(stateless) into the root of a client, and tells it which LDAP directory to ask.
  - C(stateless status) says what a machine runs, what it should run and because of which entry of the directory, and
    whether a reboot would change it. With the directory away, it says so by what was known last.
  - C(stateless report) writes into the machine's own entry what it runs. A timer of systemd does that when the machine
    is up, and every quarter of an hour. Nothing at boot waits for it.
  - The command is one file, which needs Python and python-ldap of the distribution, and no Ansible.
  - C(stateless --help) says what its exit statuses mean.
author:
  - The stateless.linux contributors (!UNKNOWN)
options:
  root:
    description:
      - The root directory to change, such as where a protosystem is mounted.
      - Nothing is read or written outside of it, whatever links there are inside.
    type: path
    default: /
  server_uri:
    description:
      - The URI of the LDAP server as machines reach it, such as V(ldaps://srv1.example.org). Of several, separated by
        spaces, the first that answers is used. Name first the one that can be written.
      - Required if O(state=present), unless O(caching) is given. Machines send their passwords there, so it must be
        V(ldaps://), or V(ldap://) with O(start_tls=true).
    type: str
  suffix:
    description: The DN below which the directory is, as the role P(stateless.linux.directory#role) was given.
    type: str
    default: o=stateless
  start_tls:
    description: Use StartTLS with V(ldap://).
    type: bool
    default: false
  ca:
    description:
      - The certificates by which the server is trusted, PEM. The role P(stateless.linux.directory#role) gives them as
        the fact C(directory_certificate).
      - They are written to C(/etc/stateless/directory.pem).
      - Without this and O(ca_path), it is what the image trusts.
    type: str
  ca_path:
    description: The file in O(root) that has these certificates.
    type: path
  caching:
    description:
      - What a machine does that has a copy of its root on its disk, a caching client. The guide
        C(docs/caching-clients.md) says how it gets one and what happens when.
      - Without this, the units of caching clients are removed.
    type: dict
    suboptions:
      urls:
        description:
          - Where images are published, C(server_url) of the role P(stateless.linux.server#role). The first that answers
            is used.
        type: list
        elements: str
        required: true
      keep:
        description: How many good roots stay on the disk, if there is room. From 1 to 100.
        type: int
        default: 3
      tries:
        description: How often a new root is tried before the machine stays with the one before. From 1 to 9.
        type: int
        default: 3
      limit:
        description: Bytes per second that are fetched at most. V(0) is as many as come.
        type: int
        default: 0
      update_interval:
        description:
          - How often the machine fetches what it should run, a time such as V(30min), V(1h) or V(1d); each machine at
            another moment. What was fetched is booted at the next restart.
          - Empty leaves it to whoever runs C(stateless update).
        type: str
        default: 1h
      health_seconds:
        description: Seconds that a machine has, once it is up, to become healthy. From 10 to 3600.
        type: int
        default: 300
      health_ignored_units:
        description: Units of systemd that may have failed on a healthy machine.
        type: list
        elements: str
        default: []
  state:
    description: V(absent) removes the command, its units and its settings.
    type: str
    choices: [present, absent]
    default: present
notes:
  - A machine proves which it is by a password, the systemd credential C(stateless.password), such as the file
    C(/etc/credstore/stateless.password), or by C(client.crt) and C(client.key) in C(/etc/stateless/identity). Neither
    belongs in an image. The boot script says its name (kernel argument C(stateless.client)), which proves nothing.
requirements:
  - In the root, Python 3.9 and python-ldap (the package C(python3-ldap)).
extends_documentation_fragment:
  - stateless.linux.attributes
seealso:
  - module: stateless.linux.directory_client
  - module: stateless.linux.directory_info
"""

EXAMPLES = r"""
- name: Let the machines of this protosystem ask the directory
  stateless.linux.client_command:
    server_uri: ldaps://srv1.example.org
    ca: "{{ hostvars['srv1']['directory_certificate'] }}"

- name: Change a protosystem from its server, which has two directories
  stateless.linux.client_command:
    root: /srv/stateless/protosystems/lab-desktop
    server_uri: ldaps://srv1.example.org ldaps://srv2.example.org
    suffix: dc=boot,dc=example,dc=org
    ca_path: /etc/ssl/certs/ca-certificates.crt

- name: Let machines have a copy of this protosystem on their disks
  stateless.linux.client_command:
    server_uri: ldaps://srv1.example.org
    caching:
      urls: [http://srv1.example.org]
      update_interval: 30min

- name: Take the command away
  stateless.linux.client_command:
    state: absent
"""

RETURN = r"""
actions:
  description: What was done. In check mode, what would be done.
  type: list
  elements: str
  returned: success
  sample: [make /etc/stateless/client.json, make /usr/bin/stateless]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stateless.linux.plugins.module_utils import _module
from ansible_collections.stateless.linux.plugins.module_utils._client.state import apply


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "default": "/"},
            "server_uri": {"type": "str"},
            "suffix": {"type": "str", "default": "o=stateless"},
            "start_tls": {"type": "bool", "default": False},
            "ca": {"type": "str"},
            "ca_path": {"type": "path"},
            "caching": {
                "type": "dict",
                "options": {
                    "urls": {"type": "list", "elements": "str", "required": True},
                    "keep": {"type": "int", "default": 3},
                    "tries": {"type": "int", "default": 3},
                    "limit": {"type": "int", "default": 0},
                    "update_interval": {"type": "str", "default": "1h"},
                    "health_seconds": {"type": "int", "default": 300},
                    "health_ignored_units": {"type": "list", "elements": "str", "default": []},
                },
            },
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["server_uri", "caching"], True)],
        mutually_exclusive=[("ca", "ca_path")],
        supports_check_mode=True,
    )
    _module.state(module, lambda: apply(module.params, module.check_mode))


if __name__ == "__main__":
    main()
