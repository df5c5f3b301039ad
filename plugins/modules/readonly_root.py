#!/usr/bin/python
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: readonly_root
short_description: Make the root of a machine read-only, and say what of it is writable
version_added: 1.0.0
description:
  - States how a machine boots with a read-only root, as Red Hat's initscripts have it. What lists in C(/etc/rwtab.d)
    name is copied to scratch at every boot and bound over the image. What lists in C(/etc/statetab.d) name is copied
    to the state, once, and kept. C(/etc/sysconfig/readonly-root) says where scratch and state are.
  - The files are written in the one form that the services of EL7, EL8 and EL9 and that of this collection read alike.
  - Where the distribution has such a service (the package C(readonly-root) or C(initscripts)), that one is enabled.
    Anywhere else, the module installs and enables this collection's own, which honours the same files.
  - What is not mentioned stays as it is, so that several roles can each state their own lists, by O(name).
  - Before anything is written, all lists of the root are read and checked as they will be. The task fails if an entry
    of its own cannot work. What is wrong with others is a warning.
  - A change takes effect at the next boot. A run that is killed leaves files that are each old or new, in an order that
    boots, and the next run clears up.
author:
  - The stateless.linux contributors (!UNKNOWN)
options:
  root:
    description:
      - The root directory to change, such as where a protosystem is mounted.
      - Nothing is read or written outside of it, whatever links there are inside.
    type: path
    default: /
  enabled:
    description:
      - V(true) makes the root read-only (C(READONLY=yes), and C(ro) for C(/) in C(/etc/fstab)), and installs or
        enables the service.
      - V(false) makes it writable again, with the line of fstab that was there before.
    type: bool
  temporary_state:
    description: Make what the lists name temporary although the root is writable (C(TEMPORARY_STATE)).
    type: bool
  slave_mounts:
    description:
      - Do not let what is mounted beneath a writable path appear beneath scratch or state as well (C(SLAVE_MOUNTS)).
    type: bool
  scratch_storage:
    description: Where scratch is. It is empty at every boot.
    type: dict
    suboptions:
      type:
        description:
          - V(tmpfs) is memory.
          - V(label) is the filesystem with O(scratch_storage.label); while there is none, a tmpfs.
          - V(fstab) is an entry of C(/etc/fstab).
        type: str
        choices: [tmpfs, label, fstab]
        required: true
      mount_point:
        description: Where it is mounted (C(RW_MOUNT)).
        type: path
      size:
        description: How large the tmpfs may grow, as a number with C(k), C(m), C(g) or C(%).
        type: str
      options:
        description: More mount options, of the tmpfs or of the entry of fstab.
        type: list
        elements: str
      label:
        description: The label of a filesystem, of at most 12 characters for XFS and 16 for ext4.
        type: str
      source:
        description:
          - The device of the entry of fstab, such as C(/dev/sda3) or C(LABEL=scratch).
          - If it is not given, there must be an entry for the mount point already.
        type: str
      filesystem:
        description: The filesystem of the entry of fstab. By default, it is found out at boot.
        type: str
  state_storage:
    description: Where state is. It is kept.
    type: dict
    suboptions:
      type:
        description:
          - V(label) is the filesystem with O(state_storage.label).
          - V(fstab) is an entry of C(/etc/fstab).
          - V(nfs) is a directory of O(state_storage.export) that has the client's host name.
          - V(none) means that nothing is kept.
        type: str
        choices: [label, fstab, nfs, none]
        required: true
      mount_point:
        description: Where it is mounted (C(STATE_MOUNT)).
        type: path
      label:
        description: The label of a filesystem, of at most 12 characters for XFS and 16 for ext4.
        type: str
      export:
        description: The server and the directory above those of the clients, as C(SERVER:/DIRECTORY).
        type: str
      source:
        description:
          - The device of the entry of fstab, such as C(/dev/sda3) or C(LABEL=state).
          - If it is not given, there must be an entry for the mount point already.
        type: str
      filesystem:
        description: The filesystem of the entry of fstab. By default, it is found out at boot.
        type: str
      options:
        description: More mount options of the entry of fstab.
        type: list
        elements: str
  name:
    description:
      - The name of the lists that O(scratch) and O(state) are written to, in C(/etc/rwtab.d) and C(/etc/statetab.d).
      - Each role takes a name of its own.
    type: str
  scratch:
    description:
      - What is writable and lost at every boot. An empty list removes the file.
      - A path with a space can be said to this collection's own service, and not to that of EL7 to EL9. The task
        fails where that is the one in use, and warns elsewhere.
    type: list
    elements: dict
    suboptions:
      path:
        description: An absolute path that the image has. What the image does not have stays as it is, and is a warning.
        type: str
        required: true
      keep:
        description:
          - What of the image is there at first. V(nothing) is the directory alone, V(directories) is all directories
            beneath it, V(everything) is everything. A path that is a file has its content in any case.
        type: str
        choices: [nothing, directories, everything]
        default: nothing
  state:
    description:
      - What is writable and kept. An empty list removes the file.
      - An entry is an absolute path that the image has, or a dictionary of V(path) and V(forward).
      - With this collection's service, what a new image brings replaces what the client has not changed. If
        V(forward) is V(false), the path stays as it was first copied. Upstream's service never brings anything new.
    type: list
    elements: raw
  list_state:
    description: V(absent) removes the lists of that O(name).
    type: str
    choices: [present, absent]
    default: present
requirements:
  - Python 3.9 in the root, for this collection's own service
extends_documentation_fragment:
  - stateless.linux.attributes
seealso:
  - module: stateless.linux.readonly_root_info
"""

EXAMPLES = r"""
- name: Boot with a read-only root, scratch in memory, state on a filesystem of the client
  stateless.linux.readonly_root:
    enabled: true
    scratch_storage:
      type: tmpfs
      size: 1g
    state_storage:
      type: label
      label: state

- name: Let a role say what its service writes
  stateless.linux.readonly_root:
    name: nginx
    scratch:
      - path: /var/lib/nginx
        keep: directories
      - path: /var/cache/nginx
    state:
      - /var/log/nginx
      - path: /etc/nginx/conf.d
        forward: false

- name: Take the role's lists away
  stateless.linux.readonly_root:
    name: nginx
    list_state: absent

- name: Change a protosystem from its server, with state on an NFS server
  stateless.linux.readonly_root:
    root: /srv/stateless/protosystems/lab-desktop
    enabled: true
    state_storage:
      type: nfs
      export: nas.example.org:/export/state

- name: Make the root writable again
  stateless.linux.readonly_root:
    enabled: false
"""

RETURN = r"""
settings:
  description: The settings as they are now, or in check mode would be.
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
plan:
  description: What will be bound at boot, in order. Empty while neither O(enabled) nor O(temporary_state) is true.
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
      description:
        - The entries that are copied there beforehand, as in C(entries) of M(stateless.linux.readonly_root_info).
      type: list
      elements: dict
      returned: always
findings:
  description:
    - What is wrong with settings and lists, or may surprise. Those of the task itself are no errors, else it fails.
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
actions:
  description: What was done. In check mode, what would be done.
  type: list
  elements: str
  returned: success
  sample: [make /etc/rwtab.d/nginx, change /etc/fstab]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stateless.linux.plugins.module_utils import _module
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.state import apply
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.wanted import wanted


def main() -> None:
    entry = {
        "mount_point": {"type": "path"},
        "label": {"type": "str"},
        "source": {"type": "str"},
        "filesystem": {"type": "str"},
        "options": {"type": "list", "elements": "str"},
    }
    scratch = {
        "type": {"type": "str", "choices": ["tmpfs", "label", "fstab"], "required": True},
        "size": {"type": "str"},
    }
    state = {
        "type": {"type": "str", "choices": ["label", "fstab", "nfs", "none"], "required": True},
        "export": {"type": "str"},
    }
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "default": "/"},
            "enabled": {"type": "bool"},
            "temporary_state": {"type": "bool"},
            "slave_mounts": {"type": "bool"},
            "scratch_storage": {"type": "dict", "options": {**scratch, **entry}},
            "state_storage": {"type": "dict", "options": {**state, **entry}},
            "name": {"type": "str"},
            "scratch": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "path": {"type": "str", "required": True},
                    "keep": {
                        "type": "str",
                        "choices": ["nothing", "directories", "everything"],
                        "default": "nothing",
                    },
                },
            },
            "state": {"type": "list", "elements": "raw"},
            "list_state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    _module.state(module, lambda: apply(wanted(module.params), module.check_mode))


if __name__ == "__main__":
    main()
