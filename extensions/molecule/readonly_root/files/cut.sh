#!/usr/bin/env bash
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
#     cut.sh LAB-COMMAND LAB CLIENT OPTION...
#
# Power a client on, take its power as soon as it has written two megabytes to its disk, and print a line
# DIGEST PATH for each file that /srv/shop of the state then has.
#
# Its service copies ten megabytes before it does anything with them. At this rate that takes twenty seconds on any machine:
# the power is gone long before the copy is whole.
set -euo pipefail
lab=$1 name=$2 client=$3
shift 3

disk=${STATELESS_CACHE:-/var/cache/stateless}/lab/run/$name/$client/disk0.raw
used() { du --block-size=1K "$disk" | cut -f 1; }

begin=$(used)
"$lab" client "$name" "$client" --disk-rate 512 "$@"
end=$((SECONDS + 600))
while ((SECONDS < end && $(used) <= begin + 2048)); do
    sleep 0.1
done
"$lab" off "$name" "$client"
if (($(used) <= begin + 2048)); then
    echo "$client wrote nothing to its disk in 600 s" >&2
    exit 1
fi

# A copy, so that the journal of the disk itself is left to the client.
copy=$(mktemp --directory)
trap 'umount "$copy/mount" 2> /dev/null || true; rm -rf "$copy"' EXIT
cp --sparse=always "$disk" "$copy/disk"
mkdir "$copy/mount"
mount -o loop "$copy/disk" "$copy/mount"
echo "being copied: $(find "$copy/mount/.stateless" -type f 2> /dev/null | wc -l) files" >&2
if [[ -d $copy/mount/srv/shop ]]; then
    (cd "$copy/mount/srv/shop" && find . -type f -printf '%P\0' | xargs --null --no-run-if-empty sha256sum)
fi
