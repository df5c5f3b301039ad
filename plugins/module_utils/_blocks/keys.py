# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys that sign manifests: one file each, by name, in a directory that is root's alone; and who trusts them.

A private key is there if its file is, which is made beside and renamed. Its public part is made of it when asked for.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import typing as t

from .._command import CommandFailed, find, run
from .._errors import InvalidValue, NotFound, StatelessError
from .._files import clear_unfinished, lock, read, remove, restore, sync_directory, write
from .._plan import Outcome, Plan, Step
from .signature import NAMESPACE, sign

if t.TYPE_CHECKING:
    from .._server import Server

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
#: A manifest has at most so many signatures.
_MOST = 16
_PACKAGE = "openssh-client (Debian) or openssh (Fedora)"


class Key(t.NamedTuple):
    """A key that signs."""

    name: str
    #: the file of the private key
    path: str
    #: its algorithm and the key in base64, as in a public key's file
    public: str

    @property
    def blob(self) -> str:
        """The key in base64."""
        return self.public.split()[1]


def keys(directory: str) -> list[Key]:
    """The keys of this host, by name.

    :raises StatelessError: a file there is no key that can be used.
    """
    found = []
    for name in _names(directory):
        path = os.path.join(directory, name)
        try:
            said = run([find("ssh-keygen", _PACKAGE), "-y", "-P", "", "-f", path])
        except CommandFailed as error:
            raise StatelessError(
                f"{path} is no private key that can be used: {error.stderr.strip()}; move it elsewhere, and apply the "
                "role stateless.linux.server, which makes another"
            ) from error
        found.append(Key(name, path, " ".join(said.split()[:2])))
    return found


def get(directory: str) -> list[Key]:
    """The keys of this host, by name; raises NotFound if there is none."""
    found = keys(directory)
    if not found:
        raise NotFound(
            f"this server has no key to sign with in {directory}: apply the role stateless.linux.server to it"
        )
    return found


def signing(found: t.Sequence[Key]) -> t.Callable[[bytes], bytes]:
    """What makes the file of a manifest's text, signed by these keys."""
    return functools.partial(sign, keys=[key.path for key in found])


def trusted(found: t.Iterable[Key]) -> str:
    """The text of a file of allowed signers, ssh-keygen(1), that lets these keys sign any protosystem's manifests."""
    return "".join(f'* namespaces="{NAMESPACE}" {key.public} {key.name}\n' for key in found)


def state(server: Server, names: t.Sequence[str], check: bool) -> Outcome:
    """Have the keys *names* and no others.

    :raises InvalidValue: a name is none, or none of the keys that there are would stay.
    """
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise InvalidValue("names", name, "use 1 to 63 lower-case letters, digits and hyphens")
    wanted = sorted(set(names))
    if not 1 <= len(wanted) <= _MOST:
        raise InvalidValue("names", list(names), f"name 1 to {_MOST} keys")
    program = find("ssh-keygen", _PACKAGE)
    with lock(server.keys_lock, "another run changes the keys that sign: try again later", timeout=60):
        have = keys(server.keys)
        there = [key.name for key in have]
        stay = [name for name in there if name in wanted]
        if there and not stay:
            raise InvalidValue(
                "names",
                list(names),
                f"none of the keys that there are ({', '.join(there)}) would stay, and clients would refuse whatever "
                "is signed: name one of them as well, until all clients trust the new one",
            )
        steps = [_making(program, server.keys, name) for name in wanted if name not in there]
        text = trusted(key for key in have if key.name in wanted)
        if steps or read(server.trusted_keys) != text:
            steps.append(_trusting(server, wanted))
        steps += [_removal(server, name) for name in there if name not in wanted]
        plan = Plan({"keys": there} if there else {}, {"keys": wanted}, steps)
        if not check:
            _clear(server)
            plan.act()
            have = keys(server.keys)
            text = trusted(have)
    public = {key.name: key.public for key in have}
    listed = [{"name": name, "public_key": public.get(name)} for name in wanted]
    return Outcome(plan, {"keys": listed, "trusted_keys": text})


def _names(directory: str) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return sorted(name for name in os.listdir(directory) if _NAME.fullmatch(name))
    return []


def _making(program: str, directory: str, name: str) -> Step:
    def act() -> None:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        beside = os.path.join(directory, f".stateless-{name}")
        run([program, "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", beside])
        os.unlink(f"{beside}.pub")
        with open(beside, "rb") as stream:
            os.fsync(stream.fileno())
        os.rename(beside, os.path.join(directory, name))
        sync_directory(directory)

    return Step(f"make the key {name}", act, lambda: remove(os.path.join(directory, name)))


def _trusting(server: Server, wanted: t.Container[str]) -> Step:
    before = read(server.trusted_keys)

    def act() -> None:
        write(server.trusted_keys, trusted(key for key in keys(server.keys) if key.name in wanted))

    return Step(f"write {server.trusted_keys}", act, lambda: restore(server.trusted_keys, before))


def _removal(server: Server, name: str) -> Step:
    return Step(f"remove the key {name}", lambda: remove(os.path.join(server.keys, name)), final=True)


def _clear(server: Server) -> None:
    # what a killed ssh-keygen left as well
    clear_unfinished(server.keys)
    directory, name = os.path.split(server.trusted_keys)
    clear_unfinished(directory, name)
