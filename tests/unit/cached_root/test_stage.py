# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Updates of a caching client, from the first root on: what is fetched, what is booted next, and kills on the way."""

from __future__ import annotations

import dataclasses
import filecmp
import hashlib
import json
import os
import pathlib
import shutil
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._blocks.signature import NotTrusted
from ansible_collections.stateless.linux.plugins.module_utils._cached_root import check, health, stage
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.boot_partition import FILES
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.entries import Entry, Image, following
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.plan import Way, leftovers
from ansible_collections.stateless.linux.plugins.module_utils._errors import InUse, NotFound
from ansible_collections.stateless.linux.plugins.module_utils._volumes.store import NoRoom
from ansible_collections.stateless.linux.tests.unit.blocks.web import Web, serving
from ansible_collections.stateless.linux.tests.unit.blocks.world import NAME
from ansible_collections.stateless.linux.tests.unit.cached_root.client import SIZE, Client, FileRoots, Publisher
from ansible_collections.stateless.linux.tests.unit.cached_root.kill import killed_at

KINDS = ("systemd-boot", "grub")


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    """Serials 1 to 4: 3 is smaller, 4 larger than what was before."""
    made = Publisher(tmp_path_factory.mktemp("publisher"))
    made.publish(1)
    made.publish(2, 1)
    made.publish(3, 2, SIZE - (2 << 20))
    made.publish(4, 3, SIZE + (2 << 20))
    return made


@pytest.fixture
def web(publisher: Publisher) -> t.Iterator[Web]:
    with serving(publisher.served) as found:
        yield found


@pytest.fixture(params=KINDS)
def client(request: pytest.FixtureRequest, publisher: Publisher, web: Web, tmp_path: pathlib.Path) -> Client:
    """One with a blank disk."""
    return Client(tmp_path / "client", web.url, publisher.trusted, request.param)


def is_whole(client: Client, publisher: Publisher, serial: int) -> None:
    """The root is the one that was published, and so are the files that boot it."""
    root = client.roots.read().get((NAME, serial))
    assert root is not None
    assert root.is_complete
    volume = publisher.world.volumes[serial].read_bytes()
    content = client.roots.file((NAME, serial)).read_bytes()
    assert content[: len(volume)] == volume
    assert not any(content[len(volume) :])
    manifest = publisher.world.boots[serial]
    directory = pathlib.Path(client.boot.where, FILES, NAME, str(serial))
    for name, one in (("linux", manifest.kernel), ("initrd", manifest.initrd)):
        assert hashlib.sha256((directory / name).read_bytes()).hexdigest() == one.sha256


def boots(client: Client, publisher: Publisher) -> Entry:
    """What the client boots next, which is whole."""
    entry = following(client.boot.entries())
    assert entry is not None
    is_whole(client, publisher, entry.serial)
    text = pathlib.Path(client.boot.file(entry)).read_text()
    assert f"root=/dev/vg/{NAME}.{entry.serial} " in text
    assert f" stateless.serial={entry.serial} " in text
    assert f" stateless.entry={entry.generation} console=ttyS0 stateless.client=pc1\n" in text
    # what GRUB passes on, it knows by itself
    assert (" stateless.trial " in text) == (entry.is_trial and text.startswith("title"))
    return entry


def go(client: Client, publisher: Publisher, *serials: int) -> None:
    """Update from one to the next, and find each healthy."""
    running = None
    for serial in serials:
        stage.stage(client.machine(running), (NAME, serial))
        entry = boots(client, publisher)
        assert entry.image == (NAME, serial)
        health.bless(client.machine(serial), entry.generation)
        running = serial


def test_from_a_blank_disk_to_the_fourth_root(client: Client, publisher: Publisher, web: Web) -> None:
    go(client, publisher, 1)
    first = web.sent
    assert first > 1_000_000
    go(client, publisher, 2, 3, 4)
    # three whole ones would be three times as much
    assert web.sent - first < 2 * first
    assert boots(client, publisher) == Entry(4, NAME, 4)
    # three good ones stay
    assert [root.serial for root in client.roots.read().roots] == [2, 3, 4]
    assert client.boot.images() == [(NAME, 2), (NAME, 3), (NAME, 4)]
    lines = [json.loads(line) for line in client.said.getvalue().splitlines()]
    assert {"step": "look up lab 4"} in lines
    fetched = [line for line in lines if line["step"] == "fetch"]
    assert fetched[-1]["bytes"] >= fetched[-1]["total"] > 0


def test_what_was_updated_is_what_is_installed_anew(client: Client, publisher: Publisher) -> None:
    go(client, publisher, 1, 2)
    other = Client(client.directory.parent / "other", client.url, publisher.trusted, "grub")
    go(other, publisher, 2)
    assert filecmp.cmp(client.roots.file((NAME, 2)), other.roots.file((NAME, 2)), shallow=False)


def test_a_second_update_does_nothing(client: Client, publisher: Publisher, web: Web) -> None:
    go(client, publisher, 1)
    stage.stage(client.machine(1), (NAME, 2))
    before, entries = len(web.requests), client.boot.entries()
    again = stage.stage(client.machine(1), (NAME, 2))
    assert again.way is Way.NOTHING
    assert len(web.requests) == before
    assert client.boot.entries() == entries


def test_an_update_that_is_not_wanted_any_more_is_taken_back(client: Client, publisher: Publisher) -> None:
    go(client, publisher, 1)
    stage.stage(client.machine(1), (NAME, 2))
    assert stage.stage(client.machine(1), (NAME, 1)).way is Way.CANCEL
    assert boots(client, publisher) == Entry(1, NAME, 1)
    # and the root, which is there, can be gone to without fetching it
    assert stage.stage(client.machine(1), (NAME, 2)).way is Way.ENTRY
    assert boots(client, publisher).image == (NAME, 2)


def test_a_newer_update_takes_the_place_of_one_that_was_not_booted(client: Client, publisher: Publisher) -> None:
    go(client, publisher, 1)
    for serial in (2, 3):
        stage.stage(client.machine(1), (NAME, serial))
    assert [entry.image[1] for entry in client.boot.entries()] == [1, 3]
    assert boots(client, publisher).image == (NAME, 3)


def test_what_runs_on_trial_takes_no_update(client: Client, publisher: Publisher) -> None:
    go(client, publisher, 1)
    stage.stage(client.machine(1), (NAME, 2))
    with pytest.raises(InUse, match="not found healthy yet"):
        stage.stage(client.machine(2), (NAME, 3))


def fail(client: Client, entry: Entry) -> None:
    """What the loader has made of an entry after three tries."""
    if os.path.exists(os.path.join(client.boot.where, "grub")):
        path = pathlib.Path(client.boot.where, "grub/grubenv")
        path.write_bytes(path.read_bytes().replace(b"left=3", b"left=0"))
    else:
        failed = dataclasses.replace(entry, left=0, done=3)
        os.rename(client.boot.file(entry), client.boot.file(failed))


def test_a_root_that_failed_is_noted_and_not_tried_again_unless_told(client: Client, publisher: Publisher) -> None:
    go(client, publisher, 1)
    stage.stage(client.machine(1), (NAME, 2))
    fail(client, boots(client, publisher))
    assert boots(client, publisher) == Entry(1, NAME, 1)
    # whoever comes first notices
    with pytest.raises(InUse, match="did not come up healthy"):
        stage.stage(client.machine(1), (NAME, 2))
    found = health.bless(client.machine(1), 1)
    assert not found.changed
    assert [entry.image for entry in found.failed] == [(NAME, 2)]
    with pytest.raises(InUse, match="did not come up healthy"):
        stage.stage(client.machine(1), (NAME, 2))
    assert stage.stage(client.machine(1), (NAME, 2), again=True).way is Way.ENTRY
    assert boots(client, publisher) == Entry(3, NAME, 2, 3)
    assert len(client.boot.entries()) == 2


def test_other_kernel_arguments_are_tried_and_stay_failed(client: Client, publisher: Publisher, web: Web) -> None:
    go(client, publisher, 1)
    before, image = len(web.requests), (NAME, 1)
    old, new = ("console=ttyS0", "stateless.client=pc1"), ("stateless.client=pc1", "stateless.assigned", "a=b;c&d")
    assert stage.stage(client.machine(1), image, own=old).way is Way.NOTHING
    assert stage.stage(client.machine(1), image, own=new).way is Way.ENTRY
    assert len(web.requests) == before
    entry = following(client.boot.entries())
    assert entry == Entry(2, NAME, 1, 3)
    assert client.boot.arguments(entry)[-4:] == ["stateless.entry=2", *new]
    assert stage.stage(client.machine(1), image, own=new).way is Way.NOTHING
    # whoever does not ask the directory has nothing against them
    assert stage.stage(client.machine(1), image).way is Way.NOTHING
    # while it is tried, nothing else is
    running = dataclasses.replace(client.machine(1), generation=2, arguments=new)
    assert running.look().is_trial
    with pytest.raises(InUse, match="not found healthy yet"):
        stage.stage(running, image, own=old)
    fail(client, entry)
    assert health.bless(client.machine(1), 1).failed == ()
    with pytest.raises(InUse, match=r"lab 1 with the kernel arguments stateless.client=pc1 .* did not come up healthy"):
        stage.stage(client.machine(1), image, own=new)
    assert stage.stage(client.machine(1), image, own=new, again=True).way is Way.ENTRY
    # and now they are good
    health.bless(client.machine(1), 3)
    assert stage.stage(client.machine(1), image, own=new).way is Way.NOTHING
    assert client.boot.entries() == [Entry(3, NAME, 1)]
    # it goes with them to the next root, whoever says so
    running = dataclasses.replace(client.machine(1), generation=3, arguments=new)
    stage.stage(running, (NAME, 2))
    coming = following(client.boot.entries())
    assert coming is not None
    assert client.boot.arguments(coming)[-4:] == ["stateless.entry=4", *new]


def test_whether_there_is_something_to_fall_back_on(client: Client, publisher: Publisher) -> None:
    stage.stage(client.machine(), (NAME, 1))
    assert health.alternative(client.machine(1), 1) is None
    health.bless(client.machine(1), 1)
    stage.stage(client.machine(1), (NAME, 2))
    assert health.alternative(client.machine(2), 2) == Entry(1, NAME, 1)
    assert health.alternative(client.machine(1), 1) is None
    with pytest.raises(NotFound, match="no entry 7"):
        health.bless(client.machine(1), 7)


def test_a_rollback_is_kept_until_something_else_is_assigned(client: Client, publisher: Publisher) -> None:
    go(client, publisher, 1, 2)
    assert stage.rollback(client.machine(2), None).image == (NAME, 1)
    entry = boots(client, publisher)
    assert entry == Entry(3, NAME, 1, 3)
    health.bless(client.machine(1), 3)
    with pytest.raises(InUse, match="rolled back from lab 2"):
        stage.stage(client.machine(1), (NAME, 2))
    stage.stage(client.machine(1), (NAME, 3))
    assert boots(client, publisher).image == (NAME, 3)
    with pytest.raises(NotFound, match=r"no good root lab 9 on this disk; those that are good: lab 1, lab 2"):
        stage.rollback(client.machine(1), (NAME, 9))


def test_a_full_pool_is_foreseen(client: Client, publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    go(client, publisher, 1)
    machine = client.machine(1)
    used = client.roots.read().pool.used
    small = FileRoots(client.directory / "roots")
    small.size = used + 100_000
    machine.store = small
    before = state(client)
    with pytest.raises(NoRoom, match="MiB of data"):
        stage.stage(machine, (NAME, 2))
    assert state(client) == before
    # there is room as soon as an older one goes
    go(client, publisher, 1, 2)
    machine = client.machine(2)
    small.size = client.roots.read().pool.used + 1_000_000
    machine.store = small
    assert stage.stage(machine, (NAME, 3)).removed == ((NAME, 1),)
    assert boots(client, publisher).image == (NAME, 3)


def state(client: Client) -> dict[str, bytes]:
    """The disk."""
    places = (client.directory / "roots", client.directory / "boot")
    files = (path for place in places for path in sorted(place.rglob("*")) if path.is_file())
    return {str(path): path.read_bytes() for path in files}


def test_a_full_boot_partition_is_foreseen(
    client: Client, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(client, publisher, 1)
    before = state(client)
    monkeypatch.setattr(type(client.boot), "free", lambda _self: 1000)
    with pytest.raises(NoRoom, match="boot partition has 0 MiB free"):
        stage.stage(client.machine(1), (NAME, 2))
    assert state(client) == before


def test_nothing_that_is_not_signed_is_taken(client: Client, publisher: Publisher, tmp_path: pathlib.Path) -> None:
    go(client, publisher, 1)
    before = state(client)
    (tmp_path / "other").mkdir()
    other = Publisher(tmp_path / "other")
    (client.directory / "root/etc/stateless/trusted-keys").write_text(other.trusted)
    with pytest.raises(NotTrusted):
        stage.stage(client.machine(1), (NAME, 2))
    assert state(client) == before


def test_a_broken_root_is_found_and_mended(client: Client, publisher: Publisher, web: Web) -> None:
    go(client, publisher, 1, 2)
    machine = client.machine(2)
    assert check.verify(machine, (NAME, 2), mend=False).differing == 0
    path = client.roots.file((NAME, 2))
    content = bytearray(path.read_bytes())
    content[500 * 4096 + 7] ^= 1
    content[700 * 4096 : 702 * 4096] = b"x" * 8192
    path.write_bytes(content)
    before = len(web.requests)
    found = check.verify(machine, (NAME, 2), mend=False)
    assert found.ranges == ((500 * 4096, 4096), (700 * 4096, 8192))
    assert len(web.requests) == before
    mended = check.verify(machine, (NAME, 2), mend=True)
    assert (mended.differing, mended.mended) == (3, True)
    is_whole(client, publisher, 2)
    assert check.verify(machine, (NAME, 2), mend=True).differing == 0
    with pytest.raises(NotFound, match="no root lab 4"):
        check.verify(machine, (NAME, 4), mend=False)


def test_what_would_be_done_is_said_and_not_done(client: Client, publisher: Publisher) -> None:
    go(client, publisher, 1)
    before = state(client)
    found = stage.foreseen(client.machine(1), (NAME, 2))
    assert found.way is Way.MAKE
    assert stage.foreseen(client.machine(1), (NAME, 1)).way is Way.NOTHING
    assert state(client) == before
    done = stage.stage(client.machine(1), (NAME, 2))
    assert 0 < found.fetched <= done.fetched < found.fetched + 100_000


def test_a_machine_that_has_lost_its_state_goes_on(client: Client, publisher: Publisher, web: Web) -> None:
    go(client, publisher, 1, 2)
    shutil.rmtree(client.directory / "root/var/lib/stateless/cached")
    assert check.verify(client.machine(2), (NAME, 2), mend=False).differing == 0
    shutil.rmtree(client.directory / "root/var/lib/stateless/cached")
    before = web.sent
    stage.stage(client.machine(2), (NAME, 3))
    # what runs is read, so that only what changed is fetched
    assert web.sent - before < 1_000_000
    assert boots(client, publisher).image == (NAME, 3)
    shutil.rmtree(client.directory / "root/var/lib/stateless/cached")
    # how an older root is booted is not known any more: it is made anew
    assert stage.stage(client.machine(2), (NAME, 1)).way is Way.MAKE
    assert boots(client, publisher).image == (NAME, 1)


def test_how_far_a_volume_was_that_is_gone_says_nothing_of_the_next(
    client: Client, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(client, publisher, 1)
    machine = client.machine(1)
    local = machine.local(NAME)
    local.keep_progress(2, "plan", 5)
    said = []
    begin = FileRoots.begin

    def looking(roots: FileRoots, image: Image, size: int, parent: Image | None) -> None:
        said.append(local.progress(2, "plan"))
        begin(roots, image, size, parent)

    monkeypatch.setattr(FileRoots, "begin", looking)
    stage.stage(machine, (NAME, 2))
    assert said == [0]
    assert boots(client, publisher).image == (NAME, 2)


def test_killed_anywhere_the_old_root_boots_and_the_next_update_succeeds(
    client: Client, publisher: Publisher, tmp_path: pathlib.Path
) -> None:
    go(client, publisher, 1, 2, 3)
    # with room for two, so that one goes. Every second moment will do: the boot loaders differ in the last ones alone
    number, killed = KINDS.index("grub" if (client.directory / "boot/grub").exists() else "systemd-boot"), True
    seen = set()
    while killed:
        there = client.copy(tmp_path / f"killed-{number}")
        killed = killed_at(number, lambda there=there: stage.stage(there.machine(3, keep=2), (NAME, 4)))  # type: ignore[misc]
        entry = boots(there, publisher)
        assert entry.serial in (3, 4)
        is_whole(there, publisher, 3)
        seen.add(entry.serial)
        stage.stage(there.machine(3, keep=2), (NAME, 4))
        assert boots(there, publisher).serial == 4
        now = there.machine(3, keep=2).look()
        assert not leftovers(now, (NAME, 4))
        assert there.boot.leftovers() == []
        assert [root.serial for root in now.roots.roots] == [3, 4]
        number += 2
    assert seen == {3, 4}
    assert number > 20


@pytest.mark.parametrize("what", ["bless", "rollback"])
def test_killed_while_something_else_is_chosen(
    client: Client, publisher: Publisher, tmp_path: pathlib.Path, what: str
) -> None:
    go(client, publisher, 1, 2)
    stage.stage(client.machine(2), (NAME, 3))
    entry = boots(client, publisher)

    def work(there: Client) -> object:
        if what == "bless":
            return health.bless(there.machine(3), entry.generation)
        return stage.rollback(there.machine(3), (NAME, 2))

    number, killed = 0, True
    while killed:
        there = client.copy(tmp_path / f"killed-{number}")
        killed = killed_at(number, lambda there=there: work(there))  # type: ignore[misc]
        # something whole is booted, and something good is there
        assert boots(there, publisher).serial in (2, 3)
        assert {found.serial for found in there.boot.entries() if found.is_good} >= {1, 2}
        work(there)
        expected = (Entry(3, NAME, 3),) if what == "bless" else (Entry(4, NAME, 2, 3), Entry(2, NAME, 2))
        assert boots(there, publisher) in expected
        number += 1
    assert number > 2
