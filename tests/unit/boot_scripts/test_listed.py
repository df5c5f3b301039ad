# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot scripts of a list of clients, as files: what is written, what is not, and what a killed run leaves."""

from __future__ import annotations

import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils import _files
from ansible_collections.stateless.linux.plugins.module_utils._boot_scripts.state import Wanted, state
from ansible_collections.stateless.linux.plugins.module_utils._errors import (
    Busy,
    InvalidValue,
    NotFound,
    StatelessError,
)
from ansible_collections.stateless.linux.plugins.module_utils._plan import Outcome
from ansible_collections.stateless.linux.plugins.module_utils._server import Server
from ansible_collections.stateless.linux.tests.unit.boot_scripts.place import client, directory_json, local, mac, tree

MAC1, MAC2, MAC3 = mac(1), mac(2), mac(3)
PC1, PC2 = "clients/52-54-00-00-00-01.ipxe", "clients/52-54-00-00-00-02.ipxe"


def run(server: Server, *clients: dict[str, t.Any], check: bool = False, **more: t.Any) -> Outcome:
    wanted = Wanted(clients, lock_timeout=more.pop("lock_timeout", 5.0), **more)
    return state(server, wanted, check, os.path.join(server.state, "no directory"))


def test_a_client_is_sent_to_its_channel_with_its_name(tmp_path: pathlib.Path) -> None:
    server = local(tmp_path)
    run(server, client("pc1", MAC1, MAC2, channel="testing", format="ram", arguments=["console=ttyS0,115200", "quiet"]))
    found = tree(server)
    assert sorted(found) == [PC1, PC2, "default.ipxe"]
    assert found[PC1] == found[PC2]
    assert found[PC1].splitlines() == [
        "#!ipxe",
        "# stateless.linux: stateless.client=pc1",
        "set stateless-format ram",
        "set stateless-arguments systemd.hostname=pc1 console=ttyS0,115200 quiet stateless.client=pc1",
        "chain --replace ../../images/desk/channels/testing.ipxe || goto failed",
        ":failed",
        "echo desk has no channel testing: starting anew in 10 seconds",
        "sleep 10",
        "reboot",
    ]
    for name in found:
        assert (pathlib.Path(server.boot) / name).stat().st_mode & 0o777 == 0o644


def test_whoever_is_no_client_goes_on_or_boots_what_is_said_for_all(tmp_path: pathlib.Path) -> None:
    server = local(tmp_path)
    run(server)
    assert tree(server)["default.ipxe"].splitlines()[-1] == "exit 1"
    others = {"protosystem": "kiosk", "channel": "stable", "format": "ram", "arguments": ["quiet"]}
    run(server, others=others)
    assert tree(server)["default.ipxe"].splitlines()[2:5] == [
        "set stateless-format ram",
        "set stateless-arguments quiet",
        "chain --replace ../images/kiosk/channels/stable.ipxe || goto failed",
    ]


def test_a_name_is_a_host_name_where_it_can_be_and_is_wanted(tmp_path: pathlib.Path) -> None:
    server = local(tmp_path)
    run(server, client("Front desk, 1 é", MAC1), client("pc2.example.org", MAC2))
    found = tree(server)
    assert "set stateless-arguments stateless.client=Front%20desk%2C%201%20%C3%A9\n" in found[PC1]
    assert "systemd.hostname=pc2.example.org stateless.client=pc2.example.org\n" in found[PC2]
    run(server, client("pc1", MAC1), host_names=False)
    assert "set stateless-arguments stateless.client=pc1\n" in tree(server)[PC1]


def test_only_what_changes_is_written_and_what_is_no_more_is_removed(tmp_path: pathlib.Path) -> None:
    server = local(tmp_path)
    clients = [client("pc1", MAC1), client("pc2", MAC2), client("pc3", MAC3)]
    first = run(server, *clients)
    assert [step.text for step in first.plan.steps] == ["write 4 boot scripts"]
    notes = pathlib.Path(server.boot) / "clients/notes.txt"
    notes.write_text("not ours")
    (pathlib.Path(server.boot) / "boot.ipxe").write_text("the role's")
    kept = (pathlib.Path(server.boot) / PC1).stat()
    clients[1:] = [client("pc2", MAC2, format="ram")]
    for check in (True, False):
        second = run(server, *clients, check=check)
        assert [step.text for step in second.plan.steps] == [
            f"write boot script {PC2}",
            "remove boot script clients/52-54-00-00-00-03.ipxe",
        ]
        assert second.result["written"] == [PC2]
        assert second.result["removed"] == ["clients/52-54-00-00-00-03.ipxe"]
        assert set(second.plan.before) - set(second.plan.after) == {"clients/52-54-00-00-00-03.ipxe"}
        assert "set stateless-format nfs" in second.plan.before[PC2]
        assert "set stateless-format ram" in second.plan.after[PC2]
        assert ("clients/52-54-00-00-00-03.ipxe" in tree(server)) == check
    now = (pathlib.Path(server.boot) / PC1).stat()
    assert (now.st_ino, now.st_mtime_ns) == (kept.st_ino, kept.st_mtime_ns)
    assert sorted(tree(server)) == ["boot.ipxe", PC1, PC2, "clients/notes.txt", "default.ipxe"]
    assert not run(server, *clients).plan.changed


def test_a_script_that_cannot_be_fetched_or_is_a_link_is_written_anew(tmp_path: pathlib.Path) -> None:
    server = local(tmp_path)
    run(server, client("pc1", MAC1), client("pc2", MAC2))
    other = tmp_path / "other"
    (pathlib.Path(server.boot) / PC1).rename(other)
    (pathlib.Path(server.boot) / PC1).symlink_to(other)
    (pathlib.Path(server.boot) / PC2).chmod(0o600)
    assert run(server, client("pc1", MAC1), client("pc2", MAC2)).result["written"] == [PC1, PC2]
    assert not (pathlib.Path(server.boot) / PC1).is_symlink()
    assert (pathlib.Path(server.boot) / PC2).stat().st_mode & 0o777 == 0o644
    assert not run(server, client("pc1", MAC1), client("pc2", MAC2)).plan.changed


def test_a_diff_of_thousands_has_the_text_of_some(tmp_path: pathlib.Path) -> None:
    server = local(tmp_path)
    clients = [client(f"pc{number}", mac(number)) for number in range(1000)]
    run(server, *clients[:900])
    outcome = run(server, *(dict(one, format="ram") for one in clients[100:]), check=True)
    sides = [list(side.values()) for side in (outcome.plan.before, outcome.plan.after)]
    assert [sum(isinstance(one, list) for one in side) for side in sides] == [10, 10]
    assert [len(side) for side in sides] == [900, 900]
    assert {one for side in sides for one in side if isinstance(one, str)} == {"as it was", "changed", "new"}


#: What no field may be: it would be read by iPXE, or lead out of a directory.
ODD = [
    "",
    "..",
    "../x",
    "a/b",
    "a b",
    "a\nshell",
    "a\0",
    "${net0/mac}",
    "a${b}",
    "||",
    "&&",
    "#!ipxe",
    "a#b",
    "é",
    "\ud800",
]


@pytest.mark.parametrize(
    ("option", "text"),
    [
        *((option, text) for option in ("protosystem", "channel", "format") for text in ODD),
        *(("arguments", text) for text in [*ODD, "-x", "$x"] if text != "a/b"),
    ],
)
def test_what_may_not_be_in_a_script_is_refused_before_anything_changes(
    tmp_path: pathlib.Path, option: str, text: str
) -> None:
    server = local(tmp_path)
    run(server, client("pc1", MAC1))
    before = tree(server)
    value: t.Any = [text] if option == "arguments" else text
    with pytest.raises(InvalidValue, match=f"^{option}: .* cannot be used: "):
        run(server, client("pc1", MAC2), client("pc2", MAC1, **{option: value}))
    others = {"protosystem": "desk", "channel": "stable", "format": "nfs", "arguments": [], option: value}
    with pytest.raises(InvalidValue, match=f"^{option}: "):
        run(server, others=others)
    assert tree(server) == before


@pytest.mark.parametrize("text", [*ODD, "52:54:00:00:00", "52:54:00:00:00:01:02", "gg:54:00:00:00:01"])
def test_what_is_no_address_is_refused(tmp_path: pathlib.Path, text: str) -> None:
    server = local(tmp_path)
    with pytest.raises(InvalidValue, match=r"^mac: "):
        run(server, client("pc1", MAC1), client("pc2", text))
    assert not os.path.exists(server.boot)


@pytest.mark.parametrize("text", ["", "a\nshell", "a\0", "\ud800", " a", "x" * 65])
def test_what_is_no_name_is_refused(tmp_path: pathlib.Path, text: str) -> None:
    with pytest.raises(InvalidValue, match=r"^name: "):
        run(local(tmp_path), client(text, MAC1))


@pytest.mark.parametrize("name", ["..", "../x", "${net0/mac}", "a || reboot", "&&", "#!ipxe", "é", "%", 'a"b', "a=b"])
def test_a_name_is_data_whatever_is_in_it(tmp_path: pathlib.Path, name: str) -> None:
    server = local(tmp_path)
    run(server, client(name, MAC1))
    script = tree(server)[PC1]
    plain = tree(server)[PC1].splitlines()
    run(server, client("pc1", MAC1))
    same = [line for line in tree(server)[PC1].splitlines() if "stateless.client=" not in line]
    assert [line for line in plain if "stateless.client=" not in line] == same
    for line in plain:
        assert re.fullmatch(r"(set stateless-arguments |# stateless\.linux: )?[A-Za-z0-9%_.~=-]+", line) or line in same
    assert script.isascii()


def test_two_clients_cannot_have_one_name_or_address(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InvalidValue, match=r"^mac: '52:54:00:00:00:01' .*'pc2' and another"):
        run(local(tmp_path), client("pc1", MAC1), client("pc2", MAC1.upper()))
    with pytest.raises(InvalidValue, match=r"^name: "):
        run(local(tmp_path), client("pc1", MAC1), client("PC1", MAC2))


def test_either_a_list_says_it_or_the_directory(tmp_path: pathlib.Path) -> None:
    server = local(tmp_path)
    path = directory_json(tmp_path, server_uri="ldapi:///")
    with pytest.raises(StatelessError, match=f"^clients: leave them out: {path} names a directory"):
        state(server, Wanted([client("pc1", MAC1)]), False, path)
    with pytest.raises(NotFound, match=r"^clients: say what boots what, or let the directory say it"):
        state(server, Wanted(None), False, str(tmp_path / "none.json"))
    assert not os.path.exists(server.boot)


def test_two_runs_do_not_meet(tmp_path: pathlib.Path) -> None:
    server = local(tmp_path)
    with _files.lock(server.boot_lock, "held"), pytest.raises(Busy, match="another run writes the boot scripts"):
        run(server, client("pc1", MAC1), lock_timeout=0)
    run(server, client("pc1", MAC1), lock_timeout=0)


#: A run that is killed before the Nth change that it makes to the boot scripts: Python tells of each beforehand.
KILLED = """
import os, pathlib, signal, sys
from ansible_collections.stateless.linux.plugins.module_utils import _files
from ansible_collections.stateless.linux.plugins.module_utils._boot_scripts.state import Wanted, state
from ansible_collections.stateless.linux.tests.unit.boot_scripts.place import client, local, mac

left, count, few = int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
_files._FEW = few
server = local(pathlib.Path(sys.argv[1]))

def told(event, arguments):
    global left
    writes = event in ("os.rename", "os.remove", "os.mkdir", "tempfile.mkstemp")
    if writes and any(isinstance(one, str) and server.boot in one for one in arguments) or event == "os.chmod":
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(told)
state(server, Wanted([client(f"pc{n}", mac(n), format="ram") for n in range(1, count)]), False, "/nonexistent")
"""


@pytest.mark.parametrize(("count", "few", "points"), [(4, 64, 40), (4, 0, 40), (120, 64, 12)])
def test_a_run_killed_at_any_point_leaves_each_script_old_or_new(
    tmp_path: pathlib.Path, count: int, few: int, points: int
) -> None:
    old = [client(f"pc{number}", mac(number)) for number in range(count - 1)]
    new = [client(f"pc{number}", mac(number), format="ram") for number in range(1, count)]
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    ended = 0
    leftovers = 0
    chosen = range(points) if few == 0 or count == 4 else sorted(random.sample(range(count * 3), points))
    for number in chosen:
        place = tmp_path / str(number)
        server = local(place)
        run(server, *old)
        before = tree(server)
        done = subprocess.run(
            [sys.executable, str(script), str(place), str(number), str(count), str(few)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        ended += done.returncode == 0
        found = tree(server)
        last = run(server, *new)
        wanted = tree(server)
        for name in {*before, *wanted}:
            assert found.get(name) in (before.get(name), wanted.get(name))
        left = [name for name in found if ".stateless-" in name]
        leftovers += bool(left)
        assert set(found) <= {*before, *wanted, *left}
        assert ("clear what a killed run has left" in [step.text for step in last.plan.steps]) == bool(left)
        assert set(wanted) == {f"clients/{mac(n).replace(':', '-')}.ipxe" for n in range(1, count)} | {"default.ipxe"}
        assert not run(server, *new).plan.changed
        if done.returncode == 0:
            break
    assert leftovers > 0
    if count == 4:
        assert ended == 1, "the points do not reach the end of a run"


def test_a_run_that_fails_leaves_nothing_beside(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = local(tmp_path)
    monkeypatch.setattr(_files, "_FEW", 0)
    run(server, *(client(f"pc{number}", mac(number)) for number in range(5)))
    before = tree(server)

    def fail(_path: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_files, "sync_filesystem", fail)
    with pytest.raises(StatelessError, match="there is no room left for 5 files"):
        run(server, *(client(f"pc{number}", mac(number), format="ram") for number in range(5)))
    assert tree(server) == before
