# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the client's service says at boot: to the journal and the console, and how it ends."""

from __future__ import annotations

import contextlib
import os
import sys
import typing as t


class Log:
    """Notes on the standard output, which goes to the journal, and problems on the standard error, which goes to the
    console as well (see the unit). A problem makes the service fail at its end; nothing stops the boot.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.notes: list[str] = []
        # sd-daemon(3): the level is taken from the line and not shown.
        self._levels = "JOURNAL_STREAM" in os.environ

    def problem(self, text: str) -> None:
        """Something that should be writable or kept is not."""
        self.problems.append(text)
        self._say(sys.stderr, 3, text)

    def note(self, text: str) -> None:
        """Something worth knowing that is as it should be, such as an entry that names nothing."""
        self.notes.append(text)
        self._say(sys.stdout, 6, text)

    def _say(self, stream: t.TextIO, level: int, text: str) -> None:
        prefix = f"<{level}>" if self._levels else ""
        line = text.replace("\n", " ")
        # The stream may be gone, or a name may have what it cannot show: that must stop nothing.
        with contextlib.suppress(OSError):
            stream.write(f"{prefix}{line}\n".encode("utf-8", "backslashreplace").decode())
            stream.flush()


def shown(path: str) -> str:
    """*path* for a line of a log: quoted if it has characters that a log would not show."""
    return path if path.isprintable() and " " not in path else repr(path)
