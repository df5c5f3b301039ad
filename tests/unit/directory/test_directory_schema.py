# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The published schema: both files and the documentation say the same, and the code uses no other names."""

from __future__ import annotations

import pathlib
import re

from ansible_collections.stateless.linux.plugins.module_utils._directory.tree import REPORT, SEARCHED

ROOT = pathlib.Path(__file__).resolve().parents[3]
FILES = ROOT / "roles/directory/files"
DEFINITION = re.compile(r"^(attributetype|objectclass|olcAttributeTypes:|olcObjectClasses:) (\(.*\))$", re.IGNORECASE)


def definitions(name: str) -> list[tuple[str, str]]:
    """The definitions of a file, in order: "attribute" or "object", and the text on one line."""
    text = re.sub(r"\n[ \t]", " ", (FILES / name).read_text())
    found = [match for line in text.splitlines() if (match := DEFINITION.match(line.strip()))]
    return [(one[1].lower().removeprefix("olc")[:6], " ".join(one[2].split())) for one in found]


def names() -> dict[str, str]:
    """The OID of each name of the schema."""
    return {one.split("'")[1]: one.split()[1] for _kind, one in definitions("stateless.schema")}


def test_both_files_say_the_same() -> None:
    assert definitions("stateless.ldif") == definitions("stateless.schema")
    assert len(definitions("stateless.ldif")) == 26


def test_every_oid_is_there_once_below_the_uuid() -> None:
    oids = list(names().values())
    assert len(set(oids)) == len(oids)
    # X.667: the UUID d9bf6319-df49-45f3-89ca-dd0ac4f54710 as a number.
    assert {oid.rpartition(".")[0].rpartition(".")[0] for oid in oids} == {
        f"2.25.{int('d9bf6319df4945f389cadd0ac4f54710', 16)}"
    }


def test_every_name_is_documented_with_its_oid() -> None:
    text = (ROOT / "docs/directory-schema.md").read_text()
    documented = dict(re.findall(r"^\| `(stateless\w+)` \| \.([12]\.\d+) \|", text, re.MULTILINE))
    assert documented == {name: ".".join(oid.split(".")[-2:]) for name, oid in names().items()}


def test_the_code_uses_names_of_the_schema() -> None:
    standard = {"objectClass", "cn", "macAddress", "member"}
    assert {*REPORT, *SEARCHED} - standard <= set(names())
    report = next(text for _kind, text in definitions("stateless.schema") if "'statelessClient'" in text)
    assert all(name in report for name in REPORT)
