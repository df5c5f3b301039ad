# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an image by which its machines update the copy on their disk, and judge what they have booted."""

from __future__ import annotations

from .._cached_root.settings import Settings
from .cached import TRIAL_TIMER
from .files import HEAD, PROGRAM, UNITS
from .places import CREDENTIAL

HEALTH = "stateless-health.service"
INSTALL = "stateless-install.service"
TRIAL = "stateless-trial.service"
UPDATE, UPDATE_TIMER = "stateless-update.service", "stateless-update.timer"
#: More settings of a unit of LVM's.
MONITOR = "lvm2-monitor.service.d/stateless.conf"
#: What is not to run: systemd's own answer to entries on trial, which looks for a partition that is mounted; and
#: e2scrub(8), which makes snapshots in volume groups, that nobody has room for.
MASKED = (f"{UNITS}/systemd-bless-boot.service", f"{UNITS}/e2scrub_all.timer")
#: Links that start what an image has, or keep it from that: where, and to what.
WANTS = {
    f"{UNITS}/multi-user.target.wants/{HEALTH}": f"{UNITS}/{HEALTH}",
    f"{UNITS}/multi-user.target.wants/{INSTALL}": f"{UNITS}/{INSTALL}",
    f"{UNITS}/sysinit.target.wants/{TRIAL_TIMER}": f"{UNITS}/{TRIAL_TIMER}",
    **dict.fromkeys(MASKED, "/dev/null"),
}
UPDATE_WANTS = f"{UNITS}/timers.target.wants/{UPDATE_TIMER}"

_ONLY = """\
# Only on a machine that was booted from its own disk.
ConditionKernelCommandLine=stateless.entry
ConditionVirtualization=!container
"""
#: Without the dependencies that systemd adds by itself it is not part of what it judges.
_HEALTH_TEXT = f"""\
{HEAD}[Unit]
Description=Judge Whether This Boot Is Healthy
DefaultDependencies=no
Wants=network-online.target
After=multi-user.target network-online.target
Before=shutdown.target
Conflicts=shutdown.target
{_ONLY}
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={PROGRAM} health
LoadCredential={CREDENTIAL}
# The program has a limit of its own.
TimeoutStartSec=infinity
"""
_TRIAL_TEXT = f"""\
{HEAD}[Unit]
Description=Restart a Machine That Never Got to Be Judged
DefaultDependencies=no

[Service]
Type=oneshot
ExecStart=systemctl reboot --force
"""
_UPDATE_TEXT = f"""\
{HEAD}[Unit]
Description=Fetch What This Machine Should Run
Wants=network-online.target
After=network-online.target {HEALTH}
{_ONLY}
[Service]
Type=oneshot
ExecStart={PROGRAM} update
LoadCredential={CREDENTIAL}
# What cannot be done now is said in the journal, and tried again by the timer.
SuccessExitStatus=4
TimeoutStartSec=infinity
"""
_INSTALL_TEXT = f"""\
{HEAD}[Unit]
Description=Install a Disk of This Machine
Wants=network-online.target
After=network-online.target
# Only on a machine that came over the network for this: see the entry of the boot menu.
ConditionKernelCommandLine=stateless.install
ConditionKernelCommandLine=!stateless.entry
ConditionVirtualization=!container

[Service]
Type=exec
# Without a value, somebody else installs.
ExecCondition=grep -q stateless.install= /proc/cmdline
ExecStart={PROGRAM} install --reboot
StandardOutput=journal+console
StandardError=journal+console
"""
#: The daemon that watches volumes is started by the first who asks it, and lvm(8) waits for its answer for a few
#: seconds: on a machine that is slow to start, "No input from event server" would be a unit that has failed.
_MONITOR_TEXT = f"""\
{HEAD}[Unit]
Wants=dm-event.service

[Service]
Restart=on-failure
RestartSec=3s
"""
#: Seconds beyond those that a machine has to become healthy: for everything before.
_BOOT = 600


def texts(settings: Settings, interval: str) -> dict[str, str | None]:
    """The files by path; None: it is not there.

    :arg interval: of updates, a time as systemd.time(7) has it; empty: no timer.
    """
    trial = f"""\
{HEAD}[Unit]
Description=Restart a Machine That Is Not Judged in Time
DefaultDependencies=no
Before=shutdown.target
Conflicts=shutdown.target
ConditionKernelCommandLine=stateless.trial

[Timer]
OnBootSec={settings.health_seconds + _BOOT}s
"""
    update = f"""\
{HEAD}[Unit]
Description=Fetch What This Machine Should Run, Again and Again
{_ONLY}
[Timer]
OnActiveSec={interval}
OnUnitInactiveSec={interval}
# Ten thousand machines do not fetch together.
RandomizedDelaySec={interval}
"""
    return {
        f"{UNITS}/{HEALTH}": _HEALTH_TEXT,
        f"{UNITS}/{INSTALL}": _INSTALL_TEXT,
        f"{UNITS}/{TRIAL}": _TRIAL_TEXT,
        f"{UNITS}/{TRIAL_TIMER}": trial,
        f"{UNITS}/{UPDATE}": _UPDATE_TEXT,
        f"{UNITS}/{UPDATE_TIMER}": update if interval else None,
        f"{UNITS}/{MONITOR}": _MONITOR_TEXT,
    }
