# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The DHCP server that a site has already: it gives addresses, and knows nothing of booting."""

from __future__ import annotations

import time

from .network import ip
from .process import LabError, Process, spawn, tail
from .state import Lab


def up(lab: Lab) -> None:
    """Start it, at the third address of the lab's network; nothing happens if it runs."""
    record, log = lab.dir / "dhcp", lab.dir / "dhcp.log"
    process = Process.read(record)
    if process and process.alive:
        return
    ip("address", "replace", f"{lab.address(3)}/24", "dev", "br0", netns=lab.netns)
    process = spawn(
        [
            "nsenter", f"--net=/run/netns/{lab.netns}", "--", "dnsmasq",
            "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--pid-file=", "--log-facility=-",
            "--port=0", "--interface=br0", "--bind-interfaces", "--log-dhcp", "--dhcp-authoritative",
            f"--dhcp-range={lab.address(100)},{lab.address(199)},1h", f"--dhcp-leasefile={lab.dir}/dhcp.leases",
        ],
        record,
        log,
    )  # fmt: skip
    time.sleep(0.3)
    if not process.alive:
        raise LabError(f"the site's DHCP server of {lab.name} did not start{tail(log)}")


def down(lab: Lab) -> None:
    """End it, if it runs."""
    process = Process.read(lab.dir / "dhcp")
    if process:
        process.end()
