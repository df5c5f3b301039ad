#!/usr/bin/env bash
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
#     cut.sh LAB-COMMAND LAB CLIENT OPTION...
#
# Power a client on, take its power in the middle of what its service copies to its disk, and print a line DIGEST PATH for
# each file that /srv/shop of the state then has. An edition is nearly 10 MiB, see edition.py: of these the disk takes 2.
set -euo pipefail
lab=$1 name=$2 client=$3
shift 3

disk=${STATELESS_CACHE:-/var/cache/stateless}/lab/run/$name/$client/disk0.raw
"$lab" client "$name" "$client" "$@" --cut 2

# A copy, so that the journal of the disk itself is left to the client.
copy=$(mktemp --directory)
trap 'umount "$copy/mount" 2> /dev/null || true; rm -rf "$copy"' EXIT
cp --sparse=always "$disk" "$copy/disk"
mkdir "$copy/mount"
mount -o loop "$copy/disk" "$copy/mount"
if [[ -d $copy/mount/srv/shop ]]; then
    (cd "$copy/mount/srv/shop" && find . -type f -printf '%P\0' | xargs --null --no-run-if-empty sha256sum)
fi
