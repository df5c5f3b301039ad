# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A protosystem, booted: its own systemd in a systemd-nspawn(1) container, read/write, as a transient unit.

The unit is ``stateless-protosystem-NAME.service``. Process 1 of the container is the only child of the unit's main
process that is process 1 of a namespace; in a shell line, as the connection plugin has it::

    main=$(systemctl show --property MainPID --value stateless-protosystem-NAME.service)
    leader=$(cat /proc/$main/task/$main/children)
    nsenter --target $leader --all ...
"""

from __future__ import annotations

import os
import re
import time
import uuid

from .._command import CommandFailed, find, run
from .._errors import StatelessError
from .._files import read, write

#: Of systemd-nspawn: what each kind of network means. With ``host`` the container may not change the host's network.
NETWORKS = {
    "host": ("--resolv-conf=bind-host",),
    "private": ("--network-veth", "--resolv-conf=off"),
    "none": ("--private-network", "--resolv-conf=off"),
}


def unit(protosystem: str) -> str:
    """The name of the systemd unit in which *protosystem* is booted."""
    return f"stateless-protosystem-{protosystem}.service"


def booted(protosystem: str) -> bool:
    """Whether *protosystem* runs in its container, or is about to."""
    return _active(protosystem) in ("active", "activating", "reloading")


def network(protosystem: str) -> str:
    """The network that a booted protosystem has: a key of :data:`NETWORKS`."""
    words = (read(f"/proc/{_main(protosystem)}/cmdline") or "").split("\0")
    return next((name for name, options in NETWORKS.items() if options[0] in words), "host")


def leader(protosystem: str) -> int | None:
    """The process id, on the server, of process 1 in the container; None if the protosystem is not booted."""
    main = _main(protosystem)
    if not main:
        return None
    for child in (read(f"/proc/{main}/task/{main}/children") or "").split():
        ids = re.search(r"^NSpid:\s*(.+)$", read(f"/proc/{child}/status") or "", re.MULTILINE)
        if ids is not None and len(ids[1].split()) > 1 and ids[1].split()[-1] == "1":
            return int(child)
    return None


#: Words for the systemd inside, which reads what is after nspawn's own options like a kernel command line: what makes
#: the root of a client read-only would make that of the protosystem so, and its mount on the server.
WRITABLE = ("systemd.mask=systemd-remount-fs.service", "systemd.mask=readonly-root.service")


def check(root: str) -> None:
    """Raise ProgramMissing or StatelessError if the tree *root* cannot be booted here."""
    find("systemd-nspawn", "systemd-container")
    if not any(os.path.lexists(os.path.join(root, path)) for path in ("sbin/init", "usr/lib/systemd/systemd")):
        raise StatelessError(f"{root} cannot be booted: it has no /sbin/init; install systemd-sysv in it first")


def start(protosystem: str, root: str, kind: str, timeout: float) -> None:
    """Boot it, and wait until its systemd has reached its default target.

    :arg kind: a key of :data:`NETWORKS`.
    :arg timeout: seconds to wait for it, and that it gets later to stop.
    """
    properties = {
        "Type": "notify",
        # as systemd-nspawn@.service has it: nspawn itself passes the signal on, and asks the container to power off
        "KillMode": "mixed",
        "Delegate": "yes",
        "Slice": "machine.slice",
        "TasksMax": "16384",
        "TimeoutStartSec": f"{timeout:.0f}",
        "TimeoutStopSec": f"{timeout:.0f}",
        # the container asks for a reboot
        "SuccessExitStatus": "133",
        "RestartForceExitStatus": "133",
        # a mount that goes takes the container with it
        "RequiresMountsFor": root.replace("%", "%%"),
    }
    # what nspawn would do to the tree for the host's sake is switched off: it belongs to no host
    nspawn = [find("systemd-nspawn", "systemd-container"), "--quiet", "--boot", "--keep-unit", "--register=no"]
    nspawn += ["--notify-ready=yes", "--settings=no", "--private-users=no", "--link-journal=no", "--timezone=off"]
    nspawn += [f"--machine={protosystem}", f"--directory={root}", *NETWORKS[kind], *_identity(protosystem, root)]
    nspawn += WRITABLE
    command = ["systemd-run", "--quiet", "--collect", f"--unit={unit(protosystem)}"]
    command += [f"--description=Protosystem {protosystem}"]
    command += [f"--property={name}={value}" for name, value in properties.items()]
    try:
        run([*command, "--", *nspawn], timeout=timeout + 30)
    except CommandFailed as error:
        log = run(["journalctl", "--no-pager", "--lines=20", "--output=cat", f"--unit={unit(protosystem)}"])
        raise StatelessError(f"the protosystem {protosystem} did not boot within {timeout:.0f} s:\n{log}") from error


def _identity(protosystem: str, root: str) -> list[str]:
    """The words that keep an empty machine-id(5) empty: its systemd would write one, for all clients to share.

    The last one is for that systemd, as those of WRITABLE.
    """
    path = os.path.join(root, "etc", "machine-id")
    if os.path.islink(path) or (read(path) or "").strip() not in ("", "uninitialized") or not os.path.exists(path):
        return []
    passing = f"/run/stateless/machine-id/{protosystem}"
    write(passing, f"{uuid.uuid4().hex}\n", 0o444)
    return [f"--bind-ro={passing}:/etc/machine-id", "systemd.mask=systemd-machine-id-commit.service"]


def stop(protosystem: str) -> None:
    """Shut it down in order; systemd kills what is left when the time given to :func:`start` is over."""
    run(["systemctl", "stop", unit(protosystem)])


def settle(protosystem: str, timeout: float) -> None:
    """Wait until it has come up or gone down, if it is on the way (the run that asked for it may be gone)."""
    until = time.monotonic() + timeout
    while _active(protosystem) in ("activating", "deactivating"):
        if time.monotonic() > until:
            raise StatelessError(f"{unit(protosystem)} is still {_active(protosystem)} after {timeout:.0f} s")
        time.sleep(0.5)


def _active(protosystem: str) -> str:
    return _property(protosystem, "ActiveState")


def _main(protosystem: str) -> int:
    return int(_property(protosystem, "MainPID") or "0")


def _property(protosystem: str, name: str) -> str:
    return run(["systemctl", "show", "--property", name, "--value", unit(protosystem)]).strip()
