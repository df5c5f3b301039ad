# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
#
# Inside the protosystem: become the user (names mean what they mean here) and run the command as sshd would.

user=$1 command=$2
if [ "$user" = root ]; then
    export HOME=/root USER=root LOGNAME=root SHELL=/bin/sh
    cd /root 2>/dev/null || cd /
    exec /bin/sh -c "$command"
fi
entry=$(getent passwd "$user") || {
    printf "stateless.linux.protosystem: there is no user %s inside the protosystem (stateless_user)\n" "$user" >&2
    exit 113
}
IFS=: read -r USER _ uid gid _ HOME SHELL <<END
$entry
END
LOGNAME=$USER
PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games
export HOME USER LOGNAME SHELL PATH
cd "$HOME" 2>/dev/null || cd /
exec setpriv --reuid="$uid" --regid="$gid" --init-groups --inh-caps=-all /bin/sh -c "$command"
