# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run something in a process that is killed on the way."""

from __future__ import annotations

import os
import typing as t

#: What changes something that others see, or waits until it is on the disk.
CALLS = ("rename", "unlink", "pwrite", "fsync", "rmdir", "mkdir")


def killed_at(number: int, work: t.Callable[[], object], also: t.Iterable[tuple[object, str]] = ()) -> bool:
    """Do *work* in a process that is gone before its call *number* of :data:`CALLS`; whether it got there.

    :arg also: more functions that count: where they are, and their names.
    """
    child = os.fork()
    if child == 0:
        left = number

        def counting(real: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
            def call(*arguments: t.Any, **options: t.Any) -> t.Any:
                nonlocal left
                left -= 1
                if left < 0:
                    os._exit(9)
                return real(*arguments, **options)

            return call

        try:
            for where, name in [*((os, name) for name in CALLS), *also]:
                setattr(where, name, counting(getattr(where, name)))
            work()
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status not in (0, 9):
        raise AssertionError(f"the process ended with {status}")
    return status == 9
