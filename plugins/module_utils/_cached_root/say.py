# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on the disk of a caching client, in words and as values."""

from __future__ import annotations

import typing as t

from .decisions import Decisions
from .entries import Image, following
from .plan import Situation


def described(now: Situation, said: Decisions) -> dict[str, t.Any]:
    """The roots, each with what it is: ``good``, ``trial``, ``failed``, ``unused`` (no entry) or ``unfinished``."""
    coming = following(now.entries)
    roots = []
    for root in now.roots.roots:
        state, left = _state(now, root.image) if root.is_complete else ("unfinished", None)
        roots.append(
            {
                "protosystem": root.protosystem,
                "serial": root.serial,
                "state": state,
                "tries": left,
                "why": said.why.get(root.image) if state == "failed" else None,
                "runs": root.image == now.running,
                "next": coming is not None and root.image == coming.image,
                "used": root.used,
            }
        )
    pool = now.roots.pool
    return {"roots": roots, "pool": {"size": pool.size, "used": pool.used}}


def _state(now: Situation, image: Image) -> tuple[str, int | None]:
    own = [entry for entry in now.entries if entry.image == image]
    on_trial = image == now.running and now.is_trial
    if on_trial and now.generation is not None:
        # it may have been good with other arguments
        own = [entry for entry in own if entry.generation == now.generation]
    newest = max(own, default=None)
    if newest is None:
        return "unused", None
    if any(entry.is_good for entry in own):
        return "good", None
    # while it runs, its last try is not over
    return ("trial", newest.left) if newest.is_trial or on_trial else ("failed", None)


def lines(said: t.Mapping[str, t.Any]) -> list[str]:
    """The same for people."""
    found = []
    for root in said["roots"]:
        words = [f"{root['state']}" + (f", {root['tries']} tries left" if root["tries"] else "")]
        words[0] += f" ({root['why']})" if root["why"] else ""
        words += ["runs"] if root["runs"] else []
        words += ["booted next"] if root["next"] else []
        found.append(f"{root['protosystem']} {root['serial']}: {', '.join(words)}")
    pool = said["pool"]
    return [*found, f"{pool['used'] / 1e9:.1f} of {pool['size'] / 1e9:.1f} GB are used"]
