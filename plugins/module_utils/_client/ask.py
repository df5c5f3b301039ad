# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the directory as this machine: what it should run; and tell it what it runs. Never for longer than is said."""

from __future__ import annotations

import contextlib
import dataclasses
import queue
import threading
import typing as t

from .._directory.connection import MISSING, LdapFailed, ldap
from .._directory.fleet import Client, Running, read
from .._directory.resolve import levels, resolve
from .._directory.session import Session, connect
from .._directory.tree import Tree
from .._directory.values import Changes, dn_key, name_of
from .._errors import StatelessError
from . import identity, settings
from .known import Known, checked
from .machine import Machine, now
from .places import Places

#: What python-ldap raises where the directory, and not this machine, is what should be looked at.
_AWAY = ("SERVER_DOWN", "CONNECT_ERROR", "TIMEOUT", "UNAVAILABLE", "BUSY")
_T = t.TypeVar("_T")


class Away(StatelessError):
    """The directory does not answer; it may later."""


@dataclasses.dataclass(frozen=True)
class Told:
    """What the directory says of this machine, which has logged in to it."""

    known: Known
    dn: str
    #: None: there is no entry
    client: Client | None
    #: by whom
    session: Session


def within(seconds: float, work: t.Callable[[], _T]) -> _T:
    """What *work* returns or raises; what it does after *seconds* is of no interest.

    A thread, since nothing else ends a look-up of a name that is not answered; the process need not wait for it.

    :raises Away: it took longer.
    """
    done: queue.Queue[tuple[t.Any, BaseException | None]] = queue.Queue()

    def thread() -> None:
        try:
            done.put((work(), None))
        except BaseException as error:  # for whoever waits
            done.put((None, error))

    threading.Thread(target=thread, daemon=True).start()
    try:
        result, error = done.get(timeout=seconds)
    except queue.Empty:
        raise Away(f"the directory does not answer within {seconds:g} seconds") from None
    if error is not None:
        raise error
    return t.cast(_T, result)


def ask(places: Places, machine: Machine, timeout: int) -> Told:
    """Log in and ask.

    :arg timeout: seconds for a connection, and for each answer.
    :raises Away: the directory is away.
    :raises Nobody: this machine cannot log in.
    :raises StatelessError: it is not let in; or the settings cannot work.
    """
    if MISSING is not None:
        raise StatelessError("python-ldap is missing: install python3-ldap in the image")
    where = settings.load(places.settings)
    login = identity.login(places, where.login, where.tree, machine.name)
    with _away():
        return _told(connect(dataclasses.replace(login, timeout=timeout)), where.tree)


@contextlib.contextmanager
def _away() -> t.Iterator[None]:
    """Failures that are the directory's become :class:`Away`."""
    try:
        yield
    except LdapFailed as error:
        if error.kind in _AWAY:
            raise Away(str(error)) from error
        raise


def _told(session: Session, tree: Tree) -> Told:
    dn = session.identity()
    if not dn or dn_key(dn)[1:] != dn_key(tree.clients):
        raise StatelessError(
            f"the directory takes this machine for {dn or 'nobody'}, which is no entry of {tree.clients}"
        )
    name = name_of(dn)
    fleet = read(session, tree, [name], brief=True)
    client = next((one for one in fleet.clients if dn_key(one.dn) == dn_key(dn)), None)
    answer = checked(resolve(levels(fleet, client), fleet.protosystems))
    return Told(Known(now(), client.name if client else name, answer), dn, client, session)


def report(told: Told, running: Running, reported: str) -> None:
    """Write into the entry of this machine what it runs: one change, all of it or nothing.

    :arg reported: now, as the library writes times.
    :raises Away: the directory is away.
    :raises StatelessError: there is no entry, or the directory refuses.
    """
    if told.client is None:
        raise StatelessError(f"there is no entry {told.dn} in the directory: make it with the module directory_client")
    with _away():
        told.session.modify(told.dn, changes(running, reported))


def changes(running: Running, reported: str) -> Changes:
    """The change of an entry; what is not known of *running* is taken away, since it was said of another boot."""
    said = {
        "statelessRunningProtosystem": running.protosystem,
        "statelessRunningSerial": running.serial,
        "statelessRunningDigest": running.digest,
        "statelessRunningFormat": running.format,
        "statelessRunningSince": _generalized(running.since),
        "statelessFailed": running.failed,
        "statelessReported": _generalized(reported),
    }
    return [
        (ldap.MOD_REPLACE, attribute, None if value is None else [str(value).encode()])
        for attribute, value in said.items()
    ]


def _generalized(when: str | None) -> str | None:
    """A time of ours as LDAP writes it (RFC 4517, generalizedTime)."""
    return f"{when[:19].translate({ord(letter): None for letter in '-:T'})}Z" if when else None
