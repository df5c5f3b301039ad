# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a thin volume differs from another, as the pool's own map says: thin_delta(8).

The map changes all the time; it is read from a *metadata snapshot*, of which a pool has at most one. While it is held,
the pool copies what it changes of its map, so it is let go of whatever happens: by a guard that outlives this process,
and if that is gone as well (a power cut), by the next run, which knows its own reservation by a mark. Somebody else's
stays.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import typing as t
from xml.etree import ElementTree

from .._command import CommandFailed, find, run, search_path
from .._errors import InUse, StatelessError
from .._files import clear_unfinished, lock, remove, write

#: Where marks and locks are: the first outlives a power cut, as a reservation does.
MARKS, LOCKS = "/var/lib/stateless/reserved", "/run/stateless/lock"
#: seconds to wait for another run that reads the map of the same pool, which takes a second
_PATIENCE = 600.0
_SECTOR = 512
#: Reserves, says so, and releases when the standard input ends: when the run says so, or is gone, however it ended.
#: It has the lock open, so that nobody else reserves before it has released.
_GUARD = """
trap '' HUP INT TERM PIPE
dmsetup message "$1" 0 reserve_metadata_snap || exit
echo reserved
read -r _
dmsetup message "$1" 0 release_metadata_snap
"""
#: Bytes of a volume: where they begin, and how many.
Range = tuple[int, int]


def parse(text: str, *, mapped: bool = False) -> list[Range]:
    """Where the second volume may differ from the first, in what thin_delta(8) writes; in bytes, ascending.

    :arg mapped: of a volume that was compared with itself, where it may be something else than zeros.
    :raises StatelessError: the text is something else.
    """
    try:
        root = ElementTree.fromstring(text)
        unit = _SECTOR * int(root.attrib["data_block_size"])
        wanted = ("same",) if mapped else ("different", "left_only", "right_only")
        found = [
            (int(one.attrib["begin"]) * unit, int(one.attrib["length"]) * unit)
            for diff in root.iter("diff")
            for one in diff
            if one.tag in wanted
        ]
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise StatelessError(f"thin_delta has said what cannot be understood ({error}): {text:.200}") from error
    if root.find("diff") is None:
        raise StatelessError(f"thin_delta has compared nothing: {text:.200}")
    return sorted(found)


def held(status: str) -> int | None:
    """The metadata snapshot that a pool holds (a block of its metadata), from its line of ``dmsetup status``; or None.

    The form is that of the kernel's Documentation/admin-guide/device-mapper/thin-provisioning.rst.
    """
    fields = status.split()
    if fields[2:3] != ["thin-pool"] or len(fields) < 7:
        raise StatelessError(f"the thin pool is not as it should be; its status is: {status.strip()}")
    return None if fields[6] == "-" else int(fields[6])


def mapper_name(vg: str, name: str) -> str:
    """The name of a logical volume as the device mapper has it: lvm(8)."""
    return "-".join(part.replace("-", "--") for part in (vg, name))


@dataclasses.dataclass(frozen=True)
class Pool:
    """The active thin pool *vg*/*name*."""

    vg: str
    name: str
    marks: str = MARKS
    locks: str = LOCKS

    @property
    def device(self) -> str:
        """The pool as the device mapper has it."""
        return f"{mapper_name(self.vg, self.name)}-tpool"

    @property
    def mark(self) -> str:
        """The file that says that a reservation is ours."""
        return os.path.join(self.marks, mapper_name(self.vg, self.name))

    def differences(self, old: int | None, new: int) -> list[Range]:
        """Where the volume *new* may differ from *old*, in bytes, ascending; by their numbers, LVM's thin_id.

        :arg old: None: where *new* may be something else than zeros.
        :raises InUse: somebody else holds a metadata snapshot of the pool.
        """
        find("dmsetup", "dmsetup (Debian) or device-mapper (Fedora)")
        program = find("thin_delta", "thin-provisioning-tools (Debian) or device-mapper-persistent-data (Fedora)")
        metadata = f"/dev/mapper/{mapper_name(self.vg, f'{self.name}_tmeta')}"
        argv = [program, "--metadata-snap", "--snap1", str(new if old is None else old), "--snap2", str(new), metadata]
        with self._reserved():
            reserved = held(self._status())
            said = run(argv)
            if reserved is None or held(self._status()) != reserved:
                raise InUse(
                    f"the metadata snapshot of the thin pool {self.vg}/{self.name} was released while it was read: "
                    "let nothing else use it, and run this again"
                )
        return parse(said, mapped=old is None)

    @contextlib.contextmanager
    def _reserved(self) -> t.Iterator[None]:
        path = os.path.join(self.locks, f"thin-{mapper_name(self.vg, self.name)}.map")
        busy = f"another run reads the map of the thin pool {self.vg}/{self.name}: wait for it, then run this again"
        with lock(path, busy, timeout=_PATIENCE) as descriptor:
            self.release()
            clear_unfinished(*os.path.split(self.mark))
            write(self.mark, "", 0o600)
            try:
                with _guarded(self.device, descriptor):
                    yield
            finally:
                if held(self._status()) is None:
                    remove(self.mark)

    def release(self) -> None:
        """Let go of what a run that was killed, and its guard, reserved.

        :raises InUse: somebody else has.
        """
        ours = os.path.exists(self.mark)
        if held(self._status()) is not None:
            let_go = ["dmsetup", "message", self.device, "0", "release_metadata_snap"]
            if not ours:
                raise InUse(
                    f"somebody else holds the metadata snapshot of the thin pool {self.vg}/{self.name}, of which "
                    f"there is one: wait until it is released; if nobody uses it, release it: {' '.join(let_go)}"
                )
            run(let_go, to_its_end=True)
        if ours:
            remove(self.mark)

    def _status(self) -> str:
        return run(["dmsetup", "status", self.device])


@contextlib.contextmanager
def _guarded(device: str, descriptor: int) -> t.Iterator[None]:
    """Have the guard reserve for this block."""
    guard = subprocess.Popen(
        ["sh", "-c", _GUARD, "sh", device],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # not to be reached by what ends the session of the run
        start_new_session=True,
        pass_fds=[descriptor],
        env={**os.environ, "PATH": search_path(), "LC_ALL": "C"},
    )
    argv, complaint = ["dmsetup", "message", device, "0"], ""
    try:
        if guard.stdout is None or guard.stdout.readline() != "reserved\n":
            complaint = guard.communicate()[1]
            raise CommandFailed([*argv, "reserve_metadata_snap"], guard.returncode, complaint)
        yield
    finally:
        if guard.stdin is not None and not guard.stdin.closed:
            complaint = guard.communicate()[1]
    if guard.returncode != 0:
        raise CommandFailed([*argv, "release_metadata_snap"], guard.returncode, complaint)
