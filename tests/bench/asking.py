# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that ask a directory what they should run, many at once: each a process with a login of its own."""

from __future__ import annotations

import dataclasses
import multiprocessing
import time
import typing as t

from ansible_collections.stateless.linux.plugins.module_utils._directory.fleet import read
from ansible_collections.stateless.linux.plugins.module_utils._directory.resolve import levels, resolve
from ansible_collections.stateless.linux.plugins.module_utils._directory.session import Login, Session, connect
from ansible_collections.stateless.linux.plugins.module_utils._directory.tree import Tree

#: So many searches make an answer: the client, its groups, all clients, protosystem and channels, the snapshot.
SEARCHES = 5
#: Seconds in which all must have logged in.
_START = 120


@dataclasses.dataclass(frozen=True)
class Asker:
    """A client, and how it logs in."""

    name: str
    login: Login
    tree: Tree

    def ask(self, session: Session) -> None:
        """Find out once what it should run.

        :raises SystemExit: it is nothing.
        """
        fleet = read(session, self.tree, [self.name], brief=True)
        (client,) = fleet.clients
        answer = resolve(levels(fleet, client), fleet.protosystems)
        if answer.problem:
            raise SystemExit(f"{self.name}: {answer.problem}")


@dataclasses.dataclass(frozen=True)
class Answers:
    """What came of it, all askers together."""

    #: answers in a second
    rate: float
    #: seconds that an answer took: half of them at most, nine of ten at most
    median: float
    most: float


def _worker(asker: Asker, ready: t.Any, seconds: float, results: t.Any) -> None:
    session = connect(asker.login)
    asker.ask(session)
    ready.wait(_START)
    ends = time.monotonic() + seconds
    took = []
    while (began := time.monotonic()) < ends:
        asker.ask(session)
        took.append(time.monotonic() - began)
    results.put(took)


def ask(askers: t.Sequence[Asker], seconds: float) -> Answers:
    """Have all *askers* ask again and again, for so long."""
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(len(askers))
    results: t.Any = context.Queue()
    workers = [context.Process(target=_worker, args=(one, ready, seconds, results), daemon=True) for one in askers]
    for worker in workers:
        worker.start()
    took = sorted(one for _worker_ in workers for one in results.get(timeout=_START + 2 * seconds))
    for worker in workers:
        worker.join()
    return Answers(len(took) / seconds, took[len(took) // 2], took[len(took) * 9 // 10])
