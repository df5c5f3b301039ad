#!/usr/bin/env bash
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# dracut sources this (dracut.modules(7)): brings into the initrd what a machine must know of itself before systemd starts.

# Only where it is asked for, as in /etc/dracut.conf.d/90-stateless.conf.
check() {
    return 255
}

depends() {
    echo base
}

installkernel() {
    instmods ext4 xfs
}

install() {
    # mount.nfs is the module nfs's, where the configuration asks for that
    inst_multiple grep mkdir mount timeout umount udevadm
    inst_hook pre-pivot 20 "${moddir:?}/stateless-identity.sh"
}
