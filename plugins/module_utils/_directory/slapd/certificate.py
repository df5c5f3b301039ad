# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate for slapd, of an authority that is made for this host and trusted for nothing else."""

from __future__ import annotations

import ipaddress
import os
import shutil
import typing as t

from ..._command import CommandFailed, run
from ..._errors import InvalidValue
from ..._files import read, write

_AUTHORITY_DAYS = 7300
_DAYS = 3650
#: Made anew when it has less than this left, in seconds.
_RENEW = 90 * 24 * 3600


class Own:
    """The files: ``ca.pem`` is what clients trust, ``server.pem`` certificate and key in one, so that they always fit.

    :arg names: the host names and addresses that clients reach the host by.
    :arg group: who may read ``server.pem`` beside root: the group of slapd.
    """

    def __init__(self, directory: str, names: t.Sequence[str], group: str) -> None:
        for name in names:
            if not name or name.strip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_"):
                raise InvalidValue("tls_names", name, "give host names and IP addresses")
        self.names = list(dict.fromkeys(names))
        self.group = group
        self.directory = directory
        self.authority = os.path.join(directory, "ca.pem")
        self.server = os.path.join(directory, "server.pem")
        self._secret = os.path.join(directory, "ca-key.pem")
        self._work = os.path.join(directory, ".stateless-new")

    def good(self) -> bool:
        """Whether it is there, not about to expire, and for all names."""
        there = os.path.exists(self.server) and os.path.exists(self.authority)
        if not there or os.path.exists(self._work):  # the rest of a killed run, which may not have told slapd
            return False
        return not self._expires() and self._names() >= {_alternative(name).lower() for name in self.names}

    def make(self) -> None:
        """Make it; the authority as well, if there is none, which clients have to be told then.

        It counts as made only once :meth:`told` was called, too: slapd goes on with what it has read.
        """
        os.makedirs(self.directory, mode=0o755, exist_ok=True)
        work = self._work
        shutil.rmtree(work, ignore_errors=True)
        os.mkdir(work, mode=0o700)
        try:
            if read(self._secret) is None:
                self._make_authority(work)
            # The public half may be missing after a run that was killed.
            write(self.authority, run(["openssl", "x509", "-in", self._secret]))
            self._make_server(work)
        except BaseException:
            shutil.rmtree(work)
            raise

    def told(self) -> None:
        """Slapd has been told to read it."""
        shutil.rmtree(self._work)

    def _make_authority(self, work: str) -> None:
        key, certificate = os.path.join(work, "key"), os.path.join(work, "certificate")
        subject = f"/CN=stateless.linux directory {self.names[0][:32]}"
        usage = "keyUsage=critical,keyCertSign,cRLSign"
        _request(key, certificate, "-days", str(_AUTHORITY_DAYS), "-subj", subject, "-addext", usage)
        write(self._secret, (read(certificate) or "") + (read(key) or ""), 0o600)

    def _make_server(self, work: str) -> None:
        key, certificate = os.path.join(work, "key"), os.path.join(work, "certificate")
        names = ",".join(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in self.names)
        extensions = (
            f"subjectAltName={names}",
            "basicConstraints=critical,CA:FALSE",
            "extendedKeyUsage=serverAuth,clientAuth",
        )
        signed = ("-CA", self._secret, "-CAkey", self._secret, "-days", str(_DAYS))
        more = [word for extension in extensions for word in ("-addext", extension)]
        _request(key, certificate, *signed, "-subj", f"/CN={self.names[0][:64]}", *more)
        both = os.path.join(work, "server.pem")
        write(both, (read(certificate) or "") + (read(key) or ""), 0o600)
        shutil.chown(both, 0, self.group)
        os.chmod(both, 0o640)
        os.rename(both, self.server)

    def _expires(self) -> bool:
        try:
            run(["openssl", "x509", "-noout", "-checkend", str(_RENEW), "-in", self.server])
        except CommandFailed:
            return True
        return False

    def _names(self) -> set[str]:
        told = run(["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", self.server])
        return {one.strip().lower() for line in told.splitlines()[1:] for one in line.split(",")}


def _request(key: str, certificate: str, *words: str) -> None:
    """Make a key and its certificate with openssl-req(1)."""
    elliptic = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    run(["openssl", "req", "-x509", *elliptic, "-keyout", key, "-out", certificate, *words])


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _alternative(name: str) -> str:
    """A name as openssl-x509(1) prints it."""
    if not _is_address(name):
        return f"DNS:{name}"
    address = ipaddress.ip_address(name)
    if address.version == 4:
        return f"IP Address:{address}"
    return "IP Address:" + ":".join(f"{int(part, 16):X}" for part in address.exploded.split(":"))
