# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The systemd unit of the client's service."""

from __future__ import annotations

NAME = "stateless-readonly-root.service"
PROGRAM = "/usr/libexec/stateless/readonly-root"
#: The program itself knows when there is nothing to do, such as in a protosystem that is booted read/write.
TEXT = f"""\
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
[Unit]
Description=Writable Parts of the Read-Only Root
DefaultDependencies=no
Conflicts=shutdown.target
After=systemd-remount-fs.service
# Everything that writes beneath /var starts after one of these, although some of it before local-fs.target.
Before=systemd-sysusers.service systemd-udevd.service systemd-timesyncd.service systemd-networkd.service
Before=systemd-tmpfiles-setup.service systemd-random-seed.service systemd-journal-flush.service
Before=network-pre.target local-fs-pre.target local-fs.target
Before=shutdown.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={PROGRAM}
# Longer than the mounts that the program waits for: a state on a server that is away must not stop the boot.
TimeoutStartSec=5min
# What is not writable or not kept is seen by who looks at the screen, too.
StandardOutput=journal
StandardError=journal+console

[Install]
WantedBy=local-fs.target
"""
