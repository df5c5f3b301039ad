# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove a serial, and exactly what no other serial needs.

Packs are rewritten beside, frame by frame, without decompressing: a frame stays if any content in it is needed. Then
the other manifests are switched to the new packs, each by a rename, and what nothing names any more is removed. A run
that is killed leaves serials that work, and the next run finishes.
"""

from __future__ import annotations

import dataclasses
import os
import typing as t

from .. import _files
from .._errors import NotFound
from .._room import room_for
from .index import Index
from .known import Known
from .manifest import PackFile, file_name
from .needs import Needs
from .pack import Frame, Table
from .packing import write_pack
from .place import Place
from .values import damaged

Sign = t.Callable[[bytes], bytes]


def remove(place: Place, serial: int, sign: Sign) -> None:
    """Remove *serial*. Clients that are still on it come to any other.

    :arg sign: makes the files of the other manifests' texts.
    :raises NotFound: it is not published.
    """
    place.make_private()
    manifests = place.manifests()
    if manifests.pop(serial, None) is None:
        raise NotFound(f"blocks of {place.protosystem} {serial} are not published")
    place.keep_contents(place.contents(place.manifests().values()))
    _files.write(place.untidy, "", 0o600)
    _files.remove(os.path.join(place.public, file_name(serial)))
    tidy(place, sign)


def tidy(place: Place, sign: Sign) -> None:
    """Remove what no serial needs, whoever left it."""
    place.make_private()
    manifests = place.manifests()
    packs = {pack.file: pack for one in manifests.values() for pack in one.packs}
    tables = {name: place.table(pack) for name, pack in packs.items()}
    contents = place.contents(manifests.values())
    needed = frames_needed(contents, tables, (place.index(one) for one in manifests.values()))
    instead = {name: _rewritten(place, pack, tables[name], needed.get(name, [])) for name, pack in packs.items()}
    switch(place, instead, (), sign)
    _files.remove(place.untidy)


def switch(place: Place, instead: t.Mapping[str, PackFile | None], more: t.Sequence[PackFile], sign: Sign) -> None:
    """Let manifests name other packs, and remove what none names any more.

    :arg instead: for names of packs, what holds the same, or all of it that is needed; None: nothing is.
    :arg more: packs that are new.
    """
    manifests = place.manifests()
    contents = place.contents(manifests.values())
    packs = {pack.file: pack for one in manifests.values() for pack in one.packs}
    new = {name: instead.get(name, pack) for name, pack in packs.items()}
    there = {pack.file: pack for pack in (*new.values(), *more) if pack is not None}
    tables = {name: place.table(pack) for name, pack in there.items()}
    for one in manifests.values():
        own = frames_needed(contents, tables, [place.index(one)])
        step = one.step()
        stepping = new[step.file] if step is not None else None
        named = {name: dataclasses.replace(there[name], step=False) for name in own}
        if stepping is not None:
            named[stepping.file] = dataclasses.replace(stepping, step=True)
        switched = tuple(pack for _name, pack in sorted(named.items()))
        if switched != one.packs:
            place.write_manifest(dataclasses.replace(one, packs=switched), sign)
    _forget(place, contents, tables)
    for path in place.leftovers(place.manifests()):
        _files.remove(path)


def frames_needed(contents: int, tables: t.Mapping[str, Table], indexes: t.Iterable[Index]) -> dict[str, list[Frame]]:
    """The frames that volumes with these indexes need, by pack."""
    needs = Needs(contents, tables)
    for one in indexes:
        needs.add(one)
    return needs.frames()


def _rewritten(place: Place, of: PackFile, table: Table, keep: t.Sequence[Frame]) -> PackFile | None:
    """The pack with the frames *keep* alone; the same, if that is all; None: nothing is left of it."""
    delta = place.delta(of)
    if len(keep) == len(table.frames):
        return of
    if not keep and delta is None:
        return None
    serial = int(of.file.partition("-")[0])
    with room_for(f"the rewritten pack {of.file}", place.public):
        made = write_pack(place.public, serial, keep, delta, _frames(place, of, keep))
    os.rename(made.path, os.path.join(place.public, made.name))
    _files.sync_directory(place.public)
    first, end = made.bounds()
    return PackFile(made.name, made.size, made.head, made.sha256, first, end, of.step)


def _frames(place: Place, of: PackFile, keep: t.Sequence[Frame]) -> t.Iterator[bytes]:
    """The compressed frames *keep* of a pack."""
    for frame in keep:
        data = place.read(of.file, frame.offset, frame.size)
        if len(data) != frame.size:
            raise damaged(of.file, "it is truncated")
        yield data


def _forget(place: Place, contents: int, tables: t.Mapping[str, Table]) -> None:
    """Contents that are in no pack must not be found by whoever publishes next."""
    lost = bytearray(b"\1" * contents)
    for table in tables.values():
        for frame in table.frames:
            for first, count in frame.holds:
                lost[first : first + count] = bytes(count)
    with Known(place.private, contents, 0) as known:
        start = lost.find(1)
        while start >= 0:
            end = lost.find(0, start)
            end = contents if end < 0 else end
            known.forget([(start, end - start)])
            start = lost.find(1, end)
