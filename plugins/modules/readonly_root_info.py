#!/usr/bin/python
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: readonly_root_info
short_description: Read the settings and lists of a read-only root, check them, and say what they come to
version_added: 1.0.0
description:
  - Reads C(/etc/sysconfig/readonly-root), C(/etc/fstab) and all lists of a root, says what will be bound at boot, and
    finds what is wrong with them before a machine boots.
  - It works on any root that has such files, written by this collection or not, and for the services of EL7, EL8 and
    EL9 as well as for this collection's own.
  - On a machine that runs the root, it also tells what is bound now, and how full scratch and state are.
author:
  - The stateless.linux contributors (!UNKNOWN)
options:
  root:
    description: The root directory to look into, such as where a protosystem is mounted.
    type: path
    default: /
  state_mount:
    description:
      - Where the filesystem of a client's state is mounted on this host, to look at lists in it that replace those of
        the image, and at conflicts. By default, it is the one that the machine itself has mounted.
    type: path
extends_documentation_fragment:
  - stateless.linux.attributes.info
seealso:
  - module: stateless.linux.readonly_root
"""

EXAMPLES = r"""
- name: Check a protosystem before it is published
  stateless.linux.readonly_root_info:
    root: /srv/stateless/protosystems/lab-desktop
  register: found
  failed_when: found.findings | selectattr('level', 'eq', 'error')

- name: Read how full the scratch of a client is
  stateless.linux.readonly_root_info:
  register: found

- name: Show it in percent
  ansible.builtin.debug:
    msg: "{{ 100 * found.scratch.used // found.scratch.size }}"
  when: found.scratch
"""

RETURN = r"""
settings:
  description: The settings.
  returned: success
  type: dict
  contains:
    enabled:
      description: Whether the root is read-only.
      type: bool
      returned: always
      sample: true
    temporary_state:
      description: Whether what the lists name is temporary although the root is writable.
      type: bool
      returned: always
      sample: false
    slave_mounts:
      description: Whether binds are slaves.
      type: bool
      returned: always
      sample: true
    scratch_mount:
      description: Where scratch is mounted.
      type: str
      returned: always
      sample: /var/lib/stateless/writable
    scratch_label:
      description: The label of the filesystem for scratch. Empty if none is looked for.
      type: str
      returned: always
      sample: ""
    scratch_options:
      description: Arguments of C(mount) for the tmpfs.
      type: str
      returned: always
      sample: -o size=1g
    state_mount:
      description: Where state is mounted.
      type: str
      returned: always
      sample: /var/lib/stateless/state
    state_label:
      description: The label of the filesystem for state. Empty if none is looked for.
      type: str
      returned: always
      sample: state
    state_options:
      description: Arguments of C(mount) for the entry of fstab.
      type: str
      returned: always
      sample: ""
    state_export:
      description: The NFS server and directory with the directories of the clients. Empty if there is none.
      type: str
      returned: always
      sample: ""
service:
  description: Which service reads the files at boot.
  returned: success
  type: dict
  contains:
    dialect:
      description:
        - V(el7) is upstream's of EL7 and EL8 (and EL9 up to 9.3), V(el9) a later one, V(own) this collection's.
      type: str
      returned: always
      sample: own
    program:
      description: The path of the program.
      type: str
      returned: always
      sample: /usr/libexec/stateless/readonly-root
    unit:
      description: The systemd unit that starts it.
      type: str
      returned: always
      sample: stateless-readonly-root.service
    enabled:
      description: Whether it starts at boot.
      type: bool
      returned: always
      sample: true
entries:
  description: What the lists name, line by line. One line may name several paths, by a pattern.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The path, as the service that reads the lists understands it.
      type: str
      returned: always
      sample: /var/lib/nginx
    kind:
      description: V(scratch) or V(state).
      type: str
      returned: always
      sample: scratch
    keep:
      description: What of the image is there at first, V(nothing), V(directories) or V(everything). V(null) for state.
      type: str
      returned: always
      sample: directories
    file:
      description: The list, as seen from the root.
      type: str
      returned: always
      sample: /etc/rwtab.d/nginx
    line:
      description: The line in it, from 1.
      type: int
      returned: always
      sample: 2
    written:
      description: The line itself.
      type: str
      returned: always
      sample: dirs /var/lib/nginx
    forward:
      description:
        - Whether what a new image brings replaces what the client has not changed. V(null) for scratch.
        - Nothing replaces C(/etc/machine-id).
        - The service of EL7 to EL9 never does so.
      type: bool
      returned: always
      sample: null
    effective:
      description: V(false) if nothing comes of it. Then there is a finding that says why.
      type: bool
      returned: always
      sample: true
plan:
  description: What will be bound at boot, in order. Empty while the root is writable and no temporary state is wanted.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Where it is bound.
      type: str
      returned: always
      sample: /var/lib/nginx
    source:
      description: From where.
      type: str
      returned: always
      sample: /var/lib/stateless/writable/var/lib/nginx
    kind:
      description: V(scratch) or V(state).
      type: str
      returned: always
      sample: scratch
    entries:
      description: The entries that are copied there beforehand, as in RV(entries).
      type: list
      elements: dict
      returned: always
findings:
  description: What is wrong with settings and lists, or may surprise.
  returned: success
  type: list
  elements: dict
  contains:
    level:
      description: V(error) if the entry cannot work, V(warning) if it may work differently from what is expected.
      type: str
      returned: always
      sample: warning
    code:
      description: A short name for programs that stays the same.
      type: str
      returned: always
      sample: missing
    file:
      description: The file, as seen from the root.
      type: str
      returned: always
      sample: /etc/rwtab.d/site
    line:
      description: The line there, from 1. It is 0 for the whole file.
      type: int
      returned: always
      sample: 3
    entry:
      description: The line or setting itself.
      type: str
      returned: always
      sample: empty /var/lib/games
    reason:
      description: What happens at boot.
      type: str
      returned: always
      sample: "The image has no /var/lib/games: nothing is made writable."
    remedy:
      description: What to do instead.
      type: str
      returned: always
      sample: Make it in the image, or remove the entry if it is not needed.
bound:
  description: What is bound from scratch or state now. Empty if the machine does not run the root.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Where it is bound.
      type: str
      returned: always
      sample: /var/lib/nginx
    kind:
      description: V(scratch) or V(state).
      type: str
      returned: always
      sample: scratch
    writable:
      description: Whether it can be written.
      type: bool
      returned: always
      sample: true
scratch:
  description: How full scratch is. V(null) if none is mounted.
  returned: success
  type: dict
  contains:
    mount:
      description: Where it is mounted.
      type: str
      returned: always
      sample: /var/lib/stateless/writable
    size:
      description: How much it holds, in bytes.
      type: int
      returned: always
      sample: 1073741824
    used:
      description: How much of it is used, in bytes.
      type: int
      returned: always
      sample: 20971520
    available:
      description: How much of it can still be written, in bytes.
      type: int
      returned: always
      sample: 1052770304
state:
  description: How full the state is. V(null) if none is mounted.
  returned: success
  type: dict
  contains:
    mount:
      description: Where it is mounted.
      type: str
      returned: always
      sample: /var/lib/stateless/state
    size:
      description: How much it holds, in bytes.
      type: int
      returned: always
      sample: 1073741824
    used:
      description: How much of it is used, in bytes.
      type: int
      returned: always
      sample: 20971520
    available:
      description: How much of it can still be written, in bytes.
      type: int
      returned: always
      sample: 1052770304
conflicts:
  description:
    - Files in the state that both the client and a new image have changed. The client's version stays.
    - Known of this collection's own service alone.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The file.
      type: str
      returned: always
      sample: /etc/nginx/nginx.conf
    beside:
      description: Where the image's version is. Empty if it has none.
      type: str
      returned: always
      sample: /etc/nginx/nginx.conf.stateless-new
    reason:
      description: What happened.
      type: str
      returned: always
      sample: changed in the image, and here
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stateless.linux.plugins.module_utils import _module
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.info import information


def main() -> None:
    module = AnsibleModule(
        argument_spec={"root": {"type": "path", "default": "/"}, "state_mount": {"type": "path"}},
        supports_check_mode=True,
    )
    _module.info(module, lambda: information(module.params["root"], module.params["state_mount"]))


if __name__ == "__main__":
    main()
