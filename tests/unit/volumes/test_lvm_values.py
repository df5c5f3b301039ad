# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.stateless.linux.plugins.module_utils._errors import InvalidValue
from ansible_collections.stateless.linux.plugins.module_utils._volumes import lvm_values

LETTERS = string.ascii_letters + string.digits + "+_.-"
EXTENT = 4 * 1024**2


@pytest.mark.parametrize("name", ["root", "a", "9", "+", "a.b-c_d+e", "Root", "historical", "my_vpool", "a" * 121])
def test_a_name_that_lvcreate_takes_is_taken(name: str) -> None:
    assert lvm_values.check_new_name("name", "vg0", name, cow=False) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "-x", "a b", "a/b", "a:b", "é", "a\n", "snapshot", "snapshot1", "pvmove", "pvmove0", "a" * 122]
    + [f"x{part}1" for part in ("_tdata", "_tmeta", "_cvol", "_rimage", "_mlog", "_pmspare", "_vorigin", "_wcorig")],
)
def test_a_name_that_lvcreate_refuses_is_refused(name: str) -> None:
    with pytest.raises(InvalidValue, match=r"^name: "):
        lvm_values.check_new_name("name", "vg0", name, cow=False)


@pytest.mark.parametrize(
    ("vg", "longest", "cow"),
    # tried with lvcreate: these are made, one character more is not
    [("vg0", "a" * 121, False), ("vg0", "a" * 119, True), ("vg0", "a" + 61 * "-", False)],
)
def test_the_longest_name_is_the_device_mappers(vg: str, longest: str, cow: bool) -> None:
    assert lvm_values.check_new_name("name", vg, longest, cow=cow)
    with pytest.raises(InvalidValue, match="too long by 1"):
        lvm_values.check_new_name("name", vg, longest + "a", cow=cow)


@given(st.text(LETTERS, min_size=1, max_size=40), st.text(LETTERS, min_size=1, max_size=140), st.booleans())
def test_whatever_is_taken_has_a_device_name_that_fits(vg: str, name: str, cow: bool) -> None:
    try:
        lvm_values.check_new_name("name", vg, name, cow=cow)
    except InvalidValue:
        return
    mapped = vg.replace("-", "--") + "-" + name.replace("-", "--") + ("-cow" if cow else "")
    assert len(mapped) <= 127
    assert len(vg) + len(name) <= 124


@given(st.text())
def test_no_text_but_a_name_passes(text: str) -> None:
    try:
        lvm_values.check_existing_name("origin", text)
        lvm_values.check_vg_name("vg", text)
    except InvalidValue as error:
        assert repr(text) in str(error)
    else:
        assert set(text) <= set(LETTERS)
        assert not text.startswith("-")
        assert text not in ("", ".", "..")


@given(st.text(max_size=1100))
def test_tags_have_lvms_characters(text: str) -> None:
    allowed = set(string.ascii_letters + string.digits + "_+.-/=!:&#")
    if 0 < len(text) <= 1024 and set(text) <= allowed:
        assert lvm_values.check_tag("tags", text) == text
    else:
        with pytest.raises(InvalidValue, match="a tag has"):
            lvm_values.check_tag("tags", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", EXTENT),
        ("4194304", EXTENT),
        ("4194305", 2 * EXTENT),
        ("4194304b", EXTENT),
        ("4m", EXTENT),
        ("4096K", EXTENT),
        ("8MiB", 2 * EXTENT),
        ("1.5 GiB", 1536 * 1024**2),
        ("1T", 1024**4),
        ("50%", 52 * 1024**2),
        ("20%ORIGIN", 20 * 1024**2),
        ("0.1%", EXTENT),
        ("200 %", 200 * 1024**2),
    ],
)
def test_sizes(text: str, expected: int) -> None:
    assert lvm_values.parse_size("size", text).bytes_of(100 * 1024**2, EXTENT) == expected


@pytest.mark.parametrize(
    "text", ["", "0", "0G", "0%", "-1", "+1G", "1KB", "1 furlong", "%", "1e9", "20%VG", "1,5G", "\u0661"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match=r"^size: "):
        lvm_values.parse_size("size", text)


@given(st.integers(1, 2**62), st.integers(1, 2**62), st.sampled_from([1024, 65536, EXTENT, 3 * 1024]))
def test_a_size_is_the_next_multiple_of_the_extent(number: int, whole: int, extent: int) -> None:
    size = lvm_values.parse_size("size", str(number)).bytes_of(whole, extent)
    assert size % extent == 0
    assert number <= size < number + extent


@given(st.integers(0, 2**63))
def test_a_size_that_is_shown_can_be_given(size: int) -> None:
    shown = lvm_values.show_size(size)
    if size:
        assert lvm_values.parse_size("size", shown.replace(" B", "")).bytes_of(0, 1) == size
