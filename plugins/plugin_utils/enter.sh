# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
#
# On the server, as root: run one command inside a protosystem, at rest or booted.
#
#   sh -c ENTER enter REST LOGIN NAME USER RESOLV ASYNC COMMAND
#
# REST and LOGIN are the texts of rest.sh and login.sh. RESOLV is auto, server or tree. ASYNC is yes for a command
# that leaves a job behind which must outlive it. Status 113 and a line with the prefix below: the command was not run.
# One round trip does it all, so what it finds (booted or not, a snapshot being taken) is true when the command starts.
# Mind the cost: this runs once for each command, over ssh; and no single quotes, which sudo and ssh would multiply.

PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
export PATH
umask 022
rest=$1 login=$2 name=$3 user=$4 resolv=$5 async=$6 command=$7
configuration=/etc/stateless/server.json

refuse() {
    printf "stateless.linux.protosystem: %s\n" "$1" >&2
    exit 113
}

# setting KEY DEFAULT: a string of server.json. Flat JSON, and paths without escapes, or they are refused below.
setting() {
    case $settings in
    *"\"$1\""*)
        value=${settings#*"\"$1\""}
        value=${value#*:}
        value=${value#*\"}
        value=${value%%\"*}
        ;;
    *) value=$2 ;;
    esac
    case $value in
    *\\* | [!/]*) refuse "$1 in $configuration is not a plain absolute path: $value" ;;
    esac
}

[ "$(id -u)" -eq 0 ] || refuse "only root can enter a protosystem, and the user on the server is $(id -un): set stateless_server_become to true, or ansible_become for the server"
[ -r "$configuration" ] || refuse "$configuration does not exist on the server $(uname -n): apply the role stateless.linux.server to it first"
settings=$(cat "$configuration")
setting root /srv/stateless
root=$value/protosystems/$name
setting state /var/lib/stateless
record=$value/protosystems/$name.json

# First the lock, then the questions: whoever takes a snapshot, boots or removes the protosystem holds it exclusively.
mkdir -p /run/stateless/lock
exec 9>>"/run/stateless/lock/$name.content"
flock --shared --nonblock --conflict-exit-code 114 9
case $? in
0) ;;
114) refuse "a snapshot of protosystem $name is being taken: nothing may run inside it until that is done" ;;
*) refuse "cannot lock /run/stateless/lock/$name.content" ;;
esac
[ -e "$record" ] || refuse "there is no protosystem $name on the server $(uname -n) ($record does not exist)"

# Is it booted?
unit=stateless-protosystem-$name.service
active=inactive main=0
if [ -d /run/systemd/system ]; then
    answer=$(systemctl show --property=ActiveState --property=MainPID "$unit") || refuse "systemd does not answer about $unit"
    active=${answer#*ActiveState=}
    active=${active%%[!a-z]*}
    main=${answer#*MainPID=}
    main=${main%%[!0-9]*}
fi
leader=
case $active in
inactive | failed) ;;
active)
    # systemd-nspawn is the unit; its child that is PID 1 of a namespace of its own is the container's init.
    children=
    read -r children 2>/dev/null <"/proc/$main/task/$main/children" # has no newline, so fails even then
    for child in $children; do
        while read -r key ids; do
            case $key:$ids in
            NSpid:*[!0-9]1) leader=$child ;;
            esac
        done 2>/dev/null <"/proc/$child/status"
    done
    [ -n "$leader" ] || refuse "protosystem $name is being booted or stopped ($unit has no init yet): try again"
    ;;
*) refuse "protosystem $name is being booted or stopped ($unit is $active): try again" ;;
esac

if [ -n "$leader" ]; then
    # The command belongs to the container: its control group, so that it ends with it and PAM can open sessions.
    (
        while IFS=: read -r number _ group; do
            [ "$number" != 0 ] || echo 0 >"/sys/fs/cgroup$group/cgroup.procs"
        done 2>/dev/null <"/proc/$leader/cgroup"
        exec env -i PATH="$PATH" nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup --root -- \
            /bin/sh -c "$login" login "$user" "$command"
    ) 9>&-
    exit
fi

mountpoint -q "$root" || refuse "the root of protosystem $name is not mounted at $root on the server $(uname -n)"

# A /run that lasts until the server reboots, and what /dev is copied from.
runtime=/run/stateless/protosystem/$name
[ -d "$runtime/systemd/system" ] || mkdir -p "$runtime/systemd/system" "$runtime/lock"
if [ ! -d /run/stateless/dev ]; then
    new=$(mktemp -d /run/stateless/dev.XXXXXX) || refuse "cannot write to /run/stateless"
    cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty "$new/"
    mkdir "$new/pts" "$new/shm"
    ln -s pts/ptmx "$new/ptmx"
    ln -s /proc/self/fd "$new/fd"
    ln -s fd/0 "$new/stdin"
    ln -s fd/1 "$new/stdout"
    ln -s fd/2 "$new/stderr"
    chmod 755 "$new"
    # Somebody else may have been faster; then it is the same.
    mv -T "$new" /run/stateless/dev 2>/dev/null || rm -rf "$new"
fi

# The namespaces of a system of its own, but for the network; without the rights over the server's kernel that no
# package script has a use for. PID 1 stays outside the chroot, which is how systemctl, ischroot and Ansible know one.
enter() {
    setpriv --bounding-set=-net_admin,-sys_module,-sys_rawio,-sys_time,-sys_boot,-syslog \
        unshare --mount --uts --ipc --pid --fork --kill-child \
        /bin/sh -c "$rest" rest "$login" "$root" "$runtime" "$name" "$user" "$resolv" "$1" "$command"
}

if [ "$async" != yes ]; then
    enter ""
    exit
fi

# The job lives in the namespaces, so they must stay when the command has answered, and nobody but the job may
# keep the connection open: the answer goes through files.
answer=$(mktemp -d /run/stateless/answer.XXXXXX) || refuse "cannot write to /run/stateless"
(
    trap "" HUP
    enter "$answer/status"
) </dev/null >"$answer/out" 2>"$answer/err" &
while [ ! -e "$answer/status" ] && kill -0 $! 2>/dev/null; do
    sleep 0.05
done
status=$(cat "$answer/status" 2>/dev/null)
cat "$answer/out"
cat "$answer/err" >&2
rm -rf "$answer"
exit "${status:-113}"
