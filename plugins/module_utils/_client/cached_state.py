# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State which root a caching client boots next, and say what it has: the modules cached_root and cached_root_info."""

from __future__ import annotations

import typing as t

from .._cached_root import check, decisions, say, stage
from .._cached_root.entries import Image, following
from .._cached_root.here import Here
from .._cached_root.plan import Situation, Way
from .._cached_root.progress import Silent
from .._errors import InvalidValue
from .._names import check_serial
from .._plan import Outcome, Plan, Step
from .cached import here
from .places import Places
from .wanted import Wanted, assigned


def apply(options: t.Mapping[str, t.Any], check_mode: bool, places: Places) -> Outcome:
    """Have the root that is meant booted next, or in check mode say what that would take.

    :raises StatelessError: it cannot be done; what runs is as it was, and so is what is booted next.
    """
    found = here(places, Silent(True), urls=options["urls"], limit=options["limit"])
    machine = found.cached()
    now = machine.look()
    back, again = options["rollback"], options["again"]
    wanted = Wanted(_back(found, now, options)) if back else _wanted(found, options, places)
    image, own = wanted.image, wanted.own(machine.arguments)
    # a root that is rolled back to is here, whatever was decided of it before
    staged = stage.foreseen(machine, image, again=again or back, own=own)
    said = decisions.load(found.places.decisions)
    before = say.described(now, said)
    done = staged

    def act() -> None:
        nonlocal done
        done = stage.rollback(machine, image) if back else stage.stage(machine, image, again=again, own=own)

    name = f"{image[0]} {image[1]}"
    other = found.running == image and found.needs_restart(image, own)
    texts = {
        Way.CANCEL: f"take back the root on trial: boot {name} next",
        Way.ENTRY: f"boot {name} next{', with other kernel arguments' if other else ''}",
        Way.MAKE: f"fetch {name}, and boot it next",
    }
    steps = [Step(texts[staged.way], act)] if staged.way is not Way.NOTHING else []
    plan = Plan(_next(before), {"next": {"protosystem": image[0], "serial": image[1]}}, steps)
    if not check_mode:
        plan.act()
        after = say.described(machine.look(), said)
    else:
        after = before
    result = {
        "root": {"protosystem": image[0], "serial": image[1]},
        "reboot_required": found.needs_restart(image, own),
        "fetched": done.fetched,
        "removed": [{"protosystem": one[0], "serial": one[1]} for one in done.removed],
        **after,
    }
    return Outcome(plan, result)


def _wanted(found: Here, options: t.Mapping[str, t.Any], places: Places) -> Wanted:
    if options["serial"] is None:
        return assigned(places)
    return Wanted((found.protosystem(options["protosystem"]), check_serial("serial", options["serial"])))


def _back(found: Here, now: Situation, options: t.Mapping[str, t.Any]) -> Image:
    """The root that is rolled back to: the one that is named, or what a task before this one has chosen."""
    if options["serial"] is not None:
        return stage.older(now, (found.protosystem(options["protosystem"]), check_serial("serial", options["serial"])))
    coming = following(now.entries)
    chosen = coming.image if coming is not None and coming.image != now.running else None
    held = decisions.load(found.places.decisions).held
    return chosen if chosen is not None and held == now.running else stage.older(now, None)


def _next(said: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What is booted next, of what is on the disk."""
    roots = [root for root in said["roots"] if root["next"]]
    return {"next": {name: root[name] for root in roots for name in ("protosystem", "serial")}}


def info(options: t.Mapping[str, t.Any], places: Places) -> dict[str, t.Any]:
    """What is on the disk, and, if asked, which blocks of the roots differ from what was published.

    :raises StatelessError: this machine is no caching client.
    """
    found = here(places, Silent(True))
    machine = found.cached()
    now = machine.look()
    said = say.described(now, decisions.load(found.places.decisions))
    if options["verify"] is None:
        return said
    name = found.protosystem(None)
    serials = options["verify"] or [root.serial for root in now.complete() if root.protosystem == name]
    verified = []
    for serial in serials:
        image = name, check_serial("verify", serial)
        if now.roots.get(image) is None:
            raise InvalidValue("verify", serial, f"there is no root {name} {serial} on this machine's disk")
        checked = check.verify(machine, image, mend=False)
        verified.append(
            {"protosystem": image[0], "serial": serial, "blocks": checked.blocks, "differing": checked.differing}
        )
    return {**said, "verified": verified}
