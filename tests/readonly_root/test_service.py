# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service in a read-only root: what the planner says is what the mounts are."""

from __future__ import annotations

import contextlib

import pytest
from roots import STATE, Boot, Root, apart, disk, mount, serve, unmount
from table import BOOLEANS, CASES, Case

from ansible_collections.stateless.linux.plugins.module_utils._readonly_root import layout
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.model import Dialect
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.tree import Tree


def make(case: Case, device: str | None) -> Root:
    """The root of *case*, with its state on *device*."""
    root = Root()
    for path, what in case.image.items():
        root.put(path, what)
    for path, text in {"/etc/rwtab.d/test": case.rwtab, "/etc/statetab.d/test": case.statetab, **case.files}.items():
        root.write(path, text)
    if device is not None:
        root.write("/etc/fstab", f"{device} {STATE} ext4 noauto 0 0\n")
        mount(device, root.path + STATE)
        for path, what in (case.state or {}).items():
            root.put(STATE + path, what)
    return root


def planned(root: Root, state_at: str | None) -> dict[str, list[str]]:
    """What the planner says about the root, from outside."""
    plan = layout.layout(Tree(root.path), Dialect.OWN, "", state_at)
    found: dict[str, list[str]] = {"scratch": [], "state": []}
    for bind in plan.binds:
        found[bind.kind].append(bind.path)
    return {kind: sorted(paths) for kind, paths in found.items()}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_planner_and_service_agree_with_the_table(case: Case) -> None:
    def boot(device: str | None) -> tuple[dict[str, list[str]], Boot]:
        root = make(case, device)
        plan = planned(root, root.path + STATE if device is not None else None)
        if device is None:
            # The planner cannot know that there will be no state.
            plan["state"] = []
        else:
            unmount(root.path + STATE)
        root.enter()
        return plan, serve()

    with contextlib.ExitStack() as stack:
        device = stack.enter_context(disk("other", "16m")) if case.state is not None else None
        plan, done = apart(lambda: boot(device))
    assert plan == {"scratch": sorted(case.scratch), "state": sorted(case.kept)}
    assert done.of("scratch") == sorted(case.scratch)
    assert done.of("state") == sorted(case.kept)
    assert len(done.binds) == len(case.scratch) + len(case.kept)


@pytest.mark.parametrize("spelling", BOOLEANS)
def test_a_boolean_counts_as_the_planner_says(spelling: str) -> None:
    def boot() -> tuple[dict[str, list[str]], Boot]:
        root = Root()
        root.write("/srv/file", "")
        root.write("/etc/rwtab", "files /srv/file\n")
        root.write("/etc/sysconfig/readonly-root", f"READONLY={spelling}\n")
        plan = planned(root, None)
        root.enter()
        return plan, serve()

    plan, done = apart(boot)
    assert plan["scratch"] == done.of("scratch") == (["/srv/file"] if BOOLEANS[spelling] else [])
