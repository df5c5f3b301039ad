# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module boot_scripts does: read, plan, act, under one lock."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from .._directory import fleet as directory
from .._directory import settings
from .._directory.resolve import Answer
from .._directory.values import dn_key
from .._errors import NotFound, StatelessError
from .._files import lock
from .._image import manifest
from .._plan import Outcome, Plan
from .agree import Agreed, agree
from .files import Changes, There
from .listed import listed
from .resolved import resolved
from .wanted import Scripts, warnings

if t.TYPE_CHECKING:
    from .._directory.settings import Settings
    from .._server import Server


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The options of the module boot_scripts."""

    #: None: what the directory says
    clients: t.Sequence[t.Mapping[str, t.Any]] | None = None
    #: what machines boot that are not among these
    others: t.Mapping[str, t.Any] | None = None
    #: clients take their name as host name
    host_names: bool = True
    #: seconds to wait for a lock
    lock_timeout: float = 60.0


def state(server: Server, wanted: Wanted, check: bool, configuration: str = settings.CONFIGURATION) -> Outcome:
    """Have the boot scripts as they are wanted.

    :arg configuration: the file that says which directory the server has.
    """
    place = settings.load(configuration)
    if wanted.clients is not None and place is not None:
        raise StatelessError(f"clients: leave them out: {configuration} names a directory, which says what they boot")
    if wanted.clients is None and place is None:
        raise NotFound(
            f"clients: say what boots what, or let the directory say it: this server has none yet ({configuration}), "
            "which server_directory of the role stateless.linux.server gives it"
        )
    busy = "another run writes the boot scripts: try again later"
    with lock(server.boot_lock, busy, timeout=wanted.lock_timeout):
        agreed = Agreed()
        if wanted.clients is not None:
            scripts = listed(wanted.clients, wanted.others, wanted.host_names)
        else:
            scripts, agreed = _resolved(server, t.cast("Settings", place), wanted, check)
        changes = Changes.find(There.read(server.boot), scripts)
        before, after = changes.shown()
        plan = Plan(before, after, changes.steps())
        if not check:
            plan.act()
    plan = Plan({**agreed.before, **before}, {**agreed.after, **after}, [*agreed.steps, *plan.steps])
    result = {
        "written": list(changes.write),
        "removed": list(changes.remove),
        "kept": list(changes.kept),
        "channels": agreed.after.get("channels", {}),
        "problems": [{"client": one.client, "problem": one.text} for one in scripts.problems],
    }
    return Outcome(plan, result, [*agreed.warnings, *warnings(scripts.problems)])


def _resolved(server: Server, place: Settings, wanted: Wanted, check: bool) -> tuple[Scripts, Agreed]:
    """What the directory says, once it and what is published here agree.

    :raises StatelessError: not all of it can be seen: what is not seen must not be taken for removed.
    """
    session, tree = place.connect(), place.tree
    if dn_key(place.login.dn)[1:] == dn_key(tree.clients):
        raise StatelessError(f"{place.source}: {place.login.dn} is a client, which sees itself alone: name a publisher")
    if not session.search(tree.clients, "base", "(objectClass=*)", ("1.1",)):
        raise NotFound(f"{place.source}: there is no entry {tree.clients}, or {session.who} may not see it")
    # First, so that a client that is told to follow a channel finds it.
    agreed = agree(server, session, tree, check, wanted.lock_timeout)
    fleet = directory.read(session, tree)
    return resolved(fleet, wanted.host_names, functools.partial(_lacking, server, {})), agreed


def _lacking(server: Server, known: dict[t.Any, str], answer: Answer) -> str:
    """Why this server does not have what the directory has; empty if it does."""
    what = (answer.protosystem, answer.serial, answer.format)
    if what not in known:
        known[what] = ""
        try:
            image = manifest.find(server, str(answer.protosystem), answer.serial or 0)
        except (StatelessError, ValueError) as error:
            known[what] = f"snapshot {answer.serial} of {answer.protosystem} cannot be read here: {error}"
        else:
            if image is None or answer.format not in image.formats:
                name = f"snapshot {answer.serial} of {answer.protosystem}"
                known[what] = f"{name} is not published here as {answer.format}, though the directory says so"
    return known[what]
