# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook status: its table, and its page, read as a browser reads it."""

from __future__ import annotations

import html.parser
import json
import os
import pathlib
import subprocess
import sys

import ldap
import pytest

from ansible_collections.stateless.linux.tests.unit.directory.served import SECRET, TREE, Directory

HOSTILE = "<img src=x onerror=alert(1)>\"'&{{ 7 * 191 }}"
VOID = {"meta", "input", "img", "link", "br"}


class Page(html.parser.HTMLParser):
    """The elements of a page; every one that is opened must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.items: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")
        elif tag == "li":
            self.items.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "th" in self._open or "td" in self._open:
            self.rows[-1][-1] += data
        if "li" in self._open:
            self.items[-1] += data


@pytest.fixture(scope="module")
def fleet(served: Directory) -> Directory:
    """Two snapshots; a client runs the older, and one runs one that is gone. What may be any text is hostile."""
    served.clear()
    served.protosystem("desk", "stable", {"stable": 3}, {2: "sha256:2", 3: "sha256:3"})
    classes = [b"device", b"statelessClient"]
    for name, serial in (("pc1", 1), ("pc2", 2), (HOSTILE, None)):
        running = {
            "statelessRunningProtosystem": [b"desk"],
            "statelessRunningSerial": [str(serial).encode()],
            "statelessReported": [b"20261123070240Z"],
        }
        more = running if serial else {"statelessAssignedChannel": [b"none"]}
        served.root.add(TREE.client(name), {"objectClass": classes, "cn": [name.encode()], **more})
    served.assign_all(statelessAssignedProtosystem="desk")
    group = {"objectClass": [b"groupOfNames", b"statelessGroup"], "cn": [HOSTILE.encode()]}
    served.root.add(TREE.group(HOSTILE), {**group, "member": [TREE.client("pc1").encode()]})
    served.root.modify(TREE.protosystem("desk"), [(ldap.MOD_ADD, "description", [HOSTILE.encode()])])
    served.root.modify(
        TREE.snapshot("desk", 3),
        [
            (ldap.MOD_ADD, "statelessKernel", [HOSTILE.encode()]),
            (ldap.MOD_ADD, "statelessCreated", [b"20261122180000Z"]),
        ],
    )
    return served


def test_the_fleet_is_printed_and_written_as_one_page(fleet: Directory, tmp_path: pathlib.Path) -> None:
    login = {"server_uri": fleet.uri, "bind_dn": TREE.identity("clients", "watch"), "bind_pw": SECRET}
    variables = {
        **{f"status_{name}": value for name, value in login.items()},
        "ansible_python_interpreter": sys.executable,
    }
    (tmp_path / "login.json").write_text(json.dumps(variables))

    def run() -> str:
        done = subprocess.run(
            ["ansible-playbook", "stateless.linux.status", "-e", "@login.json"],
            env={**os.environ, "HOME": str(tmp_path), "PWD": str(tmp_path), "ANSIBLE_LOCAL_TEMP": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    try:
        shown = run()
        assert "changed=0" in run()
    finally:
        fleet.assign_all(statelessAssignedProtosystem="")
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert any('"pc1 desk 3 nfs desk 1 changes"' in line for line in lines), shown
    assert "3 machines; a reboot changes 2; 1 have not reported; 1 with a problem" in shown
    assert SECRET not in shown

    text = (tmp_path / "status.html").read_text()
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>")
    assert "1337" not in text
    assert SECRET not in text
    assert "img" not in {tag for tag, _attributes in page.tags}
    # Nothing is fetched, and nothing but the page's own script runs.
    for tag, attributes in page.tags:
        assert not {name for name in attributes if name.startswith("on") or name in ("src", "href", "action")}, tag
    assert [tag for tag, _attributes in page.tags].count("script") == 1
    assert {row[0]: row[1:] for row in page.rows} == {
        "Machine": ["Groups", "Should run", "Runs", "Reboot", "Reported", "Problem"],
        "pc1": [HOSTILE, "desk 3 nfs", "desk 1", "changes it", "2026-11-23 07:02:40 UTC", ""],
        "pc2": ["", "desk 3 nfs", "desk 2", "changes it", "2026-11-23 07:02:40 UTC", ""],
        HOSTILE: ["", "desk nfs", "", "not known", "", "desk has no channel none; there is: stable"],
    }
    items = [" ".join(item.split()) for item in page.items]
    snapshots = [item for item in items if item.startswith("Snapshot")]
    assert [item.partition(" should")[0] for item in snapshots] == [
        "Snapshot 3 channel stable 0 run it, 2",
        "Snapshot 2 1 run it, 0",
        "Snapshot 1 1 run it, 0",
    ]
    assert f"taken 2026-11-22 18:00:00 UTC; kernel {HOSTILE}; published as nfs, ram" in snapshots[0]
    assert snapshots[2].endswith("It is not in the directory any more.")
