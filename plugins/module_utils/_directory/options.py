# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that the modules for the directory share, and what they mean to the library."""

from __future__ import annotations

import typing as t

from .session import Login
from .values import FIELDS

#: The fragment stateless.linux.directory documents them.
LOGIN: dict[str, dict[str, t.Any]] = {
    "server_uri": {"type": "str", "default": "ldapi:///"},
    "bind_dn": {"type": "str"},
    "bind_pw": {"type": "str", "default": "", "no_log": True},
    "sasl_class": {"type": "str", "choices": ["external", "gssapi"], "default": "external"},
    "start_tls": {"type": "bool", "default": False},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "suffix": {"type": "str", "default": "o=stateless"},
}
#: The fragment stateless.linux.directory.assignment documents them.
SAID: dict[str, dict[str, t.Any]] = {
    "description": {"type": "str"},
    "protosystem": {"type": "str"},
    "channel": {"type": "str"},
    "serial": {"type": "int"},
    "format": {"type": "str"},
    "kernel_arguments": {"type": "list", "elements": "str"},
}


def arguments(one: t.Mapping[str, dict[str, t.Any]], many: str, **more: dict[str, t.Any]) -> dict[str, t.Any]:
    """What AnsibleModule is given by a module that states one thing, or several.

    :arg one: the specification of each.
    :arg many: the option that lists them.
    :arg more: other options; one of them is enough, too.
    """
    return {
        "argument_spec": {
            **LOGIN,
            **one,
            "state": {**one["state"], "default": "present"},
            "exact": {**one["exact"], "default": False},
            many: {"type": "list", "elements": "dict", "options": {**one, "name": {"type": "str", "required": True}}},
            **more,
        },
        "mutually_exclusive": [(many, name) for name in one if name not in ("state", "exact")],
        "required_one_of": [("name", many, *more)],
        "required_by": {name: ("name",) for name in one if name not in ("name", "state", "exact")},
        "supports_check_mode": True,
    }


def login(options: t.Mapping[str, t.Any]) -> Login:
    """How to log in."""
    return Login(
        uri=options["server_uri"],
        dn=options["bind_dn"] or "",
        password=options["bind_pw"],
        sasl_class=options["sasl_class"],
        start_tls=options["start_tls"],
        validate_certs=options["validate_certs"],
        ca_path=options["ca_path"] or "",
        client_cert=options["client_cert"] or "",
        client_key=options["client_key"] or "",
    )


def said(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What is to run, as far as it is said."""
    return {name: options[name] for name in FIELDS}


def one_or_many(options: t.Mapping[str, t.Any], many: str, one: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """The things that a task is about, whether it lists them or names one.

    :arg many: the option that lists them.
    :arg one: the specification of each; ``state`` and ``exact`` that it leaves out are those of the task.
    """
    if options[many] is None:
        return [{name: options[name] for name in one}] if options["name"] is not None else []
    shared = {name: options[name] for name in ("state", "exact")}
    return [{**item, **{name: value for name, value in shared.items() if item[name] is None}} for item in options[many]]
