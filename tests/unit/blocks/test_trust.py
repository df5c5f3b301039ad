# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a client believes: real keys and signatures of ssh-keygen."""

from __future__ import annotations

import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._blocks import manifest
from ansible_collections.stateless.linux.plugins.module_utils._blocks.signature import (
    NAMESPACE,
    NotTrusted,
    sign,
    verify,
)
from ansible_collections.stateless.linux.plugins.module_utils._blocks.values import Damaged

TEXT = b'{"some": "manifest"}\n'


class Keys(t.NamedTuple):
    directory: pathlib.Path

    def make(self, name: str) -> str:
        """A private key."""
        path = self.directory / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], check=True)
        return str(path)

    def trust(self, *lines: tuple[str, str]) -> str:
        """A file of allowed signers: principals with options, and private keys."""
        path = self.directory / "trusted"
        texts = [f"{what} {pathlib.Path(key + '.pub').read_text().strip()}\n" for what, key in lines]
        path.write_text("".join(texts))
        return str(path)


@pytest.fixture
def keys(tmp_path: pathlib.Path) -> Keys:
    return Keys(tmp_path)


def test_a_trusted_key_is_enough_while_keys_are_rotated(keys: Keys) -> None:
    old, new = keys.make("old"), keys.make("new")
    text, signatures = manifest.split("it", sign(TEXT, [old, new]))
    assert text == TEXT
    assert len(signatures) == 2
    for key in (old, new):
        verify("it", text, signatures, "lab", keys.trust(("*", key)))


def test_others_are_not_trusted(keys: Keys) -> None:
    good, other = keys.make("good"), keys.make("other")
    text, signatures = manifest.split("it", sign(TEXT, [good]))
    for trusted in (
        keys.trust(("*", other)),
        keys.trust(("kiosk", good)),
        keys.trust(('* valid-before="20200101"', good)),
        keys.trust((f'* namespaces="git,not-{NAMESPACE}"', good)),
        str(keys.directory / "nothing"),
    ):
        with pytest.raises(NotTrusted, match="it cannot be trusted: "):
            verify("it", text, signatures, "lab", trusted)
    trusted = keys.trust(("lab,kiosk", good))
    verify("it", text, signatures, "lab", trusted)
    for changed in (text.replace(b"some", b"SOME"), text + b"\n", b"", text.replace(b"\n", b"\r\n"), b"\xff"):
        with pytest.raises(Damaged):
            verify("it", changed, signatures, "lab", trusted)
    with pytest.raises(NotTrusted, match="it has no signature"):
        verify("it", text, [], "lab", trusted)


def test_a_signature_for_another_purpose_is_none(keys: Keys) -> None:
    key = keys.make("good")
    argv = ["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", "git"]
    said = subprocess.run(argv, input=TEXT, stdout=subprocess.PIPE, check=True).stdout
    with pytest.raises(NotTrusted):
        verify("it", TEXT, [said], "lab", keys.trust(("*", key)))


@pytest.mark.parametrize("at", [0, 10, 40, 120, 200, -30])
def test_a_damaged_file_is_refused(keys: Keys, at: int) -> None:
    key = keys.make("good")
    trusted = keys.trust(("*", key))
    data = bytearray(sign(TEXT, [key]))
    data[at] ^= 1
    with pytest.raises(Damaged):
        text, signatures = manifest.split("it", bytes(data))
        verify("it", text, signatures, "lab", trusted)
        # the armour may have bytes that say nothing
        assert text == TEXT
        raise Damaged


@pytest.mark.parametrize(("protosystem", "serial"), [("other", 2), ("lab", 1), ("lab", 3)])
def test_another_protosystem_or_serial_is_refused(protosystem: str, serial: int) -> None:
    digest = "0" * 64
    index = manifest.IndexFile("2-a.index", 9, digest)
    text = manifest.encode(manifest.Manifest("lab", 2, 1, digest, 1, None, index, ()))
    with pytest.raises(Damaged, match="it is of lab 2, and not of"):
        manifest.decode("it", text, protosystem, serial)
