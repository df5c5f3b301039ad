# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures of manifests: ssh-keygen(1), ``-Y sign`` and ``-Y verify``.

The namespace is ours, so that what a key signed for another purpose counts for nothing here. A client's trusted keys
are a file of allowed signers (ssh-keygen(1), ALLOWED SIGNERS), whose principals are protosystems: ``*``, or some of
them; it may say from when and until when a key counts. Keys are rotated by signing with both for a while.
"""

from __future__ import annotations

import base64
import binascii
import os
import struct
import tempfile
import typing as t

from .._command import CommandFailed, find, run
from .values import Damaged, damaged

NAMESPACE = "blocks@stateless.linux"


class NotTrusted(Damaged):
    """No key that this machine trusts has signed it."""


def sign(text: bytes, keys: t.Sequence[str]) -> bytes:
    """The file of a manifest: *text*, and a signature by each of the private keys in the files *keys*.

    :raises CommandFailed: a key cannot be used.
    """
    program = find("ssh-keygen", "openssh-client")
    signatures = []
    for key in keys:
        argv = [program, "-q", "-Y", "sign", "-f", key, "-n", NAMESPACE]
        signatures.append(run(argv, stdin=text.decode("ascii")))
    return text + "".join(signatures).encode("ascii")


def signer(what: str, signature: bytes) -> str:
    """The public key that *signature* says it is by, in base64 as in its public file. Whether it is, is not checked.

    The form is that of PROTOCOL.sshsig (OpenSSH): ``SSHSIG``, a version in 4 bytes, the length of the key, the key.
    """
    try:
        data = base64.b64decode(b"".join(signature.splitlines()[1:-1]), validate=True)
        magic, version, length = struct.unpack_from(">6sII", data)
    except (binascii.Error, struct.error) as error:
        raise damaged(what, "it has a signature of another form") from error
    start = struct.calcsize(">6sII")
    if (magic, version) != (b"SSHSIG", 1) or len(data) < start + length:
        raise damaged(what, "it has a signature of another form")
    return base64.b64encode(data[start : start + length]).decode("ascii")


def verify(what: str, text: bytes, signatures: t.Sequence[bytes], protosystem: str, trusted: str) -> None:
    """Check that one of *signatures* of *text* is by a key that counts for *protosystem*.

    :arg trusted: the file of allowed signers.
    :raises NotTrusted: none is.
    """
    if not os.path.exists(trusted):
        raise NotTrusted(f"{what} cannot be trusted: there is no file of trusted keys {trusted}")
    program = find("ssh-keygen", "openssh-client")
    said = "it has no signature"
    try:
        asked = text.decode("ascii")
    except UnicodeDecodeError as error:
        raise damaged(what, "it is not ASCII") from error
    for signature in signatures:
        with tempfile.NamedTemporaryFile(prefix="stateless-signature-") as file:
            file.write(signature)
            file.flush()
            argv = [program, "-q", "-Y", "verify", "-f", trusted, "-I", protosystem, "-n", NAMESPACE, "-s", file.name]
            try:
                run(argv, stdin=asked, timeout=60)
                return
            except CommandFailed as error:
                said = error.stderr.strip().splitlines()[-1] if error.stderr.strip() else "ssh-keygen refuses it"
    raise NotTrusted(f"{what} cannot be trusted: no key in {trusted} has signed it for {protosystem} ({said})")
