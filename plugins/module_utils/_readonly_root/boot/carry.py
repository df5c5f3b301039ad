# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out what :mod:`.forward` plans, so that it is done as a whole however often the power goes.

The new versions are copied to the state's own directory first and reach the disk; then the plan is written down, and
only then a client's file is touched, each by one rename(2). What is written down and not done is done at the next
boot, before anything else; what is copied and not written down is thrown away.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..._command import run
from ..._errors import StatelessError
from ..._files import sync_filesystem
from . import copying
from .forward import ATTRIBUTES, BESIDE, CLEAR, TAKE, Known, Merge, Planner, Step, within
from .kept import Journal, Report, Store
from .log import Log, shown
from .records import DIRECTORY, Record, fingerprint, look, walk


class Carrier:
    """Keeps the state in *where*.

    :arg base: the image: before a path of it, the root directory, which is empty for /.
    :arg through: mount points that count as the image: what scratch has made.
    """

    def __init__(self, where: str, log: Log, base: str = "", through: t.Collection[str] = ()) -> None:
        self.where = where
        self.base = base
        self._log = log
        self._through = through
        self._store = Store(where)

    def bring(self, roots: t.Sequence[str], spare: t.Collection[str], identity: str) -> None:
        """Copy what state has not yet, and bring the rest forward to the present image.

        :arg roots: the paths of statetab, none beneath another; the directories that they are in are there.
        :arg spare: paths that are copied once and do not move forward.
        :arg identity: says whether this is another image than last time.
        """
        self._store.prepare()
        self.recover()
        report = self._store.report()
        same = report.image == identity and set(report.roots) == set(roots) and set(report.spare) == set(spare)
        if same and all(os.path.lexists(self.where + root) for root in roots):
            self._look_after(report)
            return
        try:
            self._move(roots, spare, identity)
        except (StatelessError, OSError) as error:
            if self._store.is_open():
                raise
            self._move_each(roots, spare, identity, error)

    def _move_each(self, roots: t.Sequence[str], spare: t.Collection[str], identity: str, error: Exception) -> None:
        """Each root for itself, since one of them made the whole fail; those that fail are tried again at each boot."""
        failed = False
        for root in roots:
            try:
                if len(roots) == 1:
                    raise error
                self._move([root], spare, "")
            except (StatelessError, OSError) as failure:
                if self._store.is_open():
                    raise
                failed = True
                kept = "stays as it was before this image" if os.path.lexists(self.where + root) else "is not kept"
                self._log.problem(f"state: {shown(root)} {kept}: {failure}")
        if not failed:
            report = self._store.report()
            self._store.write_report(Report(identity, list(roots), sorted(spare), report.conflicts))

    def _move(self, roots: t.Sequence[str], spare: t.Collection[str], identity: str) -> None:
        self._store.throw_away()
        image: dict[str, Record] = {}
        for root in roots:
            image.update(walk(self.base, root, spare, self._through))
        planner = Planner(self.where, image, self._store.baseline(), spare)
        for root in roots:
            planner.add(root)
        planner.settle()
        merge = planner.merge
        self._carry_out(merge, Report(identity, list(roots), sorted(spare), self._conflicts(merge)))
        self._tell(merge)

    def _carry_out(self, merge: Merge, report: Report) -> None:
        journal = Journal(merge.steps, merge.baseline, report)
        try:
            self._stage(merge)
            if merge.steps:
                self._store.write_journal(journal)
        except BaseException:
            # Not written down: nothing of the client's was touched.
            with contextlib.suppress(OSError):
                self._store.throw_away()
            raise
        self._finish(journal)

    def _stage(self, merge: Merge) -> None:
        """Copy the image's versions beside, all by as few commands as can be, and take note of how they came out."""
        taken = [step.staged for step in merge.steps if step.do == TAKE]
        taken += [path for path in self._through if any(within(path, above) and path != above for above in taken)]
        if taken:
            # One command keeps hard links among all that it copies.
            self._copy(taken)
        for step in merge.steps:
            staged = self._store.staged(step.staged)
            if step.do == ATTRIBUTES:
                os.makedirs(staged, exist_ok=True)
                copying.like(self.base + step.staged, staged)
        for step in merge.steps:
            if step.do not in (TAKE, ATTRIBUTES):
                continue
            laid_beside = step.path != step.staged
            if laid_beside:
                name = self._store.staged(step.staged)
                merge.baseline.beside[step.staged] = (step.path, fingerprint(name))
            known = merge.baseline.known
            paths = [step.staged] if step.staged in known else []
            if step.do == TAKE and os.path.isdir(self._store.staged(step.staged)):
                paths = [path for path in known if within(path, step.staged)]
            for path in paths:
                here = look(self._store.staged(path), known[path].image.content)
                known[path] = Known(known[path].image, here or known[path].image)
        if merge.steps:
            sync_filesystem(self.where)

    def _copy(self, paths: list[str]) -> None:
        batch: list[str] = []
        for number, path in enumerate(paths, 1):
            batch.append(f".{path}")
            if number == len(paths) or sum(map(len, batch)) > copying.ARGUMENTS:
                argv = ["cp", "-a", "-x", "--parents", "-t", self._store.new, "--", *batch]
                run(argv, cwd=self.base or "/", timeout=copying.PATIENCE)
                batch = []

    def recover(self) -> None:
        """Finish what was written down and not done."""
        journal = self._store.journal()
        if journal is not None:
            self._log.note("state: an interrupted change is finished")
            self._finish(journal)
        else:
            self._store.throw_away()

    def _finish(self, journal: Journal) -> None:
        report = journal.report
        for number, step in enumerate(journal.steps):
            try:
                overtaken = self._do(step, number)
            except (FileNotFoundError, NotADirectoryError):
                # The client has removed even the directory since the plan was made.
                continue
            report.conflicts.extend([] if overtaken is None else [overtaken])
        if journal.steps:
            sync_filesystem(self.where)
        self._store.write_baseline(journal.baseline)
        self._store.write_report(report)
        self._store.close_journal()
        self._store.throw_away()

    def _do(self, step: Step, number: int) -> dict[str, str] | None:
        """Do *step*, if it is not done; and never to what is not as the plan found it.

        :return: the conflict, if the client has overtaken a plan that could not be finished at an earlier boot.
        """
        target = self.where + step.path
        staged = self._store.staged(step.staged) if step.staged else ""
        if step.do == TAKE:
            return self._take(step, target, staged) if os.path.lexists(staged) else None
        if step.do == ATTRIBUTES:
            if os.path.isdir(staged) and os.path.isdir(target) and not os.path.islink(target):
                there = os.lstat(target)
                copying.like(staged, target)
                os.utime(target, ns=(there.st_atime_ns, there.st_mtime_ns))
        elif step.do == CLEAR:
            if fingerprint(target) == step.staged:
                os.rename(target, self._store.staged(f"/.cleared{number}"))
        else:
            now = look(target)
            if now is not None and now == step.old:
                if now.kind == DIRECTORY:
                    with contextlib.suppress(OSError):
                        os.rmdir(target)
                else:
                    os.unlink(target)
        return None

    def _take(self, step: Step, target: str, staged: str) -> dict[str, str] | None:
        now = look(target)
        if now == step.old and (now is None or now.kind != DIRECTORY):
            os.rename(staged, target)
            return None
        beside, more = f"{target}{BESIDE}", 1
        while os.path.lexists(beside):
            more += 1
            beside = f"{target}{BESIDE}.{more}"
        os.rename(staged, beside)
        reason = "changed here while it was brought forward"
        self._log.note(f"state: {shown(step.path)}: {reason}: yours is kept; the image's is {shown(beside)}")
        return {"path": step.staged, "beside": beside, "reason": reason}

    def _tell(self, merge: Merge) -> None:
        for root in merge.adopted:
            self._log.note(f"state: {shown(root)} was here before: all of it is kept, and counts from this image on")
        for conflict in merge.conflicts:
            where = f"; the image's is {shown(self.where + conflict.beside)}" if conflict.beside else ""
            self._log.note(f"state: {shown(conflict.path)}: {conflict.reason}: yours is kept{where}")

    def _conflicts(self, merge: Merge) -> list[dict[str, str]]:
        """Those of *merge*, and those of earlier ones that nobody has settled."""
        report = self._store.report()
        new = {conflict.path for conflict in merge.conflicts}
        return [
            old
            for old in report.conflicts
            # Without an identity, it is this image's, of a root that was brought forward before this one.
            if old["path"] not in new and (old["path"] in merge.baseline.beside or not (old["beside"] or report.image))
        ] + [
            {
                "path": conflict.path,
                "beside": conflict.beside and self.where + conflict.beside,
                "reason": conflict.reason,
            }
            for conflict in merge.conflicts
        ]

    def _look_after(self, report: Report) -> None:
        """Drop the conflicts that were settled: the image's version was taken, or removed."""
        if not any(conflict["beside"] for conflict in report.conflicts):
            return
        planner = Planner(self.where, {}, self._store.baseline())
        if planner.settle():
            left = [
                conflict
                for conflict in report.conflicts
                if not conflict["beside"] or conflict["path"] in planner.merge.baseline.beside
            ]
            self._carry_out(planner.merge, Report(report.image, report.roots, report.spare, left))
