# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run any play inside a protosystem, over whatever connection reaches its server."""

from __future__ import annotations

DOCUMENTATION = r"""
name: protosystem
short_description: Run tasks inside a protosystem on its server
version_added: 1.0.0
author:
  - The stateless.linux contributors (!UNKNOWN)
description:
  - Makes a protosystem an inventory host, so that existing playbooks and roles build the master unchanged.
  - The protosystem's server is reached as the inventory says of it, over SSH or any other connection plugin that
    passes standard input on, or locally. Nothing but a shell and util-linux is needed there; Python is needed inside
    the protosystem, as on any host.
  - At rest, each command runs in a chroot in namespaces of its own (processes, mounts, host name), with C(/proc),
    C(/sys), a minimal C(/dev) without disks, and a C(/run) that lasts until the server reboots. Services are enabled
    and disabled as usual; starting, stopping and restarting them is accepted, does nothing and is warned of, as
    everywhere in a chroot. No service of the server is touched. C(/tmp) is the tree's own.
  - Booted (the unit C(stateless-protosystem-NAME.service) is active), each command runs inside the running container,
    and everything is as on a running machine.
  - It refuses to enter while a snapshot of the protosystem is being taken.
options:
  protosystem:
    description: The protosystem's name on the server.
    type: str
    default: inventory_hostname
    vars:
      - name: stateless_protosystem
  server:
    description:
      - The server that has the protosystem.
      - If it is a host of the inventory, its connection variables count, wherever they are set (C(ansible_host),
        C(ansible_user), C(ansible_port), C(ansible_ssh_private_key_file), C(ansible_connection), C(ansible_become)
        and so on).
      - If it is not, it is the host name that SSH connects to, and the connection variables of the protosystem count,
        other than C(ansible_host).
      - Empty or V(localhost) is the machine on which Ansible runs, without a connection, unless the inventory says
        C(ansible_connection) of V(localhost).
    type: str
    default: ''
    vars:
      - name: stateless_server
  server_vars:
    description: Connection variables that override the server's own, for example C(ansible_port).
    type: dict
    default: {}
    vars:
      - name: stateless_server_vars
  server_become:
    description:
      - Become root on the server, which entering a protosystem needs if the server's user is somebody else.
      - The method and the password are the server's C(ansible_become_method) and C(ansible_become_password).
      - The default is the server's C(ansible_become), or V(false).
    type: bool
    vars:
      - name: stateless_server_become
  remote_user:
    description:
      - The user inside the protosystem that tasks run as, when they do not become another.
      - C(ansible_user), the keyword C(remote_user) and C(-u) say how a machine is reached, which here is the server.
        They have no effect inside, so that a new protosystem can be entered that does not have that user yet, nor sudo.
      - While this is V(root), C(become) with the user C(root) needs nothing inside; with another user it needs the
        become method's program inside, as on any host.
    type: str
    default: root
    vars:
      - name: stateless_user
  resolv_conf:
    description:
      - What C(/etc/resolv.conf) says at rest. The tree's own is not changed; if it has none, an empty file is made.
      - V(auto) is the server's, unless the tree has a file (not a link into C(/run)) that names a nameserver not on the
        loopback address; so a play can manage that file.
      - V(server) is the server's, even then; a play cannot replace the file.
      - V(tree) is what the tree has.
    type: str
    choices: [auto, server, tree]
    default: auto
    vars:
      - name: stateless_resolv_conf
  pipelining:
    description:
      - Send modules through standard input instead of copying them first. A task then needs one command, not several.
    type: bool
    default: true
    env:
      - name: ANSIBLE_PIPELINING
    ini:
      - section: defaults
        key: pipelining
      - section: connection
        key: pipelining
    vars:
      - name: ansible_pipelining
notes:
  - At rest, processes that a task leaves behind end with the task, except the job of an C(async) task, which runs to
    its end; until then no snapshot can be taken.
  - At rest, values in C(/proc/sys) and C(/sys) cannot be changed, and neither can the server's network, clock or kernel
    modules.
  - M(ansible.builtin.reboot) at rest is accepted and does nothing, like the start of a service; booted, it reboots the
    container.
  - If the server's become method asks for a password, a become method inside the protosystem cannot ask for one too.
  - C(ansible.posix.synchronize) and others that make a connection of their own do not know this plugin.
seealso:
  - module: ansible.builtin.meta
    description: C(reset_connection) closes the connection to the server.
"""

import os
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.connection import ConnectionBase
from ansible.plugins.loader import become_loader, connection_loader
from ansible.utils.display import Display

from ansible_collections.stateless.linux.plugins.module_utils._errors import InvalidValue
from ansible_collections.stateless.linux.plugins.module_utils._names import check_name
from ansible_collections.stateless.linux.plugins.plugin_utils import _server_side

display = Display()

#: Bytes of a file per command. Large enough to hide the cost of a command; small, because connection plugins
#: gather a command's output by concatenation.
_CHUNK = 8 * 1024 * 1024

#: Variables of the protosystem that never say how the server is reached.
_OF_THE_PROTOSYSTEM = ("ansible_connection", "ansible_host", "ansible_ssh_host", "inventory_hostname")


class Connection(ConnectionBase):
    """A protosystem, entered through a connection to its server."""

    transport = "stateless.linux.protosystem"
    has_pipelining = True
    has_tty = False

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._delegate: ConnectionBase | None = None
        self._server_become: t.Any = None
        self._server_variables: dict[str, t.Any] = {}
        self._name = ""

    # -- options

    def _resolve_option_variables(self, variables: t.Any, templar: t.Any) -> t.Any:
        """Add what the base class does not offer: the variables of another host, the server.

        ``hostvars`` is not an option, because the base class would template every variable of every host.
        """
        resolved = super()._resolve_option_variables(variables, templar)
        resolved["inventory_hostname"] = variables.get("inventory_hostname")
        server = resolved.get("stateless_server") or "localhost"
        overrides = resolved.get("stateless_server_vars") or {}
        hostvars = variables.get("hostvars") or {}
        # HostVars answers for a host that does not exist with an undefined value, so ask first.
        of_server = hostvars[server] if server in hostvars else None  # noqa: SIM401
        found: dict[str, t.Any] = {}

        def look_up(names: t.Iterable[str]) -> None:
            for name in names:
                if name in overrides:
                    found[name] = overrides[name]
                elif of_server is not None:
                    if name in of_server:
                        found[name] = of_server[name]
                elif name in variables and name not in _OF_THE_PROTOSYSTEM:
                    found[name] = templar.template(variables[name])

        look_up(["ansible_connection", "ansible_host", "ansible_become", "ansible_become_method"])
        found["ansible_connection"] = _transport(server, found.get("ansible_connection"))
        for loader, plugin in (
            (connection_loader, found["ansible_connection"]),
            (become_loader, found.get("ansible_become_method", "sudo")),
        ):
            # Loading a plugin makes its options known.
            if loader.get(plugin, class_only=True) is not None:
                look_up(C.config.get_plugin_vars(loader.type, plugin))
        found["inventory_hostname"] = server
        resolved["_stateless_server_variables"] = found
        return resolved

    def set_options(self, task_keys: t.Any = None, var_options: t.Any = None, direct: t.Any = None) -> None:
        """Take the options, and the server's variables that came with them."""
        # The keyword remote_user would count for the option of that name, but says how a machine is reached.
        keys = {name: value for name, value in (task_keys or {}).items() if name != "remote_user"}
        super().set_options(task_keys=keys, var_options=var_options, direct=direct)
        given = var_options or {}
        self._server_variables = given.get("_stateless_server_variables", {})
        name = self.get_option("protosystem")
        if name == "inventory_hostname":
            # Of a delegated task, inventory_hostname is the host that delegates.
            name = keys.get("delegate_to") or given.get("inventory_hostname")
        self._name = str(name)

    # -- the way to the server

    def _connect(self) -> Connection:
        self._connect_delegate()
        return self

    def _connect_delegate(self) -> ConnectionBase:
        """The connection to the server, made if there is none."""
        if self._delegate is None:
            try:
                check_name("stateless_protosystem", self._name)
            except InvalidValue as error:
                raise AnsibleError(str(error)) from error
            self._delegate = self._reach(self.get_option("server") or "localhost")
            self._connected = True
        return self._delegate

    def _reach(self, server: str) -> ConnectionBase:
        """The connection to *server*, made from the server's variables as Ansible itself would."""
        variables = self._server_variables
        transport = variables.get("ansible_connection") or _transport(server, None)
        if transport == self._load_name:
            raise AnsibleError(f"stateless_server: {server!r} cannot be used: it is a protosystem itself")
        context = self._play_context.copy()
        context.remote_addr = variables.get("ansible_host") or server
        delegate: ConnectionBase | None = connection_loader.get(transport, context, None)
        if delegate is None:
            raise AnsibleError(
                f"ansible_connection: the connection plugin {transport!r} of the server {server} was not found"
            )
        # No terminal: it would mangle the bytes of files. Pipelining of the delegate itself is of no use.
        options = {"ansible_ssh_use_tty": False, "ansible_pipelining": True}
        delegate.set_options(task_keys={"timeout": context.timeout}, var_options={**variables, **options})
        self._server_become = self._become_on_server(variables)
        if self._server_become is not None:
            delegate.set_become_plugin(self._server_become)
        elif self.become is not None:
            # The delegate answers the prompt of the become method inside.
            delegate.set_become_plugin(self.become)
        return delegate

    def _become_on_server(self, variables: t.Mapping[str, t.Any]) -> t.Any:
        """The become plugin for root on the server; ``None`` if it is not wanted."""
        wanted = self.get_option("server_become")
        if wanted is None:
            wanted = boolean(variables.get("ansible_become", False))
        if not wanted:
            return None
        method = variables.get("ansible_become_method") or "sudo"
        become = become_loader.get(method)
        if become is None:
            raise AnsibleError(f"ansible_become_method: the become plugin {method!r} of the server was not found")
        task_keys = {}
        if self._play_context.become_pass:
            task_keys["become_pass"] = self._play_context.become_pass
        become.set_options(task_keys=task_keys, var_options={**variables, "ansible_become_user": "root"})
        return become

    # -- commands

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run *cmd* inside the protosystem."""
        delegate = self._connect_delegate()
        display.vvv(f"ENTER {self._name}: {cmd}", host=self._play_context.remote_addr)
        line = _server_side.enter(self._name, self.get_option("remote_user"), self.get_option("resolv_conf"), cmd)
        success = None
        if self._server_become is not None:
            line = self._server_become.build_become_command(line, delegate._shell)  # pylint: disable=protected-access
            success = self._server_become.success
            sudoable = True
        status, stdout, stderr = delegate.exec_command(line, in_data=in_data, sudoable=sudoable)
        reason = _server_side.refusal(status, stderr)
        if reason is not None:
            raise AnsibleConnectionFailure(reason)
        return status, _server_side.strip_success(success, stdout), stderr

    # -- files: through commands inside, so that links in the tree lead where they lead there

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy the local file *in_path* to *out_path* inside."""
        display.vvv(f"PUT {in_path} TO {out_path}", host=self._play_context.remote_addr)
        if not os.path.exists(in_path):
            raise AnsibleFileNotFound(f"file or module does not exist: {in_path}")
        quoted = self._shell.quote(out_path)
        with open(in_path, "rb") as stream:
            for offset, chunk in _server_side.chunks(stream, _CHUNK):
                # Without input the delegate would keep standard input open.
                command = _server_side.write_chunk(quoted, offset) if chunk else f": >{quoted}"
                self._file_command(command, chunk or None, f"cannot write {out_path}")

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy the file *in_path* inside to the local *out_path*."""
        display.vvv(f"FETCH {in_path} TO {out_path}", host=self._play_context.remote_addr)
        quoted = self._shell.quote(in_path)
        offset = 0
        with open(out_path, "wb") as stream:
            while True:
                command = _server_side.read_chunk(quoted, offset, _CHUNK)
                chunk = self._file_command(command, None, f"cannot read {in_path}")
                stream.write(chunk)
                offset += len(chunk)
                if len(chunk) < _CHUNK:
                    return

    def _file_command(self, command: str, data: bytes | None, failure: str) -> bytes:
        """Run *command* inside with *data* as its input and return its output."""
        status, stdout, stderr = self.exec_command(command, in_data=data, sudoable=False)
        if status != 0:
            said = stderr.decode("utf-8", "replace").strip()
            raise AnsibleError(f"{failure} inside the protosystem {self._name}: {said}")
        return stdout

    # -- ends

    def reset(self) -> None:
        """Close the connection to the server; the next command makes a new one."""
        self._connect_delegate().reset()
        self.close()

    def close(self) -> None:
        """Leave the server."""
        if self._delegate is not None:
            self._delegate.close()
            self._delegate = None
        self._connected = False


def _transport(server: str, said: str | None) -> str:
    """The connection plugin by which *server* is reached, of which its ``ansible_connection`` is *said*."""
    if said and said != "smart":
        return said
    return "local" if server == "localhost" and not said else "ssh"
