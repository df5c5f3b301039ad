# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the library meets Ansible: outcomes become results, errors become fail_json."""

from __future__ import annotations

import json
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.common.respawn import has_respawned, probe_interpreters_for_module, respawn_module

from ._errors import StatelessError
from ._plan import Outcome


def state(module: AnsibleModule, work: t.Callable[[], Outcome]) -> t.NoReturn:
    """End *module* with what *work* did (in check mode: would have done).

    *work* acts or not according to the module's check mode; see :class:`Outcome`.
    """
    try:
        outcome = work()
    except StatelessError as error:
        module.fail_json(msg=str(error))
    for warning in outcome.warnings:
        module.warn(warning)
    plan = outcome.plan
    result: dict[str, t.Any] = {"changed": plan.changed, "actions": [step.text for step in plan.steps]}
    if module._diff:  # pylint: disable=protected-access
        result["diff"] = {"before": _text(plan.before), "after": _text(plan.after)}
    module.exit_json(**result, **outcome.result)


def info(module: AnsibleModule, work: t.Callable[[], t.Mapping[str, t.Any]]) -> t.NoReturn:
    """End an ``_info`` module with what *work* found."""
    try:
        found = work()
    except StatelessError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **found)


def require(module: AnsibleModule, missing: ImportError | None, library: str, name: str) -> None:
    """Go on only with a library that is not Ansible's: it may be there for another Python of the host alone.

    :arg missing: why it cannot be imported; None: it can.
    :arg library: what it is called, such as ``python-ldap``.
    :arg name: how it is imported, such as ``ldap``.
    """
    if missing is None:
        return
    if not has_respawned():
        other = probe_interpreters_for_module(["/usr/libexec/platform-python", "/usr/bin/python3"], name)
        if other:
            respawn_module(other)  # does not return
    module.fail_json(msg=missing_required_lib(library))


def _text(value: t.Mapping[str, t.Any]) -> str:
    """A mapping as the text of one side of a diff; empty for a thing that does not exist."""
    return json.dumps(value, indent=2, sort_keys=True) + "\n" if value else ""
