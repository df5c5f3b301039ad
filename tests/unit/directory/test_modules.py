# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules in a playbook, run by a Python that has no python-ldap: the system's has."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.stateless.linux.tests.unit.directory.served import SECRET, TREE, Directory

PC1 = {"name": "pc1", "mac": "5254.0000.0001", "groups": ["lab"], "password": "{{ word }}"}
TASKS: dict[str, dict[str, t.Any]] = {
    "labs": {
        "directory_group": {"groups": [{"name": "lab", "protosystem": "desk"}, {"name": "door", "priority": 1}]},
        "vars": {"ansible_python_interpreter": "{{ bare }}"},
    },
    "checked": {"directory_client": PC1, "check_mode": True},
    "made": {"directory_client": PC1},
    "again": {"directory_client": PC1},
    "many": {
        "directory_client": {
            "clients": [
                {"name": "pc1", "groups": ["door"], "exact": True},
                {"name": "pc2", "mac": ["52-54-00-00-00-02"], "description": "the second", "groups": ["lab"]},
                {"name": "pc3", "state": "absent"},
            ]
        }
    },
    "found": {"directory_info": {"mac": ["52:54:00:00:00:02"]}},
    "refused": {"directory_client": {"name": "pc1", "bind_pw": "wrong {{ word }}"}},
}


@pytest.fixture(scope="module")
def told(served: Directory, tmp_path_factory: pytest.TempPathFactory) -> dict[str, t.Any]:
    """The results of :data:`TASKS`, by name, and all that the run has shown."""
    served.clear()
    served.protosystem("desk", "stable", {"stable": 2}, {2: "sha256:2"})
    place = tmp_path_factory.mktemp("play")
    bare = place / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    tasks = [
        {
            "name": name,
            **{f"stateless.linux.{one}" if one.startswith("directory") else one: what for one, what in task.items()},
            "register": name,
            "ignore_errors": True,
        }
        for name, task in TASKS.items()
    ]
    results = {name: f"{{{{ {name} }}}}" for name in TASKS}
    tasks.append({"ansible.builtin.copy": {"dest": str(place / "results"), "content": "{{ results | to_json }}"}})
    login = {"server_uri": served.uri, "bind_dn": TREE.identity("administrators", "alice"), "bind_pw": SECRET}
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "module_defaults": {"group/stateless.linux.directory": login},
        "vars": {
            "ansible_python_interpreter": sys.executable,
            "bare": str(bare / "bin/python"),
            "word": "machine's s3cret",
            "results": results,
        },
        "tasks": tasks,
    }
    (place / "play.yml").write_text(json.dumps([play]))
    run = subprocess.run(
        ["ansible-playbook", "--diff", "-vvv", "-i", "localhost,", str(place / "play.yml")],
        env={
            **os.environ,
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_LOCAL_TEMP": str(place),
            "ANSIBLE_REMOTE_TEMP": str(place),
            "HOME": str(place),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    shown = run.stdout + run.stderr
    results_path = pathlib.Path(place / "results")
    assert results_path.exists(), shown
    return {**json.loads(results_path.read_text()), "shown": shown}


def test_a_task_tells_what_it_changes_and_the_next_changes_nothing(told: dict[str, t.Any]) -> None:
    assert told["labs"]["actions"] == ["add group lab", "add group door"]
    for name in ("checked", "made"):
        assert told[name]["changed"], told[name]
        assert told[name]["actions"] == ["add to group lab: pc1", "add client pc1"]
        assert told[name]["diff"]["before"] == ""
        assert json.loads(told[name]["diff"]["after"])["pc1"]["password"] == "(hidden, another)"
    assert not told["again"]["changed"]
    assert told["again"]["clients"] == told["made"]["clients"]
    assert told["many"]["actions"] == [
        "add to group door: pc1",
        "add to group lab: pc2",
        "add client pc2",
        "remove from group lab: pc1",
    ]


def test_information_is_about_those_who_were_asked_for(told: dict[str, t.Any]) -> None:
    (one,) = told["found"]["clients"]
    assert (one["name"], one["run"]["serial"], one["run"]["problem"], one["stale"]) == ("pc2", 2, "", None)
    assert [group["name"] for group in told["found"]["groups"]] == ["lab"]
    assert told["found"]["changed"] is False


def test_a_failure_names_who_and_what(told: dict[str, t.Any]) -> None:
    assert told["refused"]["failed"]
    assert "cn=alice,ou=administrators,ou=identities,o=stateless: the password is wrong" in told["refused"]["msg"]


def test_no_password_is_shown(told: dict[str, t.Any]) -> None:
    assert "s3cret" not in json.dumps({name: told[name] for name in TASKS})
    for line in told["shown"].splitlines():
        assert "s3cret" not in line
