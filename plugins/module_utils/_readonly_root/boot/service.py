# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's service: at boot, make the writable parts of a read-only root, as its settings and lists say.

Whatever is wrong, the boot goes on: what can be made writable is, the rest is said, and the status is 1.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat

from ... import _files, _mounts
from ..._command import run
from ..._errors import StatelessError
from .. import layout
from ..lists import NOT_THE_IMAGES
from ..model import Bind, Dialect, Finding, Level, Settings
from ..settings import force
from ..tree import Tree
from . import carry, copying, kept, places, scratch
from .log import Log, shown

#: What was done at this boot, for who asks; its being there says that it was done.
DONE = "/run/stateless/readonly-root.json"
#: On the kernel's command line of a machine that runs an image.
_IMAGE_ARGUMENT = "stateless.serial="
#: On that of a machine whose disk is to be installed: alone, or with a value.
_INSTALL = "stateless.install"


def main() -> int:
    """Serve this boot; return the exit status."""
    log = Log()
    try:
        os.makedirs(os.path.dirname(DONE), exist_ok=True)
        # Copies get their modes from what they are copied from; what is in between is nobody's.
        os.umask(0o077)
        serve(log)
    except Exception as error:  # whatever it is, the machine boots
        log.problem(f"the read-only root is not complete: {type(error).__name__}: {error}")
    return 1 if log.problems else 0


def serve(log: Log) -> None:
    """Do what the settings and lists of / say."""
    if os.path.exists(DONE):
        # A second time would wipe the scratch under those who use it.
        log.note("this was done at this boot already")
        return
    arguments = _read("/proc/cmdline")
    settings = layout.read_settings(Tree("/"), Dialect.OWN, arguments)
    if not is_wanted(settings, arguments, root_is_writable(), os.path.exists("/run/systemd/container")):
        return
    if is_installing(arguments):
        log.note(f"{_INSTALL}: at this boot, nothing is taken from the machine's disks, and nothing is kept")
        settings = dataclasses.replace(settings, rw_label="")
    bound: list[Bind] = []
    try:
        # What is mounted now, such as a machine-id for this boot, hides the image's.
        given = {mount.where for mount in _mounts.mounts()}
        bound += _scratch(settings, log)
        if not is_installing(arguments):
            bound += _state(settings, arguments, given, [bind.path for bind in bound], log)
    finally:
        _files.write_json(
            DONE,
            {
                "binds": [{"path": bind.path, "source": bind.source, "kind": bind.kind} for bind in bound],
                "problems": log.problems,
            },
        )


def is_wanted(settings: Settings, arguments: str, writable: bool, container: bool) -> bool:
    """Whether there is anything to do at this boot.

    A protosystem that is booted read/write has the settings of its clients, and what is changed in it must not go to
    a scratch: READONLY counts where / is read-only, or the kernel's arguments say that this machine runs an image or
    has readonlyroot; TEMPORARY_STATE, which is made for a writable root, outside of containers.

    :arg writable: whether / can be written.
    :arg container: whether this is a container.
    """
    if not writable:
        return settings.enabled or settings.temporary_state
    forced = force(arguments) is True or _IMAGE_ARGUMENT in arguments
    if container:
        # The kernel's arguments are the host's.
        return False
    return (settings.enabled and forced) or settings.temporary_state


def is_installing(arguments: str) -> bool:
    """Whether the machine's disk is to be installed at this boot: state that is in use could not be taken away."""
    return any(word.partition("=")[0] == _INSTALL for word in arguments.split())


def root_is_writable() -> bool:
    """Whether / can be written."""
    return os.access("/", os.W_OK)


def _scratch(settings: Settings, log: Log) -> list[Bind]:
    part = layout.scratch(Tree("/"), Dialect.OWN, settings)
    _tell(part.findings, log)
    where = places.scratch(settings, log)
    if where is None:
        log.problem("there is no scratch: nothing is writable")
        return []
    bound = scratch.bind_over(where, scratch.fill(where, part.binds, log), slave=settings.slave_mounts, log=log)
    scratch.take_from_initrd(where, log)
    if bound and os.path.exists("/sys/fs/selinux/enforce"):
        try:
            run(["restorecon", "-R", *(bind.path for bind in bound)], timeout=60)
        except StatelessError as error:
            log.problem(f"labels of SELinux: {error}")
    return bound


def _state(settings: Settings, arguments: str, given: set[str], lost: list[str], log: Log) -> list[Bind]:
    places.take_name()
    where = places.state(settings, log)
    if where is None:
        return []
    # As scratch has left it: state is copied from there.
    part = layout.state(Tree("/"), Dialect.OWN, settings, where)
    _tell(part.findings, log)
    binds = [bind for bind in part.binds if _has_way(where, bind.path, log)]
    roots = [bind.path for bind in binds]
    spare = {root for root in roots if root in given or root in NOT_THE_IMAGES} | part.once
    try:
        carry.Carrier(where, log, through=lost).bring(roots, spare, kept.identity(arguments, roots, lost))
    except Exception as error:  # whatever goes wrong with what is new: what was kept is there
        log.problem(f"state: it stays as it was before this image: {type(error).__name__}: {error}")
    ready = []
    for bind in binds:
        problem = _unlike(where + bind.path, bind.path)
        if problem is None:
            ready.append(bind)
        elif os.path.lexists(where + bind.path):
            log.problem(f"state: {shown(bind.path)} is not bound: {problem}")
    return scratch.bind_over(where, ready, slave=settings.slave_mounts, log=log)


def _has_way(where: str, path: str, log: Log) -> bool:
    """Make the directories that *path* is in, in the state; False if something else, such as a link, is in the way."""
    try:
        copying.make_way(where, path)
    except OSError as error:
        log.problem(f"state: {shown(path)} is not kept: {error}")
        return False
    return True


def _unlike(source: str, target: str) -> str | None:
    """Why *source* cannot be bound over *target*."""
    try:
        kept_, seen = os.lstat(source).st_mode, os.lstat(target).st_mode
    except OSError as error:
        return str(error)
    if stat.S_ISLNK(kept_) or os.path.realpath(target) != target:
        return "it became a symbolic link"
    if stat.S_ISDIR(kept_) != stat.S_ISDIR(seen):
        return "one of the image's and the kept is a directory, the other is none"
    return None


def _tell(findings: tuple[Finding, ...], log: Log) -> None:
    for finding in findings:
        (log.problem if finding.level is Level.ERROR else log.note)(str(finding))


def _read(path: str) -> str:
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="surrogateescape") as stream:
        return stream.read()
    return ""
