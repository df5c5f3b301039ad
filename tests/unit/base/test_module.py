# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible gets of an outcome and of an error, from a module run as Ansible runs it."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t

MODULE = """
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stateless.linux.plugins.module_utils import _errors, _module, _plan

module = AnsibleModule({"fail": {"type": "bool"}, "same": {"type": "bool"}}, supports_check_mode=True)


def work():
    if module.params["fail"]:
        raise _errors.InvalidValue("size", "1Q", "use a unit such as G")
    steps = [] if module.params["same"] else [_plan.Step("Make it", lambda: None)]
    plan = _plan.Plan(before={}, after={"size": 1}, steps=steps)
    if not module.check_mode:
        plan.act()
    return _plan.Outcome(plan, {"volume": {"size": 1}}, warnings=["mind the gap"])


_module.state(module, work)
"""


def run(**arguments: t.Any) -> dict[str, t.Any]:
    """Run the module above with *arguments*, and return its result."""
    given = json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_remote_tmp": "/tmp"}})
    start = (
        "import ansible.module_utils.basic as basic, json\n"
        f"basic._ANSIBLE_ARGS = {given.encode()!r}\nbasic._ANSIBLE_PROFILE = 'legacy'\n"
    )
    done = subprocess.run([sys.executable, "-c", start + MODULE], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout))


def test_an_outcome_becomes_a_result() -> None:
    result = run(_ansible_diff=True)
    assert result["changed"] is True
    assert result["actions"] == ["Make it"]
    assert result["volume"] == {"size": 1}
    assert result["diff"] == {"before": "", "after": '{\n  "size": 1\n}\n'}
    assert "mind the gap" in str(result["warnings"])


def test_nothing_to_do_is_no_change_and_no_diff_unless_asked() -> None:
    result = run(same=True)
    assert result["changed"] is False
    assert result["actions"] == []
    assert "diff" not in result


def test_an_error_is_one_sentence() -> None:
    result = run(fail=True)
    assert result["failed"] is True
    assert result["msg"] == "size: '1Q' cannot be used: use a unit such as G"
