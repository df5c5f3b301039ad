# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many frames a content takes that has to be made out of nothing. The publisher's own.

Each step may compress against the one before; a reader would have to follow that back for ever. So it is kept by id, in
a file of a byte each: 1 for a frame without references, one more than the largest of these for others. 0 is not known.
"""

from __future__ import annotations

import os
import typing as t

from .pack import Ids

#: Frames for one another's sake that a publisher makes. A reader takes 64 (docs/blocks-format.md).
DEEPEST = 16


class Depths:
    """The depths of contents in the file *path*, of which *contents* - 1 are published."""

    def __init__(self, path: str, contents: int) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # what is behind is of a killed run
        os.ftruncate(self._file, contents)

    def close(self) -> None:
        os.close(self._file)

    def usable(self, references: t.Iterable[Ids]) -> list[Ids]:
        """Those of *references* that one more frame may refer to."""
        return [one for one in references if self._of(one)[0] > 0 and self._of(one)[1] < DEEPEST]

    def note(self, holds: t.Iterable[Ids], references: t.Iterable[Ids]) -> None:
        """A frame is made."""
        depth = 1 + max((self._of(one)[1] for one in references), default=0)
        for first, count in holds:
            os.pwrite(self._file, bytes([depth]) * count, first)

    def _of(self, ids: Ids) -> tuple[int, int]:
        """The least and the largest depth of some contents."""
        found = os.pread(self._file, ids[1], ids[0])
        return (min(found), max(found)) if len(found) == ids[1] else (0, 0)
