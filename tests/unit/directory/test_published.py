# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is published is said in the directory: whatever fails, and wherever a run is killed, both say the same."""

from __future__ import annotations

import functools
import pathlib
import typing as t

import ldap
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.stateless.linux.plugins.module_utils._directory.connection import LdapFailed
from ansible_collections.stateless.linux.plugins.module_utils._errors import InUse, StatelessError
from ansible_collections.stateless.linux.plugins.module_utils._image import state, withdraw
from ansible_collections.stateless.linux.plugins.module_utils._plan import Outcome
from ansible_collections.stateless.linux.tests.unit.directory.publishing import Site, laid, site
from ansible_collections.stateless.linux.tests.unit.directory.served import TREE, Directory
from ansible_collections.stateless.linux.tests.unit.image.laid import a_tree

__all__ = ["site"]

STABLE = TREE.channel("kiosk", "stable")


def move(directory: Directory, serial: int, dn: str = STABLE) -> None:
    """Have a person point a channel elsewhere, in the directory alone."""
    directory.root.modify(dn, [(ldap.MOD_REPLACE, "statelessSerial", [str(serial).encode()])])


# -- what is said


def test_what_is_published_is_said_and_said_once(site: Site) -> None:
    outcome = site.publish(1, "stable")
    site.check_equal()
    assert [text for text in (step.text for step in outcome.plan.steps) if "directory" in text] == [
        "add protosystem kiosk in the directory",
        "add snapshot 1 of kiosk in the directory",
        "add image 1 of kiosk as ram in the directory",
        "add channel stable of kiosk in the directory",
    ]
    assert outcome.plan.before == {}
    assert outcome.plan.after["directory"][STABLE] == {
        "objectClass": "statelessChannel",
        "cn": "stable",
        "statelessSerial": "1",
    }
    before = site.both()
    again = site.publish(1, "stable")
    assert not again.plan.changed
    assert "directory" not in again.plan.after
    assert site.both() == before


def test_check_mode_says_the_same_and_changes_nothing(site: Site) -> None:
    site.publish(1, "stable")
    before = site.both()
    checked = site.publish(2, "stable", check=True)
    assert site.both() == before
    acted = site.publish(2, "stable")
    assert [step.text for step in checked.plan.steps] == [step.text for step in acted.plan.steps]
    assert checked.plan.before == acted.plan.before
    assert set(checked.plan.after["directory"]) == set(acted.plan.after["directory"])
    assert acted.plan.before["directory"] == {STABLE: {"statelessSerial": "1"}}
    assert acted.plan.after["directory"][STABLE] == {"statelessSerial": "2"}


def test_check_mode_knows_of_a_snapshot_that_was_not_taken(site: Site) -> None:
    path = pathlib.Path(site.server.serial_counter("kiosk"))
    path.parent.mkdir(parents=True)
    path.write_text("4\n")
    outcome = site.publish(5, "stable", check=True)
    assert TREE.snapshot("kiosk", 5) in outcome.plan.after["directory"]
    assert site.entries() == {}


def test_a_channel_is_moved_and_removed_and_an_image_withdrawn(site: Site) -> None:
    for serial in (1, 2):
        site.publish(serial, "stable")
    site.point(1, "stable")
    site.check_equal()
    assert site.pointers() == {"stable": 1}
    site.withdraw(2)
    site.check_equal()
    assert site.serials() == [1]
    with pytest.raises(InUse, match=r"a channel points at it \(stable\)"):
        site.withdraw(1)
    site.withdraw(None, "stable")
    site.check_equal()
    site.withdraw(1)
    site.check_equal()
    assert list(site.entries()) == [TREE.protosystem("kiosk")]
    assert not site.withdraw(1).plan.changed


def test_what_people_say_stays(site: Site) -> None:
    site.publish(1, "stable")
    dns = [TREE.protosystem("kiosk"), TREE.snapshot("kiosk", 1), TREE.image("kiosk", 1, "ram"), STABLE]
    for dn in dns:
        site.directory.root.modify(dn, [(ldap.MOD_ADD, "description", [b"a note"])])
    site.publish(2, "stable")
    assert all(site.entries()[dn]["description"] == [b"a note"] for dn in dns)


def test_a_directory_that_comes_later_takes_the_channels_there_are(site: Site) -> None:
    for serial, channel in ((1, "stable"), (2, "testing")):
        state.present(site.server, "kiosk", state.Wanted(serial, ["ram"], channel), False)
    assert site.entries() == {}
    site.point(1)
    site.check_equal()
    assert site.pointers() == {"stable": 1, "testing": 2}


# -- the directory says where channels point


def test_files_follow_a_channel_that_was_moved_in_the_directory(site: Site) -> None:
    for serial in (1, 2):
        site.publish(serial, "stable")
    move(site.directory, 1)
    site.publish(3)
    assert site.pointers() == {"stable": 1}
    site.check_equal()
    with pytest.raises(InUse, match=r"a channel points at it \(stable\)"):
        site.withdraw(1)


def test_a_channel_that_points_at_nothing_is_warned_of(site: Site) -> None:
    site.publish(1, "stable")
    move(site.directory, 3)
    outcome = site.point(1)
    assert outcome.warnings == (
        "channel stable of kiosk is to point at serial 3, which is not published: it stays at serial 1",
    )
    assert not outcome.plan.changed
    with pytest.raises(InUse, match=r"a channel points at it \(stable\)"):
        site.withdraw(1)
    assert site.publish(3).warnings == ()
    assert site.pointers() == {"stable": 3}
    site.check_equal()


@pytest.mark.parametrize("name", ["../../x", "a b", "A\\,B", "-a"])
def test_what_is_no_channel_s_name_gets_no_file(site: Site, name: str) -> None:
    site.publish(1)
    entry = {"objectClass": [b"statelessChannel"], "statelessSerial": [b"1"]}
    site.directory.root.add(f"cn={name},{TREE.protosystem('kiosk')}", entry)
    outcome = site.publish(2)
    assert site.pointers() == {}
    assert len(site.entries()) == 6
    assert outcome.warnings == ()


def test_a_channel_has_no_case(site: Site) -> None:
    site.publish(1)
    dn = f"cn=Stable,{TREE.protosystem('kiosk')}"
    entry = {"objectClass": [b"statelessChannel"], "cn": [b"Stable"], "statelessSerial": [b"1"]}
    site.directory.root.add(dn, entry)
    site.publish(2)
    assert site.pointers() == {"stable": 1}
    site.point(2, "stable")
    assert site.entries()[dn]["statelessserial"] == [b"2"]


def test_a_snapshot_that_is_assigned_itself_is_not_withdrawn(site: Site) -> None:
    site.publish(1)
    said = {"statelessAssignedProtosystem": [b"kiosk"], "statelessAssignedSerial": [b"1"]}
    classes = [b"device", b"statelessClient"]
    site.directory.root.add(TREE.client("pc1"), {"objectClass": classes, "cn": [b"pc1"], **said})
    before = site.both()
    with pytest.raises(InUse, match=r"the directory has them boot \(client pc1\)"):
        site.withdraw(1)
    assert site.both() == before
    site.withdraw(1, force=True)
    site.check_equal()


# -- protosystems


def test_a_protosystem_is_said_changed_and_taken_away(site: Site) -> None:
    for channel, said in (("testing", [b"testing"]), ("stable", [b"stable"]), ("", None)):
        follower = site.follower()
        plan = follower.protosystem("kiosk", channel)
        assert len(plan.steps) == 1
        plan.act()
        (entry,) = site.entries().values()
        assert entry.get("statelessdefaultchannel") == said
        assert not site.follower().protosystem("kiosk", channel).steps
    site.publish(1, "stable")
    note = {"objectClass": [b"applicationProcess"], "cn": [b"note"]}
    site.directory.root.add(f"cn=note,{TREE.snapshot('kiosk', 1)}", note)
    other = {"objectClass": [b"statelessProtosystem"], "cn": [b"kiosk-2"]}
    site.directory.root.add(TREE.protosystem("kiosk-2"), other)
    site.directory.assign_all(statelessAssignedProtosystem="kiosk")
    before = site.entries()
    plan, warnings = site.follower().no_protosystem("kiosk")
    site.directory.assign_all(statelessAssignedProtosystem="")
    assert warnings == ["kiosk is still what the directory has them boot: all clients"]
    assert set(plan.before) == set(before) and plan.after == {}
    with pytest.raises(OSError, match="Input/output error"):
        site.fail(2 * len(before), lambda _site: plan.act())
    assert site.entries() == before
    site.follower().no_protosystem("kiosk")[0].act()
    assert site.entries() == {}
    assert site.directory.dump(TREE.protosystem("kiosk-2"))
    assert not site.follower().no_protosystem("kiosk")[0].steps


# -- who may not, and a directory that is away


def test_a_client_is_refused_before_anything_was_changed(site: Site) -> None:
    watch = site.directory.login("clients", "watch")
    for first in (True, False):
        a_tree(pathlib.Path(site.server.www), "images/kiosk/.9.new/vmlinuz")  # which a run that may would clear
        before = site.both()
        with pytest.raises(LdapFailed, match=r"cn=watch,.*this identity may not do that"):
            state.present(site.server, "kiosk", state.Wanted(1, ["ram"], "stable"), False, site.follower(watch))
        assert site.both() == before
        if first:
            site.publish(2, "stable")
    site.publish(2)
    # whoever has nothing to write needs no right to
    unchanged = state.present(site.server, "kiosk", state.Wanted(2, channel="stable"), False, site.follower(watch))
    assert not unchanged.plan.changed
    with pytest.raises(LdapFailed, match="this identity may not do that"):
        withdraw.absent(site.server, "kiosk", None, "stable", False, True, follower=site.follower(watch))


def test_a_directory_that_is_away_or_does_not_let_in_stops_it_at_once(site: Site) -> None:
    site.publish(1, "stable")
    before = site.both()
    for wrong in ({"uri": "ldapi://%2Fnowhere"}, {"password": "wrong"}):
        login = site.directory.login("publishers", "paul", **wrong)
        for check in (True, False):
            with pytest.raises(LdapFailed, match=r"^log in to ") as caught:
                state.present(site.server, "kiosk", state.Wanted(2, ["ram"], "stable"), check, site.follower(login))
            assert "wrong" not in str(caught.value).replace("the password is wrong", "")
        with pytest.raises(LdapFailed, match=r"^log in to "):
            withdraw.absent(site.server, "kiosk", 1, None, True, False, follower=site.follower(login))
    assert site.both() == before


# -- failures and kills, wherever something is changed


#: Where the channels point that :func:`begin` makes.
BEGUN = {"stable": 1}


def begin(site: Site) -> None:
    site.publish(1, "stable")
    site.publish(2, formats=["ram", "blocks"])


WORK: dict[str, t.Callable[[Site], Outcome]] = {
    "publish": lambda site: site.publish(3, "stable"),
    "publish blocks": lambda site: site.publish(3, "stable", formats=["blocks"]),
    "new channel": lambda site: site.point(2, "testing"),
    "move": lambda site: site.point(2, "stable"),
    "remove": lambda site: site.withdraw(None, "stable"),
    "withdraw": lambda site: site.withdraw(2),
}


@pytest.mark.parametrize("name", list(WORK))
def test_what_fails_is_undone_in_both(site: Site, name: str) -> None:
    begin(site)
    before = site.both()
    at, done = 0, False
    while not done:
        at += 1
        try:
            site.fail(at, WORK[name])
            done = True
        except (OSError, StatelessError) as error:
            assert "Input/output error" in str(error)
            if name == "withdraw" and 2 not in site.serials():
                # nobody finds it any more, and its files are being removed: that is not undone
                site.check_equal()
                site.withdraw(2)
                done = True
            else:
                assert site.both() == before, f"change {at} failed, and something is not as it was"
    assert at > 3
    site.check_equal()
    assert site.rest() == []


@pytest.mark.parametrize("work", list(WORK.values()), ids=list(WORK))
def test_after_a_kill_the_next_run_has_both_say_the_same(site: Site, work: t.Callable[[Site], Outcome]) -> None:
    begin(site)
    site.keep()
    at = 0
    while site.kill(at + 1, work):
        at += 1
        serials, pointers = set(site.serials()), site.pointers()
        assert serials in ({1, 2}, {1, 2, 3}, {1})
        assert set(pointers.values()) <= serials, "a channel points at what is not published"
        said = {dn for dn in site.entries() if dn.startswith("statelessSerial=")}
        assert said <= {TREE.snapshot("kiosk", serial) for serial in serials}, "what is not published is said to be"
        meant = site.follower().channels("kiosk")
        assert all(serial in (BEGUN.get(name), meant.get(name)) for name, serial in pointers.items()), "a file is ahead"
        # any run for the protosystem does
        site.point(1)
        site.check_equal()
        assert site.rest() == []
        work(site)
        site.check_equal()
        assert not work(site).plan.changed
        site.restore()
    assert at > 2


@pytest.mark.parametrize("name", ["publish", "withdraw"])
def test_a_directory_that_goes_away_half_way_leaves_files_as_they_were(site: Site, name: str) -> None:
    begin(site)
    site.keep()
    before = site.both()
    # with the first thing that is changed, and, of a publish, once the image is there
    changes = site.count(WORK[name])
    site.restore()
    for at in (1, changes - 6) if name == "publish" else (1, 2):
        try:
            with pytest.raises(StatelessError):
                site.fail(at, WORK[name], site.directory.stop)
            assert site.files() == before[0]
        finally:
            site.directory.resume()
        site.point(1)
        assert site.both() == before


def test_a_directory_that_was_restarted_half_way_is_logged_in_to_again(site: Site) -> None:
    begin(site)
    site.keep()
    before = site.both()
    changes = site.count(WORK["publish"])
    site.restore()

    def restart() -> None:
        site.directory.stop()
        site.directory.resume()

    with pytest.raises(LdapFailed, match="the server does not answer"):
        site.fail(changes - 4, WORK["publish"], restart)
    assert site.both() == before
    # what comes before the first change there may take long: that is no failure
    site.fail(1, WORK["publish"], restart)
    site.check_equal()


# -- whatever happens in which order

SERIALS = st.integers(1, 4)
CHANNELS = st.sampled_from(["stable", "testing"])
STEPS = st.one_of(
    st.tuples(st.just("publish"), SERIALS, st.one_of(st.none(), CHANNELS)),
    st.tuples(st.just("publish"), SERIALS, CHANNELS),
    st.tuples(st.just("withdraw"), SERIALS, st.none()),
    st.tuples(st.just("withdraw"), st.none(), CHANNELS),
    st.tuples(st.just("person"), SERIALS, CHANNELS),
)
RUNS = st.lists(st.tuples(STEPS, st.one_of(st.none(), st.none(), st.integers(1, 25))), min_size=1, max_size=5)


def person(site: Site, serial: int, channel: str) -> None:
    dn = TREE.channel("kiosk", channel)
    if dn in site.entries():
        move(site.directory, serial, dn)


DOING: dict[str, t.Callable[..., object]] = {"publish": Site.publish, "withdraw": Site.withdraw, "person": person}


@settings(
    max_examples=25,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(RUNS)
def test_the_directory_says_what_the_files_say_whatever_happened(
    directory: Directory, tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[t.Any, int | None]]
) -> None:
    directory.clear()
    with pytest.MonkeyPatch.context() as patch:
        site = laid(directory, tmp_path_factory.mktemp("site"), patch)
        for (what, serial, channel), at in runs:
            work = functools.partial(DOING[what], serial=serial, channel=channel)
            if at is not None and what != "person":
                site.kill(at, work)
                continue
            before = site.both()
            try:
                work(site)
            except InUse:
                assert site.both() == before
        # what a person has pointed at nothing is published in the end: then files can follow
        for serial in {*site.follower().channels("kiosk").values()} - {*site.serials()}:
            site.publish(serial)
        site.publish(1)
        site.check_equal()
        assert site.rest() == []
        assert not site.publish(1).plan.changed
