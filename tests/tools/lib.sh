# shellcheck shell=bash
# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Sourced by setup and with: where things lie.

clone=$(readlink -f "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../..")
cache=$(realpath -m "${STATELESS_CACHE:-/var/cache/stateless}")

# The Python that the pinned ansible-core runs on: the distribution's own first, since that is what a bare
# machine has.
choose_python() {
    for python in /usr/bin/python3 python3.13 python3.12 python3.11 python3; do
        if "$python" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            return 0
        fi
    done
    echo "No Python 3.11, 3.12 or 3.13 with the module venv was found" >&2
    exit 1
}

# One environment for each set of requirements and Python: clones share it, and a change makes a new one.
venv_path() {
    local key
    key=$({
        cat "$clone/tests/requirements.txt"
        "$python" -VV
        "$python" -c 'import sys; print(sys.executable)'
    } | sha256sum)
    echo "$cache/venv-${key:0:12}"
}
