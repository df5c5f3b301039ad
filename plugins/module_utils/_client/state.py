# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State that an image has the command ``stateless``, and which directory that asks: the module client_command."""

from __future__ import annotations

import json
import os
import re
import ssl
import typing as t

from .._cached_root import settings as cached_settings
from .._errors import InvalidValue, StatelessError
from .._plan import Outcome, Plan
from .._readonly_root.changes import Change, clearing, net, shown, steps_of
from .._readonly_root.info import tree_of
from .._readonly_root.tree import LINK, Tree
from . import cached_files, files, settings
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
    cached_settings.SETTINGS,
    *cached_files.texts(cached_settings.Settings(), ""),
)
#: Where a link makes the report start.
REPORT_WANTS = f"{files.WANTS}/{files.TIMER}"
#: Times as systemd.time(7) has them, those that make sense here.
_INTERVAL = re.compile(r"[1-9][0-9]{0,4}(?:s|min|h|d)")


def _present(tree: Tree, options: t.Mapping[str, t.Any]) -> list[Change]:
    """What it takes, in an order in which what is named is there: the link by which the timer starts comes last."""
    caching = _caching(tree, options["caching"])
    if options["server_uri"] is None:
        return [
            *_directory_absent(tree),
            *(_file(tree, path, None) for path in (SETTINGS, files.CERTIFICATES)),
            _program(tree, present=True),
            *caching,
        ]
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
        *_wanted(tree, REPORT_WANTS, f"{files.UNITS}/{files.TIMER}", present=True),
        *caching,
    ]


def _absent(tree: Tree) -> list[Change]:
    return [
        *_caching(tree, None),
        *_directory_absent(tree),
        _program(tree, present=False),
        _file(tree, SETTINGS, None),
        _file(tree, files.CERTIFICATES, None),
    ]


def _directory_absent(tree: Tree) -> list[Change]:
    return [
        *_wanted(tree, REPORT_WANTS, f"{files.UNITS}/{files.TIMER}", present=False),
        *_unit(tree, files.TIMER, None),
        *_unit(tree, files.SERVICE, None),
    ]


def _caching(tree: Tree, options: t.Mapping[str, t.Any] | None) -> list[Change]:
    """What a caching client needs; None: it is not one."""
    found: cached_settings.Settings = cached_settings.Settings()
    interval, text = "", None
    if options is not None:
        said = {name: value for name, value in options.items() if name != "update_interval" and value is not None}
        found = cached_settings.check(said, "caching")
        if not found.urls:
            raise InvalidValue("caching.urls", [], "name at least one URL where images are published")
        interval = options.get("update_interval") or ""
        if interval and _INTERVAL.fullmatch(interval) is None:
            raise InvalidValue(
                "caching.update_interval", interval, "give a time such as 30min, 1h or 1d; empty for none"
            )
        text = json.dumps(said, indent=2, sort_keys=True) + "\n"
    present = options is not None
    units = cached_files.texts(found, interval)
    links = {**cached_files.WANTS, cached_files.UPDATE_WANTS: f"{files.UNITS}/{cached_files.UPDATE_TIMER}"}
    wanted = [
        change
        for link, target in links.items()
        for change in _wanted(tree, link, target, present and (link != cached_files.UPDATE_WANTS or bool(interval)))
    ]
    made = [
        _file(tree, cached_settings.SETTINGS, text),
        *(
            change
            for path, content in units.items()
            for change in _unit(tree, os.path.relpath(path, files.UNITS), content if present else None)
        ),
    ]
    # what is named is there: links come last, and go first
    return [*made, *wanted] if present else [*wanted, *reversed(made)]


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


def _wanted(tree: Tree, link: str, target: str, present: bool) -> list[Change]:
    """The link by which a unit starts, as systemctl(1) makes it, or by which it never does."""
    name = os.path.basename(target)
    directory = tree.resolve(os.path.dirname(link))
    path = f"{directory}/{os.path.basename(link)}"
    before = None
    if directory is not None and tree.kind(path) is not None:
        before = os.readlink(tree.host(path)) if tree.kind(path) == LINK else ""
    if target == "/dev/null" and before not in (None, target):
        # the administrator of the image has a unit of that name
        return []
    # Relative ones are systemd's as well.
    enabled = before is not None and os.path.basename(before) == name
    after = (before if enabled else target) if present and not _masked(tree, name) else None
    return [Change(link, before, after, link=True)]
