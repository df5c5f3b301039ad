# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the room of a filesystem: fill.py FILE LEFT

FILE grows until LEFT bytes are free.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Do what the arguments say."""
    path, left = sys.argv[1], int(sys.argv[2])
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    size, piece = os.fstat(descriptor).st_size, 1024**3
    while piece >= 512:
        space = os.fstatvfs(descriptor)
        free = space.f_bfree * space.f_frsize - left
        if free < piece:
            piece //= 2
            continue
        try:
            os.posix_fallocate(descriptor, size, piece)
            size += piece
        except OSError:
            os.ftruncate(descriptor, size)
            piece //= 2


main()
