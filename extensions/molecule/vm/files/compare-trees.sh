#!/usr/bin/env bash
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Run as root: compare-trees.sh DIRECTORY COPY ...
# Compares what small-tree.sh made with copies of it, by other programs than those that copy.
set -euo pipefail

describe() (
    cd "$1"
    for link in data/two usr/lib/three; do
        [ data/one -ef "$link" ]
        echo "$link is data/one"
    done
    [ mounted/file -ef mounted/again ]
    # a hole takes no room: blocks of 512 bytes
    [ "$(stat --format=%b data/sparse)" -lt 1000 ]
    find boot data etc mounted usr \( -type f -printf '%p %y %m %U %G %n %s %T@\0' -o -printf '%p %y %m %U %G %l %T@\0' \) | sort -z
    stat --format='device %t %T' data/device
    # ACLs and file capabilities are among the extended attributes; XFS shows its ACLs twice
    find boot data etc mounted usr -print0 | sort -z | xargs -0 getfattr --no-dereference --dump --match=- --encoding=hex -- |
        grep --text --invert-match "^trusted.SGI_ACL_"
    find boot data etc mounted usr -type f -print0 | sort -z | xargs -0 sha256sum --zero
)

due=$(mktemp)
describe "$1" >"$due"
# all that is to be kept must have been there
for word in security.capability system.posix_acl_access system.posix_acl_default user.note trusted.note; do
    grep --text --quiet "^$word=" "$due"
done
shift
for copy; do
    describe "$copy" | diff --text "$due" -
    # the other filesystem is no part of it, but for the directory that it is mounted on
    [ -z "$(ls -A "$copy/other")" ]
done
rm "$due"
