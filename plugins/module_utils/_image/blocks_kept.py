# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks that are published: signed by the keys that there are, made smaller, withdrawn; and what killed runs left."""

from __future__ import annotations

import dataclasses
import functools
import os
import typing as t

from .._blocks import keys, retain
from .._blocks.improve import Improving
from .._blocks.manifest import file_name
from .._blocks.packing import LEVELS
from .._errors import InvalidValue
from .._files import read, remove, restore
from .._plan import Step
from .._snapshot.manifest import volume_name
from .._volumes.choose import open_store
from . import manifest
from .blocks import kernel_arguments, opened, own_bytes, place_of, serials

if t.TYPE_CHECKING:
    from .._blocks.place import Place
    from .._server import Server
    from .._volumes.store import Store
    from .manifest import Image


def plan_leftovers(server: Server, protosystem: str, images: t.Mapping[int, Image], warnings: list[str]) -> list[Step]:
    """The steps that clear what is there without being part of an image, and sign what other keys have signed.

    :arg images: those that are published.
    """
    place = place_of(server, protosystem)
    if not os.path.isdir(place.public):
        return []
    published = place.serials()
    wanted = [serial for serial in published if serial in images and "blocks" in images[serial].formats]
    found = keys.keys(server.keys)
    if published and not found:
        warnings.append(
            f"this server has published blocks of {protosystem} and has no key to sign with any more ({server.keys}): "
            "restore it, or apply the role stateless.linux.server, which makes one that no client trusts yet"
        )
        return []
    return _plan_cleared(place, found, wanted) + _plan_signed(place, found, wanted)


def _plan_cleared(place: Place, found: t.Sequence[keys.Key], wanted: t.Sequence[int]) -> list[Step]:
    """The steps by which there are blocks of the serials *wanted* alone."""
    rest = "the rest of a run that was killed"
    sign = keys.signing(found)
    gone = [serial for serial in place.serials() if serial not in wanted]
    if gone:
        text = f"remove the blocks of serial {{}} of {place.protosystem}, {rest}"
        return [Step(text.format(serial), functools.partial(retain.remove, place, serial, sign)) for serial in gone]
    if os.path.exists(place.untidy):
        text = f"remove blocks of {place.protosystem} that nothing needs, {rest}"
        return [Step(text, functools.partial(retain.tidy, place, sign))]
    left = place.leftovers(place.manifests())
    return [Step(f"remove {path}, {rest}", functools.partial(remove, path)) for path in left]


def _plan_signed(place: Place, found: t.Sequence[keys.Key], wanted: t.Sequence[int]) -> list[Step]:
    """The steps by which manifests are signed by all keys of the server and no others."""
    blobs = {key.blob for key in found}
    names = ", ".join(key.name for key in found)

    def sign(serial: int) -> None:
        place.write_manifest(place.manifest(serial), keys.signing(found))

    return [
        Step(f"sign the blocks of serial {serial} of {place.protosystem} by {names}", functools.partial(sign, serial))
        for serial in wanted
        if place.signers(serial) != blobs
    ]


def plan_arguments(server: Server, image: Image | None, extra: t.Sequence[str]) -> list[Step]:
    """The steps by which the manifest of a published image's blocks says these kernel arguments.

    :arg image: None: it is not published yet.
    :arg extra: the administrator's.
    """
    if image is None or "blocks" not in image.formats:
        return []
    place, serial = place_of(server, image.protosystem), image.serial
    found = place.manifest(serial)
    words = kernel_arguments(image.protosystem, serial, image.digest, extra)
    if found.boot is None or found.boot.arguments == words:
        return []
    keys.get(server.keys)
    path = os.path.join(place.public, file_name(serial))
    had = read(path)

    def act() -> None:
        now = place.manifest(serial)
        if now.boot is not None:
            said = dataclasses.replace(now, boot=dataclasses.replace(now.boot, arguments=words))
            place.write_manifest(said, keys.signing(keys.get(server.keys)))

    return [Step(f"write {path}", act, lambda: restore(path, had))]


def plan_level(server: Server, store: Store, image: Image, level: str | None) -> tuple[Image, list[Step]]:
    """The steps that make the blocks of an image smaller, once it is published, and the image afterwards.

    :arg level: ``thorough``; all else leaves them as they are.
    :raises InvalidValue: what they are compressed against is not there any more.
    """
    if level != "thorough" or image.formats.get("blocks", {}).get("level", level) == level:
        return image, []
    protosystem, serial = image.protosystem, image.serial
    there = serials(server, protosystem)
    if serial in there:
        parent = place_of(server, protosystem).manifest(serial).parent
        if parent is not None and (parent not in there or volume_name(protosystem, parent) not in store.volumes()):
            raise InvalidValue(
                "blocks_level",
                level,
                f"serial {parent} of {protosystem}, against which serial {serial} was compressed, is withdrawn",
            )
    text = f"make the blocks of serial {serial} of {protosystem} smaller"
    after = {**image.formats["blocks"], "level": level}
    # what is published already stays published if this fails
    step = Step(text, lambda: _improve(server, protosystem, serial), final=True)
    return dataclasses.replace(image, formats={**image.formats, "blocks": after}), [step]


def _improve(server: Server, protosystem: str, serial: int) -> None:
    place, store = place_of(server, protosystem), open_store(server)
    parent = place.manifest(serial).parent
    names = [volume_name(protosystem, one) for one in (serial, parent) if one is not None]
    with opened(store, *names) as (volume, *others):
        sign = keys.signing(keys.get(server.keys))
        Improving(place, serial, volume, others[0] if others else None, LEVELS["thorough"], sign).run()
    image = manifest.get(server, protosystem, serial)
    said = {**image.formats["blocks"], "level": "thorough", "new_bytes": own_bytes(place.manifest(serial))}
    manifest.store(
        server.image(protosystem, serial), dataclasses.replace(image, formats={**image.formats, "blocks": said})
    )


def plan_withdraw(server: Server, protosystem: str, serial: int) -> list[Step]:
    """The steps by which the blocks of a serial, and what no other serial needs, are gone.

    :raises NotFound: other serials would have to be signed anew, and there is no key.
    """
    if serial not in serials(server, protosystem):
        return []
    found = keys.get(server.keys)
    return [
        Step(
            f"remove the blocks of serial {serial} of {protosystem}",
            functools.partial(retain.remove, place_of(server, protosystem), serial, keys.signing(found)),
            final=True,
        )
    ]
