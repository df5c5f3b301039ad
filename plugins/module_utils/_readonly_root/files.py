# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task's wishes come to in each file: the text that it has now, changed."""

from __future__ import annotations

import typing as t

from .._errors import InvalidValue
from . import fstab, settings
from .wanted import Storage, Wanted

#: What scratch and state have in their fstab entry: the service mounts them, not systemd.
_FSTAB_OPTIONS = ("noauto",)


def keys(want: Wanted) -> dict[str, str]:
    """The keys of the settings file that the task states, and their values."""
    found: dict[str, str] = {}
    for key, value in (
        ("READONLY", want.enabled),
        ("TEMPORARY_STATE", want.temporary_state),
        ("SLAVE_MOUNTS", want.slave_mounts),
    ):
        if value is not None:
            found[key] = "yes" if value else "no"
    scratch, state = want.scratch_storage, want.state_storage
    if scratch is not None:
        # Without a label no device is looked for, so that none with a label of that name is wiped.
        found["RW_LABEL"] = scratch.label or ""
        if scratch.kind == "tmpfs":
            parts = ([f"size={scratch.size}"] if scratch.size else []) + list(scratch.options or ())
            found["RW_OPTIONS"] = f"-o {','.join(parts)}" if parts else ""
        if scratch.mount_point:
            found["RW_MOUNT"] = scratch.mount_point
    if state is not None:
        found["STATE_LABEL"] = state.label or ""
        found["STATE_OPTIONS"] = ""
        found["CLIENTSTATE"] = state.export or ""
        if state.mount_point:
            found["STATE_MOUNT"] = state.mount_point
    return found


_NEW = """\
# How this machine makes a read-only root usable. Written by Ansible (stateless.linux.readonly_root).
# yes: / is read-only, what the lists name is writable. / must be ro in /etc/fstab as well.
READONLY=no
# yes: what the lists name is temporary, while / stays as it is.
TEMPORARY_STATE=no
# Scratch, lost at every boot: an entry of /etc/fstab for this directory, the filesystem with this label, or a tmpfs.
RW_MOUNT=/var/lib/stateless/writable
RW_LABEL=stateless-rw
# For the tmpfs, as arguments of mount.
RW_OPTIONS=
# State, kept: an entry of /etc/fstab for this directory, the filesystem with this label, or NFS.
STATE_LABEL=stateless-state
STATE_MOUNT=/var/lib/stateless/state
# For the entry of /etc/fstab, as arguments of mount.
STATE_OPTIONS=
# SERVER:/DIRECTORY, with a directory for each client by its host name.
CLIENTSTATE=
# yes: what is mounted beneath a writable path later is not seen beneath the scratch or the state as well.
SLAVE_MOUNTS=yes
"""


def settings_text(text: str | None, want: Wanted) -> str | None:
    """The settings file as the task wants it; *text* is what there is. As it is if the task states none of it."""
    changes = keys(want)
    if not changes:
        return text
    if text is None:
        text = _NEW
    else:
        # What is no value of its own to upstream's service: without these two it mounts nowhere.
        parsed = settings.parse(text)
        for key, default in (("RW_MOUNT", "writable"), ("STATE_MOUNT", "state")):
            found = parsed.last(key)
            if found is None or not found.value:
                changes.setdefault(key, f"/var/lib/stateless/{default}")
    return settings.edit(text, changes)


def fstab_before(text: str, want: Wanted, mounts: t.Mapping[str, str]) -> str:
    """fstab as it must be before the settings file is written: with what the new settings need.

    :arg mounts: the mount points of ``scratch`` and ``state``.
    :raises InvalidValue: somebody else's line says otherwise.
    """
    for name, store in _stores(want):
        text = _entry(text, f"{name}_storage", store, mounts[name])
    return fstab.with_root_writable(text) if want.enabled is False else text


def fstab_after(text: str, want: Wanted, mounts: t.Mapping[str, str]) -> str:
    """:func:`fstab_before` as it must be in the end: without what only the old settings needed."""
    for name, store in _stores(want):
        stale = {mount.where for mount in fstab.parse(text) if mount.ours and mount.where != "/"} - {*mounts.values()}
        for where in [*stale, *([mounts[name]] if store.kind != "fstab" else [])]:
            text = fstab.without_mount(text, where)
    return fstab.with_root_read_only(text) if want.enabled else text


def _stores(want: Wanted) -> list[tuple[str, Storage]]:
    both = (("scratch", want.scratch_storage), ("state", want.state_storage))
    return [(name, store) for name, store in both if store is not None]


def _entry(text: str, option: str, store: Storage, where: str) -> str:
    theirs = [mount for mount in fstab.of(text, where) if not mount.ours]
    if store.kind != "fstab":
        if theirs:
            expected = f"{fstab.FILE}, line {theirs[0].number}, mounts {where}, and that wins: remove it, or say fstab"
            raise InvalidValue(f"{option}.type", store.kind, expected)
        return text
    if store.source is None:
        if not fstab.of(text, where):
            raise InvalidValue(f"{option}.source", None, f"{fstab.FILE} has no entry for {where}: say what it is")
        return text
    if theirs:
        expected = f"{fstab.FILE}, line {theirs[0].number}, mounts {where} already: leave it out, or remove that line"
        raise InvalidValue(f"{option}.source", store.source, expected)
    options = ",".join(dict.fromkeys([*(store.options or ("defaults",)), *_FSTAB_OPTIONS]))
    return fstab.with_mount(text, where, store.source, store.filesystem or "auto", options)


_HEADER = "# Written by Ansible (stateless.linux.readonly_root)."


def list_text(text: str | None, entries: t.Sequence[str]) -> str | None:
    """A list with the lines *entries*: comments and lines that stay keep their place; ``None``: there is none."""
    if not entries:
        return None
    if text is None:
        return "\n".join([_HEADER, *entries]) + "\n"
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    left = list(entries)
    kept: list[str] = []
    for line in lines:
        if line in left:
            left.remove(line)
            kept.append(line)
        elif line.startswith("#") or not line.strip():
            kept.append(line)
    return "\n".join(kept + left) + "\n"
