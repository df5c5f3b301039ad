#!/bin/sh
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Run on a client: prints, as one JSON object, what it runs and whether its root is as it should be.
set -u

argument() {
    sed -n "s/.*\bstateless\.$1=\([^ ]*\).*/\1/p" /proc/cmdline
}

# "running" or, once everything that boots has ended, the reason why not
system=$(timeout 600 systemctl is-system-running --wait)
failed=$(systemctl list-units --failed --plain --no-legend | cut -d ' ' -f 1 | tr '\n' ' ')

# What a user sees: a new file at / and in /usr must be refused because the filesystem is read-only.
refused=true
for directory in / /usr /etc; do
    said=$(LC_ALL=C touch "$directory/.stateless-probe" 2>&1) && refused=false
    case $said in *'Read-only file system'*) ;; *) refused=false ;; esac
done
scratch=true
for directory in /tmp /var/tmp /var/log; do
    touch "$directory/.stateless-probe" || scratch=false
done

cat <<END
{
  "protosystem": "$(argument protosystem)",
  "serial": "$(argument serial)",
  "format": "$(argument format)",
  "system": "$system",
  "failed": "${failed% }",
  "refused": $refused,
  "scratch": $scratch,
  "root": "$(findmnt -no FSTYPE,SOURCE / | tr -s ' ')",
  "options": "$(findmnt -no VFS-OPTIONS /)",
  "kernel": "$(uname -r)",
  "hostname": "$(hostname)",
  "machine_id": "$(cat /etc/machine-id)",
  "host_key": "$(ssh-keyscan -t ed25519 localhost 2>/dev/null | ssh-keygen -lf - | cut -d ' ' -f 2)",
  "edition": "$(cat /etc/edition 2>/dev/null)"
}
END
