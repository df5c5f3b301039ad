# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client has to do: which blocks are zeros, which it has elsewhere, and which frames to fetch for the rest."""

from __future__ import annotations

import bisect
import dataclasses
import typing as t

from .held import Held
from .index import Index, Run
from .manifest import PackFile
from .pack import Frame, Ids, Table
from .values import damaged
from .volume import Range

#: frames that have to be fetched for one another's sake, at most
_CHAIN = 64
#: bytes between two ranges that are fetched for nothing, rather than asking again
GAP = 64 * 1024
#: more than anything costs
_NEVER = 2**62


class Fetch(t.NamedTuple):
    """A frame that is needed."""

    pack: PackFile
    frame: Frame
    #: what of it goes where
    writes: tuple[Run, ...]
    #: later frames refer to it
    keep: bool


class Span(t.NamedTuple):
    """One request."""

    pack: PackFile
    start: int
    end: int
    fetches: tuple[Fetch, ...]


@dataclasses.dataclass(frozen=True)
class Plan:
    """The steps from what there is to what is wanted."""

    zeros: t.Sequence[Range]
    #: contents that the client has, to where they belong
    moves: t.Sequence[Run]
    spans: t.Sequence[Span]

    def bytes(self) -> int:
        """What is fetched."""
        return sum(span.end - span.start for span in self.spans)


def difference(before: Index, after: Index) -> t.Iterator[Run]:
    """The changes from one volume to another, ascending."""
    end = 0
    for run in (*after.runs(), Run(after.blocks, 0, 0)):
        for part in (Run(end, run.at - end, 0), run):
            inside = min(part.length, before.blocks - part.at)
            done = 0
            for was in before.part(part.at, inside) if inside > 0 else ():
                skip = was.at - part.at
                if was.first != part.part(skip, 0).first:
                    yield part.part(skip, was.length)
                done = skip + was.length
            if part.length > done and part.first:
                yield part.part(done, part.length - done)
        end = run.at + run.length


class Packs:
    """The packs that a manifest names, whose tables are fetched when they are asked for."""

    def __init__(self, packs: t.Sequence[PackFile], load: t.Callable[[PackFile], Table]) -> None:
        self._packs = packs
        self._load = load
        self._tables: dict[str, Table] = {}

    def have(self, pack: PackFile, table: Table) -> None:
        """A table that is here already."""
        self._tables[pack.file] = table

    def holding(self, content: int, loaded: bool) -> t.Iterator[tuple[PackFile, Frame]]:
        """The frames that hold a content, in the packs whose tables are here, or in the others."""
        for pack in self._packs:
            if pack.first <= content < pack.end and (pack.file in self._tables) == loaded:
                if not loaded:
                    self._tables[pack.file] = self._load(pack)
                found = self._tables[pack.file].find(content)
                if found is not None:
                    yield pack, found[1]


def plan(what: str, changes: t.Iterable[Run], held: t.Callable[[], Held], packs: Packs) -> Plan:
    """Plan *changes* for a client that has what *held* says; it is asked only if need be.

    :arg what: the manifest's name.
    :raises Damaged: a content is in no pack.
    """
    zeros: list[Range] = []
    moves: list[Run] = []
    missing: list[Run] = []
    for run in changes:
        if not run.first:
            zeros.append((run.at, run.length))
            continue
        for first, count, at in held().find(run.first, run.length):
            part = run.part(first - run.first, count)
            (missing if at is None else moves).append(part)
    chooser = _Chooser(what, held, packs)
    for run in sorted(missing, key=lambda one: one.first):
        chooser.want(run)
    return Plan(zeros, moves, spans(chooser.fetches()))


class _Chosen:
    """A frame that is wanted, as it gathers why."""

    def __init__(self, pack: PackFile, frame: Frame) -> None:
        self.pack = pack
        self.frame = frame
        self.writes: list[Run] = []
        self.keep = False


class _Chooser:
    def __init__(self, what: str, held: t.Callable[[], Held], packs: Packs) -> None:
        self._what = what
        self._held = held
        self._packs = packs
        self._chosen: dict[tuple[str, int], _Chosen] = {}
        self._missing: dict[tuple[str, int], list[Ids]] = {}
        self._costs: dict[tuple[str, int], int] = {}

    def want(self, run: Run) -> None:
        """Fetch what *run* needs."""
        while run.length:
            chosen, count = self._choose(run.first, run.length, 0)
            chosen.writes.append(run.part(0, count))
            run = run.part(count, run.length - count)

    def fetches(self) -> list[Fetch]:
        """The frames in an order in which each finds there what it refers to."""
        chosen = sorted(self._chosen.values(), key=lambda one: (one.frame.holds[0][0], one.pack.file))
        return [Fetch(one.pack, one.frame, tuple(one.writes), one.keep) for one in chosen]

    def _choose(self, content: int, count: int, depth: int) -> tuple[_Chosen, int]:
        """The frame for *content*, and how many of *count* contents from there it has."""
        pack, frame = self._cheapest(content, depth)
        key = pack.file, frame.offset
        if key not in self._chosen:
            self._chosen[key] = _Chosen(pack, frame)
            for first, length in self._needs(pack, frame):
                done = 0
                while done < length:
                    other, part = self._choose(first + done, length - done, depth + 1)
                    other.keep = True
                    done += part
        return self._chosen[key], min(count, _upto(frame, content) - content)

    def _cheapest(self, content: int, depth: int) -> tuple[PackFile, Frame]:
        found: list[tuple[int, PackFile, Frame]] = []
        for loaded in (True, False):
            for pack, frame in self._packs.holding(content, loaded):
                if (pack.file, frame.offset) in self._chosen or (loaded and not self._needs(pack, frame)):
                    return pack, frame
                found.append((self._cost(pack, frame, depth), pack, frame))
        best = min(found, key=lambda one: one[0], default=None)
        if best is None or best[0] >= _NEVER:
            raise damaged(self._what, f"the packs that it names do not have the content {content}")
        return best[1:]

    def _cost(self, pack: PackFile, frame: Frame, depth: int) -> int:
        """Bytes to fetch for a frame and all that it needs, roughly: what several need is counted for each."""
        key = pack.file, frame.offset
        if depth >= _CHAIN:
            return _NEVER
        if key not in self._costs:
            cost = frame.size
            for first, count in self._needs(pack, frame):
                content = first
                while content < first + count:
                    found = [
                        (self._cost(other, one, depth + 1), _upto(one, content))
                        for loaded in (True, False)
                        for other, one in self._packs.holding(content, loaded)
                    ]
                    price, content = min(found, default=(_NEVER, first + count))
                    cost += price
            self._costs[key] = min(cost, _NEVER)
        return 0 if key in self._chosen else self._costs[key]

    def _needs(self, pack: PackFile, frame: Frame) -> list[Ids]:
        """What a frame refers to that the client does not have."""
        if not frame.references:
            return []
        key = pack.file, frame.offset
        if key not in self._missing:
            self._missing[key] = list(self._held().missing(frame.references))
        return self._missing[key]


def _upto(frame: Frame, content: int) -> int:
    """Where the run of ids ends that *content* is in."""
    return sum(frame.holds[bisect.bisect_right(frame.holds, (content, 2**32)) - 1])


def spans(fetches: t.Sequence[Fetch]) -> list[Span]:
    """Frames as few requests, which are made in this order."""
    together: list[list[Fetch]] = []
    for fetch in fetches:
        last = together[-1][-1] if together else None
        if last is not None and last.pack == fetch.pack and 0 <= fetch.frame.offset - last.frame.end() <= GAP:
            together[-1].append(fetch)
        else:
            together.append([fetch])
    return [Span(some[0].pack, some[0].frame.offset, some[-1].frame.end(), tuple(some)) for some in together]
