# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the state remembers of itself, in the directory ``.stateless`` of its mount.

==================  ================================================================================================
``baseline.json``   what the client got of each image, by path
``report.json``     the image last merged, and the conflicts: what ``readonly_root_info`` shows
``new/``            versions of the image on their way to the client's files
``journal.json``    a plan that is being carried out, with all of ``new/`` on the disk
==================  ================================================================================================

What cannot be read counts as not there: then everything in the state is the client's own work.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import re
import stat
import typing as t

from ... import _files
from . import copying
from .forward import Baseline, Known, Step
from .places import OWN, own_file
from .records import Record, paths

_VERSION = 1
_Value = t.TypeVar("_Value")


@dataclasses.dataclass(frozen=True)
class Report:
    """What the last merge came to.

    :ivar image: the identity of the image; empty if it is not done.
    :ivar roots: the paths of statetab, and of them in *spare* those that do not move forward.
    :ivar conflicts: each with ``path``, ``beside`` (the image's version, as seen from / where the state is mounted;
        empty if it has none) and ``reason``.
    """

    image: str = ""
    roots: list[str] = dataclasses.field(default_factory=list)
    spare: list[str] = dataclasses.field(default_factory=list)
    conflicts: list[dict[str, str]] = dataclasses.field(default_factory=list)

    @classmethod
    def from_json(cls, value: dict[str, t.Any]) -> Report:
        """What :func:`dataclasses.asdict` gave."""
        conflicts = [
            {name: str(conflict[name]) for name in ("path", "beside", "reason")} for conflict in value["conflicts"]
        ]
        return cls(str(value["image"]), list(map(str, value["roots"])), list(map(str, value["spare"])), conflicts)


@dataclasses.dataclass(frozen=True)
class Journal:
    """A plan with everything that is needed to finish it without the image."""

    steps: t.Sequence[Step]
    baseline: Baseline
    report: Report


class Store:
    """The directory of its own of the state in *where*."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._own = f"{where}/{OWN}"
        self.new = f"{self._own}/new"

    def prepare(self) -> None:
        """Make the directory, and clear what a write that was killed left."""
        with contextlib.suppress(FileExistsError):
            # What is kept may be secret, such as keys.
            os.mkdir(self._own, 0o700)
        _files.clear_unfinished(self._own)

    def staged(self, path: str) -> str:
        """Where the image's version of *path* waits."""
        return self.new + path

    def throw_away(self) -> None:
        """Empty the place for new versions; a plan that is not finished needs them."""
        if self.is_open():
            raise RuntimeError("an interrupted change of the state is not finished")
        copying.remove(self.new)
        os.mkdir(self.new, 0o700)

    def baseline(self) -> Baseline:
        """What is known; nothing if there is nothing that can be read."""
        return self._read("baseline", _baseline_from) or Baseline()

    def write_baseline(self, baseline: Baseline) -> None:
        """Remember *baseline*."""
        self._write("baseline", _baseline_to(baseline))

    def report(self) -> Report:
        """The report; an empty one if there is none that can be read."""
        return self._read("report", Report.from_json) or Report()

    def write_report(self, report: Report) -> None:
        """Remember *report*."""
        self._write("report", dataclasses.asdict(report))

    def journal(self) -> Journal | None:
        """The plan that is being carried out."""
        found = self._read("journal", _journal_from)
        if found is None:
            self.close_journal()
        return found

    def write_journal(self, journal: Journal) -> None:
        """From here on, *journal* will be carried out."""
        steps = [
            [step.do, step.path, step.staged, None if step.old is None else step.old.to_json()]
            for step in journal.steps
        ]
        report = dataclasses.asdict(journal.report)
        self._write("journal", {"steps": steps, "baseline": _baseline_to(journal.baseline), "report": report})

    def is_open(self) -> bool:
        """Whether a plan is being carried out."""
        return os.path.lexists(self._path("journal"))

    def close_journal(self) -> None:
        """The plan is done."""
        _files.remove(self._path("journal"))

    def _path(self, name: str) -> str:
        return own_file(self._where, name)

    def _write(self, name: str, value: dict[str, t.Any]) -> None:
        # Names with any bytes come through: JSON in ASCII has an escape for each.
        _files.write_json(self._path(name), {"version": _VERSION, **value}, 0o600)

    def _read(self, name: str, parse: t.Callable[[dict[str, t.Any]], _Value]) -> _Value | None:
        try:
            value = _files.read_json(self._path(name))
            if isinstance(value, dict) and value.get("version") == _VERSION:
                return parse(value)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            pass
        return None


def _baseline_to(baseline: Baseline) -> dict[str, t.Any]:
    known = {
        path: [known.image.to_json()] + ([] if known.here == known.image else [known.here.to_json()])
        for path, known in baseline.known.items()
    }
    return {"roots": sorted(baseline.roots), "known": known, "beside": {k: list(v) for k, v in baseline.beside.items()}}


def _baseline_from(value: dict[str, t.Any]) -> Baseline:
    known = {}
    for path, versions in value["known"].items():
        records = [Record.from_json(version) for version in versions]
        known[path] = Known(records[0], records[-1])
    beside = {path: (str(name), str(mark)) for path, (name, mark) in value["beside"].items()}
    return Baseline(set(map(str, value["roots"])), known, beside)


def _journal_from(value: dict[str, t.Any]) -> Journal:
    steps = [
        Step(str(do), str(path), str(staged), None if old is None else Record.from_json(old))
        for do, path, staged, old in value["steps"]
    ]
    report = Report.from_json(value["report"])
    return Journal(steps, _baseline_from(value["baseline"]), report)


def identity(arguments: str, roots: t.Iterable[str], through: t.Collection[str] = (), base: str = "") -> str:
    """A word that changes with the image.

    :arg arguments: the kernel's, which name the snapshot of a machine that runs an image of this collection.
    :arg roots: what is kept: without such arguments, its names, modes, sizes and times are compared.
    :arg through: see :func:`paths`.
    """
    snapshot = [
        found[1] if (found := re.search(rf"(?:^|\s)stateless\.{word}=(\S+)", arguments)) else ""
        for word in ("protosystem", "serial")
    ]
    if all(snapshot):
        # A server that was made anew counts from 1 again; its /etc has another time then.
        return f"{'.'.join(snapshot)} {os.lstat(base + '/etc').st_mtime_ns if os.path.isdir(base + '/etc') else 0}"
    digest = hashlib.sha256()
    for root in sorted(roots):
        for path in paths(base, root, (), through):
            there = os.lstat(base + path)
            # Times of directories change with what is only seen in them, such as a scratch.
            times = () if stat.S_ISDIR(there.st_mode) else (there.st_size, there.st_mtime_ns)
            digest.update(os.fsencode(f"{path}\0{(there.st_mode, there.st_uid, there.st_gid, *times)}\0"))
    return digest.hexdigest()
