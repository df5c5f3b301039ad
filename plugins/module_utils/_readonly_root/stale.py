# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State that upstream's service copied once: whether the image has newer versions of it by now."""

from __future__ import annotations

import filecmp
import os
import stat

from .model import Finding, Layout, Level

#: Nobody waits for more files than this to be compared.
_MOST = 100_000


def stale(plan: Layout, image: str, state: str) -> list[Finding]:
    """The paths of statetab of which the image has a version that is newer than the client's.

    Copies keep their times: what the client left alone is as old as the image from which it was copied, and what it
    changed is newer than that.

    :arg image: the root directory of the image, without anything laid over it.
    :arg state: where the state is mounted.
    """
    found: list[Finding] = []
    for bind in plan.binds:
        if bind.kind != "state" or not os.path.lexists(state + bind.path):
            continue
        newer = _newer(image, state, bind.path)
        if newer:
            entry = bind.entries[0]
            reason = f"The image has newer versions of {len(newer)} files in it, such as {newer[0]}; the client's stay."
            remedy = f"Bring them to {state}, or remove what is there for the image's to be copied anew."
            found.append(Finding(Level.WARNING, "stale", entry.file, entry.line, entry.path, reason, remedy))
    return found


def _newer(image: str, state: str, path: str) -> list[str]:
    """The files at *path* and beneath that are newer in *image* and not the same."""
    found: list[str] = []
    waiting = [path]
    looked = 0
    while waiting and looked < _MOST:
        here = waiting.pop()
        looked += 1
        try:
            new = os.lstat(image + here)
        except OSError:
            continue
        try:
            old = os.lstat(state + here)
        except OSError:
            # Removed by the client, or new in the image: new is what came after the directory last changed here.
            if new.st_mtime_ns > os.lstat(os.path.dirname(state + here)).st_mtime_ns:
                found.append(here)
            continue
        if stat.S_ISDIR(new.st_mode) and stat.S_ISDIR(old.st_mode):
            names = sorted(os.listdir(image + here), reverse=True)
            waiting += [f"{here}/{name}" for name in names]
        elif new.st_mtime_ns > old.st_mtime_ns and not _same(image + here, state + here, new, old):
            found.append(here)
    return found


def _same(new: str, old: str, is_new: os.stat_result, is_old: os.stat_result) -> bool:
    if stat.S_IFMT(is_new.st_mode) != stat.S_IFMT(is_old.st_mode):
        return False
    if stat.S_ISLNK(is_new.st_mode):
        return os.readlink(new) == os.readlink(old)
    return not stat.S_ISREG(is_new.st_mode) or filecmp.cmp(new, old, shallow=False)
