# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An LVM snapshot volume as an administrator wants it: present, absent, or merged into its origin.

:func:`plan` looks at a volume group as it was read and says what to do; it changes nothing. How LVM behaves was
tried with LVM 2.03.16, where lvcreate(8), lvconvert(8) and lvmthin(7) do not say.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from .._errors import InUse, InvalidValue, NotFound
from .._plan import Outcome, Plan, Step
from . import lvm
from .lvm_report import LogicalVolume, VolumeGroup
from .lvm_snapshot_found import describe, merge_waits
from .lvm_snapshot_rules import (
    Wanted,
    check,
    check_closed,
    check_cow_active,
    check_free,
    check_origin,
    check_pool,
    check_same,
    cow_size,
    kind_of,
    largest_cow,
    no_thin_size,
)
from .lvm_values import check_new_name, show_size


@dataclasses.dataclass(frozen=True)
class Planned:
    """A plan, and the volume group as it will be when the plan is done."""

    plan: Plan
    group: VolumeGroup
    warnings: t.Sequence[str] = ()


def work(wanted: Wanted, check_mode: bool) -> Outcome:
    """Bring the snapshot into the wanted state (not in *check_mode*) and say what it came to."""
    check(wanted)
    planned = plan(lvm.read(wanted.vg), wanted)
    group = planned.group
    if planned.plan.changed and not check_mode:
        planned.plan.act()
        group = lvm.read(wanted.vg)
    volume = group.get(wanted.name)
    snapshot = None if volume is None else describe(group, volume)
    pending = volume is not None and merge_waits(group, volume)
    result = {"snapshot": snapshot, "merging": volume is not None and volume.merging, "reboot_required": pending}
    return Outcome(planned.plan, result, planned.warnings)


# -- planning


def plan(group: VolumeGroup, wanted: Wanted) -> Planned:
    """What to do so that *group* has the *wanted* snapshot; *wanted* has passed :func:`check`.

    :raises StatelessError: it cannot be done; the message says why.
    """
    origin = None if wanted.origin is None else group.get(wanted.origin)
    if wanted.origin is not None and origin is None and wanted.state != "absent":
        raise NotFound(f"origin: there is no logical volume {wanted.origin} in the volume group {wanted.vg}")
    current = group.get(wanted.name)
    if current is not None:
        check_same(current, wanted)
    if wanted.state == "absent":
        return _absent(group, current)
    if wanted.state == "merged":
        return _merged(group, current)
    if origin is None:
        raise InvalidValue("origin", wanted.origin, "say which volume it is to be a snapshot of")
    if current is None:
        return _created(group, origin, wanted)
    if current.merging:
        raise InUse(f"{current.full_name} is being merged into {origin.full_name} and cannot be kept: use another name")
    if current.invalid:
        return _replaced(group, origin, current, wanted)
    return _changed(group, origin, current, wanted)


def _created(group: VolumeGroup, origin: LogicalVolume, wanted: Wanted) -> Planned:
    kind = wanted.kind or ("thin" if origin.is_thin else "cow")
    check_origin(group, origin, kind)
    tags = tuple(sorted(set(wanted.tags or ())))
    new = LogicalVolume(
        *(wanted.vg, wanted.name, "", origin.size),
        origin=origin.name,
        tags=tags,
        read_only=bool(wanted.read_only),
    )
    if kind == "thin":
        if wanted.size is not None:
            raise no_thin_size(wanted)
        check_pool(group, origin, wanted)
        new = dataclasses.replace(
            new,
            pool=origin.pool,
            layout=origin.layout,
            roles=frozenset(("public", "snapshot", "thinsnapshot")),
            active=bool(wanted.active),
            # as LVM itself: a thin snapshot is not meant to appear at every boot
            activation_skip=wanted.activation_skip is not False,
            data_percent=origin.data_percent if wanted.active else None,
        )
        size = None
    else:
        check_new_name("name", wanted.vg, wanted.name, cow=True)
        size = cow_size(group, origin, wanted)
        check_cow_active(origin, wanted)
        check_free(group, wanted, size)
        new = dataclasses.replace(
            new,
            size=size,
            roles=frozenset(("public", "snapshot", "thicksnapshot")),
            active=origin.active,
            activation_skip=bool(wanted.activation_skip),
            data_percent=0.0 if origin.active else None,
        )
    create = functools.partial(lvm.create_snapshot, wanted.vg, origin.name, wanted.name, size=size, tags=tags)
    options = {"read_only": new.read_only, "active": new.active, "activation_skip": new.activation_skip}
    text = f"create the {kind} snapshot {new.full_name} of {origin.name}"
    made = Plan({}, {new.full_name: _properties(new)}, [Step(text, functools.partial(create, **options))])
    return Planned(made, _with(group, new))


def _replaced(group: VolumeGroup, origin: LogicalVolume, current: LogicalVolume, wanted: Wanted) -> Planned:
    """An invalid COW snapshot: its content is lost, so nothing but removing it helps."""
    if not wanted.replace_invalid:
        warning = (
            f"the snapshot {current.full_name} was full and has become invalid: its content is lost. "
            "Remove it, or set replace_invalid to take a new one."
        )
        return Planned(Plan({}, {}), group, [warning])
    check_closed(current, "replaced")
    # As if it had not been there: a run that is killed in between and the next one come to the same.
    wanted = dataclasses.replace(wanted, kind="cow")
    without = dataclasses.replace(_with(group, None, current.name), free=group.free + current.size)
    created = _created(without, origin, wanted)
    remove = Step(f"remove the invalid snapshot {current.full_name}", functools.partial(_remove, current))
    before = {current.full_name: {**_properties(current), "valid": False}}
    after = {current.full_name: {**created.plan.after[current.full_name], "valid": True}}
    return dataclasses.replace(created, plan=_difference(before, after, [remove, *created.plan.steps]))


def _changed(group: VolumeGroup, origin: LogicalVolume, current: LogicalVolume, wanted: Wanted) -> Planned:
    steps: list[Step] = []
    new = current

    def step(text: str, function: t.Callable[..., object], *arguments: t.Any, **options: t.Any) -> None:
        steps.append(Step(text, functools.partial(function, current.vg, current.name, *arguments, **options)))

    if wanted.tags is not None and set(wanted.tags) != set(current.tags):
        new = dataclasses.replace(new, tags=tuple(sorted(set(wanted.tags))))
        add, drop = sorted(set(new.tags) - set(current.tags)), sorted(set(current.tags) - set(new.tags))
        text = " and ".join([f"add the tag {tag}" for tag in add] + [f"remove the tag {tag}" for tag in drop])
        step(text, lvm.change, add_tags=add, remove_tags=drop)
    if wanted.activation_skip is not None and wanted.activation_skip != current.activation_skip:
        new = dataclasses.replace(new, activation_skip=wanted.activation_skip)
        text = "set the activation skip flag" if wanted.activation_skip else "clear the activation skip flag"
        step(text, lvm.change, activation_skip=wanted.activation_skip)
    if wanted.read_only is not None and wanted.read_only != current.read_only:
        if wanted.read_only:
            check_closed(current, "made read-only")
        new = dataclasses.replace(new, read_only=wanted.read_only)
        step("make it read-only" if wanted.read_only else "make it writable", lvm.change, read_only=wanted.read_only)
    if current.is_cow and wanted.size is not None:
        size = cow_size(group, origin, wanted)
        if size < min(current.size, largest_cow(group, origin)):
            reason = f"{current.full_name} has {show_size(current.size)}, and LVM cannot shrink a snapshot"
            raise InvalidValue("size", wanted.size, f"{reason}: leave size out, or give at least that")
        if size > current.size:
            check_free(group, wanted, size - current.size)
            new = dataclasses.replace(new, size=size)
            step(f"grow it from {show_size(current.size)} to {show_size(size)}", lvm.extend, size)
    if current.is_cow:
        check_cow_active(origin, wanted)
    elif wanted.active is not None and wanted.active != current.active:
        if not wanted.active:
            check_closed(current, "deactivated")
        new = dataclasses.replace(new, active=wanted.active)
        step("activate it" if wanted.active else "deactivate it", lvm.activate if wanted.active else lvm.deactivate)
    before, after = {current.full_name: _properties(current)}, {current.full_name: _properties(new)}
    return Planned(_difference(before, after, steps), _with(group, new))


def _absent(group: VolumeGroup, current: LogicalVolume | None) -> Planned:
    if current is None:
        return Planned(Plan({}, {}), group)
    if current.merging:
        raise InUse(f"{current.full_name} is being merged into {current.origin} and cannot be removed")
    check_closed(current, "removed")
    # lvremove --yes would take them along
    dependent = [one.name for one in group.volumes.values() if one.origin == current.name and one.is_cow]
    if dependent or current.roles & {"extthinorigin", "multiextthinorigin"}:
        others = ", ".join(sorted(dependent)) or "thin volumes, whose external origin it is"
        raise InUse(f"{current.full_name} cannot be removed: {others} would be lost with it")
    remove = Step(f"remove the snapshot {current.full_name}", functools.partial(_remove, current))
    made = Plan({current.full_name: _properties(current)}, {}, [remove])
    return Planned(made, _with(group, None, current.name))


def _merged(group: VolumeGroup, current: LogicalVolume | None) -> Planned:
    # a snapshot that is not there was merged, or there is nothing to merge: a merge leaves no trace
    if current is None or current.merging:
        return Planned(Plan({}, {}), group)
    if current.invalid:
        raise InUse(f"{current.full_name} cannot be merged: it was full and has become invalid, its content is lost")
    origin = group.get(current.origin)
    if origin is None:
        raise NotFound(f"{current.full_name} cannot be merged: its origin {current.origin} is gone")
    siblings = [one for one in group.snapshots_of(origin.name) if one.name != current.name]
    for one in siblings:
        if one.merging:
            raise InUse(f"{current.full_name} cannot be merged: {one.name} is being merged into {origin.name} already")
    merge = functools.partial(lvm.merge, current.vg, current.name)
    waits = origin.open or current.open or (current.is_cow and not origin.active)
    if waits:
        text = f"merge {current.full_name} into {origin.name} when that is activated next"
        marked = dataclasses.replace(current, merging=True, hidden=True)
        difference = {current.full_name: {"merging": False}}, {current.full_name: {"merging": True}}
        return Planned(Plan(*difference, [Step(text, merge)]), _with(group, marked), _warn(current, siblings))
    text = f"merge {current.full_name} into {origin.name}"
    before = {current.full_name: _properties(current), origin.full_name: "content of its own"}
    after = {origin.full_name: f"content of {current.name}"}
    return Planned(Plan(before, after, [Step(text, merge)]), _with(group, None, current.name), _warn(current, siblings))


def _warn(current: LogicalVolume, siblings: t.Sequence[LogicalVolume]) -> list[str]:
    """What a merge does to the other snapshots of the origin."""
    warnings = []
    thin = [one.name for one in siblings if one.is_thin and current.is_thin]
    if thin:
        text = "they keep their content, but LVM will no longer know them as its snapshots"
        warnings.append(f"{current.origin} has other snapshots ({', '.join(thin)}): {text}.")
    cow = [one.name for one in siblings if one.is_cow and current.is_cow]
    if cow:
        text = "the merge writes to the origin, which fills them; one that is full becomes invalid"
        warnings.append(f"{current.origin} has other snapshots ({', '.join(cow)}): {text}.")
    return warnings


# -- values


def _properties(volume: LogicalVolume) -> dict[str, t.Any]:
    """What diff mode shows of a snapshot."""
    shown: dict[str, t.Any] = {
        "origin": volume.origin,
        "kind": kind_of(volume),
        "tags": list(volume.tags),
        "read_only": volume.read_only,
        "active": volume.active,
        "activation_skip": volume.activation_skip,
    }
    if volume.is_cow:
        shown["size"] = show_size(volume.size)
    return shown


def _difference(before: t.Any, after: t.Any, steps: t.Sequence[Step]) -> Plan:
    """A plan that shows only what differs of one snapshot."""
    ((name, old),), ((_same, new),) = before.items(), after.items()
    differ = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    if not steps:
        return Plan({}, {})
    return Plan({name: {key: old[key] for key in differ}}, {name: {key: new[key] for key in differ}}, steps)


def _with(group: VolumeGroup, volume: LogicalVolume | None, without: str = "") -> VolumeGroup:
    """*group* with *volume*, new or instead of the one of that name, and without the volume *without*."""
    volumes = {name: one for name, one in group.volumes.items() if name != without}
    if volume is not None:
        volumes[volume.name] = volume
    return dataclasses.replace(group, volumes=volumes)


def _remove(snapshot: LogicalVolume) -> None:
    lvm.remove(snapshot.vg, snapshot.name)
