# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State that an image has the command ``stateless``, and which directory that asks: the module client_command."""

from __future__ import annotations

import os
import ssl
import typing as t

from .._errors import InvalidValue, StatelessError
from .._plan import Outcome, Plan
from .._readonly_root.changes import Change, clearing, net, shown, steps_of
from .._readonly_root.info import tree_of
from .._readonly_root.tree import LINK, Tree
from . import files, settings
from .places import SETTINGS


def apply(options: t.Mapping[str, t.Any], check_mode: bool) -> Outcome:
    """Make the root have the command or not, or in check mode say what that would take.

    :raises StatelessError: an option cannot work; nothing was changed.
    """
    tree = tree_of(options["root"])
    try:
        changes = _present(tree, options) if options["state"] == "present" else _absent(tree)
        changes = net(changes)
        plan = Plan(
            {change.path: shown(change.before, change.link) for change in changes},
            {change.path: shown(change.after, change.link) for change in changes},
            [*clearing(tree, _PATHS), *steps_of(tree, changes, [])],
        )
        if not check_mode:
            plan.act()
    except OSError as error:
        raise StatelessError(f"{error.filename or tree.root} cannot be changed: {error.strerror}") from error
    return Outcome(plan, {})


#: Every file that may be written.
_PATHS = (
    files.CERTIFICATES,
    SETTINGS,
    files.PROGRAM,
    f"{files.UNITS}/{files.SERVICE}",
    f"{files.UNITS}/{files.TIMER}",
)


def _present(tree: Tree, options: t.Mapping[str, t.Any]) -> list[Change]:
    """What it takes, in an order in which what is named is there: the link by which the timer starts comes last."""
    said = {name: options[name] for name in settings.KEYS if name in options}
    authority = options["ca"]
    if authority is not None:
        _check_certificates(authority)
        said["ca_path"] = files.CERTIFICATES
    elif said["ca_path"] is not None and tree.resolve(said["ca_path"]) is None:
        raise InvalidValue("ca_path", said["ca_path"], f"there is no such file in {tree.root}; or give ca")
    settings.check(said, "the task")
    return [
        _file(tree, files.CERTIFICATES, authority.strip() + "\n" if authority is not None else None),
        _file(tree, SETTINGS, settings.text(said)),
        _program(tree, present=True),
        *_unit(tree, files.SERVICE, files.SERVICE_TEXT),
        *_unit(tree, files.TIMER, files.TIMER_TEXT),
        *_link(tree, present=True),
    ]


def _absent(tree: Tree) -> list[Change]:
    return [
        *_link(tree, present=False),
        *_unit(tree, files.TIMER, None),
        *_unit(tree, files.SERVICE, None),
        _program(tree, present=False),
        _file(tree, SETTINGS, None),
        _file(tree, files.CERTIFICATES, None),
    ]


def _check_certificates(text: str) -> None:
    """Raise InvalidValue if these are no certificates; a key that was given by mistake is not shown."""
    if "PRIVATE KEY" in text:
        raise InvalidValue("ca", "(hidden)", "there is a private key in it, which must not be in an image")
    try:
        ssl.create_default_context(cadata=text or "nothing")
    except (ssl.SSLError, ValueError) as error:
        raise InvalidValue("ca", text[:80], "give certificates in PEM") from error


def _file(tree: Tree, path: str, after: str | None) -> Change:
    return Change(path, tree.read(path), after)


def _program(tree: Tree, present: bool) -> Change:
    place = tree.resolve(files.PROGRAM)
    held = None
    if place is not None:
        with open(tree.host(place), "rb") as stream:
            held = stream.read()
    return Change(files.PROGRAM, held, files.COMMAND.instead_of(held) if present else None, 0o755)


def _masked(tree: Tree, name: str) -> bool:
    """Whether the administrator of the image has said that a unit is not to be."""
    directory = tree.resolve(files.UNITS)
    path = f"{directory}/{name}"
    return directory is not None and tree.kind(path) == LINK and os.readlink(tree.host(path)) == "/dev/null"


def _unit(tree: Tree, name: str, after: str | None) -> list[Change]:
    return [] if _masked(tree, name) else [_file(tree, f"{files.UNITS}/{name}", after)]


def _link(tree: Tree, present: bool) -> list[Change]:
    """The link by which the timer starts, as systemctl(1) makes it."""
    target = f"{files.UNITS}/{files.TIMER}"
    directory = tree.resolve(files.WANTS)
    path = f"{directory}/{files.TIMER}"
    before = None
    if directory is not None and tree.kind(path) is not None:
        before = os.readlink(tree.host(path)) if tree.kind(path) == LINK else ""
    # Relative ones are systemd's as well.
    enabled = before is not None and os.path.basename(before) == files.TIMER
    after = (before if enabled else target) if present and not _masked(tree, files.TIMER) else None
    return [Change(f"{files.WANTS}/{files.TIMER}", before, after, link=True)]
