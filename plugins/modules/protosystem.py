#!/usr/bin/python
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: protosystem
short_description: Make, grow, boot, stop and remove a protosystem
version_added: 1.0.0
description:
  - A protosystem is a named, writable master root filesystem on the server. Snapshots are taken of it, and published.
  - It is a volume of its own in the store of the server, mounted at RV(protosystem.path) by a systemd mount unit.
  - It is made from one of O(bootstrap), O(archive), O(tree) and O(machine). These are read only when it is made; of a
    protosystem that exists they are ignored.
  - A run that is killed while it makes a protosystem leaves none. The next run clears up.
  - If the server has a directory (C(server_directory) of the role P(stateless.linux.server#role)), the protosystem has
    an entry there, which is made, changed and removed with it. A directory that is away, or refuses that, is told
    before anything was changed.
author:
  - The stateless.linux contributors (!UNKNOWN)
options:
  name:
    description: The name of the protosystem, 1 to 63 lower-case letters, digits and hyphens.
    type: str
    required: true
  state:
    description:
      - V(present), it exists, whether it is booted or not.
      - V(booted), it exists and runs, read and write, in a container (systemd-nspawn). It is not booted again when the
        server boots.
      - V(stopped), it exists and is not booted.
      - V(absent), it does not exist. It is stopped first. Refused while it has snapshots, unless O(force=true).
    type: str
    choices: [present, booted, stopped, absent]
    default: present
  size:
    description:
      - The size of its volume, in bytes or with a unit of 1024 (V(12G)). Space is only taken for what is in it.
      - A new one has V(8G) by default. One that exists is grown, in use or not, and never shrunk.
    type: str
  filesystem:
    description: Its filesystem, which it keeps. A new one has V(ext4) by default.
    type: str
    choices: [ext4, xfs]
  bootstrap:
    description: Make it from the packages of a distribution.
    type: dict
    suboptions:
      tool:
        description:
          - V(mmdebstrap) for Debian, Ubuntu and the like, V(dnf) for Fedora, RHEL and its relatives.
          - By default the one for the distribution of the server.
        type: str
        choices: [mmdebstrap, dnf]
      release:
        description: The release, such as V(bookworm) or V(42).
        type: str
        required: true
      packages:
        description: Packages (for V(dnf), groups such as V(@core) as well) to install beyond the O(bootstrap.variant).
        type: list
        elements: str
        default: []
      mirrors:
        description:
          - Of V(mmdebstrap), the URLs of the archives, or lines as in sources.list(5).
          - If empty, mmdebstrap takes the archives that it knows for the release.
        type: list
        elements: str
        default: []
      components:
        description: Of V(mmdebstrap), the components of the archives in O(bootstrap.mirrors) that are URLs.
        type: list
        elements: str
        default: [main]
      variant:
        description: Of V(mmdebstrap), which packages every protosystem gets; see mmdebstrap(1).
        type: str
        choices: [essential, apt, required, minbase, important, standard]
        default: important
      keyring:
        description: Of V(mmdebstrap), a file or directory on the server with the keys of the archives.
        type: path
      repositories:
        description: Of V(dnf), the repositories to install from. By default those that the server itself uses.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: A word for it.
            type: str
            required: true
          baseurl:
            description: Its URLs; C($releasever) and C($basearch) are replaced.
            type: list
            elements: str
            default: []
          metalink:
            description: The URL of its metalink.
            type: str
            default: ""
          gpgkey:
            description: The URLs of the keys that its packages are signed with.
            type: list
            elements: str
            default: []
          gpgcheck:
            description: Whether the signatures of its packages are checked.
            type: bool
            default: true
  archive:
    description:
      - Make it from this tar archive on the server, compressed or not, that has the root directory at its top.
      - Hard links, ACLs, extended attributes and file capabilities that are in it are kept.
    type: path
  tree:
    description:
      - Make it from a copy of this directory of the server, the root directory of a system.
      - Hard links, ACLs, extended attributes and file capabilities are kept. Other filesystems mounted below it and the
        contents of C(/proc), C(/sys), C(/run) and C(/tmp) are left out.
    type: path
  machine:
    description:
      - Make it from a copy of the running machine V(HOST) or V(USER@HOST), by rsync(1) over ssh(1), with the same rules
        as O(tree).
      - Root of the server has to reach it with a key, without a question, and has to know its host key. As another user
        than root, C(sudo) without a password is used there.
    type: str
  exclude:
    description: Of O(tree) and O(machine), what else to leave out, as a pattern of rsync(1) such as V(/srv/*).
    type: list
    elements: str
    default: []
  filesystems:
    description: Of O(tree) and O(machine), further mount points that belong to the system, such as V(/boot).
    type: list
    elements: path
    default: []
  network:
    description:
      - The network of a booted protosystem.
      - V(host), that of the server, which it cannot change; names are resolved as on the server.
      - V(private), a virtual Ethernet link to the server, to be set up on both sides, by systemd-networkd for example.
      - V(none), only a loopback interface.
      - When it is booted, the default is V(host).
    type: str
    choices: [host, private, none]
  default_channel:
    description:
      - The channel of clients that the directory has run this protosystem and for which it names no channel and no
        snapshot. Empty is none; such a client is then not told what to run.
      - A new one has V(stable) by default.
    type: str
  timeout:
    description: Seconds that a protosystem may take to boot, and again to stop.
    type: int
    default: 180
  force:
    description: With O(state=absent), remove its snapshots with it. Those that are in use are not removed even so.
    type: bool
    default: false
requirements:
  - a server set up by the role P(stateless.linux.server#role)
  - util-linux
  - for O(bootstrap) mmdebstrap or dnf, for O(archive) tar, for O(tree) and O(machine) rsync
  - systemd-nspawn for O(state=booted)
  - python-ldap, if the server has a directory
extends_documentation_fragment:
  - stateless.linux.attributes
seealso:
  - module: stateless.linux.protosystem_info
  - module: stateless.linux.snapshot
"""

EXAMPLES = r"""
- name: Make a Debian protosystem
  stateless.linux.protosystem:
    name: lab-desktop
    size: 16G
    bootstrap:
      release: bookworm
      packages: [linux-image-amd64, systemd-sysv, python3]

- name: Make a Fedora protosystem
  stateless.linux.protosystem:
    name: kiosk
    filesystem: xfs
    bootstrap:
      tool: dnf
      release: "42"
      packages: ["@core", kernel, python3]
      repositories:
        - name: fedora
          metalink: https://mirror.example.org/metalink?repo=fedora-$releasever&arch=$basearch
          gpgkey: [https://mirror.example.org/fedora.gpg]

- name: Make one of a machine that was set up by hand
  stateless.linux.protosystem:
    name: teacher
    machine: root@teacher-1.example.org
    filesystems: [/boot]
    exclude: [/home/*]

- name: Boot it, to see it run
  stateless.linux.protosystem:
    name: lab-desktop
    state: booted

- name: Remove it with all its snapshots
  stateless.linux.protosystem:
    name: kiosk
    state: absent
    force: true
"""

RETURN = r"""
protosystem:
  description: The protosystem. V(null) if O(state=absent). In check mode, as it would be.
  returned: success
  type: dict
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
actions:
  description: What was done. In check mode, what would be done.
  type: list
  elements: str
  returned: success
  sample: [boot lab-desktop]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stateless.linux.plugins.module_utils import _module
from ansible_collections.stateless.linux.plugins.module_utils._directory.published import configured
from ansible_collections.stateless.linux.plugins.module_utils._directory.settings import missing
from ansible_collections.stateless.linux.plugins.module_utils._errors import InvalidValue
from ansible_collections.stateless.linux.plugins.module_utils._plan import Outcome
from ansible_collections.stateless.linux.plugins.module_utils._protosystem.choose import choose
from ansible_collections.stateless.linux.plugins.module_utils._protosystem.state import Wanted
from ansible_collections.stateless.linux.plugins.module_utils._server import load
from ansible_collections.stateless.linux.plugins.module_utils._snapshot.protosystem import absent, present
from ansible_collections.stateless.linux.plugins.module_utils._volumes.lvm_values import parse_size

REPOSITORY = {
    "name": {"type": "str", "required": True},
    "baseurl": {"type": "list", "elements": "str", "default": []},
    "metalink": {"type": "str", "default": ""},
    "gpgkey": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "gpgcheck": {"type": "bool", "default": True},
}
BOOTSTRAP = {
    "tool": {"type": "str", "choices": ["mmdebstrap", "dnf"]},
    "release": {"type": "str", "required": True},
    "packages": {"type": "list", "elements": "str", "default": []},
    "mirrors": {"type": "list", "elements": "str", "default": []},
    "components": {"type": "list", "elements": "str", "default": ["main"]},
    "variant": {
        "type": "str",
        "choices": ["essential", "apt", "required", "minbase", "important", "standard"],
        "default": "important",
    },
    "keyring": {"type": "path", "no_log": False},
    "repositories": {"type": "list", "elements": "dict", "options": REPOSITORY, "default": []},
}
OPTIONS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "booted", "stopped", "absent"], "default": "present"},
    "size": {"type": "str"},
    "filesystem": {"type": "str", "choices": ["ext4", "xfs"]},
    "bootstrap": {"type": "dict", "options": BOOTSTRAP},
    "archive": {"type": "path"},
    "tree": {"type": "path"},
    "machine": {"type": "str"},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "filesystems": {"type": "list", "elements": "path", "default": []},
    "network": {"type": "str", "choices": ["host", "private", "none"]},
    "default_channel": {"type": "str"},
    "timeout": {"type": "int", "default": 180},
    "force": {"type": "bool", "default": False},
}


def size(value: str | None) -> int | None:
    """The option size in bytes."""
    if value is None:
        return None
    parsed = parse_size("size", value)
    if parsed.percent:
        raise InvalidValue("size", value, "use bytes, or a number with a unit of 1024, such as 8G")
    return parsed.bytes_of(0, 1)


def work(options: t.Mapping[str, t.Any], check: bool) -> Outcome:
    """What the module does, apart from talking to Ansible."""
    server = load()
    if options["state"] == "absent":
        return absent(server, options["name"], options["force"], check, configured())
    wanted = Wanted(
        name=options["name"],
        state=options["state"],
        size=size(options["size"]),
        filesystem=options["filesystem"],
        source=choose(server, options),
        network=options["network"],
        default_channel=options["default_channel"],
        timeout=options["timeout"],
    )
    return present(server, wanted, check, configured())


def main() -> None:
    module = AnsibleModule(
        argument_spec=OPTIONS,
        mutually_exclusive=[("bootstrap", "archive", "tree", "machine")],
        supports_check_mode=True,
    )
    _module.require(module, missing(), "python-ldap", "ldap")
    _module.state(module, lambda: work(module.params, module.check_mode))


if __name__ == "__main__":
    main()
