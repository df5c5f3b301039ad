# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an image by which its machines have the command ``stateless`` and report what they run."""

from __future__ import annotations

from .._program import Program
from . import command
from .places import CREDENTIAL, KNOWN

PROGRAM = "/usr/bin/stateless"
#: The certificates to trust, if the module writes them.
CERTIFICATES = "/etc/stateless/directory.pem"
UNITS = "/etc/systemd/system"
SERVICE = "stateless-report.service"
TIMER = "stateless-report.timer"
#: Where a link makes the timer start.
WANTS = f"{UNITS}/timers.target.wants"
#: No variables of the environment, no user's directory. python-ldap is the distribution's, and so beyond -S.
COMMAND = Program(command.__name__, "/usr/bin/python3 -I")

#: What every unit begins with.
HEAD = """\
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
#: Nothing waits for it: the timer starts it when the machine is up.
SERVICE_TEXT = f"""\
{HEAD}[Unit]
Description=Tell the Directory What This Machine Runs
Wants=network-online.target
After=network-online.target time-sync.target
# A protosystem that is booted read/write, and a container, run no image.
ConditionKernelCommandLine=stateless.serial
ConditionVirtualization=!container

[Service]
Type=oneshot
ExecStart={PROGRAM} report
# The directory is away, or this machine cannot log in: said in the journal, and tried again by the timer.
SuccessExitStatus=4
# The program itself waits for the directory for 20 seconds; a machine under load may need a while to start Python.
TimeoutStartSec=3min
# Looked for where systemd.exec(5) says, /etc/credstore among others; there need not be one.
LoadCredential={CREDENTIAL}
ReadWritePaths=-{KNOWN}
CapabilityBoundingSet=
LockPersonality=yes
NoNewPrivileges=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
"""
TIMER_TEXT = f"""\
{HEAD}[Unit]
Description=Tell the Directory What This Machine Runs, Every Quarter of an Hour
ConditionKernelCommandLine=stateless.serial
ConditionVirtualization=!container

[Timer]
OnActiveSec=10s
OnUnitInactiveSec=15min
# Ten thousand machines that start together do not ask together.
RandomizedDelaySec=1min

[Install]
WantedBy=timers.target
"""
