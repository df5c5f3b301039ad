# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A root directory made of a few lines."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

Make = t.Callable[[t.Mapping[str, "str | None"]], pathlib.Path]


@pytest.fixture
def make(tmp_path: pathlib.Path) -> Make:
    """Make a root: a name that ends with / is a directory, a value that starts with ``->`` a link, else a text."""

    def from_dictionary(content: t.Mapping[str, str | None]) -> pathlib.Path:
        root = tmp_path / "root"
        root.mkdir(exist_ok=True)
        for name, text in content.items():
            path = root / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith("/"):
                path.mkdir(parents=True, exist_ok=True)
            elif text is not None and text.startswith("->"):
                path.unlink(missing_ok=True)
                path.symlink_to(text[2:])
            else:
                path.write_bytes((text or "").encode("utf-8", "surrogateescape"))
        return root

    return from_dictionary
