# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients of the LDAP directory as hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: directory
short_description: The machines of the LDAP directory, with what they run and should run
version_added: 1.0.0
author:
  - The stateless.linux contributors (!UNKNOWN)
description:
  - Makes every client of the directory a host. Its variables have the values that the module
    M(stateless.linux.directory_info) returns in RV(stateless.linux.directory_info#module:clients).
  - C(stateless_name), C(stateless_mac), C(stateless_description) and C(stateless_groups) are what it is in the
    directory. C(stateless_run) is what it should run, with C(protosystem), C(channel), C(serial), C(digest) and
    C(format); C(stateless_problem) says why it would not get that. C(stateless_running) is what it has reported to run,
    with C(protosystem), C(serial), C(digest), C(format), C(since) and C(reported). C(stateless_stale) says whether a
    reboot would change it.
  - Makes the groups C(protosystem_NAME), C(channel_NAME) and C(format_NAME) of the clients that should run that,
    C(group_NAME) of the clients in a group of the directory, and C(stale) of those that a reboot would change. In group
    names, other characters than letters, digits and underscores become underscores.
  - In host names, other characters than letters, digits, underscores, dots and hyphens become underscores. Where two
    clients would have one name, or a client that of a group, V(localhost), V(127.0.0.1) or V(::1), a part of a digest
    of its own name follows. A warning names each client whose name changes.
  - What is read is data. It is never a template, whatever it says. C(ansible-inventory) shows text that has other
    characters than letters, digits and C(_.:+-) as the value of C(__ansible_unsafe). Of values that machines report
    themselves, the first 256 characters are taken.
  - The name of the file must end in C(stateless.yml) or C(stateless.yaml).
options:
  plugin:
    description: Marks the file as one for this plugin.
    type: str
    required: true
    choices: [stateless.linux.directory]
  select:
    description:
      - A JMESPath expression that selects clients from the list of all, which is as
        RV(stateless.linux.directory_info#module:clients) describes it. Without it, all are hosts.
      - The result must be a list of clients as they are, such as V([?stale]).
      - It needs the Python library jmespath.
    type: str
  server_uri:
    env:
      - name: STATELESS_DIRECTORY_SERVER_URI
  bind_dn:
    env:
      - name: STATELESS_DIRECTORY_BIND_DN
  bind_pw:
    env:
      - name: STATELESS_DIRECTORY_BIND_PW
  ca_path:
    env:
      - name: STATELESS_DIRECTORY_CA_PATH
extends_documentation_fragment:
  - stateless.linux.directory
  - constructed
  - inventory_cache
requirements:
  - python-ldap, for the Python that runs Ansible
  - jmespath, for O(select)
notes:
  - Options that say how to log in and are text may be templates, with lookups, and with the variables that
    C(--extra-vars) gives.
  - A cache keeps the clients, and from which O(server_uri), O(bind_dn) and O(suffix) they are. If one of these changes,
    the clients are read again. It never has O(bind_pw). O(select) counts for cached clients, too.
  - Of ten thousand clients, Ansible itself needs longer to have them as hosts, and to print their variables
    (C(ansible-inventory --list)), than this plugin to read them from the directory.
seealso:
  - module: stateless.linux.directory_client
  - module: stateless.linux.directory_group
  - module: stateless.linux.directory_info
"""

EXAMPLES = r"""
# fleet.stateless.yml: all machines. Try it with: ansible-inventory -i fleet.stateless.yml --graph
plugin: stateless.linux.directory
server_uri: ldaps://srv1.example.org
ca_path: /etc/stateless/directory.pem
bind_dn: cn=watch,ou=clients,ou=identities,o=stateless
bind_pw: "{{ lookup('ansible.builtin.env', 'WATCH_PASSWORD') }}"

---
# reboot.stateless.yml: machines that run the protosystem lab-desktop and would get another snapshot by a reboot. The
# password is in the environment variable STATELESS_DIRECTORY_BIND_PW.
plugin: stateless.linux.directory
server_uri: ldaps://srv1.example.org
bind_dn: cn=watch,ou=clients,ou=identities,o=stateless
select: "[?stale && running.protosystem == 'lab-desktop']"

---
# many.stateless.yml: more groups and variables, read from the directory at most once in ten minutes.
plugin: stateless.linux.directory
server_uri: ldaps://srv1.example.org
bind_dn: cn=watch,ou=clients,ou=identities,o=stateless
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/stateless
cache_timeout: 600
strict: true
compose:
  ansible_host: stateless_name ~ '.lab.example.org'
groups:
  broken: stateless_problem != ''
  silent: stateless_running.reported is none
keyed_groups:
  - prefix: runs
    key: stateless_running.protosystem
    default_value: unknown
"""

import contextlib
import functools
import gc
import re
import sys
import typing as t

from ansible import template
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.stateless.linux.plugins.module_utils._directory import connection, options
from ansible_collections.stateless.linux.plugins.module_utils._directory.info import information
from ansible_collections.stateless.linux.plugins.module_utils._directory.inventory import (
    MISSING as JMESPATH_MISSING,
)
from ansible_collections.stateless.linux.plugins.module_utils._directory.inventory import (
    Client,
    Selection,
    hosts,
)
from ansible_collections.stateless.linux.plugins.module_utils._directory.session import connect
from ansible_collections.stateless.linux.plugins.module_utils._directory.tree import Tree
from ansible_collections.stateless.linux.plugins.module_utils._errors import StatelessError

#: From ansible-core 2.19 on, what is not marked as trusted is no template; before, data had to be marked as unsafe.
_TRUST = hasattr(template, "trust_as_template")
#: What no template can be: there is neither a brace nor the "#jinja2:" that says what stands for one.
_HARMLESS = re.compile(r"[\w.:+-]*", re.ASCII)


@contextlib.contextmanager
def _nothing_collected() -> t.Iterator[None]:
    """Go without Python's garbage collector, which would look again and again through what is made and stays."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _as_data(value: t.Any) -> t.Any:
    """*value* so that Ansible takes it for data, whatever it says."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {name: _as_data(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_as_data(one) for one in value]
    return value


# Remembered, since most values are those of many hosts.
@functools.lru_cache(maxsize=65536)
def _text(value: str) -> str:
    """Marked only where that matters: ansible-inventory needs long for what is marked, and it is unlovely to read."""
    harmless = _HARMLESS.fullmatch(value) is not None
    marked = template.trust_as_template if _TRUST else wrap_var
    return t.cast(str, marked(value)) if harmless == _TRUST else value


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Reads the directory, or what the cache knows of it."""

    NAME = "stateless.linux.directory"

    def verify_file(self, path: str) -> bool:
        """Whether the name of a file says that it is for this plugin."""
        return path.endswith(("stateless.yml", "stateless.yaml")) and bool(super().verify_file(path))

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        """Add the clients to *inventory*."""
        super().parse(inventory, loader, path, cache)
        self._template_login(self._read_config_data(path))
        try:
            with _nothing_collected():
                self._add(inventory, self._clients(path, cache))
        except StatelessError as error:
            raise AnsibleParserError(f"{path}: {error}") from error

    def _template_login(self, config: t.Mapping[str, t.Any]) -> None:
        """Replace what is a template in the file; what comes from the environment is none."""
        self.templar.available_variables = self._vars or {}
        more: dict[str, t.Any] = {} if _TRUST else {"disable_lookups": False}
        for name in options.LOGIN:
            if isinstance(config.get(name), str):
                try:
                    self.set_option(name, self.templar.template(config[name], **more))
                except AnsibleError as error:
                    raise AnsibleParserError(f"{name}: {error}") from error

    def _clients(self, path: str, cache: bool) -> list[Client]:
        """The clients that are selected."""
        self._require("python-ldap", connection.MISSING)
        expression = self.get_option("select")
        if expression:
            self._require("jmespath, which select needs,", JMESPATH_MISSING)
        selection = Selection(expression) if expression else None
        login = {name: self.get_option(name) for name in options.LOGIN}
        tree = Tree.at("suffix", login["suffix"])
        source = [login["server_uri"], login["bind_dn"], tree.suffix]

        kept = self._kept(path) if cache else None
        if kept and kept.get("source") == source:
            found = kept["clients"]
        else:
            found = information(connect(options.login(login)), tree, [], [])["clients"]
            if self.get_option("cache"):
                self._cache[self.get_cache_key(path)] = {"source": source, "clients": found}
        return selection.of(found) if selection else found

    def _kept(self, path: str) -> dict[str, t.Any] | None:
        """What the cache has; None: nothing."""
        return self._cache.get(self.get_cache_key(path)) if self.get_option("cache") else None

    @staticmethod
    def _require(library: str, missing: ImportError | None) -> None:
        if missing:
            raise AnsibleError(f"{library} is missing for {sys.executable}, the Python that runs Ansible: {missing}")

    def _add(self, inventory: InventoryData, clients: list[Client]) -> None:
        strict, compose, groups, keyed = map(self.get_option, ("strict", "compose", "groups", "keyed_groups"))
        taken = {*inventory.groups, *map(self._sanitize_group_name, groups)}
        made = hosts(clients, taken, self._sanitize_group_name)
        for warning in made.warnings:
            self.display.warning(warning)
        for group in dict.fromkeys(group for host in made.hosts for group in host.groups):
            inventory.add_group(group)
        for host in made.hosts:
            inventory.add_host(host.name)
            for group in host.groups:
                inventory.add_child(group, host.name)
            variables = _as_data(dict(host.variables))
            # Not by the inventory, which since ansible-core 2.19 first copies every value to note the file it is of.
            entry = inventory.hosts[host.name]
            for name, value in variables.items():
                entry.set_variable(name, value)
            if compose:
                self._set_composite_vars(compose, variables, host.name, strict=strict)
        # Only now, since Ansible would give a group the variables of a host that has its name.
        for host in made.hosts if groups or keyed else ():
            self._add_host_to_composed_groups(groups, {}, host.name, strict=strict)
            self._add_host_to_keyed_groups(keyed, {}, host.name, strict=strict)
