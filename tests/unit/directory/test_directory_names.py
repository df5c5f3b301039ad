# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in the directory, and what slapd is to be told."""

from __future__ import annotations

import pathlib
import re

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._directory.slapd import access, config
from ansible_collections.stateless.linux.plugins.module_utils._directory.slapd.entries import Entry, shown
from ansible_collections.stateless.linux.plugins.module_utils._directory.tree import SEARCHED, Tree, mac_address
from ansible_collections.stateless.linux.plugins.module_utils._errors import InvalidValue

TREE = Tree("o=stateless")
PROVIDER = config.Provider("ldap://srv1", "s3cret", "PEM")


@pytest.mark.parametrize("text", ["52:54:00:AB:cd:01", "52-54-00-ab-CD-01", "5254.00ab.cd01", "525400ABCD01"])
def test_a_mac_has_one_spelling(text: str) -> None:
    assert mac_address("mac", text) == "52:54:00:ab:cd:01"


@pytest.mark.parametrize("text", ["", "52:54:00:ab:cd", "52:54:00:ab:cd:0g", "*", "52:54:00:ab:cd:01)(cn=*"])
def test_what_is_no_mac_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="mac"):
        mac_address("mac", text)


@pytest.mark.parametrize("text", ["o=stateless", "dc=boot, dc=example,dc=org", "ou=Stateless Linux,o=Example"])
def test_a_suffix_is_a_plain_dn(text: str) -> None:
    assert Tree.at("suffix", text).suffix == text.replace(", ", ",")


@pytest.mark.parametrize("text", ["", "stateless", 'o="x"', "o=a+cn=b", "o=x,", 'o=x" by * write', "o= x\\"])
def test_a_suffix_that_access_rules_could_not_hold_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="suffix"):
        Tree.at("suffix", text)


def test_every_access_rule_ends_with_nobody_else() -> None:
    for rule in access.rules(TREE):
        assert re.fullmatch(r"to dn\.(base|subtree|children)=\S+( attrs=\S+)?( by \S+ \S+)+ by \* none", rule)


def test_every_search_has_an_index() -> None:
    indexes = config.database(TREE, "/var/lib", 1, None, "")["olcDbIndex"]
    assert {f"{name} eq" for name in (*SEARCHED, "entryCSN", "entryUUID")} == set(indexes)


def test_the_role_prints_the_same_indexes() -> None:
    text = (pathlib.Path(__file__).resolve().parents[3] / "roles/directory/vars/main.yml").read_text()
    listed = re.search(r"__directory_indexes:\n((?:  - \S+\n)+)", text)
    assert listed
    assert [line.strip(" -") for line in listed[1].splitlines()] == list(SEARCHED)


def test_a_copy_is_made_over_tls_alone() -> None:
    (copy,) = config.database(TREE, "/var/lib", 1, PROVIDER, "/ca.pem")["olcSyncrepl"]
    assert "starttls=critical" in copy
    assert "tls_reqcert=demand" in copy
    words = re.findall(r'[a-z_-]+=(?:"[^"]*"|[^ ]+)', copy)
    assert config.same_copy(["{0}" + " ".join(reversed(words))], [copy])
    assert not config.same_copy([copy.replace("s3cret", "other")], [copy])
    assert "s3cret" not in str(shown("cn=config", {"olcSyncrepl": [copy]}))
    assert "s3cret" not in repr(PROVIDER)


def test_numbers_and_white_space_of_slapd_s_configuration_are_no_change() -> None:
    entry = Entry("cn=x,cn=config", {"olcAccess": ["to * by * none", "to x by y"]}, {"olcModuleLoad": ["back_mdb"]})
    there = {"olcaccess": [b"{0}to *  by * none", b"{1}to x by y"], "olcmoduleload": [b"{0}back_mdb", b"{1}ppolicy"]}
    assert entry.wrong(there) == {}
    there["olcaccess"].reverse()
    assert list(entry.wrong(there)) == ["olcAccess"]


def test_a_number_in_other_data_is_data() -> None:
    entry = Entry("o={1}x", {"description": ["{1}x"]}, {"o": ["{1}x"]})
    assert entry.wrong({"o": [b"{1}X"], "description": [b"{1}x"]}) == {}
    assert entry.wrong({"o": [b"x"], "description": [b"x"]}) == {"o": ["x", "{1}x"], "description": ["{1}x"]}
    assert shown(entry.dn, {"o": ["{1}x"]}) == {"o": ["{1}x"]}
    assert shown("cn=x,cn=config", {"o": ["{1}x"]}) == {"o": ["x"]}
