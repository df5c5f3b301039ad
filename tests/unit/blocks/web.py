# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server on loopback for published files: with ranges, and on request with every fault that a server can have."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import pathlib
import re
import threading
import typing as t
import urllib.parse

_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]*)")


@dataclasses.dataclass
class Answer:
    """What is sent: a fault changes it first."""

    status: int
    headers: dict[str, str]
    body: bytes


#: Changes an answer for a path; or writes what it likes by itself, and returns None.
Fault = t.Callable[[str, Answer, http.server.BaseHTTPRequestHandler], t.Optional[Answer]]


@dataclasses.dataclass
class Web:
    """A running server."""

    url: str
    root: pathlib.Path
    fault: Fault | None = None
    requests: list[str] = dataclasses.field(default_factory=list, repr=False)
    #: bytes of bodies
    sent: int = 0
    #: for a fault that counts
    sent_of_frames: int = 0


@contextlib.contextmanager
def serving(root: pathlib.Path) -> t.Iterator[Web]:
    """Serve the files in *root*."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.requests.append(f"{self.path} {self.headers.get('Range', '')}".strip())
            # a proxy is asked for a whole URL
            path = urllib.parse.urlsplit(self.path).path
            answer: Answer | None = _answer(root / path.lstrip("/"), self.headers.get("Range"))
            if web.fault is not None and answer is not None:
                answer = web.fault(self.path, answer, self)
            if answer is None:
                self.close_connection = True
                return
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            # before whoever reads it can ask
            web.sent += len(answer.body)
            with contextlib.suppress(ConnectionError):
                self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it overrides
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    server = Server(("127.0.0.1", 0), Handler)
    web = Web(f"http://127.0.0.1:{server.server_address[1]}", root)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(path: pathlib.Path, wanted: str | None) -> Answer:
    if not path.is_file():
        return Answer(404, {"Content-Length": "0"}, b"")
    data = path.read_bytes()
    match = _RANGE.fullmatch(wanted or "")
    if match is None:
        return Answer(200, {"Content-Length": str(len(data))}, data)
    start, last = int(match[1]), min(int(match[2] or len(data) - 1), len(data) - 1)
    if start > last:
        return Answer(416, {"Content-Length": "0"}, b"")
    body = data[start : last + 1]
    said = f"bytes {start}-{last}/{len(data)}"
    return Answer(206, {"Content-Length": str(len(body)), "Content-Range": said}, body)
