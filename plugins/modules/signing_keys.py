#!/usr/bin/python
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: signing_keys
short_description: Make and retire the keys by which caching clients trust a server
version_added: 1.0.0
description:
  - Caching clients take nothing that is not signed by a key that their own root trusts. This makes the keys of a
    server, Ed25519, and writes their public parts to the file that the role P(stateless.linux.client#role) brings into
    protosystems.
  - The role P(stateless.linux.server#role) runs this module. Private keys are C(/etc/stateless/keys/NAME), of root
    with the mode 0600, without a passphrase. They leave the server in its backup alone, which you need.
  - The module M(stateless.linux.image) signs with all keys that there are. What is published already, it signs anew
    with the next task for its protosystem.
author:
  - The stateless.linux contributors (!UNKNOWN)
options:
  names:
    description:
      - The names of all keys of the server, 1 to 16. A key that is missing is made. A key that is not named is removed,
        and with it the private part.
      - Keys are changed in two steps. First name a second key, bring it to all clients by applying the role
        P(stateless.linux.client#role) to their protosystems and publishing them. When all clients run such an image,
        name the second key alone. A task that would remove all keys that there are is refused.
    type: list
    elements: str
    required: true
requirements:
  - ssh-keygen (OpenSSH 8.1)
extends_documentation_fragment:
  - stateless.linux.attributes
seealso:
  - module: stateless.linux.image
"""

EXAMPLES = r"""
- name: Have one key
  stateless.linux.signing_keys:
    names: [first]

- name: Begin to change it
  stateless.linux.signing_keys:
    names: [first, second]

- name: Retire the first, once all clients run an image that was published since
  stateless.linux.signing_keys:
    names: [second]
"""

RETURN = r"""
keys:
  description: The keys, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of the key.
      type: str
      returned: always
      sample: first
    public_key:
      description: Its public part. V(null) in check mode if it is not made yet.
      type: str
      returned: always
      sample: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHUb0cLbMMWGe3Bk4xq5oTrUq8Zpq5a5qjJ0mC3u5kqH
trusted_keys:
  description: The text of C(/etc/stateless/trusted-keys), a file of allowed signers as ssh-keygen(1) has them.
  returned: success
  type: str
  sample: "* namespaces=\"blocks@stateless.linux\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHUb0cLbMMWGe3Bk4 first\n"
actions:
  description: What was done. In check mode, what would be done.
  returned: success
  type: list
  elements: str
  sample: [make the key second, write /etc/stateless/trusted-keys]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stateless.linux.plugins.module_utils import _module
from ansible_collections.stateless.linux.plugins.module_utils._blocks.keys import state
from ansible_collections.stateless.linux.plugins.module_utils._server import Server


def main() -> None:
    module = AnsibleModule(
        # names of keys are no secrets
        argument_spec={"names": {"type": "list", "elements": "str", "required": True, "no_log": False}},
        supports_check_mode=True,
    )
    # where keys are does not depend on the server's settings, which need not be written yet
    _module.state(module, lambda: state(Server("file"), module.params["names"], module.check_mode))


if __name__ == "__main__":
    main()
