# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a client has what the command ``stateless`` reads and writes."""

from __future__ import annotations

import dataclasses
import os
import typing as t

#: The name of the systemd credential (systemd.exec(5)) with the client's password.
CREDENTIAL = "stateless.password"
#: Where a machine with state keeps it.
KEPT = f"/etc/credstore/{CREDENTIAL}"
SETTINGS = "/etc/stateless/client.json"
#: A directory with ``client.crt`` and ``client.key``, which only root can read.
IDENTITY = "/etc/stateless/identity"
#: A directory: what the directory said last is a file in it.
KNOWN = "/var/lib/stateless/client"


@dataclasses.dataclass(frozen=True)
class Places:
    """The paths on this machine; below *root* for tests."""

    root: str = ""
    environment: t.Mapping[str, str] = dataclasses.field(default_factory=lambda: os.environ)

    def of(self, path: str) -> str:
        """Where *path* is."""
        return self.root + path

    @property
    def settings(self) -> str:
        """Which directory it is."""
        return self.of(SETTINGS)

    @property
    def certificate(self) -> tuple[str, str]:
        """A certificate of this machine, and its key."""
        return self.of(f"{IDENTITY}/client.crt"), self.of(f"{IDENTITY}/client.key")

    @property
    def passwords(self) -> list[str]:
        """Where the password may be, the first counts: what systemd gave the unit, then where systemd looks itself.

        That may have one by now: a unit that waits for the directory can have begun before somebody put it there.
        """
        given = self.environment.get("CREDENTIALS_DIRECTORY", "")
        fixed = ("/run/credentials/@system", "/etc/credstore", "/run/credstore", "/usr/lib/credstore")
        return [os.path.join(place, CREDENTIAL) for place in [*filter(None, [given]), *map(self.of, fixed)]]

    @property
    def own_passwords(self) -> list[str]:
        """Where somebody who gave this machine a password has put it; the first counts."""
        return [self.of(KEPT), self.of(f"/run/credstore/{CREDENTIAL}")]

    @property
    def known(self) -> str:
        """What the directory said last."""
        return self.of(f"{KNOWN}/assigned.json")

    @property
    def lock(self) -> str:
        """Held by the one report that runs."""
        return self.of(f"{KNOWN}/lock")
