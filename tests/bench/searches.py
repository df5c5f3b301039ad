# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The searches that slapd's log tells of, at the levels ``stats`` and ``filter``."""

from __future__ import annotations

import dataclasses
import re

#: "not indexed" and each entry that is looked at are told at the level filter alone.
LEVEL = ("stats", "filter")
_SEARCH = re.compile(r'conn=\d+ op=\d+ SRCH base="(.*?)" .*filter="(.*)"')
_RESULT = re.compile(r"conn=\d+ op=\d+ SEARCH RESULT .*nentries=(\d+)")


@dataclasses.dataclass
class Search:
    """A search."""

    #: entries that slapd held against the filter
    examined: int
    #: entries that it answered with
    found: int
    #: parts of the filter that it found no index for
    unindexed: int
    base: str
    filter: str


def searches(log: str) -> list[Search]:
    """The searches in *log*; no others may have been made at the same time."""
    made: list[Search] = []
    depth = 0
    for line in log.splitlines():
        if begun := _SEARCH.match(line):
            made.append(Search(0, 0, 0, begun[1], begun[2]))
            depth = 0
        elif not made:
            continue
        elif ended := _RESULT.match(line):
            made[-1].found = int(ended[1])
        elif "not indexed" in line:
            made[-1].unindexed += 1
        elif line.strip() == "=> test_filter":
            # The parts of a filter are held against the entry inside of the whole.
            made[-1].examined += depth == 0
            depth += 1
        elif re.match(r"<= test_filter -?\d+$", line.strip()):
            depth -= 1
    return made
