# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the directory said last, kept for when it is away."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import typing as t

from .. import _files
from .._directory.resolve import Answer
from .._errors import InvalidValue, StatelessError
from .._names import check_name, check_serial
from .places import Places

#: The version of the file's form, its field ``schema``.
_SCHEMA = 1


@dataclasses.dataclass(frozen=True)
class Known:
    """What the directory said."""

    #: when: ISO 8601, UTC
    asked: str
    #: which client this machine was then
    client: str
    answer: Answer


def checked(answer: Answer) -> Answer:
    """*answer*, if it is one that a machine could have; else the problem that it is none.

    What the directory says is used for nothing but to be compared and shown; even so, no name in it is any text.
    """
    try:
        for option in ("protosystem", "channel"):
            if getattr(answer, option) is not None:
                check_name(option, getattr(answer, option))
        if answer.serial is not None:
            check_serial("serial", answer.serial)
    except InvalidValue as error:
        return Answer(because=answer.because, problem=f"the directory says what cannot be: {error}")
    return answer


def store(places: Places, known: Known) -> None:
    """Keep *known*; a reader finds the old or the new.

    :raises StatelessError: nothing can be written there.
    """
    path = places.known
    try:
        with _files.lock(places.lock, "another report is being made at this moment", timeout=5):
            _files.clear_unfinished(os.path.dirname(path), os.path.basename(path))
            value = {"asked": known.asked, "client": known.client, "answer": known.answer.as_dict()}
            _files.write_json(path, {"schema": _SCHEMA, **value})
    except OSError as error:
        raise StatelessError(f"what the directory says cannot be kept in {path}: {error.strerror}") from error


def load(places: Places, name: str | None) -> Known | None:
    """What was kept last; None if nothing was, or for another client than *name* (None: whichever it is).

    :raises StatelessError: the file is not what :func:`store` writes.
    """
    path = places.known
    try:
        found = _files.read_json(path)
        if found is None:
            return None
        if found["schema"] != _SCHEMA:
            raise ValueError("another version wrote it")
        known = Known(_time(found["asked"]), _a(str, found["client"]), _answer(found["answer"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StatelessError(f"{path} cannot be read: {error}; the next report writes it anew") from error
    return known if name in (None, known.client) else None


def _answer(value: t.Mapping[str, t.Any]) -> Answer:
    return checked(
        Answer(
            _maybe(str, value["protosystem"]),
            _maybe(str, value["channel"]),
            _maybe(int, value["serial"]),
            _maybe(str, value["digest"]),
            _maybe(str, value["format"]),
            tuple(_a(str, one) for one in _a(list, value["kernel_arguments"])),
            {_a(str, field): _a(str, dn) for field, dn in value["because"].items()},
            _a(str, value["reason"]),
            _a(str, value["problem"]),
        )
    )


_T = t.TypeVar("_T")


def _a(kind: type[_T], value: t.Any) -> _T:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"a value is not of the kind {kind.__name__}")
    return value


def _maybe(kind: type[_T], value: t.Any) -> _T | None:
    return None if value is None else _a(kind, value)


def _time(value: t.Any) -> str:
    with contextlib.suppress(ValueError):
        if datetime.datetime.fromisoformat(_a(str, value)).tzinfo is not None:
            return _a(str, value)
    raise ValueError("a time is none")
