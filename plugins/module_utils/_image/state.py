# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules image and image_info do: plan under the lock, then act."""

from __future__ import annotations

import dataclasses
import functools
import os
import time
import typing as t

from .._boot import arguments, ipxe
from .._errors import InvalidValue
from .._files import read, restore, write
from .._names import check_name, check_serial
from .._plan import Outcome, Plan, Step
from .._protosystem import record as records
from .._snapshot import manifest as snapshots
from .._snapshot.take import timestamp
from .._volumes.choose import open_store
from . import blocks, blocks_kept, channels, exports, follow, leftovers, manifest, ram, share
from .build import Building, script
from .follow import NOBODY
from .kernel import choose
from .manifest import FORMATS, Image

if t.TYPE_CHECKING:
    from .._server import Server
    from .._snapshot.manifest import Snapshot
    from .._volumes.store import Store
    from .follow import Follower, Following


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The options of the module image that say what is to be."""

    serial: int
    #: formats that are to be published; others that are published stay
    formats: t.Sequence[str] = ()
    #: the channel that is to point at the image
    channel: str | None = None
    #: the image's own kernel arguments; None: as they are
    kernel_arguments: t.Sequence[str] | None = None
    ram: ram.Ram = dataclasses.field(default_factory=ram.Ram)
    #: how small the packs of the format blocks are to be, ``default`` or ``thorough``; None: as they are
    blocks_level: str | None = None
    #: seconds to wait for the lock
    lock_timeout: float = 60.0


def present(server: Server, protosystem: str, wanted: Wanted, check: bool, follower: Follower = NOBODY) -> Outcome:
    """Publish a snapshot, then point a channel at it.

    :arg follower: who says the same elsewhere.
    """
    check_name("protosystem", protosystem)
    check_serial("serial", wanted.serial)
    if wanted.channel is not None:
        check_name("channel", wanted.channel)
    if wanted.kernel_arguments is not None:
        arguments.check_arguments("kernel_arguments", wanted.kernel_arguments)
    with records.changing(server, protosystem, wanted.lock_timeout):
        if check and wanted.formats and wanted.serial == snapshots.last_serial(server, protosystem) + 1:
            return _expected(server, protosystem, wanted, follower)
        snapshot = snapshots.get(server, protosystem, wanted.serial)
        before = manifest.find(server, protosystem, wanted.serial)
        missing = [name for name in FORMATS if name in wanted.formats and not (before and name in before.formats)]
        had = _kernel_arguments(server, before)
        extra = had if wanted.kernel_arguments is None else list(wanted.kernel_arguments)
        # read before anything is looked at that takes long
        meant = follower.channels(protosystem)
        image, building = _building(server, snapshot, wanted, before, missing, extra)
        nfs = "nfs" in image.formats
        pointing = _point(server, protosystem, wanted, image, meant, follower)
        warnings = [*pointing.warnings, *_lost(server, protosystem, wanted.channel, image)]
        following = pointing.following

        store = open_store(server)
        steps = [*following.first]
        steps += leftovers.plan(server, store, protosystem, wanted.serial if nfs else None, warnings)
        sharing = share.plan_shared(server, store, snapshot) if nfs else []
        if sharing and "nfs" in missing:
            sharing[0] = dataclasses.replace(sharing[0], undo=lambda: _unshare(server, store, protosystem, wanted))
        steps += sharing
        steps += building.plan() if building else []
        steps += _plan_scripts(server, before, extra)
        steps += blocks_kept.plan_arguments(server, before, extra)
        # what takes minutes comes last: clients do not wait for it
        planned, smaller = blocks_kept.plan_level(server, store, image, wanted.blocks_level)
        steps += [*following.come, *pointing.steps, *following.go, *smaller]
        after = pointing.after
        plan = Plan(
            _state(before, had, pointing.before, after, wanted.channel),
            _state(planned, extra, after, pointing.before, wanted.channel),
            tuple(steps),
        )
        plan = following.around(plan)
        if not check:
            plan.act()
            planned = manifest.get(server, protosystem, wanted.serial)
        result = described(server, planned, after, extra, planned=nfs)
    return Outcome(plan, {"image": result, "channels": after}, tuple(dict.fromkeys(warnings)))


def _expected(server: Server, protosystem: str, wanted: Wanted, follower: Follower) -> Outcome:
    """The outcome for a snapshot that does not exist because, in check mode, a task before this did not take it."""
    formats = [name for name in FORMATS if name in wanted.formats]
    made = {name: {"level": wanted.blocks_level or "default"} if name == "blocks" else {} for name in formats}
    image = Image(protosystem, wanted.serial, "", "", {}, None, made, {})
    extra = list(wanted.kernel_arguments or [])
    pointing = _point(server, protosystem, wanted, image, follower.channels(protosystem), follower)
    following = pointing.following
    publish = Step(f"publish snapshot {wanted.serial} of {protosystem} as {' and '.join(formats)}", lambda: None)
    steps = [*following.first, publish, *following.come, *pointing.steps, *following.go]
    after = pointing.after
    plan = Plan(
        _state(None, [], pointing.before, after, wanted.channel),
        _state(image, extra, after, pointing.before, wanted.channel),
        tuple(steps),
    )
    result = {"image": described(server, image, after, extra, "nfs" in formats), "channels": after}
    return Outcome(following.around(plan), result, tuple(pointing.warnings))


@dataclasses.dataclass(frozen=True)
class _Pointing:
    """What becomes of the channels, and what a follower does about all of it."""

    #: where the pointer files point, and will
    before: t.Mapping[str, int]
    after: dict[str, int]
    steps: t.Sequence[Step]
    following: Following
    warnings: t.Sequence[str]


def _point(
    server: Server,
    protosystem: str,
    wanted: Wanted,
    image: Image,
    meant: t.Mapping[str, int],
    follower: Follower,
) -> _Pointing:
    """Have the channels point where they are meant to, and *wanted.channel* at *image*, which will be published."""
    images = {**follow.images(server, protosystem), image.serial: image}
    pointers = channels.channels(server, protosystem)
    meant = {**pointers, **meant}
    if wanted.channel is not None:
        meant[wanted.channel] = image.serial
    after, warnings = channels.settled(protosystem, pointers, meant, images)
    following = follower.plan(follow.published(server, protosystem, images, meant))
    return _Pointing(pointers, after, channels.plan_all(server, protosystem, after), following, warnings)


def _unshare(server: Server, store: Store, protosystem: str, wanted: Wanted) -> None:
    for step in share.plan_unshared(server, store, protosystem, wanted.serial):
        step.act()


def _building(
    server: Server,
    snapshot: Snapshot,
    wanted: Wanted,
    before: Image | None,
    missing: t.Sequence[str],
    extra: t.Sequence[str],
) -> tuple[Image, Building | None]:
    """The image as it will be, and what has to be built for that; everything that can be refused is refused here."""
    if before is None and not missing:
        raise InvalidValue(
            "formats",
            list(wanted.formats),
            f"snapshot {wanted.serial} of {snapshot.protosystem} is not published yet, so say which formats it is to "
            f"have: {', '.join(FORMATS)}",
        )
    if before is not None and "ram" in before.formats:
        wanted.ram.check_made(before.formats["ram"])
    if before is not None and not missing:
        return before, None
    formats: dict[str, dict[str, t.Any]] = {}
    if "nfs" in missing:
        exports.check_possible(server)
        formats["nfs"] = {"path": server.snapshot_mount(snapshot.protosystem, snapshot.serial)}
    if "ram" in missing:
        wanted.ram.check()
        formats["ram"] = {"file": ram.file_name(wanted.ram.settings), **wanted.ram.settings}
    kernel = None
    if before is None or "blocks" in missing:
        with snapshots.view_snapshot(server, snapshot) as tree:
            kernel = choose(tree, snapshot)
    publication = None
    if kernel is not None and "blocks" in missing:
        publication = blocks.Publication(server, snapshot, kernel, extra)
        publication.check()
        formats["blocks"] = publication.said
    if kernel is not None and before is None:
        image = Image(
            protosystem=snapshot.protosystem,
            serial=snapshot.serial,
            created=timestamp(time.time_ns()),
            kernel=kernel.version,
            os=snapshot.os,
            digest=snapshot.digest,
            formats=formats,
            files={},
        )
    elif before is not None:
        image = dataclasses.replace(before, formats={**before.formats, **formats})
    return image, Building(server, snapshot, image, missing, kernel if before is None else None, extra, publication)


def _lost(server: Server, protosystem: str, channel: str | None, image: Image) -> list[str]:
    """A warning if clients of *channel* boot a format that *image* has not."""
    pointed = None if channel is None else channels.channels(server, protosystem).get(channel)
    old = None if pointed is None else manifest.find(server, protosystem, pointed)
    lost = [name for name in (old.formats if old else ()) if name not in image.formats]
    if not lost or old is None:
        return []
    what = f"serial {image.serial} of {protosystem} is not published as {' or '.join(lost)}, but serial {old.serial} is"
    return [f"{what}: clients of the channel {channel} that boot so find nothing any more"]


def _kernel_arguments(server: Server, image: Image | None) -> list[str]:
    """The kernel arguments that the boot scripts of *image* have beyond their own."""
    if image is None:
        return []
    for image_format in image.formats:
        directory = server.image(image.protosystem, image.serial)
        found = ipxe.kernel_arguments(read(os.path.join(directory, manifest.script_name(image_format))) or "")
        if found is not None:
            return found
    return []


def _plan_scripts(server: Server, image: Image | None, extra: t.Sequence[str]) -> list[Step]:
    """The steps by which the boot scripts of a published image are as they should be."""
    if image is None:
        return []
    steps = []
    for image_format in image.formats:
        path = os.path.join(server.image(image.protosystem, image.serial), manifest.script_name(image_format))
        text = script(server, image, image_format, extra)
        had = read(path)
        if had != text:
            undo = functools.partial(restore, path, had)
            steps.append(Step(f"write {path}", functools.partial(write, path, text), undo))
    return steps


def _state(
    image: Image | None,
    extra: t.Sequence[str],
    pointers: t.Mapping[str, int],
    others: t.Mapping[str, int],
    channel: str | None,
) -> dict[str, t.Any]:
    """What diff mode shows of one side; *others*: the channels of the other."""
    shown: dict[str, t.Any] = {}
    if image is not None:
        level = {"blocks_level": image.formats["blocks"].get("level")} if "blocks" in image.formats else {}
        formats = sorted(image.formats)
        shown["image"] = {"serial": image.serial, "formats": formats, "kernel_arguments": list(extra), **level}
    moved = {name: serial for name, serial in pointers.items() if name == channel or others.get(name) != serial}
    return {**shown, **({"channels": moved} if moved else {})}


def described(
    server: Server,
    image: Image,
    pointers: t.Mapping[str, int],
    extra: t.Sequence[str] | None = None,
    planned: bool = False,
) -> dict[str, t.Any]:
    """An image as modules return it.

    :arg planned: it will be mounted and exported, even if it is not yet (check mode).
    """
    where = server.snapshot_mount(image.protosystem, image.serial)
    return {
        **image.as_dict(),
        "kernel_arguments": list(_kernel_arguments(server, image) if extra is None else extra),
        "channels": sorted(name for name, serial in pointers.items() if serial == image.serial),
        "mounted": planned or share.is_mounted(where),
        "exported": planned or exports.is_exported(where),
        "clients": sorted(share.users(server, image.protosystem, image.serial).values()),
    }


def information(server: Server, protosystem: str, serial: int | None) -> dict[str, t.Any]:
    """The images of a protosystem, or one of them (none if it is not published), and all its channels."""
    check_name("protosystem", protosystem)
    records.get(server, protosystem)
    pointers = channels.channels(server, protosystem)
    images = [manifest.get(server, protosystem, one) for one in manifest.serials(server, protosystem)]
    found = [described(server, image, pointers) for image in images if serial in (None, image.serial)]
    return {"images": found, "channels": pointers}
