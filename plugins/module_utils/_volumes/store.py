# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a store of volumes can do. A driver is one file that implements :class:`Store`; nobody else knows which it is.

A store does not know what its volumes are for, and takes no locks: its user does.
"""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import typing as t

from .._errors import NotFound, StatelessError


class NoRoom(StatelessError):
    """The store has not the room for a new volume. Raised before anything was changed."""


@dataclasses.dataclass(frozen=True)
class Volume:
    """A volume of a store."""

    name: str
    #: bytes that a filesystem on it can fill
    size: int
    #: bytes that it takes in the store now, None if the store cannot say; what volumes share counts for each of them
    used: int | None
    read_only: bool
    #: False for what a killed :meth:`Store.snapshot` left: only :meth:`Store.remove` may follow
    complete: bool = True


class Store(abc.ABC):
    """Volumes by name. Sizes are bytes. Every method may raise CommandFailed besides what it says."""

    @abc.abstractmethod
    def volumes(self) -> dict[str, Volume]:
        """All volumes of the store, by name."""

    @abc.abstractmethod
    def check_create(self, size: int) -> None:
        """Raise :class:`NoRoom` or InvalidValue if a volume of *size* must not or cannot be made."""

    @abc.abstractmethod
    def create(self, name: str, size: int) -> None:
        """Make an empty volume that reads as zeros."""

    @abc.abstractmethod
    def check_snapshot(self, origin: str) -> None:
        """Raise :class:`NoRoom` if there is not enough room to copy *origin*."""

    @abc.abstractmethod
    def snapshot(self, origin: str, name: str, standstill: t.ContextManager[object]) -> None:
        """Make the read-only volume *name* with the present content of *origin*.

        :arg standstill: while it is entered, nothing is written to *origin*. For a store that does not see to that
            itself, which enters it for no longer than the copy takes.
        """

    @abc.abstractmethod
    def rename(self, old: str, new: str) -> None:
        """Rename a volume; at once, and a crash leaves the one name or the other."""

    @abc.abstractmethod
    def grow(self, name: str, size: int) -> None:
        """Make a volume larger, in use or not; the filesystem on it is the user's part."""

    @abc.abstractmethod
    def remove(self, name: str) -> None:
        """Remove a volume that is not mounted."""

    @abc.abstractmethod
    def attach(self, *names: str) -> list[str]:
        """Make volumes usable, and return the devices or files that mkfs and mount take. A second time does nothing.

        :raises NotFound: there is no such volume; nothing was done.
        """

    @abc.abstractmethod
    def detach(self, *names: str) -> None:
        """Undo :meth:`attach`; nothing happens to what is mounted, comes back by itself at boot, or is gone."""

    @contextlib.contextmanager
    def attached(self, *names: str) -> t.Iterator[list[str]]:
        """Volumes that are attached for this block, all at once; as :meth:`attach`."""
        try:
            yield self.attach(*names)
        finally:
            self.detach(*names)

    @abc.abstractmethod
    def autoactivate(self, name: str, wanted: bool) -> None:
        """Whether a volume can be mounted right after the server has booted, without :meth:`attach`."""

    @abc.abstractmethod
    def mount_source(self, name: str) -> tuple[str, tuple[str, ...]]:
        """What mount(8) takes for an attached volume: device or file, and the options that this needs."""

    @abc.abstractmethod
    def differences(self, old: str | None, new: str) -> list[tuple[int, int]] | None:
        """Where the attached volume *new* may differ from *old*, both read-only, in bytes: (offset, length), ascending.

        :arg old: attached; None: where *new* may be something else than zeros.
        :return: None: the store has no map that says so.
        """

    @abc.abstractmethod
    def devices(self, name: str) -> list[str]:
        """The block devices through which a volume is reached now."""

    def get(self, name: str) -> Volume:
        """One volume; raises NotFound."""
        volume = self.volumes().get(name)
        if volume is None:
            raise NotFound(f"the store has no volume {name}")
        return volume
