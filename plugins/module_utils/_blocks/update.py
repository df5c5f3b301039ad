# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a volume to a serial: look it up, plan, apply, and check it as a whole."""

from __future__ import annotations

import dataclasses
import typing as t

from .. import _files
from . import choose, index, manifest, pack, tree
from .apply import Applying
from .choose import Packs, Plan
from .fetch import FetchFailed, Site
from .held import Held, Holder
from .index import Index, Run
from .local import Local, Root
from .manifest import Manifest, PackFile
from .pack import Table
from .signature import verify
from .values import MAX_MANIFEST, damaged, sha256
from .volume import Volume


@dataclasses.dataclass
class Wanted:
    """What a serial's manifest led to."""

    manifest: Manifest
    index: Index
    changes: t.Sequence[Run]
    plan: Plan


@dataclasses.dataclass
class Update:
    """Bring *target* from *own* to *serial*.

    :arg own: the root that the client has, and its *volume*, of which the target is a writable copy; None: there is
        none, and the target reads as zeros.
    :arg check: raises if a manifest may not be believed: (its name, text, signatures).
    """

    site: Site
    local: Local
    serial: int
    own: Root | None
    volume: Volume | None
    check: t.Callable[[str, bytes, t.Sequence[bytes]], None]

    def run(self, target: Volume, spool: str, *, resumed: bool = False) -> Root:
        """All of it: :meth:`look_up`, :meth:`plan`, :meth:`apply`.

        If packs were rewritten meanwhile, what the manifest named is gone: it is looked up again, once.
        """
        found = self.look_up()
        try:
            return self.apply(self.plan(found), target, spool, resumed=resumed)
        except FetchFailed as error:
            again = self.look_up() if error.gone else found
            if again == found:
                raise
        return self.apply(self.plan(again), target, spool)

    def look_up(self) -> Manifest:
        """The manifest of the serial.

        :raises Damaged: it cannot be believed, or used.
        """
        name = manifest.file_name(self.serial)
        text, signatures = manifest.split(name, self.site.get(name, MAX_MANIFEST))
        self.check(name, text, signatures)
        return manifest.decode(name, text, self.local.protosystem, self.serial)

    def plan(self, found: Manifest) -> Wanted:
        """What to do. Nothing is written yet."""
        before = self.own.index if self.own else Index.empty(0)
        self._holder = Holder(before, self.volume) if self.volume is not None and self.own is not None else None
        packs = Packs(found.packs, lambda one: head(self.site, found, one)[0])
        step = found.step()
        if step is not None and self.own is not None and self.own.manifest.serial == found.parent:
            table, delta = head(self.site, found, step)
            if delta is None:
                raise damaged(step.file, "it has no index delta, and the manifest says that it has")
            packs.have(step, table)
            blocks, changes = index.decode_changes(step.file, delta, found.contents)
            if blocks != found.blocks:
                raise damaged(step.file, f"its delta is of a volume of {blocks} blocks, the manifest of {found.blocks}")
            after = before.changed(blocks, changes)
        else:
            after = self._index(found)
            changes = list(choose.difference(before, after))
        plan = choose.plan(manifest.file_name(self.serial), changes, self._held, packs)
        return Wanted(found, after, changes, plan)

    def apply(self, wanted: Wanted, target: Volume, spool: str, *, resumed: bool = False) -> Root:
        """Do it, check the whole, and remember it.

        :arg spool: a directory for contents that are needed on the way alone.
        :arg resumed: *target* is what an interrupted run wrote to, and nobody else since.
        :raises Damaged: something is not what the manifest says; *target* is then of no use.
        """
        what = manifest.file_name(self.serial)
        target.resize(wanted.manifest.blocks)
        digests = self.local.digests()
        try:
            plan = self._identity(wanted)
            done = self.local.progress(self.serial, plan) if resumed else 0
            Applying(what, wanted.plan, target, self._holder, digests, self.site, spool).run(
                done, lambda frames: self.local.keep_progress(self.serial, plan, frames)
            )
            target.sync()
            pages = bytearray(self.own.pages) if self.own else bytearray()
            before = self.own.index.blocks if self.own else 0
            tree.update(pages, before, wanted.index, digests.get, wanted.changes)
            if tree.root(wanted.manifest.blocks, bytes(pages)).hex() != wanted.manifest.root:
                raise damaged(what, "what was applied does not have the digest that it says")
            digests.sync()
        finally:
            digests.close()
        root = Root(wanted.manifest, wanted.index, pages)
        self.local.keep(root)
        _files.remove(self.local.path(self.serial, "progress"))
        return root

    def _identity(self, wanted: Wanted) -> str:
        """What tells one plan from another: the manifest, and where from."""
        own = self.own.manifest.root if self.own else ""
        return sha256(manifest.encode(wanted.manifest) + own.encode()).hexdigest()

    def _held(self) -> Held:
        return self._holder.held if self._holder is not None else Held(Index.empty(0))

    def _index(self, found: Manifest) -> Index:
        data = self.site.get(found.index.file, found.index.size)
        if sha256(data).hexdigest() != found.index.sha256:
            raise damaged(found.index.file, "its digest is not what the manifest says")
        whole = index.decode(found.index.file, data, found.contents)
        if whole.blocks != found.blocks:
            raise damaged(found.index.file, f"it is of {whole.blocks} blocks, the manifest of {found.blocks}")
        return whole


def head(site: Site, found: Manifest, of: PackFile) -> tuple[Table, bytes | None]:
    """Fetch the head of a pack that a manifest names: its table, and its delta if it has one.

    :raises Damaged: it is not what the manifest says.
    """
    with site.stream(of.file, 0, of.head) as stream:
        data = stream.read(of.head)
    if sha256(data).hexdigest() != of.sha256:
        raise damaged(of.file, "the digest of its head is not what the manifest says")
    table, delta = pack.split_head(of.file, data)
    return pack.decode_table(of.file, table, found.contents, of.head), delta


def trusting(protosystem: str, trusted: str) -> t.Callable[[str, bytes, t.Sequence[bytes]], None]:
    """A check by the keys in the file *trusted*: :func:`.signature.verify`."""
    return lambda what, text, signatures: verify(what, text, signatures, protosystem, trusted)
