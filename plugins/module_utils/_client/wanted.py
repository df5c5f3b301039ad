# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a caching client should run, and with which kernel arguments: asked of the directory, or said by somebody."""

from __future__ import annotations

import dataclasses
import typing as t

from .._cached_root import arguments
from .._cached_root.entries import Image
from .._cached_root.plan import Own
from .._errors import InvalidValue, StatelessError
from .ask import ask, within
from .machine import look
from .places import Places

#: Seconds to wait for the directory: for a connection and each answer, and altogether.
ASK = (5, 20)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What should run."""

    image: Image
    #: kernel arguments that the directory gives this machine; None: it was not asked
    arguments: tuple[str, ...] | None = None

    def own(self, before: t.Sequence[str]) -> Own | None:
        """The kernel arguments of the machine's own, after those *before*; None: they go on.

        :raises StatelessError: the directory says what no entry can have.
        """
        if self.arguments is None:
            return None
        try:
            return tuple(arguments.with_assigned(before, self.arguments))
        except InvalidValue as error:
            raise StatelessError(f"the directory says what cannot be: {error}") from error


def assigned(places: Places) -> Wanted:
    """What the directory says that this machine should run.

    :raises StatelessError: it says nothing that could be fetched, or cannot be asked.
    """
    wait, altogether = ASK
    answer = within(altogether, lambda: ask(places, look(places), wait)).known.answer
    if answer.problem or answer.protosystem is None or answer.serial is None:
        raise StatelessError(f"the directory says nothing that could be fetched: {answer.problem or answer.reason}")
    return Wanted((answer.protosystem, answer.serial), answer.kernel_arguments)
