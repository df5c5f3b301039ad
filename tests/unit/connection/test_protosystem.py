# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection plugin as far as it needs no server: options, the server's variables, and what the server is told."""

from __future__ import annotations

import io
import subprocess
import typing as t

import pytest
import yaml
from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.template import Templar

from ansible_collections.stateless.linux.plugins.connection import protosystem
from ansible_collections.stateless.linux.plugins.plugin_utils import _server_side

NAME = "stateless.linux.protosystem"

# What Ansible's plugin loader does. The loader itself cannot be used once a test has imported the collection as
# ordinary Python packages.
C.config.initialize_plugin_configuration_definitions(
    "connection", NAME, yaml.safe_load(protosystem.DOCUMENTATION)["options"]
)


def connect(variables: dict[str, t.Any], **keys: t.Any) -> t.Any:
    """The plugin with its options set from *variables*, as Ansible's task executor does it."""
    everything = {"inventory_hostname": "kiosk", **variables}
    connection = protosystem.Connection(PlayContext())
    connection._load_name = NAME
    templar = Templar(loader=DataLoader(), variables=everything)
    resolved = connection._resolve_option_variables(everything, templar)
    connection.set_options(task_keys=keys, var_options=resolved)
    return connection


class Untouchable(dict):
    """A host's variables of which only some may be looked at: all others are undefined, or slow."""

    def __iter__(self) -> t.Any:
        raise AssertionError("every variable of a host was asked for")

    def values(self) -> t.Any:
        raise AssertionError("every variable of a host was asked for")


def test_the_servers_variables_are_those_of_the_inventory() -> None:
    hostvars = Untouchable(srv1=Untouchable(ansible_host="192.0.2.1", ansible_user="bob", ansible_port=2222))
    connection = connect({"hostvars": hostvars, "stateless_server": "srv1", "ansible_user": "other"})
    delegate = connection._connect()._delegate
    assert delegate.transport == "ssh"
    assert delegate.get_option("host") == "192.0.2.1"
    assert delegate.get_option("remote_user") == "bob"
    assert delegate.get_option("port") == 2222
    assert delegate.get_option("use_tty") is False


def test_overrides_win() -> None:
    hostvars = {"srv1": {"ansible_host": "192.0.2.1", "ansible_port": 2222}}
    connection = connect(
        {"hostvars": hostvars, "stateless_server": "srv1", "stateless_server_vars": {"ansible_port": 22}}
    )
    assert connection._connect()._delegate.get_option("port") == 22


def test_a_server_outside_the_inventory_is_a_host_name() -> None:
    connection = connect(
        {"hostvars": {}, "stateless_server": "srv.example", "ansible_user": "bob", "ansible_host": "192.0.2.9"}
    )
    delegate = connection._connect()._delegate
    assert delegate.get_option("host") == "srv.example"
    assert delegate.get_option("remote_user") == "bob"


@pytest.mark.parametrize("server", ["", "localhost"])
def test_this_machine_needs_no_connection(server: str) -> None:
    assert connect({"stateless_server": server})._connect()._delegate.transport == "local"


def test_the_server_is_no_protosystem() -> None:
    hostvars = {"other": {"ansible_connection": NAME}}
    with pytest.raises(AnsibleError, match="it is a protosystem itself"):
        connect({"hostvars": hostvars, "stateless_server": "other"})._connect()


def test_become_on_the_server() -> None:
    hostvars = {"srv1": {"ansible_become": "yes", "ansible_become_user": "alice", "ansible_become_password": "x"}}
    become = connect({"hostvars": hostvars, "stateless_server": "srv1"})._connect()._server_become
    assert become.get_option("become_user") == "root"
    assert become.get_option("become_pass") == "x"
    connection = connect({"hostvars": hostvars, "stateless_server": "srv1", "stateless_server_become": False})
    assert connection._connect()._server_become is None


def test_the_user_inside_is_not_the_one_that_machines_are_reached_by() -> None:
    assert connect({"ansible_user": "bob"}, remote_user="carol").get_option("remote_user") == "root"
    assert connect({"stateless_user": "alice"}).get_option("remote_user") == "alice"


def test_the_name_of_the_protosystem() -> None:
    assert connect({})._name == "kiosk"
    assert connect({}, delegate_to="lab-desktop")._name == "lab-desktop"
    assert connect({"stateless_protosystem": "other"}, delegate_to="lab-desktop")._name == "other"


@pytest.mark.parametrize("name", ["../etc", "A", "a b", "-x", "$(id)"])
def test_a_bad_name_is_refused_before_anything_is_run(name: str) -> None:
    with pytest.raises(AnsibleError, match=r"stateless_protosystem: .* cannot be used"):
        connect({"stateless_protosystem": name})._connect()


def test_the_scripts_survive_being_sent() -> None:
    for name in ("enter", "rest", "login"):
        text = _server_side._script(name)
        assert not text.startswith("#")
        assert "'" not in text, "every quote is multiplied by each shell on the way"
        subprocess.run(["sh", "-n", "-c", text], check=True)


def test_the_command_arrives_as_one_word() -> None:
    command = "echo 'a \"b\"' $HOME \\ `id`\nx"
    line = _server_side.enter("kiosk", "root", "auto", command)
    words = subprocess.run(
        ["sh", "-c", f'set -- {line}; printf %s\\\\0 "$@"'], check=True, capture_output=True, text=True
    )
    assert words.stdout.split("\0")[-6:] == ["kiosk", "root", "auto", "no", command, ""]


@pytest.mark.parametrize(
    ("command", "job"),
    [
        ("/bin/sh -c 'python3 /root/.ansible/tmp/x/async_wrapper.py j634873821021 60 /root/x.py _'", "yes"),
        # its copying and its mode are commands as any other, and need their input
        ("dd of=/root/.ansible/tmp/x/async_wrapper.py bs=64K", "no"),
        ("chmod u+rwx /root/.ansible/tmp/x/async_wrapper.py && sleep 0", "no"),
    ],
)
def test_only_the_start_of_an_async_task_leaves_a_job(command: str, job: str) -> None:
    assert f" auto {job} " in _server_side.enter("kiosk", "root", "auto", command)


def test_a_refusal_is_told_from_a_failure() -> None:
    said = b"Warning: x\r\nstateless.linux.protosystem: not now\n"
    assert _server_side.refusal(113, said) == "not now"
    assert _server_side.refusal(1, said) is None
    assert _server_side.refusal(113, b"not ours") is None


def test_the_success_of_become_is_not_output() -> None:
    assert _server_side.strip_success("BECOME-SUCCESS-x", b"BECOME-SUCCESS-x\n\x00\xff") == b"\x00\xff"
    assert _server_side.strip_success("BECOME-SUCCESS-x", b"out") == b"out"
    assert _server_side.strip_success(None, b"out") == b"out"


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 250])
def test_a_file_is_copied_in_pieces(size: int, tmp_path: t.Any) -> None:
    content = bytes(range(256))[:size]
    there = tmp_path / "there"
    there.write_bytes(b"old" * 200)
    for offset, chunk in _server_side.chunks(io.BytesIO(content), 100):
        # Twice: a transport may try again.
        for _again in range(2):
            command = _server_side.write_chunk(f"'{there}'", offset)
            subprocess.run(["sh", "-c", command], input=chunk, check=True)
    assert there.read_bytes() == content
    back = b""
    for offset in range(0, 300, 100):
        command = _server_side.read_chunk(f"'{there}'", offset, 100)
        back += subprocess.run(["sh", "-c", command], check=True, capture_output=True).stdout
    assert back == content
