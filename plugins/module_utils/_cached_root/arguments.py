# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's command line of a root on the disk, and what of it is the machine's own."""

from __future__ import annotations

import typing as t

from .._blocks.boot import Boot
from .._boot.arguments import check_arguments, check_client_arguments, host_name_argument
from .._errors import StatelessError
from . import volumes
from .boot_partition import TRIAL
from .entries import Entry

#: Everything behind it is the machine's own, and goes into the next entry.
ENTRY = "stateless.entry="
#: Everything behind this is the directory's, and goes with what the directory says.
ASSIGNED = "stateless.assigned"
#: What an installer that came over the network hands on of its own command line.
_HANDED_ON = ("console=", "stateless.client=", "systemd.hostname=")
#: Names that a host has if nothing gave it one (os-release(5), DEFAULT_HOSTNAME).
_NO_NAMES = ("", "(none)", "localhost", "linux", "fedora")
#: How a root is mounted, by its filesystem (docs/blocks-format.md).
MOUNT = {"ext4": "ro", "xfs": "ro,norecovery,nouuid"}
#: A machine that hangs is restarted by its watchdog, if it has one (systemd(1)); and nobody mounts the boot partition
#: but who writes to it (systemd-gpt-auto-generator(8)).
_SYSTEMD = ("systemd.watchdog_sec=5min", "systemd.gpt_auto=0")
#: Characters: COMMAND_LINE_SIZE is 2048 on x86-64 and arm64, and boot loaders add what they have loaded.
_LONGEST = 1920


def command_line(vg: str, entry: Entry, boot: Boot, own: t.Sequence[str]) -> str:
    """The kernel's command line, for as long as the entry is on trial.

    :arg own: what is the machine's own.
    :raises StatelessError: the kernel would not take all of it.
    """
    name = volumes.volume_name(entry.image)
    words = [
        f"root={volumes.device(vg, entry.image)}",
        f"rootfstype={boot.filesystem}",
        f"rootflags={MOUNT[boot.filesystem]}",
        f"rd.lvm.lv={vg}/{name}",
        f"rd.lvm.lv={vg}/{volumes.STATE}",
        *_SYSTEMD,
        *boot.arguments,
        TRIAL,
        f"{ENTRY}{entry.generation}",
        *own,
    ]
    line = " ".join(words)
    if len(line) > _LONGEST:
        said = f"{len(line)} characters, {len(' '.join(own))} of them of this machine alone"
        raise StatelessError(f"the kernel arguments of {entry.protosystem} {entry.serial} have {said}: {_LONGEST} fit")
    return line


def generation(line: str) -> int | None:
    """Which entry the machine was booted from, by the kernel's command line; None: from none of ours."""
    said = [word[len(ENTRY) :] for word in line.split() if word.startswith(ENTRY)]
    return int(said[-1]) if said and said[-1].isdecimal() else None


def own_arguments(line: str) -> list[str]:
    """What of the kernel's command line is the machine's own: of one from the disk, or from the network."""
    words = line.split()
    own = behind_entry(words)
    if own is None:
        own = [word for word in words if word.startswith(_HANDED_ON)]
    return check_arguments("the kernel's command line", own)


def named(own: t.Sequence[str], host: str) -> list[str]:
    """What is the machine's own, with its name: from the disk, it starts before it has a network that could tell.

    :arg host: the name that it has now.
    """
    if any(word.startswith("systemd.hostname=") for word in own) or host in _NO_NAMES:
        return list(own)
    return [*host_name_argument(host), *own]


def behind_entry(words: t.Sequence[str]) -> list[str] | None:
    """What is the machine's own of a command line from the disk; None: it is none."""
    entries = [number for number, word in enumerate(words) if word.startswith(ENTRY)]
    return list(words[entries[-1] + 1 :]) if entries else None


def with_assigned(own: t.Sequence[str], assigned: t.Sequence[str]) -> list[str]:
    """What is the machine's own, with what the directory says now instead of what it said before.

    What both say is the directory's: it goes when it is not said there any more. What begins with ``stateless.`` is for
    machines that boot from the network.

    :arg own: with or without what the directory said.
    :raises InvalidValue: the directory says what no entry can have.
    """
    words = [one for one in check_client_arguments("kernel_arguments", assigned) if not one.startswith("stateless.")]
    before = list(own[: own.index(ASSIGNED)]) if ASSIGNED in own else list(own)
    kept = [word for word in before if word not in words]
    return [*kept, ASSIGNED, *words] if words else kept
