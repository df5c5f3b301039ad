# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that fail, lie, and attack: an error that says so, in time, and nothing written where it does not belong."""

from __future__ import annotations

import hashlib
import http.server
import pathlib
import shutil
import socket
import time
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._blocks import fetch
from ansible_collections.stateless.linux.plugins.module_utils._blocks.fetch import FetchFailed, Site
from ansible_collections.stateless.linux.plugins.module_utils._blocks.values import Damaged
from ansible_collections.stateless.linux.plugins.module_utils._errors import InvalidValue
from ansible_collections.stateless.linux.tests.unit.blocks.web import Answer, Fault, Web, serving
from ansible_collections.stateless.linux.tests.unit.blocks.world import HASTY, PATIENT, World

Handler = http.server.BaseHTTPRequestHandler
DATA = bytes(range(256)) * 1024


@pytest.fixture
def web(tmp_path: pathlib.Path) -> t.Iterator[Web]:
    (tmp_path / "www").mkdir()
    (tmp_path / "www/file").write_bytes(DATA)
    with serving(tmp_path / "www") as running:
        yield running


def shorter(_path: str, answer: Answer, _handler: Handler) -> Answer:
    """Says its length, and ends before."""
    answer.body = answer.body[:70000]
    return answer


def a_byte(_path: str, answer: Answer, _handler: Handler) -> Answer:
    """Says its length, and ends at once."""
    answer.body = answer.body[:1]
    return answer


def other_length(_path: str, answer: Answer, _handler: Handler) -> Answer:
    answer.body = answer.body[: len(answer.body) // 2]
    answer.headers["Content-Length"] = str(len(answer.body))
    return answer


def chunked(_path: str, answer: Answer, _handler: Handler) -> Answer:
    answer.headers = {"Transfer-Encoding": "chunked"}
    answer.body = b"5\r\nhello\r\n0\r\n\r\n"
    return answer


def packed(_path: str, answer: Answer, _handler: Handler) -> Answer:
    answer.headers["Content-Encoding"] = "gzip"
    return answer


def elsewhere(_path: str, answer: Answer, _handler: Handler) -> Answer:
    return Answer(302, {"Location": "file:///etc/passwd", "Content-Length": "0"}, b"")


def in_circles(path: str, _answer: Answer, _handler: Handler) -> Answer:
    return Answer(302, {"Location": path, "Content-Length": "0"}, b"")


def wrong_range(_path: str, answer: Answer, _handler: Handler) -> Answer:
    return Answer(206, {**answer.headers, "Content-Range": "bytes 0-9/10"}, answer.body)


def refused(_path: str, _answer: Answer, _handler: Handler) -> Answer:
    return Answer(403, {"Content-Length": "0"}, b"")


def silent(_path: str, _answer: Answer, _handler: Handler) -> None:
    time.sleep(1)


def endless_head(_path: str, _answer: Answer, handler: Handler) -> None:
    until = time.monotonic() + 4
    try:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n")
        while time.monotonic() < until:
            handler.wfile.write(b"X-More: x\r\n")
            time.sleep(0.1)
    except OSError:
        pass


def dripping(_path: str, answer: Answer, handler: Handler) -> None:
    until = time.monotonic() + 5
    try:
        handler.send_response_only(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        while time.monotonic() < until:
            handler.wfile.write(b"x")
            time.sleep(0.05)
    except OSError:
        pass


FAULTS: dict[str, tuple[Fault, str]] = {
    "a byte at a time": (a_byte, "ended too early"),
    "other length": (other_length, "bytes there|another range"),
    "chunked": (chunked, "how long"),
    "packed": (packed, "another encoding"),
    "elsewhere": (elsewhere, "redirects to|not allowed"),
    "in circles": (in_circles, "redirect|infinite loop"),
    "wrong range": (wrong_range, "another range"),
    "refused": (refused, "403"),
    "silent": (silent, "timed out|no answer|closed"),
    "endless head": (endless_head, "no answer|timed out|headers"),
    "dripping": (dripping, "in a second|timed out"),
}


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_server_that_does_not_give_the_file_is_given_up(web: Web, name: str) -> None:
    web.fault, said = FAULTS[name]
    site = Site([web.url], HASTY)
    began = time.monotonic()
    with (
        pytest.raises(FetchFailed, match=f"cannot fetch {web.url}/file: .*({said})"),
        site.stream("file", 100, 200000) as stream,
    ):
        stream.read(199900)
    assert time.monotonic() - began < 30


def test_a_transfer_that_breaks_goes_on_where_it_was(web: Web) -> None:
    web.fault = shorter
    site = Site([web.url], PATIENT)
    with site.stream("file", 1000, 200000) as stream:
        assert stream.read(199000) == DATA[1000:200000]
    assert len(web.requests) == 3
    # no byte was sent twice, but for what was on the way
    assert web.sent == 199000


def test_the_next_mirror_takes_over_in_the_middle(web: Web, tmp_path: pathlib.Path) -> None:
    def once(_path: str, answer: Answer, handler: Handler) -> Answer:
        web.fault = refused
        return shorter(_path, answer, handler)

    web.fault = once
    shutil.copytree(web.root, tmp_path / "other")
    with serving(tmp_path / "other") as other:
        site = Site(["http://127.0.0.1:9/nobody/", web.url, other.url], PATIENT)
        with site.stream("file", 0, len(DATA)) as stream:
            assert stream.read(len(DATA)) == DATA
        assert other.requests == [f"/file bytes=70000-{len(DATA) - 1}"]


def test_a_server_without_ranges_serves_too(web: Web) -> None:
    def whole(_path: str, _answer: Answer, _handler: Handler) -> Answer:
        return Answer(200, {"Content-Length": str(len(DATA))}, DATA)

    web.fault = whole
    with Site([web.url], PATIENT).stream("file", 5000, 6000) as stream:
        assert stream.read(1000) == DATA[5000:6000]


def test_a_proxy_of_the_environment_is_used(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", web.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Site(["http://mirror.invalid"], PATIENT).stream("file", 10, 20) as stream:
        assert stream.read(10) == DATA[10:20]
    assert web.requests == ["http://mirror.invalid/file bytes=10-19"]


def test_a_whole_file_has_a_limit(web: Web) -> None:
    assert Site([web.url], PATIENT).get("file", len(DATA)) == DATA
    with pytest.raises(FetchFailed, match="are the limit"):
        Site([web.url], PATIENT).get("file", len(DATA) - 1)


def test_a_server_that_is_away_is_named() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(FetchFailed, match=f"{url}/file: .*refused"):
            Site([url], PATIENT).get("file", 10)


@pytest.mark.parametrize("url", ["file:///etc", "http:///x", "ftp://host/x", "nothing"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidValue, match="use http"):
        Site([url])


def test_bytes_come_no_faster_than_told(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(fetch.time, "sleep", slept.append)
    site = Site([web.url], PATIENT, limit=len(DATA) / 10)
    site.get("file", len(DATA))
    # the clock goes on by itself, but not by as much
    assert max(slept) > 4


@pytest.fixture
def published(tmp_path: pathlib.Path) -> t.Iterator[tuple[World, Web]]:
    world = World(tmp_path / "world")
    world.volume(1, [1, 2, 3, 0, 11, 12, 21])
    world.publish(1)
    world.volume(2, [1, 4, 2, 0, 13, 22, 31, 32])
    world.publish(2, 1)
    with serving(pathlib.Path(world.place.public)) as web:
        world.update(web.url, world.client("one"), 1, None, tmp_path / "own")
        web.requests.clear()
        yield world, web


@pytest.mark.parametrize("kind", ["manifest", "index", "pack"])
@pytest.mark.parametrize("own", [None, 1])
def test_no_changed_byte_gets_through(
    published: tuple[World, Web], tmp_path: pathlib.Path, kind: str, own: int | None
) -> None:
    """Bytes here and there in every file, one after the other."""
    world, web = published
    place = pathlib.Path(world.place.public)
    size = max(path.stat().st_size for path in place.glob(f"*.{kind}"))
    expected = hashlib.sha256(world.volumes[2].read_bytes()).digest()
    for at in range(0, size, size // 53 + 1):
        changed = 0

        def change(path: str, answer: Answer, _handler: Handler, at: int = at) -> Answer:
            nonlocal changed
            start = int(answer.headers.get("Content-Range", "bytes 0-").split()[1].split("-")[0])
            if path.endswith(kind) and start <= at < start + len(answer.body):
                changed += 1
                body = bytearray(answer.body)
                body[at - start] ^= 0x20
                answer.body = bytes(body)
            return answer

        web.fault = change
        try:
            world.update(web.url, world.client("one"), 2, own, tmp_path / "target")
        except (Damaged, FetchFailed):
            continue
        # what was changed was not asked for, or says nothing: a blank, a name that is not used
        assert kind == "manifest" or not changed
        assert hashlib.sha256((tmp_path / "target").read_bytes()).digest() == expected
