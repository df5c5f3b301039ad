# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much the scratch of a read-only root has to hold."""

from __future__ import annotations

import os
import re

from .model import Finding, Keep, Layout, Level
from .tree import Tree, beneath

#: tmpfs is half of the memory where nobody says else; this much, in bytes, is worth a word anyway.
_MUCH = 512 * 1024 * 1024
#: Nobody waits for more files than this to be measured.
_MOST_FILES = 200_000
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def too_large(tree: Tree, plan: Layout) -> list[Finding]:
    """Whether what is copied at every boot fits into a tmpfs."""
    limit = _limit(plan.settings.rw_options, tree.root == "/")
    found: list[Finding] = []
    total = 0
    for bind in plan.binds:
        for entry in bind.entries if bind.kind == "scratch" else ():
            if entry.keep is not Keep.EVERYTHING or any(beneath(entry.path, other.path) for other in bind.entries):
                continue
            size = measure(tree.host(entry.path))
            total += size
            if total > limit >= total - size or (size > _MUCH and total <= limit):
                reason = f"It has {size >> 20} MiB, which are copied to the scratch at every boot"
                reason += (
                    "." if total <= limit else f": with what is before it, that is more than fits ({limit >> 20} MiB)."
                )
                remedy = "Keep less of it, or make the scratch larger (RW_OPTIONS)."
                found.append(Finding(Level.WARNING, "size", entry.file, entry.line, entry.path, reason, remedy))
    return found


def _limit(options: str, here: bool) -> int:
    """How many bytes a tmpfs with *options* holds; where the memory is not known, what is always too much."""
    match = re.search(r"\bsize=([0-9]+)([kKmMgG%]?)", options)
    number, unit = (int(match[1]), match[2].lower()) if match else (50, "%")
    if unit != "%":
        return number * _UNITS.get(unit, 1)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if here else 8 << 30
    return memory * number // 100


def measure(path: str) -> int:
    """The bytes of *path* and what is beneath, on its filesystem; not followed are links."""
    try:
        top = os.lstat(path)
    except OSError:
        return 0
    total, files = top.st_blocks * 512, 0
    waiting = [path]
    while waiting and files < _MOST_FILES:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    files += 1
                    total += status.st_blocks * 512
                    if entry.is_dir(follow_symlinks=False) and status.st_dev == top.st_dev:
                        waiting.append(entry.path)
        except OSError:
            continue
    return total
