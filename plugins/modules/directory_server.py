#!/usr/bin/python
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: directory_server
short_description: Have slapd serve the directory of clients
version_added: 1.0.0
description:
  - Configures the C(slapd) of the host, while it runs, through its configuration database C(cn=config). It gets the
    schema of this collection, and, for O(suffix), a database with access rules, indexes and the first entries, and TLS.
  - Other databases of the same C(slapd) are not touched. Of the settings of C(slapd) as a whole, modules and schemas
    are only added, and a certificate that it has already is kept unless O(tls_certificate) is given.
  - This is what the role P(stateless.linux.directory#role) does its work with, which also installs C(slapd).
author:
  - The stateless.linux contributors (!UNKNOWN)
options:
  schema:
    description: The schema, as an LDIF for C(cn=config).
    type: str
    required: true
  suffix:
    description:
      - The DN below which everything is, such as V(o=stateless). Left out, only the schema is loaded.
      - It must neither be above nor below the suffix of another database of this C(slapd).
    type: str
  database_path:
    description: The directory of the files of the database. It must exist and belong to the user of C(slapd).
    type: path
  database_size:
    description: The size in GiB that the database can grow to. It only takes what it needs.
    type: int
    default: 4
  schema_path:
    description: The directory of the schemas that came with C(slapd).
    type: path
    default: /etc/ldap/schema
  module_path:
    description: The directory of the modules of C(slapd).
    type: path
    default: /usr/lib/ldap
  group:
    description: The group of the user of C(slapd), which may read the key of a certificate that is made.
    type: str
    default: openldap
  directory:
    description: Where certificates are kept that are made, or that a provider is trusted by.
    type: path
    default: /etc/stateless/directory
  tls_certificate:
    description:
      - The file of a certificate on the host, PEM, to give to clients.
      - Left out, C(slapd) keeps the one it has. If it has none, an authority is made, and a certificate for
        O(tls_names).
    type: path
  tls_key:
    description: The file of the key of O(tls_certificate), PEM. The user of C(slapd) must be able to read it.
    type: path
  tls_ca:
    description: The file with the certificates of the authorities of O(tls_certificate) and of clients, PEM.
    type: path
  tls_names:
    description: The host names and addresses that a certificate is made for.
    type: list
    elements: str
    default: []
  tls_verify_client:
    description:
      - What to do about certificates of clients, as C(olcTLSVerifyClient) in C(slapd-config(5\)).
      - With V(allow) and V(try), a client may give one, and can then log in with it as its subject, by SASL EXTERNAL.
      - One that C(slapd) does not trust is ignored with V(allow), and refused with V(try), as is a second server's.
    type: str
    choices: [never, allow, try, demand]
    default: allow
  identities:
    description: Who logs in. An identity that is not named stays as it is. No two can have the same name.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name.
        type: str
        required: true
      kind:
        description:
          - V(administrators) change everything, V(publishers) protosystems with their snapshots, images and channels.
          - V(clients) read what to run. It is for machines that have no password of their own, and cannot report.
        type: str
        choices: [administrators, publishers, clients]
        required: true
      state:
        description: Whether it is there.
        type: str
        choices: [present, absent]
        default: present
  passwords:
    description:
      - The password of each of O(identities), by name, needed for a new one. What is stored is a hash (Argon2, else
        SHA-512). Whether it is the right one is seen by logging in.
      - Each has 1 to 256 bytes, in one line.
    type: dict
    default: {}
  replicator_password:
    description:
      - The password with which a second server logs in and reads everything. It must have no white space, quotation
        mark or backslash.
      - Without it, there is no such identity. Needed with O(provider).
    type: str
  provider:
    description: The URI of the server that this one is a copy of, such as V(ldaps://srv1.example.org).
    type: str
  provider_ca:
    description: The certificates, PEM, that O(provider) is trusted by, such as RV(certificate) of the module there.
    type: str
  mirror:
    description: Whether O(provider) is a copy of this server, too, and both are written to.
    type: bool
    default: false
  server_id:
    description: With O(mirror), the number of this server. Number 1 makes the first entries and the identities.
    type: int
    default: 1
  timeout:
    description: Seconds to wait for the first copy from O(provider).
    type: int
    default: 60
requirements:
  - slapd 2.5 or newer, configured by C(cn=config), which root reaches over C(ldapi:///) by SASL EXTERNAL
  - python-ldap
  - openssl 3, to make a certificate
extends_documentation_fragment:
  - stateless.linux.attributes
"""

EXAMPLES = r"""
- name: Serve a directory
  stateless.linux.directory_server:
    schema: "{{ lookup('ansible.builtin.file', 'stateless.ldif') }}"
    suffix: o=stateless
    database_path: /var/lib/ldap/stateless
    tls_names: [srv1.example.org]
    identities:
      - {name: alice, kind: administrators}
    passwords:
      alice: "{{ vault_alice }}"
  register: directory

- name: Only load the schema
  stateless.linux.directory_server:
    schema: "{{ lookup('ansible.builtin.file', 'stateless.ldif') }}"
"""

RETURN = r"""
suffix:
  description: The DN below which everything is. Empty if only the schema was wanted.
  returned: success
  type: str
  sample: o=stateless
certificate:
  description:
    - What clients should trust, PEM, that is the authority that C(slapd) has configured, else its certificate.
    - Empty without O(suffix), and in check mode before there is any.
  returned: success
  type: str
  sample: "-----BEGIN CERTIFICATE-----\nMIIB...\n-----END CERTIFICATE-----\n"
actions:
  description: What was done. In check mode, what would be done.
  returned: success
  type: list
  elements: str
  sample: ["add cn=stateless,cn=schema,cn=config", "add olcDatabase=mdb,cn=config"]
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stateless.linux.plugins.module_utils import _module
from ansible_collections.stateless.linux.plugins.module_utils._directory.connection import MISSING
from ansible_collections.stateless.linux.plugins.module_utils._directory.slapd.certificate import Own
from ansible_collections.stateless.linux.plugins.module_utils._directory.slapd.config import Provider
from ansible_collections.stateless.linux.plugins.module_utils._directory.slapd.identities import Identity
from ansible_collections.stateless.linux.plugins.module_utils._directory.slapd.state import Settings, Tls, state
from ansible_collections.stateless.linux.plugins.module_utils._directory.tree import KINDS, Tree
from ansible_collections.stateless.linux.plugins.module_utils._errors import InvalidValue
from ansible_collections.stateless.linux.plugins.module_utils._plan import Outcome


def settings(options: t.Mapping[str, t.Any]) -> Settings:
    tree = Tree.at("suffix", options["suffix"]) if options["suffix"] else None
    directory = options["directory"]
    own = Own(directory, options["tls_names"], options["group"])
    certificate, key, ca = (options[name] or "" for name in ("tls_certificate", "tls_key", "tls_ca"))
    return Settings(
        schema=options["schema"],
        schema_path=options["schema_path"],
        module_path=options["module_path"],
        tree=tree,
        path=options["database_path"] or "",
        gibibytes=options["database_size"],
        tls=Tls(own, certificate, key, ca, options["tls_verify_client"]),
        identities=_identities(options, tree) if tree else [],
        provider=_provider(options),
        ca_file=os.path.join(directory, "provider-ca.pem"),
        server_id=options["server_id"],
        timeout=options["timeout"],
    )


def _identities(options: t.Mapping[str, t.Any], tree: Tree) -> list[Identity]:
    passwords = {name: str(password) for name, password in options["passwords"].items()}
    names = [one["name"] for one in options["identities"]]
    for name in names:
        if names.count(name) > 1:
            raise InvalidValue("identities", name, "no two can have the same name")
    for name in passwords:
        if name not in names:
            raise InvalidValue("passwords", name, "there is no such name in identities")
    listed = [
        Identity(
            tree.identity(one["kind"], one["name"]), one["name"], passwords.get(one["name"]), one["state"] == "present"
        )
        for one in options["identities"]
    ]
    if options["replicator_password"]:
        listed.append(Identity(tree.replicator, "replicator", options["replicator_password"]))
    return listed


def _provider(options: t.Mapping[str, t.Any]) -> Provider | None:
    if not options["provider"]:
        return None
    return Provider(options["provider"], options["replicator_password"], options["provider_ca"], options["mirror"])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "schema": {"type": "str", "required": True},
            "suffix": {"type": "str"},
            "database_path": {"type": "path"},
            "database_size": {"type": "int", "default": 4},
            "schema_path": {"type": "path", "default": "/etc/ldap/schema"},
            "module_path": {"type": "path", "default": "/usr/lib/ldap"},
            "group": {"type": "str", "default": "openldap"},
            "directory": {"type": "path", "default": "/etc/stateless/directory"},
            "tls_certificate": {"type": "path"},
            "tls_key": {"type": "path", "no_log": False},
            "tls_ca": {"type": "path"},
            "tls_names": {"type": "list", "elements": "str", "default": []},
            "tls_verify_client": {"type": "str", "choices": ["never", "allow", "try", "demand"], "default": "allow"},
            "identities": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "kind": {"type": "str", "required": True, "choices": list(KINDS)},
                    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
                },
            },
            # Not within identities: Ansible logs a list as text, where it misses a password with a quotation mark.
            "passwords": {"type": "dict", "default": {}, "no_log": True},
            "replicator_password": {"type": "str", "no_log": True},
            "provider": {"type": "str"},
            "provider_ca": {"type": "str"},
            "mirror": {"type": "bool", "default": False},
            "server_id": {"type": "int", "default": 1},
            "timeout": {"type": "int", "default": 60},
        },
        required_by={
            "suffix": ("database_path",),
            "provider": ("provider_ca", "replicator_password"),
            "tls_certificate": ("tls_key",),
        },
        supports_check_mode=True,
    )
    _module.require(module, MISSING, "python-ldap", "ldap")

    def work() -> Outcome:
        return state(settings(module.params), module.check_mode)

    _module.state(module, work)


if __name__ == "__main__":
    main()
