# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mounted filesystem stands still for a moment: fsfreeze(8), and a guard that lets it go on in any case."""

from __future__ import annotations

import contextlib
import os
import subprocess
import typing as t

from .._command import CommandFailed, find, search_path

#: Freezes, says so, and thaws when the standard input ends: when the run says so, or when it is gone, however it ended.
#: SIGPIPE is among what it ignores: a run that is gone by now does not hear that the filesystem is frozen.
#: A filesystem that is frozen already, while the run holds the lock, is the rest of a run whose guard was killed too.
_GUARD = """
trap '' HUP INT TERM PIPE
fsfreeze --freeze "$1" || { fsfreeze --unfreeze "$1" && fsfreeze --freeze "$1"; } || exit
echo frozen
read -r _
fsfreeze --unfreeze "$1"
"""


@contextlib.contextmanager
def frozen(where: str) -> t.Iterator[None]:
    """Freeze the filesystem mounted at *where* for this block. The block must not write to it: it would wait for ever.

    :raises CommandFailed: it cannot be frozen, or did not stay frozen to the end of the block.
    """
    find("fsfreeze", "util-linux")
    guard = subprocess.Popen(
        ["sh", "-c", _GUARD, "sh", where],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # not to be reached by what ends the session of the run
        start_new_session=True,
        env={**os.environ, "PATH": search_path(), "LC_ALL": "C"},
    )
    complaint = ""
    try:
        if guard.stdout is None or guard.stdout.readline() != "frozen\n":
            complaint = guard.communicate()[1]
            raise CommandFailed(["fsfreeze", "--freeze", where], guard.returncode, complaint)
        yield
    finally:
        if guard.stdin is not None and not guard.stdin.closed:
            complaint = guard.communicate()[1]
    if guard.returncode != 0:
        raise CommandFailed(["fsfreeze", "--unfreeze", where], guard.returncode, complaint)
