# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules cached_root and cached_root_info, on a caching client whose roots are files."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._cached_root import health
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.here import Here
from ansible_collections.stateless.linux.plugins.module_utils._client import cached_state
from ansible_collections.stateless.linux.plugins.module_utils._client.places import Places
from ansible_collections.stateless.linux.plugins.module_utils._errors import InvalidValue, NotFound
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


class Pc:
    """A caching client, and the modules on it."""

    def __init__(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client = client
        self.root = client.directory / "root"
        self.running: int | None = None
        (self.root / "proc").mkdir()
        monkeypatch.setattr(Here, "cached", lambda _here: client.machine(self.running))

    def boot(self, serial: int, generation: int) -> None:
        self.running = serial
        line = f"ro stateless.protosystem={NAME} stateless.serial={serial} stateless.format=blocks"
        (self.root / "proc/cmdline").write_text(f"{line} stateless.entry={generation}\n")
        health.bless(self.client.machine(serial), generation)

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
