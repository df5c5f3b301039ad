# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules cached_root and cached_root_info, and the command, on a caching client whose roots are files."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._cached_root import health
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.here import Here
from ansible_collections.stateless.linux.plugins.module_utils._client import cached, cached_state, command
from ansible_collections.stateless.linux.plugins.module_utils._client.places import Places
from ansible_collections.stateless.linux.plugins.module_utils._client.wanted import Wanted
from ansible_collections.stateless.linux.plugins.module_utils._errors import InvalidValue, NotFound, StatelessError
from ansible_collections.stateless.linux.plugins.module_utils._plan import Outcome
from ansible_collections.stateless.linux.tests.unit.blocks.web import serving
from ansible_collections.stateless.linux.tests.unit.blocks.world import NAME
from ansible_collections.stateless.linux.tests.unit.cached_root.client import Client, Publisher


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    made = Publisher(tmp_path_factory.mktemp("publisher"))
    made.publish(1)
    made.publish(2, 1)
    return made


#: The kernel arguments of the machine's own, as the client for tests has them.
OWN = "console=ttyS0 stateless.client=pc1"
Capture = pytest.CaptureFixture[str]


class Pc:
    """A caching client, and the modules on it."""

    def __init__(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client = client
        self.root = client.directory / "root"
        self.running: int | None = None
        (self.root / "proc").mkdir()
        monkeypatch.setattr(Here, "cached", lambda _here: client.machine(self.running))
        # the process of the tests keeps its own
        monkeypatch.setattr(cached, "_low_priority", lambda: None)

    def boot(self, serial: int, generation: int, own: str = OWN) -> None:
        """Boot, and be healthy."""
        self.start(serial, generation, own)
        health.bless(self.client.machine(serial), generation)

    def start(self, serial: int, generation: int, own: str = OWN) -> None:
        self.running = serial
        line = f"ro stateless.protosystem={NAME} stateless.serial={serial} stateless.format=blocks stateless.trial"
        (self.root / "proc/cmdline").write_text(f"{line} stateless.entry={generation} {own}\n")

    def run(self, *arguments: str) -> int:
        return command.run(arguments, Places(str(self.root), {}))

    def apply(self, check: bool = False, **options: t.Any) -> Outcome:
        given = {"protosystem": None, "serial": None, "rollback": False, "again": False, "urls": None, "limit": None}
        return cached_state.apply({**given, **options}, check, Places(str(self.root), {}))

    def info(self, verify: list[int] | None = None) -> dict[str, t.Any]:
        return cached_state.info({"verify": verify}, Places(str(self.root), {}))


@pytest.fixture
def pc(publisher: Publisher, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Pc]:
    with serving(publisher.served) as web:
        found = Pc(Client(tmp_path / "client", web.url, publisher.trusted, "grub"), monkeypatch)
        (found.root / "proc/cmdline").write_text(f"ro stateless.protosystem={NAME} stateless.serial=9\n")
        found.apply(serial=1)
        found.boot(1, 1)
        yield found


def test_a_root_is_fetched_once_and_said_before(pc: Pc) -> None:
    planned = pc.apply(check=True, serial=2)
    assert [step.text for step in planned.plan.steps] == [f"fetch {NAME} 2, and boot it next"]
    assert planned.plan.before == {"next": {"protosystem": NAME, "serial": 1}}
    assert planned.plan.after == {"next": {"protosystem": NAME, "serial": 2}}
    assert planned.result["fetched"] > 0
    assert [root["serial"] for root in pc.info()["roots"]] == [1]
    done = pc.apply(serial=2)
    assert done.plan.changed
    assert done.result["reboot_required"]
    assert done.result["root"] == {"protosystem": NAME, "serial": 2}
    assert [(root["serial"], root["state"], root["next"]) for root in done.result["roots"]] == [
        (1, "good", False),
        (2, "trial", True),
    ]
    again = pc.apply(serial=2)
    assert not again.plan.changed
    assert again.result["reboot_required"]


def test_a_rollback_happens_once(pc: Pc) -> None:
    pc.apply(serial=2)
    pc.boot(2, 2)
    assert not pc.apply(serial=2).result["reboot_required"]
    assert pc.apply(check=True, rollback=True).result["root"]["serial"] == 1
    assert pc.apply(rollback=True).plan.changed
    again = pc.apply(rollback=True)
    assert not again.plan.changed
    assert again.result["root"]["serial"] == 1
    pc.boot(1, 3)
    # from here, back is forth
    assert pc.apply(check=True, rollback=True).result["root"]["serial"] == 2
    with pytest.raises(NotFound, match="no good root lab 7"):
        pc.apply(rollback=True, serial=7)


def test_other_kernel_arguments_of_the_directory_are_another_entry(
    pc: Pc, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    said = Wanted((NAME, 1), ("console=ttyS0", "quiet"))
    for one in (cached, cached_state):
        monkeypatch.setattr(one, "assigned", lambda _places: said)
    planned = pc.apply(check=True)
    assert [step.text for step in planned.plan.steps] == [f"boot {NAME} 1 next, with other kernel arguments"]
    assert planned.result["reboot_required"]
    assert pc.run("update", "--json") == 0
    assert json.loads(capsys.readouterr().out)["reboot"]
    assert not pc.apply().plan.changed
    pc.boot(1, 2, "stateless.client=pc1 stateless.assigned console=ttyS0 quiet")
    done = pc.apply()
    assert not done.plan.changed
    assert not done.result["reboot_required"]
    assert pc.run("update") == 0
    assert capsys.readouterr().out == f"{NAME} 1 runs\n"
    said = Wanted((NAME, 1), ("a b",))
    with pytest.raises(StatelessError, match="the directory says what cannot be: kernel_arguments"):
        pc.apply()


def test_options_that_cannot_work_are_refused(pc: Pc) -> None:
    for wrong in ({"urls": ["ftp://a"]}, {"limit": -1}, {"serial": 0}, {"serial": 1, "protosystem": "A"}):
        with pytest.raises(InvalidValue, match=next(reversed(wrong))):
            pc.apply(**{"serial": 2, **wrong})


def test_roots_are_verified(pc: Pc) -> None:
    assert "verified" not in pc.info()
    (found,) = pc.info([])["verified"]
    assert (found["serial"], found["differing"]) == (1, 0)
    path = pc.client.roots.file((NAME, 1))
    content = bytearray(path.read_bytes())
    content[4096 * 300] ^= 1
    path.write_bytes(content)
    (found,) = pc.info([1])["verified"]
    assert found["differing"] == 1
    with pytest.raises(InvalidValue, match="no root lab 5"):
        pc.info([5])


# -- the command


class System:
    """What a machine finds of itself, and what it was told to do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.units: list[str] = []
        self.done: list[str] = []
        monkeypatch.setattr(health, "failed_units", lambda _ignored: self.units)
        monkeypatch.setattr(health, "network", list)
        monkeypatch.setattr(health, "wait", lambda look, _seconds: look())
        monkeypatch.setattr(cached, "run", lambda argv, **_options: self.done.append(" ".join(argv)))


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    return System(monkeypatch)


def test_a_healthy_trial_becomes_good(pc: Pc, system: System, capsys: Capture) -> None:
    assert pc.run("update", "--serial", "2", "--url", pc.client.url) == 0
    assert f"{NAME} 2 is booted at the next restart (" in capsys.readouterr().out
    pc.start(2, 2)
    assert pc.run("health") == 0
    assert capsys.readouterr().out == f"{NAME} 2 is healthy\n"
    assert system.done[-1] == "systemctl --no-block stop stateless-trial.timer"
    assert pc.info()["roots"][1]["state"] == "good"


def test_an_unhealthy_trial_is_ended_if_something_can_take_over(pc: Pc, system: System, capsys: Capture) -> None:
    pc.apply(serial=2)
    pc.start(2, 2)
    system.units = ["the unit breaks.service has failed"]
    assert pc.run("health", "--json") == 1
    said = json.loads(capsys.readouterr().out)
    assert said == {"healthy": False, "wrong": system.units, "restart": True}
    assert system.done == ["systemctl --no-block reboot"]
    assert pc.info()["roots"][1]["why"] is None
    # another machine, from then on
    environment = pathlib.Path(pc.client.boot.where, "grub/grubenv")
    environment.write_bytes(environment.read_bytes().replace(b"left=3", b"left=0"))
    pc.start(1, 1)
    assert pc.info()["roots"][1]["state"] == "failed"
    assert pc.info()["roots"][1]["why"] == "the unit breaks.service has failed"
    assert pc.run("update", "--serial", "2", "--url", pc.client.url) == 4
    assert "did not come up healthy (the unit breaks.service has failed); it is" in capsys.readouterr().err
    assert pc.run("update", "--serial", "2", "--url", pc.client.url, "--again") == 0
    assert pc.info()["roots"][1]["why"] is None


def test_an_unhealthy_trial_is_ended_whatever_else_is_broken(pc: Pc, system: System, capsys: Capture) -> None:
    pc.apply(serial=2)
    pc.start(2, 2)
    system.units = ["the unit breaks.service has failed"]
    said = pathlib.Path(pc.client.machine(2).places.decisions)
    said.write_text("{")
    assert pc.run("health") == 1
    assert system.done == ["systemctl --no-block reboot"]
    assert said.read_text() == "{"


def test_an_unhealthy_machine_stays_if_it_was_good_or_is_alone(pc: Pc, system: System, capsys: Capture) -> None:
    system.units = ["the unit breaks.service has failed"]
    assert pc.run("health") == 1
    assert "nothing can take over" in capsys.readouterr().out
    assert system.done == ["systemctl --no-block stop stateless-trial.timer"]


def test_the_administrators_checks_count(pc: Pc, system: System, capsys: Capture) -> None:
    script = pc.root / "etc/stateless/health.d/10-printer"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\necho 'no paper' >&2\nexit 1\n")
    script.chmod(0o755)
    assert pc.run("health") == 1
    assert "10-printer: no paper" in capsys.readouterr().out


def test_what_cannot_be_done_now_may_be_later(pc: Pc, system: System, capsys: Capture) -> None:
    pc.apply(serial=2)
    pc.start(2, 2)
    assert pc.run("update", "--serial", "1", "--url", pc.client.url) == 4
    assert "not found healthy yet" in capsys.readouterr().err
    assert pc.run("update", "--serial", "2", "--url", pc.client.url, "--check") == 0
    assert "already" in capsys.readouterr().out


def test_verify_says_what_differs_and_mends(pc: Pc, capsys: Capture) -> None:
    path = pc.client.roots.file((NAME, 1))
    content = bytearray(path.read_bytes())
    content[4096 * 300] ^= 1
    path.write_bytes(content)
    assert pc.run("verify") == 1
    assert "1 of 2048 blocks differ\n" in capsys.readouterr().out
    assert pc.run("verify", "--mend", "--json") == 0
    assert json.loads(capsys.readouterr().out)["mended"]
    assert pc.run("verify", "1") == 0


def test_status_says_what_is_on_the_disk(pc: Pc, capsys: Capture) -> None:
    pc.run("status", "--json")
    (found,) = json.loads(capsys.readouterr().out)["disk"]["roots"]
    assert (found["serial"], found["state"], found["runs"]) == (1, "good", True)
