# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a read-only root beyond its lists: settings, fstab, labels, the service, sizes.

For the modules, not for the boot: this looks at more than the boot needs, and reads whole trees for their size.
"""

from __future__ import annotations

import os
import re

from . import fstab, settings
from .layout import layout
from .lists import FROM_INITRD
from .model import Dialect, Finding, Keep, Layout, Level
from .reader import Reader
from .settings import FILE, Parsed
from .sizes import too_large
from .tree import FILE as FILE_KIND
from .tree import Tree, beneath

_EXPORT = re.compile(r"[^/\s]+:/\S*")


def check(
    tree: Tree, reader: Reader, arguments: str = "", state_root: str | None = None, *, measured: bool = True
) -> Layout:
    """The :func:`layout` of *tree*, with everything in its findings that is wrong with it.

    :arg arguments: the kernel's, if the machine runs *tree*; else empty.
    :arg state_root: see :func:`layout`.
    :arg measured: whether to look if what is copied to the scratch fits, which reads whole trees.
    """
    plan = layout(tree, reader.dialect, arguments, state_root)
    text = _read(tree, FILE)
    parsed = settings.parse(text[0])
    found = [*text[1], *_spelling(parsed, reader.dialect), *forced(parsed, reader.dialect, arguments)]
    found += [*_mount_points(tree, parsed, plan), *_storage(parsed, plan)]
    mounts = _read(tree, fstab.FILE)
    found += [*mounts[1], *_fstab(mounts[0], plan), *_fstab_entries(mounts[0], parsed, plan)]
    found += [*_service(tree, reader, plan), *_host_name(tree, plan), *_from_initrd(tree, plan)]
    found += [*_files_with_content(tree, plan), *(too_large(tree, plan) if measured else [])]
    if reader.dialect is not Dialect.OWN:
        found += _copied_once(plan)
    return Layout(plan.dialect, plan.settings, plan.binds, plan.ignored, (*found, *plan.findings))


def _read(tree: Tree, file: str) -> tuple[str, list[Finding]]:
    try:
        return tree.read(file) or "", []
    except OSError as error:
        reason = f"It cannot be read: {error.strerror}."
        return "", [Finding(Level.ERROR, "unreadable", file, 0, file, reason, "Make it a file that can be read.")]


def _setting(parsed: Parsed, key: str, level: Level, code: str, reason: str, remedy: str) -> Finding:
    found = parsed.last(key)
    entry = f"{key}={found.value}" if found is not None else key
    return Finding(level, code, FILE, found.line if found is not None else 0, entry, reason, remedy)


def _spelling(parsed: Parsed, dialect: Dialect) -> list[Finding]:
    """Lines that are no assignments, values that not everybody reads alike."""
    found: list[Finding] = []
    for number, line in parsed.other:
        reason = "The line is no assignment KEY=value; it counts for nothing here, and upstream's service runs it."
        remedy = "Write KEY=value without spaces around the sign, or # before a comment."
        found.append(Finding(Level.WARNING, "no-assignment", FILE, number, line.strip(), reason, remedy))
    for key in settings.KEYS:
        mine = [one for one in parsed.assignments if one.key == key]
        if len(mine) > 1:
            reason = f"It is set in line {mine[0].line} before; the last one counts."
            found.append(_setting(parsed, key, Level.WARNING, "twice", reason, "Remove the others."))
        if mine and mine[-1].expands:
            reason = "The shell would replace a part of the value; our own service and this check take it as it stands."
            level = Level.ERROR if dialect is Dialect.OWN else Level.WARNING
            found.append(_setting(parsed, key, level, "expansion", reason, "Write the value itself."))
        if mine and key in settings.BOOLEANS and not settings.is_plain_boolean(mine[-1].value):
            if settings.is_true(mine[-1].value, Dialect.EL9):
                reason = "The service of EL7 and EL8 takes this for no."
                level = Level.ERROR if dialect is Dialect.EL7 else Level.WARNING
            else:
                reason, level = "Every service takes this for no.", Level.ERROR
            found.append(_setting(parsed, key, level, "boolean", reason, "Write yes or no."))
    return found


def forced(parsed: Parsed, dialect: Dialect, arguments: str) -> list[Finding]:
    """Whether the kernel's arguments say otherwise than the file."""
    force = settings.force(arguments)
    said = parsed.last("READONLY")
    written = said is not None and settings.is_true(said.value, dialect)
    if force is None or force is written:
        return []
    word = "readonlyroot" if force else "noreadonlyroot"
    reason = f"The kernel's arguments of this machine have {word}, which counts instead."
    return [_setting(parsed, "READONLY", Level.WARNING, "forced", reason, f"Boot without {word}, or change READONLY.")]


def _mount_points(tree: Tree, parsed: Parsed, plan: Layout) -> list[Finding]:
    found: list[Finding] = []
    for key, where in (("RW_MOUNT", plan.settings.rw_mount), ("STATE_MOUNT", plan.settings.state_mount)):
        said = parsed.last(key)
        if plan.dialect is not Dialect.OWN and parsed.assignments and (said is None or not said.value):
            reason = "It has no value, and upstream's service has none of its own: it mounts nothing."
            found.append(_setting(parsed, key, Level.ERROR, "unset", reason, f"Write {key}={where}."))
        elif said is not None and said.value and (not said.value.startswith("/") or ".." in said.value.split("/")):
            reason = "It is no absolute path without .. in it."
            found.append(_setting(parsed, key, Level.ERROR, "mount-point", reason, "Write the whole path."))
        elif plan.binds and not tree.is_directory(where) and (key == "RW_MOUNT" or _has_state(plan)):
            reason = f"The image has no directory {where} to mount on, and it cannot be made at boot."
            found.append(_setting(parsed, key, Level.ERROR, "mount-point", reason, f"Make {where} in the image."))
    scratch, state = plan.settings.rw_mount, plan.settings.state_mount
    if scratch == state or beneath(scratch, state) or beneath(state, scratch):
        reason = f"Scratch ({scratch}) and state ({state}) lie in each other."
        found.append(_setting(parsed, "STATE_MOUNT", Level.ERROR, "mount-point", reason, "Mount them apart."))
    return found


def _has_state(plan: Layout) -> bool:
    return any(bind.kind == "state" for bind in plan.binds)


def _storage(parsed: Parsed, plan: Layout) -> list[Finding]:
    """Labels, raw options, the server of the state."""
    want = plan.settings
    found: list[Finding] = []
    for key, label, counts in (
        ("RW_LABEL", want.rw_label, True),
        ("STATE_LABEL", want.state_label, _has_state(plan)),
    ):
        if len(label) > 16:
            reason = f"The label has {len(label)} characters; ext4 allows 16, XFS 12: no filesystem has it."
            found.append(_setting(parsed, key, Level.ERROR, "label-length", reason, "Take a shorter one."))
        elif len(label) > 12 and counts:
            reason = f"The label has {len(label)} characters, and XFS allows 12 (ext4 16)."
            remedy = "Take a shorter one if the filesystem is to be XFS."
            found.append(_setting(parsed, key, Level.WARNING, "label-length", reason, remedy))
    if want.rw_label and want.rw_label == want.state_label:
        reason = "Scratch and state have the same label, and scratch is wiped at every boot: nothing is kept."
        found.append(_setting(parsed, "STATE_LABEL", Level.ERROR, "same-label", reason, "Take another one."))
    for key, options in (("RW_OPTIONS", want.rw_options), ("STATE_OPTIONS", want.state_options)):
        if options and not options.startswith("-"):
            reason = "These are arguments of mount(8), and the first is no option: it is taken for a device."
            found.append(_setting(parsed, key, Level.ERROR, "options", reason, f"Write {key}='-o {options}'."))
    if want.client_state and not _EXPORT.fullmatch(want.client_state):
        reason = "It is not of the form SERVER:/DIRECTORY."
        found.append(_setting(parsed, "CLIENTSTATE", Level.ERROR, "client-state", reason, "Write it so."))
    return found


def _fstab(text: str, plan: Layout) -> list[Finding]:
    """Whether / is what READONLY says."""
    roots = fstab.of(text, "/")
    if not roots:
        if not plan.settings.enabled:
            return []
        reason = "It has no line for /: the kernel's arguments alone say whether / is read-only."
        remedy = "Add the line: none / auto ro 0 0"
        return [Finding(Level.WARNING, "root-missing", fstab.FILE, 0, "/", reason, remedy)]
    found: list[Finding] = []
    for root in roots:
        entry = f"{root.source} / {root.type} {','.join(root.options)}"
        if plan.settings.enabled and not fstab.is_read_only(root):
            reason = "READONLY is yes, but this makes / writable: what no list names is changed in the image itself."
            remedy = "Add ro to its options."
            found.append(Finding(Level.ERROR, "root-writable", fstab.FILE, root.number, entry, reason, remedy))
        if not plan.settings.enabled and not plan.settings.temporary_state and fstab.is_read_only(root):
            reason = "/ is read-only, but READONLY is no: nothing on it can be written."
            remedy = "Remove ro from its options, or set READONLY=yes."
            found.append(Finding(Level.ERROR, "root-read-only", fstab.FILE, root.number, entry, reason, remedy))
    return found


def _fstab_entries(text: str, parsed: Parsed, plan: Layout) -> list[Finding]:
    """Entries for scratch and state: they win, and what else is set does not count."""
    want = plan.settings
    found: list[Finding] = []
    scratch, state = fstab.of(text, want.rw_mount), fstab.of(text, want.state_mount)
    for mount in scratch + state:
        if "noauto" not in mount.options:
            reason = "systemd mounts it at boot as well, before or after the service does."
            entry = f"{mount.source} {mount.where}"
            remedy = "Add noauto to its options."
            found.append(Finding(Level.WARNING, "auto", fstab.FILE, mount.number, entry, reason, remedy))
    if scratch:
        mount = scratch[0]
        entry = f"{mount.source} {mount.where}"
        reason = "It is the scratch: everything on it is removed at every boot."
        remedy = "Make sure that nothing else is on it."
        if not mount.ours:
            found.append(Finding(Level.WARNING, "wiped", fstab.FILE, mount.number, entry, reason, remedy))
        if any(mount.source == other.source for other in state):
            reason = "Scratch and state are the same filesystem, and scratch is wiped at every boot: nothing is kept."
            found.append(Finding(Level.ERROR, "same-label", fstab.FILE, mount.number, entry, reason, "Part them."))
        if want.rw_options:
            reason = f"It does not count: {fstab.FILE} has an entry for {want.rw_mount}, and this is for a tmpfs."
            remedy = "Remove it."
            found.append(_setting(parsed, "RW_OPTIONS", Level.WARNING, "options-unused", reason, remedy))
    if want.state_options and not state:
        reason = f"It does not count: {fstab.FILE} has no entry for {want.state_mount}."
        found.append(_setting(parsed, "STATE_OPTIONS", Level.WARNING, "options-unused", reason, "Remove it."))
    if _has_state(plan) and not state and not want.state_label and not want.client_state:
        reason = "Nothing says where the state is (STATE_LABEL, CLIENTSTATE, an entry of fstab): nothing is kept."
        remedy = "Set one of them, if something is to be kept."
        found.append(_setting(parsed, "STATE_LABEL", Level.WARNING, "no-state", reason, remedy))
    return found


def _service(tree: Tree, reader: Reader, plan: Layout) -> list[Finding]:
    if not (plan.settings.enabled or plan.settings.temporary_state):
        return []
    file = reader.unit_file or f"/etc/systemd/system/{reader.unit}"
    if reader.masked:
        reason = "The unit is masked (a link to /dev/null): nothing is made writable."
        return [Finding(Level.ERROR, "masked", file, 0, reader.unit, reason, f"systemctl unmask {reader.unit}.")]
    found: list[Finding] = []
    if reader.unit_file is None or not reader.enabled:
        reason = "The service that makes a read-only root usable is not installed, or does not start at boot."
        remedy = "Let the module readonly_root enable it."
        found.append(Finding(Level.ERROR, "no-service", file, 0, reader.unit, reason, remedy))
    if reader.dialect is Dialect.OWN and tree.resolve("/usr/bin/python3") is None:
        reason = "The image has no /usr/bin/python3, which the service needs."
        found.append(Finding(Level.ERROR, "no-python", file, 0, reader.unit, reason, "Install Python 3 in the image."))
    return found


def _host_name(tree: Tree, plan: Layout) -> list[Finding]:
    if not plan.settings.client_state:
        return []
    text = _read(tree, "/etc/hostname")[0].strip()
    if text and text not in ("localhost", "localhost.localdomain"):
        return []
    reason = "The image gives no name: a client's state is that of the name that reverse DNS has for its address."
    remedy = "Give it a name by DHCP, and an entry in reverse DNS; or a name in /etc/hostname."
    return [Finding(Level.WARNING, "host-name", "/etc/hostname", 0, text or "no name", reason, remedy)]


def _from_initrd(tree: Tree, plan: Layout) -> list[Finding]:
    found: list[Finding] = []
    for name in tree.names(FROM_INITRD):
        path = f"/{name}"
        if name.startswith("."):
            continue
        if not any(path == bind.path or beneath(path, bind.path) or beneath(bind.path, path) for bind in plan.binds):
            reason = "It is copied to the scratch, but no list makes that path writable: it is not seen."
            file = f"{FROM_INITRD}{path}"
            found.append(Finding(Level.WARNING, "initrd", file, 0, path, reason, f"Add {path} to a list in rwtab.d."))
    return found


def _files_with_content(tree: Tree, plan: Layout) -> list[Finding]:
    """Regular files of which not everything is wanted, and yet it is what one gets."""
    found: list[Finding] = []
    for bind in plan.binds:
        for entry in bind.entries:
            if entry.keep in (None, Keep.EVERYTHING) or tree.kind(entry.path) != FILE_KIND:
                continue
            if _size(tree.host(entry.path)):
                reason = "It is a file, which has its content whatever the line says."
                remedy = "Write files, which says so, or make it empty in the image."
                found.append(Finding(Level.WARNING, "content", entry.file, entry.line, entry.written, reason, remedy))
    return found


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        # Removed meanwhile, or not written yet.
        return 0


def _copied_once(plan: Layout) -> list[Finding]:
    found: list[Finding] = []
    for bind in plan.binds:
        if bind.kind == "state":
            entry = bind.entries[0]
            reason = "It is copied once, ever: what later images have there does not arrive at a client with state."
            remedy = f"Remove {bind.source} on the clients after a change of the image that they need."
            found.append(Finding(Level.WARNING, "once", entry.file, entry.line, entry.path, reason, remedy))
    return found
