# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients of the directory as hosts of an inventory: which, what they are called, and in which groups."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import re
import typing as t

from .._errors import InvalidValue
from .values import key

try:
    import jmespath
    import jmespath.exceptions
except ImportError as error:
    jmespath = None
    MISSING: ImportError | None = error
else:
    MISSING = None

#: A client as :func:`.info.information` tells it.
Client = dict[str, t.Any]

#: What a client reports is the only text that machines write themselves: no more characters of a value are taken.
_LONGEST = 256
_LONGEST_NAME = 64
#: Addresses of the machine that Ansible runs on: a client must not become what plays on it run on.
_LOCAL = ("localhost", "127.0.0.1", "::1")


class Selection:
    """The clients that a JMESPath expression selects from the list of all.

    :raises InvalidValue: it is no such expression.
    """

    def __init__(self, expression: str) -> None:
        self._expression = expression
        try:
            self._compiled = jmespath.compile(expression)
        except jmespath.exceptions.JMESPathError as error:
            raise InvalidValue("select", expression, " ".join(str(error).split())) from error

    def of(self, clients: t.Sequence[Client]) -> list[Client]:
        """Those of *clients* that are selected, each once.

        :raises InvalidValue: the result is not a list of clients.
        """
        try:
            found = self._compiled.search(clients)
        except jmespath.exceptions.JMESPathError as error:
            raise InvalidValue("select", self._expression, " ".join(str(error).split())) from error
        there = {id(client) for client in clients}
        if not isinstance(found, list) or any(id(one) not in there for one in found):
            expected = "its result must be a list of clients as they are, such as that of [?stale]"
            raise InvalidValue("select", self._expression, expected)
        return list({id(one): one for one in found}.values())


@dataclasses.dataclass(frozen=True)
class Host:
    """A client as a host."""

    name: str
    #: names of the inventory's groups
    groups: tuple[str, ...]
    variables: t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Hosts:
    """All hosts, and what the administrator should know of their names."""

    hosts: t.Sequence[Host]
    warnings: t.Sequence[str]


def hosts(clients: t.Sequence[Client], taken: t.Container[str], safe: t.Callable[[str], str]) -> Hosts:
    """*clients* as hosts.

    :arg taken: names that no host may have, because groups have them.
    :arg safe: what makes a group's name one that Ansible takes.
    """
    grouped: dict[str, str] = {}
    warnings: list[str] = []

    def group(meant: str) -> str:
        name = safe(meant)
        if grouped.setdefault(name, meant) != meant:
            text = f"{grouped[name]!r} and {meant!r} of the directory are one group of the inventory: {name}"
            warnings.extend([] if text in warnings else [text])
        return name

    groups = [tuple(dict.fromkeys(group(one) for one in _groups(client))) for client in clients]
    names = [client["name"] for client in clients]
    called = _names(names, lambda name: name in taken or name in grouped or name in _LOCAL)
    for name, host in zip(names, called):
        if host != name:
            warnings.append(f"client {name!r} is host {host}")
    found = [Host(host, of, _variables(client)) for host, of, client in zip(called, groups, clients)]
    return Hosts(found, warnings)


def _groups(client: Client) -> t.Iterator[str]:
    """Each kind has a prefix, so that no name in the directory is taken for another kind of group.

    They follow from what the client should run: what it reports itself moves it into C(stale) and out of it, no more.
    """
    for kind in ("protosystem", "channel", "format"):
        if client["run"][kind]:
            yield f"{kind}_{client['run'][kind]}"
    for name in client["groups"]:
        yield f"group_{name}"
    if client["stale"]:
        yield "stale"


def _names(names: t.Sequence[str], taken: t.Callable[[str], bool]) -> list[str]:
    """What hosts are called: letters, digits and ``_.-``, the first no hyphen, which programs would take for an option.

    Where that is another's name, the beginning of a digest of the client's own name follows.
    """
    plain = [re.sub(r"\A[.-]|[^\w.-]", "_", name[:_LONGEST_NAME]) for name in names]
    count = collections.Counter(plain)
    given = set(names)
    found = []
    for name, host in zip(names, plain):
        shared = taken(host) or (host != name and (count[host] > 1 or host in given))
        digest = hashlib.sha256(key(name).encode("utf-8", "replace")).hexdigest()
        found.append(f"{host}_{digest[:12]}" if shared else host)
    return found


def _variables(client: Client) -> dict[str, t.Any]:
    """Few and flat: with ten thousand hosts, Ansible needs seconds to copy and to print what is here."""
    run, running = client["run"], client["running"]
    return {
        **{f"stateless_{name}": client[name] for name in ("name", "mac", "description", "groups", "stale")},
        "stateless_problem": run["problem"],
        "stateless_run": {name: run[name] for name in ("protosystem", "channel", "serial", "digest", "format")},
        "stateless_running": {
            name: value[:_LONGEST] if isinstance(value, str) else value for name, value in running.items()
        },
    }
