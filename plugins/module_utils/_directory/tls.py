# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why there is no connection with TLS. libldap often only knows that there is none."""

from __future__ import annotations

import socket
import ssl
import urllib.parse

#: The request for StartTLS (RFC 4511 section 4.14), message 1.
_START_TLS = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"
#: In the answer, the result code 0 (success) follows the tag and length of an ENUMERATED.
_SUCCESS = b"\x0a\x01\x00"


def refusal(uri: str, ca: str | None, timeout: float) -> str:
    """Connect as libldap does, and return why that fails; an empty string if it does not.

    :arg ca: the file with the certificates to trust, PEM; None: those of the system.
    :arg timeout: seconds.
    """
    parts = urllib.parse.urlsplit(uri)
    at_once = parts.scheme.lower() == "ldaps"
    host, port = parts.hostname or "localhost", parts.port or (636 if at_once else 389)
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ValueError) as error:
        return f"the certificates to trust cannot be read: {error}"
    # Newer Pythons are stricter than libldap: only what stops that one is wanted.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        with socket.create_connection((host, port), timeout) as plain:
            if not at_once:
                plain.sendall(_START_TLS)
                if _SUCCESS not in plain.recv(4096):
                    return "the server does not do StartTLS"
            with context.wrap_socket(plain, server_hostname=host):
                return ""
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is refused: {error.verify_message}"
    except ssl.SSLError as error:
        return f"TLS fails: {error.reason or error}"
    except OSError as error:
        return f"{host} port {port} does not answer: {error.strerror or error}"
