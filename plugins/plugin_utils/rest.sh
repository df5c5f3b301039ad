# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
#
# PID 1 of the namespaces in which a command runs inside a protosystem at rest (see enter.sh). When it ends,
# the kernel ends whatever the command left behind.

login=$1 root=$2 runtime=$3 name=$4 user=$5 resolv=$6 status_file=$7 command=$8

fail() {
    printf "stateless.linux.protosystem: cannot enter %s: %s\n" "$name" "$1" >&2
    exit 113
}

for directory in proc sys dev run; do
    [ -d "$root/$directory" ] || mkdir "$root/$directory" || fail "$root/$directory is missing"
done
mount -t proc -o nosuid,nodev,noexec proc "$root/proc" || fail "no /proc"
echo "$name" >"$root/proc/sys/kernel/hostname" || fail "no host name"
# The server's kernel is not the protosystem's to set: sysctl files are written, values are not.
mount -o bind,ro,nosuid,nodev,noexec "$root/proc/sys" "$root/proc/sys" || fail "no /proc/sys"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys" || fail "no /sys"
# No disks in /dev: a boot loader's script must not find the server's.
mount -t tmpfs -o mode=755,nosuid,noexec,size=4m tmpfs "$root/dev" || fail "no /dev"
cp -a /run/stateless/dev/. "$root/dev/" || fail "no devices"
mount -t devpts -o newinstance,nosuid,noexec,gid=5,mode=620,ptmxmode=666 devpts "$root/dev/pts" || fail "no /dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/dev/shm" || fail "no /dev/shm"
mount --bind "$runtime" "$root/run" || fail "no /run"
# Each command is a boot of its own, as it is in systemd-nspawn. So the module reboot, whose request systemctl ignores
# in a chroot, finds that what it waits for has happened.
cat "$root/proc/sys/kernel/random/uuid" >"$root/dev/.boot_id" || fail "no boot id"
mount -o bind,ro "$root/dev/.boot_id" "$root/proc/sys/kernel/random/boot_id" || fail "no boot id"

# resolv.conf, without a change to the tree: a link into /run gets its file there; a file gets another laid over it,
# a copy, so that not even a write in place would reach the server. auto leaves alone a file that names a server
# other than one on its own loopback: the site's play manages that file, and may replace it.
file=$root/etc/resolv.conf
target=
if [ -h "$file" ]; then
    target=$(readlink "$file")
    while [ "${target#../}" != "$target" ]; do target=${target#../}; done
    case ${target#/} in
    run/*) target=$runtime/${target#*run/} ;;
    *) target= ;;
    esac
elif [ "$resolv" = server ]; then
    target=$runtime/resolv.conf
elif [ -s "$file" ]; then
    named=no
    while read -r key value _; do
        case $key:$value in
        nameserver:127.* | nameserver:::1) ;;
        nameserver:?*) named=yes ;;
        esac
    done <"$file"
    [ $named = yes ] || target=$runtime/resolv.conf
else
    target=$runtime/resolv.conf
fi
if [ "$resolv" != tree ] && [ -n "$target" ] && [ -r /etc/resolv.conf ]; then
    if ! cmp -s /etc/resolv.conf "$target"; then
        [ -d "${target%/*}" ] || mkdir -p "${target%/*}"
        # By rename: other commands may be reading it.
        if ! new=$(mktemp "$target.XXXXXX") || ! cat /etc/resolv.conf >"$new" || ! chmod 644 "$new" \
            || ! mv -fT "$new" "$target"; then
            fail "no resolv.conf"
        fi
    fi
    if [ ! -h "$file" ]; then
        [ -e "$file" ] || : >"$file"
        mount --bind "$target" "$file" || fail "no resolv.conf"
    fi
fi

cd / || exit 113
env -i PATH="$PATH" debian_chroot="$name" SYSTEMD_OFFLINE=1 \
    chroot "$root" /bin/sh -c "$login" login "$user" "$command" 9>&-
status=$?
[ -n "$status_file" ] || exit $status

# An async task: answer, let go of the connection, and stay while the job does.
echo $status >"$status_file.new"
mv "$status_file.new" "$status_file"
exec >/dev/null 2>&1
while grep -qs "async_wrappe[r]" "$root"/proc/[2-9]/cmdline "$root"/proc/[0-9][0-9]*/cmdline; do
    sleep 1
done
