# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The options by which all that reads or writes the directory reaches it; MODULE is what modules say besides."""

    DOCUMENTATION = r"""
options:
  server_uri:
    description:
      - The URI of the LDAP server, such as V(ldaps://srv1.example.org). Of several, separated by spaces, the first that
        answers is used.
      - The default is C(slapd) on the host itself, that is where this runs.
    type: str
    default: ldapi:///
  bind_dn:
    description:
      - The DN to log in as, such as V(cn=alice,ou=administrators,ou=identities,o=stateless).
      - Left out, it is whoever O(sasl_class) says.
    type: str
  bind_pw:
    description:
      - The password of O(bind_dn). It is only sent where nobody on the way can read it, that is with V(ldaps://),
        V(ldapi://), or O(start_tls=true).
    type: str
    default: ""
  sasl_class:
    description:
      - How to log in without O(bind_dn).
      - V(external) is the user on the host (V(ldapi://)) or the holder of O(client_cert). V(gssapi) is the holder of a
        Kerberos ticket.
    type: str
    choices: [external, gssapi]
    default: external
  start_tls:
    description: Use StartTLS with V(ldap://).
    type: bool
    default: false
  validate_certs:
    description: Whether the server must have a certificate that is trusted. V(false) is for tests only.
    type: bool
    default: true
  ca_path:
    description:
      - The file on the host with the certificates to trust, PEM. The role P(stateless.linux.directory#role) gives what
        goes into it as the fact C(directory_certificate).
      - The default is what the host trusts.
    type: path
  client_cert:
    description: The file on the host with the certificate to log in with, PEM.
    type: path
  client_key:
    description: The file on the host with the key of O(client_cert), PEM.
    type: path
  suffix:
    description: The DN below which the directory is, as the role P(stateless.linux.directory#role) was given.
    type: str
    default: o=stateless
requirements:
  - python-ldap
"""

    MODULE = r"""
attributes:
  action_group:
    support: full
    membership:
      - stateless.linux.all
      - stateless.linux.directory
    description: Use C(group/stateless.linux.directory) in C(module_defaults) to say once how to log in.
notes:
  - Where python-ldap is installed for the system's Python only, the module runs itself again with that.
"""
