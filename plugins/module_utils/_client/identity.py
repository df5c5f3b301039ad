# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As whom this machine logs in to the directory, and by what it proves that."""

from __future__ import annotations

import contextlib
import dataclasses
import os

from .._directory.session import Login
from .._directory.tree import Tree
from .._errors import StatelessError
from .places import CREDENTIAL, KEPT, Places

_ROOT = "only root can log in as this machine"


class Nobody(StatelessError):
    """This machine, or whoever runs this on it, has nothing to log in with."""


def login(places: Places, base: Login, tree: Tree, name: str | None) -> Login:
    """*base*, as this machine: with its certificate if it has one, else with its password.

    :arg name: what the boot script calls it. It is not believed: without the password of that entry it is of no use.
    :raises Nobody: there is neither, or they are not for whoever asks.
    """
    certificate, key = places.certificate
    try:
        password = None if os.path.exists(certificate) else _password(places)
    except PermissionError as error:
        raise Nobody(_ROOT) from error
    except UnicodeDecodeError as error:
        raise StatelessError(f"the password of this machine (systemd credential {CREDENTIAL}) is no UTF-8") from error
    if password is None and os.geteuid() != 0:
        raise Nobody(_ROOT)
    if os.path.exists(certificate):
        return dataclasses.replace(base, sasl_class="external", client_cert=certificate, client_key=key)
    if password is None:
        raise Nobody(
            f"this machine cannot log in: no password (systemd credential {CREDENTIAL}), no certificate ({certificate})"
        )
    if not password:
        raise StatelessError(f"the password of this machine (systemd credential {CREDENTIAL}) is empty")
    if name is None:
        raise Nobody("the boot script gives this machine no name (kernel argument stateless.client)")
    return dataclasses.replace(base, dn=tree.client(name), password=password)


def _password(places: Places) -> str | None:
    for path in places.passwords:
        try:
            with open(path, encoding="utf-8", newline="") as stream:
                return stream.read().rstrip("\r\n")
        except FileNotFoundError:
            continue
    return None


def kept(places: Places) -> dict[str, bytes]:
    """What this machine logs in with, for its state: by path, the content of files that root alone may read.

    What is the image's own, or what a virtual machine's host gives at each boot, is not the machine's to keep.
    """
    found: dict[str, bytes] = {}
    for source in (*places.certificate, *places.own_passwords):
        path = source[len(places.root) :]
        with contextlib.suppress(FileNotFoundError), open(source, "rb") as stream:
            found.setdefault(KEPT if source in places.own_passwords else path, stream.read())
    return found
