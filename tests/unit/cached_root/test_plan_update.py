# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an update does, and what goes for it: the planner, by properties; room; settings; what is said of progress."""

from __future__ import annotations

import dataclasses
import io
import json
import pathlib
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.stateless.linux.plugins.module_utils._blocks.boot import Boot, File
from ansible_collections.stateless.linux.plugins.module_utils._blocks.index import Run
from ansible_collections.stateless.linux.plugins.module_utils._cached_root import arguments, decisions, plan, settings
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.entries import Entry, following
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.plan import Situation, Way
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.progress import Progress
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.room import Need, Pool, need
from ansible_collections.stateless.linux.plugins.module_utils._cached_root.volumes import Root, Roots
from ansible_collections.stateless.linux.plugins.module_utils._errors import InvalidValue, StatelessError

POOL = Pool(1 << 30, 0, 64 << 20, 0)


def root(serial: int, complete: bool = True, name: str = "lab", origin: int | None = None) -> Root:
    return Root(name, serial, complete, 1 << 28, 1 << 27, None if origin is None else (name, origin))


def situation(
    roots: t.Iterable[Root], entries: t.Iterable[Entry], running: int | None = None, keep: int = 3
) -> Situation:
    files = tuple(sorted({entry.image for entry in entries}))
    own = None if running is None else ("lab", running)
    return Situation(Roots(POOL, tuple(roots)), tuple(entries), files, own, keep)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Whatever a disk may have, whoever made it so."""
    serials = draw(st.lists(st.integers(1, 6), unique=True))
    roots = [root(serial, draw(st.booleans())) for serial in serials]
    entries = [
        Entry(generation, "lab", draw(st.integers(1, 6)), draw(st.none() | st.integers(0, 3)))
        for generation in draw(st.lists(st.integers(1, 20), unique=True))
    ]
    good = [entry.serial for entry in entries if root(entry.serial) in roots]
    running = draw(st.none() | st.sampled_from(good)) if good else None
    files = draw(st.lists(st.tuples(st.just("lab"), st.integers(1, 6)), unique=True))
    return Situation(Roots(POOL, tuple(roots)), tuple(entries), tuple(files), running and ("lab", running), 3)


def without(now: Situation, *removals: plan.Removal) -> Situation:
    gone = plan.Removal(*(sum(parts, ()) for parts in zip(*((r.entries, r.files, r.roots) for r in removals))))
    return Situation(
        Roots(POOL, tuple(one for one in now.roots.roots if one not in gone.roots)),
        tuple(one for one in now.entries if one not in gone.entries),
        tuple(one for one in now.files if one not in gone.files),
        now.running,
        now.keep,
    )


@given(situations(), st.integers(1, 6))
def test_whatever_goes_a_machine_still_boots_what_it_did(now: Situation, serial: int) -> None:
    wanted = ("lab", serial)
    after = without(now, plan.leftovers(now, wanted))
    everything = without(after, *plan.surplus(after, wanted, None, every=True))
    for then in (after, everything):
        if now.running is not None:
            assert then.roots.get(now.running) == now.roots.get(now.running)
        best = plan.good(now)[:1]
        assert plan.good(then)[:1] == best
        if best:
            coming = following(then.entries)
            assert coming is not None
            assert not coming.has_failed
        # what is booted is there, root and files
        for entry in then.entries:
            found = then.roots.get(entry.image)
            assert found is not None
            assert found.is_complete
            if entry.image in now.files:
                assert entry.image in then.files
    # a second look finds nothing more
    assert not plan.leftovers(after, wanted)


@given(situations(), st.integers(1, 6))
def test_the_way_leads_there(now: Situation, serial: int) -> None:
    wanted = ("lab", serial)
    way = plan.way(now, wanted)
    new = plan.entry_for(now, wanted, 3)
    then = without(now, plan.leftovers(now, wanted))
    if way is Way.MAKE:
        assert root(serial) not in now.roots.roots
        return
    if way is Way.ENTRY:
        then = Situation(then.roots, (*then.entries, new), then.files, then.running)
        then = without(then, plan.superseded(then, new))
    if way is Way.CANCEL:
        then = without(then, plan.Removal(tuple(entry for entry in then.entries if entry.is_trial)))
    coming = following(then.entries)
    assert coming is not None
    assert coming.image == wanted
    assert sum(entry.is_trial for entry in then.entries) <= 1 or way is Way.NOTHING


def test_the_usual_step() -> None:
    now = situation([root(1), root(2)], [Entry(1, "lab", 1), Entry(2, "lab", 2)], running=2)
    assert plan.way(now, ("lab", 3)) is Way.MAKE
    assert plan.parent(now, ("lab", 3), lambda image: True) == root(2)
    assert plan.parent(now, ("lab", 3), lambda image: image == ("lab", 1)) == root(1)
    assert plan.parent(now, ("other", 3), lambda image: True) is None
    assert plan.surplus(now, ("lab", 3), ("lab", 2)) == []
    assert plan.entry_for(now, ("lab", 3), 3) == Entry(3, "lab", 3, 3)
    assert plan.way(now, ("lab", 2)) is Way.NOTHING
    assert plan.way(now, ("lab", 1)) is Way.ENTRY


def test_the_oldest_go_and_what_is_needed_stays() -> None:
    entries = [Entry(n, "lab", n) for n in range(1, 6)]
    now = situation([root(n) for n in range(1, 6)], entries, running=4)
    gone = [one.roots[0].serial for one in plan.surplus(now, ("lab", 6), ("lab", 5))]
    assert gone == [1, 2, 3]
    kept = situation([root(n) for n in range(1, 6)], entries, running=4, keep=100)
    assert plan.surplus(kept, ("lab", 6), ("lab", 5)) == []
    assert [one.roots[0].serial for one in plan.surplus(kept, ("lab", 6), ("lab", 3), every=True)] == [1, 2]


def test_a_trial_that_was_not_booted_yet_can_be_taken_back() -> None:
    now = situation([root(1), root(2)], [Entry(1, "lab", 1), Entry(2, "lab", 2, 3)], running=1)
    assert plan.way(now, ("lab", 2)) is Way.NOTHING
    assert plan.way(now, ("lab", 1)) is Way.CANCEL
    assert not now.is_trial
    assert situation([root(2)], [Entry(2, "lab", 2, 2)], running=2).is_trial


def test_a_failed_entry_goes_only_if_there_is_a_good_one() -> None:
    failed = Entry(2, "lab", 2, 0)
    alone = situation([root(2)], [failed])
    assert not plan.leftovers(alone, None)
    now = situation([root(1), root(2)], [Entry(1, "lab", 1), failed], running=1)
    assert plan.leftovers(now, None) == plan.Removal((failed,), (("lab", 2),))


# -- room


def changed_chunks(runs: t.Iterable[Run]) -> int:
    written = set()
    for run in runs:
        blocks = range(run.at, run.at + run.length)
        whole = {
            at // 16 for at in blocks if run.first == 0 and {*range(at // 16 * 16, at // 16 * 16 + 16)} <= {*blocks}
        }
        written |= {at // 16 for at in blocks} - whole
    return len(written)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 60), st.booleans()), max_size=8))
def test_no_more_chunks_are_written_than_were_foreseen(pieces: list[tuple[int, int, bool]]) -> None:
    runs = []
    at = 0
    for gap, length, zeros in pieces:
        runs.append(Run(at + gap, length, 0 if zeros else 1 + at))
        at += gap + length
    found = need(runs)
    assert changed_chunks(runs) * 65536 <= found.data <= (at // 16 + 1) * 65536
    assert found.metadata >= 4 << 20


def test_what_is_missing_is_said() -> None:
    pool = Pool(1000 << 20, 500 << 20, 64 << 20, 62 << 20)
    assert Need(100 << 20, 1 << 20).missing(pool) == ""
    assert Need(451 << 20, 1 << 20).missing(pool) == "451 MiB of data, where 450 MiB may be taken"
    assert Need(0, 4 << 20).missing(pool) == "4 MiB of metadata, where 2 MiB are free"


# -- the kernel's command line

BOOT = Boot(
    "6.1",
    File("boot/vmlinuz", 1, "0" * 64),
    File("boot/initrd", 1, "0" * 64),
    "xfs",
    ("ro", "stateless.protosystem=lab-a", "stateless.serial=7", "quiet"),
    {},
    None,
    "",
)


def test_a_command_line_hands_on_what_is_the_machines_own() -> None:
    line = arguments.command_line("vg", Entry(42, "lab-a", 7, 3), BOOT, ["console=ttyS0", "stateless.client=pc1"])
    assert line.startswith("root=/dev/vg/lab-a.7 rootfstype=xfs rootflags=ro,norecovery,nouuid rd.lvm.lv=vg/lab-a.7 ")
    assert line.endswith(" quiet stateless.trial stateless.entry=42 console=ttyS0 stateless.client=pc1")
    assert arguments.generation(line) == 42
    assert arguments.own_arguments(line) == ["console=ttyS0", "stateless.client=pc1"]
    network = "initrd=initrd root=nfs4:1.2.3.4:/x ro ip=dhcp console=ttyS0 systemd.hostname=pc1 stateless.client=pc1"
    assert arguments.own_arguments(network) == ["console=ttyS0", "systemd.hostname=pc1", "stateless.client=pc1"]
    assert arguments.generation(network) is None


def test_a_machine_takes_its_name_to_its_disk() -> None:
    assert arguments.named(["quiet"], "pc1") == ["systemd.hostname=pc1", "quiet"]
    for own, host in ((["systemd.hostname=pc2"], "pc1"), (["quiet"], "localhost"), (["quiet"], "no_name_for_systemd")):
        assert arguments.named(own, host) == own


def test_what_the_directory_says_takes_the_place_of_what_it_said() -> None:
    own = arguments.with_assigned(["console=ttyS0", "stateless.client=pc1"], ["console=ttyS0", "quiet"])
    assert own == ["stateless.client=pc1", "stateless.assigned", "console=ttyS0", "quiet"]
    line = arguments.command_line("vg", Entry(42, "lab-a", 7, 3), BOOT, own)
    assert arguments.own_arguments(line) == own
    assert arguments.with_assigned(own, ["nosmt"]) == ["stateless.client=pc1", "stateless.assigned", "nosmt"]
    assert arguments.with_assigned(own, []) == ["stateless.client=pc1"]
    assert arguments.with_assigned(["a"], ["stateless.entry=7", "stateless.install=/dev/vda"]) == ["a"]
    with pytest.raises(InvalidValue, match="kernel_arguments"):
        arguments.with_assigned([], ["a$b"])


def test_what_no_kernel_takes_is_refused() -> None:
    with pytest.raises(StatelessError, match="1920 fit"):
        arguments.command_line("vg", Entry(42, "lab-a", 7, 3), BOOT, ["a" * 1800])


def test_other_arguments_are_another_entry() -> None:
    good, trial, failed = Entry(1, "lab", 1), Entry(2, "lab", 1, 3), Entry(2, "lab", 1, 0)
    own = {good.name: ("a",), trial.name: ("b",)}
    now = dataclasses.replace(situation([root(1)], [good], running=1), own=own)
    for said, way in ((None, Way.NOTHING), (("a",), Way.NOTHING), (("b",), Way.ENTRY), ((), Way.ENTRY)):
        assert plan.way(now, ("lab", 1), said) is way
    both = dataclasses.replace(now, entries=(good, trial))
    for said, way in ((None, Way.NOTHING), (("a",), Way.CANCEL), (("b",), Way.NOTHING), ((), Way.ENTRY)):
        assert plan.way(both, ("lab", 1), said) is way
    assert not both.is_trial
    assert dataclasses.replace(both, generation=2).is_trial
    over = dataclasses.replace(now, entries=(good, failed))
    assert over.has_failed(("lab", 1), ("b",))
    assert not over.has_failed(("lab", 1), ("a",))
    assert not over.has_failed(("lab", 1), None)


# -- files


def test_decisions_are_kept(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "decisions.json")
    assert decisions.load(path) == decisions.Decisions()
    said = decisions.Decisions(frozenset({("lab", 3), ("lab", 4)}), ("lab", 5))
    decisions.store(path, said)
    assert decisions.load(path) == said
    assert "did not come up" in said.refusal(("lab", 3))
    assert "rolled back" in said.refusal(("lab", 5))
    assert said.refusal(("lab", 6)) == ""
    assert said.going_to(("lab", 3)) == decisions.Decisions(frozenset({("lab", 4)}))
    blamed = said.blaming(("lab", 3), ["a", "b"]).blaming(("lab", 4), ["c" * 500])
    decisions.store(path, blamed)
    assert decisions.load(path) == blamed
    assert "(a; b)" in blamed.refusal(("lab", 3))
    assert blamed.noticing((), ("lab", 3)).why == {("lab", 4): "c" * 200}
    assert blamed.going_to(("lab", 4)).why == {("lab", 3): "a; b"}
    for text in ("", "[]", '{"schema": 2}', '{"schema": 1, "failed": [["a/b", 1]], "held": null}'):
        (tmp_path / "decisions.json").write_text(text)
        with pytest.raises(StatelessError):
            decisions.load(path)


def test_settings_are_checked(tmp_path: pathlib.Path) -> None:
    places = settings.Places(str(tmp_path))
    assert settings.load(places) == settings.Settings()
    with pytest.raises(InvalidValue, match="urls"):
        settings.load(places).sites("lab")
    found = settings.check({"urls": ["http://a/x/", "https://b"], "keep": 2}, "here")
    assert found.sites("lab") == ["http://a/x/images/lab/blocks", "https://b/images/lab/blocks"]
    for wrong in (
        *([], {"url": []}, {"urls": "http://a"}, {"urls": ["ftp://a"]}, {"keep": 0}, {"keep": True}, {"tries": 10}),
        *({"limit": -1}, {"limit": "1M"}),
    ):
        with pytest.raises(StatelessError):
            settings.check(wrong, "here")


# -- progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(progress: Progress, clock: list[float]) -> None:
    progress.step("look up")
    progress.count(1000)
    progress.begin("fetch", 10_000_000)
    for _second in range(10):
        clock[0] += 1
        progress.count(1_000_000)
    progress.end()


def test_progress_for_programs() -> None:
    stream, clock = io.StringIO(), [100.0]
    run(Progress(True, stream, lambda: clock[0]), clock)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert lines[0] == {"step": "look up"}
    assert lines[1] == {"step": "fetch", "bytes": 0, "total": 10_000_000, "rate": None, "left": None}
    assert lines[5] == {"step": "fetch", "bytes": 4_000_000, "total": 10_000_000, "rate": 1_000_000, "left": 6}
    assert lines[-1]["bytes"] == 10_000_000


def test_progress_for_people() -> None:
    terminal, clock = Terminal(), [0.0]
    run(Progress(False, terminal, lambda: clock[0]), clock)
    assert "\rfetch: 4.0 MB of 10.0 MB, 1.0 MB/s, 0:06 left" in terminal.getvalue()
    paper = io.StringIO()
    run(Progress(False, paper, lambda: clock[0]), clock)
    assert paper.getvalue().splitlines() == [
        "look up",
        "fetch: 0.0 MB of 10.0 MB",
        "fetch: 10.0 MB of 10.0 MB, 1.0 MB/s",
        "fetch: 10.0 MB of 10.0 MB, 1.0 MB/s",
    ]
