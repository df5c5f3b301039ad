# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of the module protosystem to the source they name."""

from __future__ import annotations

import typing as t

from .._files import read
from .bootstrap import Dnf, Mmdebstrap, Repository, default_tool
from .sources import Archive, Copy, Source

if t.TYPE_CHECKING:
    from .._server import Server


def choose(server: Server, options: t.Mapping[str, t.Any]) -> Source | None:
    """The source that *options* name; None if they name none. They name one at most."""
    if options["bootstrap"]:
        return _bootstrap(options["bootstrap"])
    if options["archive"]:
        return Archive(options["archive"])
    if options["tree"] or options["machine"]:
        return Copy(
            tree=options["tree"] or "/",
            machine=options["machine"] or "",
            exclude=tuple(options["exclude"]),
            filesystems=tuple(options["filesystems"]),
            own=(server.root, server.state),
        )
    return None


def _bootstrap(options: t.Mapping[str, t.Any]) -> Source:
    if (options["tool"] or default_tool(_os_release())) == "mmdebstrap":
        return Mmdebstrap(
            release=options["release"],
            mirrors=tuple(options["mirrors"]),
            components=tuple(options["components"]),
            variant=options["variant"],
            packages=tuple(options["packages"]),
            keyring=options["keyring"] or "",
        )
    repositories = (
        Repository(
            name=one["name"],
            baseurl=tuple(one["baseurl"]),
            metalink=one["metalink"],
            gpgkey=tuple(one["gpgkey"]),
            gpgcheck=one["gpgcheck"],
        )
        for one in options["repositories"]
    )
    return Dnf(options["release"], tuple(options["packages"]), tuple(repositories))


def _os_release() -> dict[str, str]:
    """The os-release(5) of the server."""
    lines = (line.partition("=") for line in (read("/etc/os-release") or "").splitlines())
    return {name: value.strip("\"'") for name, equals, value in lines if equals}
