#!/bin/sh
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Run as root: makes the directory $1, a root filesystem of a few files, with all that a copy is easily without; and two
# filesystems mounted in it, of which the second is not part of the system.
set -eu
mkdir "$1"
cd "$1"
mkdir -p boot data etc mounted other usr/bin usr/lib
echo "PRETTY_NAME='A small tree'" >etc/os-release
# a kernel that is only published
head -c 2M /dev/urandom >boot/vmlinuz-1
head -c 16M /dev/urandom >boot/initrd.img-1

cd data
echo one >one
ln one two
ln one ../usr/lib/three
cp /bin/true ../usr/bin/capable
# as written by: setcap cap_net_raw+ep
setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 ../usr/bin/capable
cp /bin/true ../usr/bin/setuid
chown 1234:4321 ../usr/bin/setuid
chmod 6755 ../usr/bin/setuid
setfacl -m u:1234:rwx,g:4321:r-- one
mkdir inherited
setfacl -m d:u:1234:rwx inherited
setfattr -n user.note -v kept one
setfattr -n trusted.note -v kept inherited
truncate --size=64M sparse
echo end >>sparse
ln -s one link
chown --no-dereference 1234:4321 link
mknod device c 1 3
mkfifo pipe
: >"$(printf 'a blank, a\nnewline, \344')"
touch --date='2001-02-03 04:05:06.789012345 UTC' one

for directory in mounted other; do
    mount -t tmpfs -o mode=755,size=1m "$directory" "../$directory"
    echo inside >"../$directory/file"
done
ln ../mounted/file ../mounted/again
