# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the library meets Ansible: outcomes become results, errors become fail_json."""

from __future__ import annotations

import json
import typing as t

from ansible.module_utils.basic import AnsibleModule

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


def _text(value: t.Mapping[str, t.Any]) -> str:
    """A mapping as the text of one side of a diff; empty for a thing that does not exist."""
    return json.dumps(value, indent=2, sort_keys=True) + "\n" if value else ""
