# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What is alike in the attributes of all modules."""

    DOCUMENTATION = r"""
options: {}
attributes:
  action_group:
    support: full
    membership:
      - stateless.linux.all
      - stateless.linux.stateless
    description: Use C(group/stateless.linux.stateless) in C(module_defaults) to set defaults for this module.
  check_mode:
    support: full
    description: Says what would change, and changes nothing.
  diff_mode:
    support: full
    description: Returns what changed (in check mode, what would change) in diff format.
  platform:
    support: full
    platforms: linux
    description: Where the module can be run.
"""

    INFO = r"""
options: {}
attributes:
  action_group:
    support: full
    membership:
      - stateless.linux.all
      - stateless.linux.stateless
    description: Use C(group/stateless.linux.stateless) in C(module_defaults) to set defaults for this module.
  check_mode:
    support: full
    description: The module only reads.
  diff_mode:
    support: N/A
    description: The module changes nothing.
  platform:
    support: full
    platforms: linux
    description: Where the module can be run.
"""
