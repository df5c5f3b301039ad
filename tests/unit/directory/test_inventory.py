# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory as an inventory: Ansible's own commands read it from slapd."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import typing as t

import pytest
import yaml

from ansible_collections.stateless.linux.plugins.module_utils._directory.info import information
from ansible_collections.stateless.linux.plugins.module_utils._directory.inventory import hosts
from ansible_collections.stateless.linux.tests.unit.directory.served import SECRET, TREE, Directory

HOSTILE = "{{ lookup('pipe', 'echo interpreted') }}"
MARKER = "nobody-knows-this"
#: name: what its entry says, besides its MAC address
CLIENTS: dict[str, dict[str, str]] = {
    "pc1": {},
    "pc2": {
        "statelessRunningProtosystem": "desk",
        "statelessRunningSerial": "1",
        "statelessRunningDigest": HOSTILE + "x" * 4096,
    },
    "pc3": {
        "statelessAssignedProtosystem": "desk",
        "statelessAssignedChannel": "testing",
        "statelessAssignedFormat": "ram",
        "statelessRunningProtosystem": "desk",
        "statelessRunningSerial": "2",
        "statelessRunningDigest": "sha256:2",
    },
    HOSTILE: {"description": HOSTILE},
    '-o"*()\\,+<>;#&!:[1:3]\u00e4': {},
    "stale": {},
    "localhost": {},
}


def _run(arguments: list[str], place: pathlib.Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments,
        env={
            **os.environ,
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
            "ANSIBLE_LOCAL_TEMP": str(place),
            "ANSIBLE_NOCOLOR": "1",
            "COLUMNS": "9999",
            "HOME": str(place),
            **environment,
        },
        cwd=place,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _untagged(value: dict[str, t.Any]) -> t.Any:
    """Ansible marks what looks like a template and is none."""
    return value.get("__ansible_unsafe", value)


class Source:
    """An inventory file about the directory of the tests."""

    def __init__(self, place: pathlib.Path, served: Directory) -> None:
        self.place = place
        self.path = place / "fleet.stateless.yml"
        self._config = {
            "plugin": "stateless.linux.directory",
            "server_uri": served.uri,
            "bind_dn": TREE.identity("clients", "watch"),
            "bind_pw": SECRET,
        }

    def write(self, **options: t.Any) -> None:
        """Have these options; None: not."""
        config = {name: value for name, value in {**self._config, **options}.items() if value is not None}
        self.path.write_text(yaml.safe_dump(config))

    def list(self, *more: str, **environment: str) -> dict[str, t.Any]:
        """What ansible-inventory says."""
        into = self.place / "listed"
        command = ["ansible-inventory", "-i", str(self.path), "--list", "--output", str(into), *more]
        run = _run(command, self.place, environment)
        assert run.returncode == 0, run.stderr
        assert SECRET not in run.stdout + run.stderr
        found: dict[str, t.Any] = json.loads(into.read_text(), object_hook=_untagged)
        assert json.dumps(SECRET)[1:-1] not in into.read_text()
        return {**found, "shown": run.stdout + run.stderr}

    def refused(self, **environment: str) -> str:
        """Why ansible-inventory does not take it."""
        run = _run(["ansible-inventory", "-i", str(self.path), "--list"], self.place, environment)
        assert run.returncode != 0, run.stdout
        assert SECRET not in run.stdout + run.stderr
        return run.stderr


@pytest.fixture(scope="module")
def fleet(served: Directory) -> Directory:
    """The clients :data:`CLIENTS`, all but pc3 and localhost in a group, which runs desk."""
    served.clear()
    served.protosystem("desk", "stable", {"stable": 2, "testing": 2}, {1: "sha256:1", 2: "sha256:2"})
    classes = [b"device", b"ieee802Device", b"bootableDevice", b"statelessClient"]
    for number, (name, said) in enumerate(CLIENTS.items()):
        told = {attribute: [value.encode()] for attribute, value in said.items()}
        mac = f"52:54:00:00:00:{number:02x}".encode()
        served.root.add(TREE.client(name), {"objectClass": classes, "cn": [name.encode()], "macAddress": [mac], **told})
    members = [TREE.client(name).encode() for name in CLIENTS if name not in ("pc3", "localhost")]
    served.root.add(
        TREE.group("lab 1"),
        {
            "objectClass": [b"groupOfNames", b"statelessGroup"],
            "cn": [b"lab 1"],
            "member": [TREE.groups.encode(), *members],
            "statelessAssignedProtosystem": [b"desk"],
        },
    )
    return served


@pytest.fixture
def source(fleet: Directory, tmp_path: pathlib.Path) -> Source:
    found = Source(tmp_path, fleet)
    found.write()
    return found


def _hosts(listed: dict[str, t.Any]) -> set[str]:
    return set(listed["_meta"]["hostvars"])


def _client(listed: dict[str, t.Any], host: str) -> dict[str, t.Any]:
    told = listed["_meta"]["hostvars"][host]
    return {name.partition("_")[2]: value for name, value in told.items() if name.startswith("stateless_")}


def test_every_client_is_a_host_with_what_the_module_says_of_it(source: Source, fleet: Directory) -> None:
    listed = source.list("-vvv")
    expected = {one["name"]: one for one in information(fleet.session, TREE, [], [])["clients"]}
    found = {_client(listed, host)["name"]: _client(listed, host) for host in _hosts(listed)}
    assert set(found) == set(CLIENTS)
    for name in ("pc1", "pc3", HOSTILE):
        of = expected[name]
        run = {field: of["run"][field] for field in ("protosystem", "channel", "serial", "digest", "format")}
        told = {field: of[field] for field in ("name", "mac", "description", "groups", "running", "stale")}
        assert found[name] == {**told, "run": run, "problem": of["run"]["problem"]}
    assert found["pc2"]["running"]["digest"] == expected["pc2"]["running"]["digest"][:256]
    assert found["pc1"]["run"]["serial"] == 2
    assert found["pc3"]["running"]["serial"] == 2
    assert {"pc1", "pc2", "pc3"} < _hosts(listed)


def test_groups_say_what_clients_should_run(source: Source) -> None:
    listed = source.list()
    groups = {
        name: set(group["hosts"]) for name, group in listed.items() if isinstance(group, dict) and "hosts" in group
    }
    other = _hosts(listed) - {"pc1", "pc2", "pc3"}
    local = next(host for host in other if _client(listed, host)["name"] == "localhost")
    lab = {"pc1", "pc2", *other} - {local}
    assert groups.pop("ungrouped", {local}) == {local}
    assert groups == {
        "protosystem_desk": lab | {"pc3"},
        "channel_stable": lab,
        "channel_testing": {"pc3"},
        "format_nfs": lab,
        "format_ram": {"pc3"},
        "group_lab_1": lab,
        "stale": {"pc2"},
    }


def test_nothing_in_the_directory_is_interpreted(source: Source) -> None:
    source.write(compose={"told": "stateless_description", "again": "stateless_running.digest"})
    shown = "{{ [stateless_description, stateless_name, stateless_running, told, again] | to_json }}"
    run = _run(
        ["ansible", "-i", str(source.path), "all", "-m", "ansible.builtin.debug", "-a", f"msg={shown}"],
        source.place,
        {},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    # Only as the argument of what would have been run.
    assert run.stdout.count("'echo interpreted'") >= 3
    assert run.stdout.count("interpreted") == run.stdout.count("echo interpreted") + run.stdout.count(
        "echo_interpreted"
    )
    listed = source.list()
    for host in _hosts(listed):
        assert not set(host) & set(" \"'*()\\,+<>;#&!:[]{}|"), host
        assert host[0] not in "-."
        assert host not in ("stale", "localhost")
        if host not in ("pc1", "pc2", "pc3"):
            name = _client(listed, host)["name"]
            assert f"is host {host}" in listed["shown"], name


def test_only_what_could_be_a_template_is_marked_as_none(source: Source) -> None:
    source.list()
    written = json.loads((source.place / "listed").read_text())["_meta"]["hostvars"]
    assert written["pc1"]["stateless_name"] == "pc1"
    assert written["pc1"]["stateless_mac"] == ["52:54:00:00:00:00"]
    assert written["pc3"]["stateless_running"]["digest"] == "sha256:2"
    assert written["pc2"]["stateless_running"]["digest"] == {"__ansible_unsafe": (HOSTILE + "x" * 4096)[:256]}


def test_select_takes_clients_from_the_list(source: Source) -> None:
    source.write(select="[?stale && running.protosystem == 'desk']")
    assert _hosts(source.list()) == {"pc2"}


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("[?stale", "select: '[?stale' cannot be used"),
        ("[].name", "select: '[].name' cannot be used: its result must be a list of clients"),
        ("nothing", "its result must be a list of clients"),
        ("sort_by(@, &running)", "select: 'sort_by(@, &running)' cannot be used"),
    ],
)
def test_an_expression_that_selects_no_clients_is_refused(source: Source, expression: str, reason: str) -> None:
    source.write(select=expression)
    assert reason in source.refused()


def test_constructed_groups_and_variables(source: Source) -> None:
    source.write(
        strict=True,
        select="[?running.serial]",
        compose={"ansible_host": "stateless_name ~ '.example.org'"},
        groups={"ahead of it": "stateless_running.serial > 1"},
        keyed_groups=[{"prefix": "runs", "key": "stateless_running.serial | string"}],
    )
    listed = source.list()
    assert listed["_meta"]["hostvars"]["pc2"]["ansible_host"] == "pc2.example.org"
    assert listed["ahead_of_it"]["hosts"] == listed["runs_2"]["hosts"] == ["pc3"]
    assert listed["runs_1"]["hosts"] == ["pc2"]
    source.write(strict=True, compose={"wrong": "stateless_run.no.such"})
    assert "Could not set wrong for host" in source.refused()


def test_a_cache_is_read_until_it_is_of_something_else(source: Source, fleet: Directory) -> None:
    cached = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(source.place / "kept")}
    source.write(**cached)
    first = source.list()
    kept = "".join(path.read_text() for path in (source.place / "kept").iterdir())
    assert "pc1" in kept
    assert json.dumps(SECRET)[1:-1] not in kept
    assert SECRET not in kept
    dn = TREE.client("pc4")
    fleet.root.add(dn, {"objectClass": [b"device", b"statelessClient"], "cn": [b"pc4"]})
    try:
        again = source.list()
        assert again["_meta"] == first["_meta"]
        assert "pc4" in _hosts(source.list("--flush-cache"))
        source.write(**cached, select="[?name == 'pc4']")
        assert _hosts(source.list()) == {"pc4"}
    finally:
        fleet.root.delete(dn)
    source.write(**cached, bind_dn=TREE.identity("administrators", "alice"))
    assert "pc4" not in _hosts(source.list())


def test_the_password_comes_from_the_environment_or_a_template(source: Source) -> None:
    source.write(bind_pw=None)
    assert "give bind_pw, too" in source.refused()
    assert "pc1" in _hosts(source.list(STATELESS_DIRECTORY_BIND_PW=SECRET))
    source.write(bind_pw="{{ lookup('ansible.builtin.env', 'WATCH') }}", suffix="{{ top }}")
    assert "pc1" in _hosts(source.list("-e", "top=o=stateless", WATCH=SECRET))
    assert "suffix" in source.refused(WATCH=SECRET)


def test_a_password_in_a_vault_is_used(source: Source) -> None:
    word = source.place / "word"
    word.write_text("of the vault")
    vault = {"ANSIBLE_VAULT_PASSWORD_FILE": str(word)}
    run = _run(["ansible-vault", "encrypt_string", "--name", "bind_pw", SECRET], source.place, vault)
    assert run.returncode == 0, run.stderr
    source.write(bind_pw=None)
    source.path.write_text(source.path.read_text() + run.stdout)
    assert "pc1" in _hosts(source.list(**vault))


def test_a_failure_says_who_and_what(source: Source) -> None:
    source.write(bind_pw=MARKER)
    said = source.refused()
    assert f"{TREE.identity('clients', 'watch')}: the password is wrong" in said
    assert MARKER not in said


@pytest.mark.parametrize(("library", "name"), [("jmespath", "jmespath"), ("ldap", "python-ldap")])
def test_a_missing_library_is_named(source: Source, library: str, name: str) -> None:
    source.write(select="[?stale]")
    (source.place / f"{library}.py").write_text('raise ImportError("none here")\n')
    path = f"{source.place}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    said = source.refused(PYTHONPATH=path)
    assert name in said
    assert "the Python that runs Ansible" in said


def test_the_name_of_the_file_counts(source: Source) -> None:
    source.write()
    source.path = source.path.rename(source.place / "fleet.yml")
    assert "could not be verified" in source.refused()


def _told(name: str, **more: t.Any) -> dict[str, t.Any]:
    run = {**dict.fromkeys(("protosystem", "channel", "serial", "digest", "format", "problem")), **more}
    return {"name": name, "mac": [], "description": None, "groups": [], "run": run, "running": {}, "stale": None}


def test_two_clients_never_are_one_host() -> None:
    names = ["a b", "a_b", "c d", "c/d", "e f", "all", "-", "x" * 90, "x" * 91]
    found = hosts([_told(name) for name in names], {"all", "ungrouped"}, str)
    called = [one.name for one in found.hosts]
    assert len(set(called)) == len(names)
    assert called[1] == "a_b"
    assert called[0].startswith("a_b_")
    assert called[4] == "e_f"
    assert called[5].startswith("all_")
    assert "client 'e f' is host e_f" in found.warnings
    # It depends on no other than those who share the name, and not on the order.
    assert [one.name for one in hosts([_told(name) for name in names[::-1]], {"all"}, str).hosts] == called[::-1]


def test_a_group_of_two_names_is_told() -> None:
    found = hosts(
        [_told("a", protosystem="x-y"), _told("b", protosystem="x_y")], (), lambda name: name.replace("-", "_")
    )
    assert found.warnings == [
        "'protosystem_x-y' and 'protosystem_x_y' of the directory are one group of the inventory: protosystem_x_y"
    ]
