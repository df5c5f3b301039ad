# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a root's read-only-root settings are and come to, as plain data: the module readonly_root_info."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import typing as t

from .. import _mounts
from .._errors import InvalidValue, StatelessError
from .boot import places
from .findings import check
from .layout import every_entry, read_settings
from .lists import NOT_THE_IMAGES, RWTAB, RWTAB_OF_INITRD, once
from .model import Bind, Dialect, Entry, Finding, Layout
from .reader import Reader, reader
from .stale import stale
from .tree import Tree
from .wanted import KEEP, root_of

_SCRATCH_LISTS = (RWTAB, RWTAB_OF_INITRD)
#: What the option ``keep`` has for each word of rwtab.
_WORDS = {keep: word for word, keep in KEEP.items()}


def information(root: str, state_root: str | None = None) -> dict[str, t.Any]:
    """Everything that readonly_root_info returns.

    :arg state_root: where the filesystem of a client's state is mounted, if not in *root* itself.
    """
    tree = tree_of(root)
    reads = reader(tree)
    arguments = kernel_arguments(tree)
    settings = read_settings(tree, reads.dialect, arguments)
    mounts: list[_mounts.Mount] = []
    # A chroot may have no /proc, and then knows of no mounts.
    with contextlib.suppress(OSError):
        mounts = _mounts.mounts() if tree.root == "/" else []
    scratch_at = _mounted(mounts, settings.rw_mount) or _mounted(mounts, places.SPARE_SCRATCH)
    mounted_state = _mounted(mounts, settings.state_mount)
    state_at = state_root or mounted_state
    bound = _bound(mounts, {"scratch": scratch_at, "state": mounted_state})
    # Lists in the state itself may replace the image's. What would be measured once something is bound is what is
    # there by now, not what is copied at a boot.
    plan = check(tree, reads, arguments, state_at, measured=not bound)
    if state_at is not None and reads.dialect is not Dialect.OWN:
        plan = dataclasses.replace(plan, findings=(*plan.findings, *_stale(tree, plan, state_at)))
    found = described(tree, reads, plan, state_at)
    found["bound"] = bound
    found["scratch"] = _use(scratch_at)
    found["state"] = _use(state_at)
    found["conflicts"] = _conflicts(state_at)
    return t.cast("dict[str, t.Any]", plain(found))


def tree_of(root: str) -> Tree:
    """The tree at *root*.

    :raises InvalidValue: it is no directory.
    """
    if not os.path.isdir(root_of(root)):
        raise InvalidValue("root", root, "there is no such directory")
    return Tree(root)


def kernel_arguments(tree: Tree) -> str:
    """The kernel's arguments if this machine runs *tree*; else there are none to know."""
    if tree.root != "/":
        return ""
    with contextlib.suppress(OSError), open("/proc/cmdline", encoding="utf-8", errors="replace") as stream:
        return stream.read()
    return ""


def described(tree: Tree, reads: Reader, plan: Layout, state_at: str | None = None) -> dict[str, t.Any]:
    """What both modules return."""
    want = plan.settings
    fixed = {*NOT_THE_IMAGES, *(entry.path for entry in once(tree).entries)} if plan.dialect is Dialect.OWN else None
    gone = {(entry.file, entry.line, entry.path) for entry in plan.ignored}
    return {
        "settings": {
            "enabled": want.enabled,
            "temporary_state": want.temporary_state,
            "slave_mounts": want.slave_mounts,
            "scratch_mount": want.rw_mount,
            "scratch_label": want.rw_label,
            "scratch_options": want.rw_options,
            "state_mount": want.state_mount,
            "state_label": want.state_label,
            "state_options": want.state_options,
            "state_export": want.client_state,
        },
        "service": {
            "dialect": reads.dialect.value,
            "program": reads.program,
            "unit": reads.unit,
            "enabled": reads.enabled,
        },
        "entries": [
            {
                **_entry(entry),
                "forward": (fixed is not None and entry.path not in fixed) if entry.keep is None else None,
                "effective": (entry.file, entry.line, entry.path) not in gone,
            }
            for entry in every_entry(tree, plan.dialect, state_at)
        ],
        "plan": [_bind(bind) for bind in plan.binds],
        "findings": [_finding(finding) for finding in plan.findings],
    }


def _stale(tree: Tree, plan: Layout, state_at: str) -> list[Finding]:
    if tree.root != "/":
        return stale(plan, tree.root, state_at)
    try:
        # The image without what is bound over it.
        with _mounts.view("/", "none", ["bind", "ro"]) as image:
            return stale(plan, image, state_at)
    except (StatelessError, OSError):
        return []


def _entry(entry: Entry) -> dict[str, t.Any]:
    return {
        "path": entry.path,
        "kind": "scratch" if entry.keep is not None or entry.file.startswith(_SCRATCH_LISTS) else "state",
        "keep": _WORDS[entry.keep] if entry.keep is not None else None,
        "file": entry.file,
        "line": entry.line,
        "written": entry.written,
    }


def _bind(bind: Bind) -> dict[str, t.Any]:
    entries = [_entry(entry) for entry in bind.entries]
    return {"path": bind.path, "source": bind.source, "kind": bind.kind, "entries": entries}


def _finding(finding: Finding) -> dict[str, t.Any]:
    return {
        "level": finding.level.value,
        "code": finding.code,
        "file": finding.file,
        "line": finding.line,
        "entry": finding.entry,
        "reason": finding.reason,
        "remedy": finding.remedy,
    }


def _mounted(mounts: t.Sequence[_mounts.Mount], where: str) -> str | None:
    return where if any(mount.where == where for mount in mounts) else None


def _bound(mounts: t.Sequence[_mounts.Mount], at: t.Mapping[str, str | None]) -> list[dict[str, t.Any]]:
    """What is bound from scratch or state now: other mounts of the same filesystem, the topmost of each path."""
    devices = {
        mount.device: kind
        for kind, where in at.items()
        for mount in mounts
        if where is not None and mount.where == where
    }
    found: dict[str, dict[str, t.Any]] = {}
    for mount in mounts:
        kind = devices.get(mount.device)
        if kind is not None and mount.where != at[kind]:
            found[mount.where] = {"path": mount.where, "kind": kind, "writable": "rw" in mount.options}
        elif kind is None:
            found.pop(mount.where, None)
    return list(found.values())


def _use(where: str | None) -> dict[str, t.Any] | None:
    """How full the filesystem mounted at *where* is, in bytes; ``None``: nothing is."""
    try:
        status = os.statvfs(where) if where is not None else None
    except OSError:
        return None
    if status is None:
        return None
    return {
        "mount": where,
        "size": status.f_blocks * status.f_frsize,
        "used": (status.f_blocks - status.f_bfree) * status.f_frsize,
        "available": status.f_bavail * status.f_frsize,
    }


def _conflicts(state_at: str | None) -> list[dict[str, t.Any]]:
    """What our service wrote down (see its ``kept``); nothing if it did not, or it cannot be read."""
    if state_at is None:
        return []
    try:
        with open(places.own_file(state_at, "report"), encoding="utf-8", errors="surrogateescape") as stream:
            report = json.load(stream)
    except (OSError, ValueError):
        return []
    found = report.get("conflicts", []) if isinstance(report, dict) else []
    return [
        {key: str(one.get(key, "")) for key in ("path", "beside", "reason")} for one in found if isinstance(one, dict)
    ]


def plain(value: t.Any) -> t.Any:
    """*value* with names that are not UTF-8 made printable: JSON cannot have them otherwise."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value
