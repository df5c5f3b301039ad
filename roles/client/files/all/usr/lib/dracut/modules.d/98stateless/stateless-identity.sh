#!/bin/sh
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# systemd reads /etc/machine-id and /etc/hostname before its first unit, so before state is bound over the read-only
# root. Where the lists of the root keep these files in state, this hook of dracut, which runs before the root is
# switched to, copies them from there into /run and binds them. Whatever is missing or wrong, the boot goes on, and
# the machine gets an identity for this boot only.
#
# Everything happens in a subshell: dracut sources its hooks, which share their variables.
(
    root=${NEWROOT:-/sysroot}
    seen=/run/stateless/initrd
    READONLY=no TEMPORARY_STATE=no STATE_LABEL=stateless-state STATE_MOUNT=/var/lib/stateless/state CLIENTSTATE=
    # One assignment a line, as the module writes it; nothing in the file is run, and a line that is none stops nothing.
    [ -r "$root/etc/sysconfig/readonly-root" ] && while read -r key || [ -n "$key" ]; do
        key=${key#export } value=${key#*=}
        case $value in
            \"*) value=${value#\"} value=${value%%\"*} ;;
            \'*) value=${value#\'} value=${value%%\'*} ;;
            *) value=${value%%[[:space:];]*} ;;
        esac
        case $key in
            READONLY=*) READONLY=$value ;;
            TEMPORARY_STATE=*) TEMPORARY_STATE=$value ;;
            STATE_LABEL=*) STATE_LABEL=$value ;;
            STATE_MOUNT=?*) STATE_MOUNT=${value:-$STATE_MOUNT} ;;
            CLIENTSTATE=*) CLIENTSTATE=$value ;;
        esac
    done < "$root/etc/sysconfig/readonly-root"
    read -r arguments < /proc/cmdline
    case $arguments in *noreadonlyroot*) READONLY=no ;; *readonlyroot*) READONLY=yes ;; esac
    printf '%s\n' "$READONLY" "$TEMPORARY_STATE" | grep -qiEx 't|true|y|yes|on|1' || exit 0

    kept=
    for file in /etc/machine-id /etc/hostname; do
        [ -f "$root$file" ] && [ ! -L "$root$file" ] || continue
        grep -qsFx "$file" "$root/etc/statetab" "$root"/etc/statetab.d/* && kept="$kept $file"
    done
    [ -n "$kept" ] || exit 0

    # A line of fstab for the state mount goes before the label, and that before NFS, as with the service.
    device=LABEL=$STATE_LABEL
    while read -r source target rest; do
        [ "$target" = "$STATE_MOUNT" ] && device=$source
    done < "$root/etc/fstab"
    case $device in
        LABEL=*) device=/dev/disk/by-label/${device#LABEL=} ;;
        UUID=*) device=/dev/disk/by-uuid/${device#UUID=} ;;
        PARTUUID=*) device=/dev/disk/by-partuuid/${device#PARTUUID=} ;;
        PARTLABEL=*) device=/dev/disk/by-partlabel/${device#PARTLABEL=} ;;
    esac
    # What the kernel has found until now is enough: a machine without state must not wait for it.
    udevadm settle --timeout=5
    # Read-only, and gone again before the service mounts it.
    mkdir -p "$seen/state" || exit 0
    if [ -b "$device" ]; then
        mount -o ro "$device" "$seen/state" || exit 0
    elif [ -n "$CLIENTSTATE" ]; then
        # Its directory is found by the name that DHCP gives: that counts, whatever is kept in there.
        case $kept in *" /etc/machine-id"*) kept=/etc/machine-id ;; *) exit 0 ;; esac
        read -r host < /proc/sys/kernel/hostname
        case $host in
            '' | localhost | localhost.localdomain | [!A-Za-z0-9]* | *[!A-Za-z0-9._-]*) exit 0 ;;
        esac
        # A server that does not answer delays the boot once more when the service asks it: not for long here.
        timeout 20 mount -t nfs -o ro,nolock,soft,retry=0 "$CLIENTSTATE/$host" "$seen/state" || exit 0
    else
        exit 0
    fi
    for file in $kept; do
        name=${file##*/}
        [ -f "$seen/state$file" ] && [ ! -L "$seen/state$file" ] || continue
        read -r line < "$seen/state$file"
        case $name in
            machine-id) printf '%s\n' "$line" | grep -qEx '[0-9a-f]{32}' || continue ;;
            hostname) printf '%s\n' "$line" | grep -qEx '[A-Za-z0-9][A-Za-z0-9.-]{0,63}' || continue ;;
        esac
        printf '%s\n' "$line" > "$seen/$name"
    done
    umount "$seen/state" || umount -l "$seen/state"
    for file in $kept; do
        [ -s "$seen/${file##*/}" ] && mount --bind "$seen/${file##*/}" "$root$file"
    done
    exit 0
) || :
