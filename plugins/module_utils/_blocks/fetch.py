# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files over HTTP: whole, or a range (RFC 9110, 14), from a list of mirrors. Whatever a server does, this ends.

A failed transfer goes on where it stopped, at the next mirror, as long as there is progress. Proxies are those of
the environment (``http_proxy``, ``https_proxy``, ``no_proxy``), as urllib.request(3) reads them. What comes is not
believed here: its users have digests. But it is never more than was asked for, and never slower than :class:`Patience`.
"""

from __future__ import annotations

import dataclasses
import http.client
import queue
import threading
import time
import typing as t
import urllib.error
import urllib.parse
import urllib.request

from .._errors import InvalidValue, StatelessError

#: bytes that are read at once
_PIECE = 64 * 1024
#: bytes of a range that is skipped by reading it, if the server does not know ranges
_SKIPPED = 16 * 1024**2
_RANGE = "bytes {first}-{last}/"


class FetchFailed(StatelessError):
    """No mirror has given the file."""

    #: the last one says that there is no such file
    gone = False


@dataclasses.dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds."""

    #: for a connection and an answer's head
    answer: float = 30.0
    #: for the next bytes
    silence: float = 30.0
    #: a piece takes at most *silence* and what its bytes take at this rate, per second
    rate: float = 4096.0
    #: rounds through all mirrors without progress, and the pause between them
    rounds: int = 3
    pause: float = 2.0


class _Failed(Exception):
    """One mirror has failed."""


class _Gone(_Failed):
    """It has no such file."""


class Site:
    """Where published files are.

    :arg urls: of directories with the same files, tried in this order.
    :arg limit: bytes per second that are fetched at most; None: any.
    """

    def __init__(
        self,
        urls: t.Sequence[str],
        patience: Patience | None = None,
        limit: float | None = None,
        progress: t.Callable[[int], None] | None = None,
    ) -> None:
        for url in urls:
            parts = urllib.parse.urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise InvalidValue("url", url, "use http://HOST/PATH or https://HOST/PATH")
        if not urls:
            raise InvalidValue("url", urls, "name at least one")
        self.urls = [url.rstrip("/") + "/" for url in urls]
        self.patience = patience or Patience()
        self._limit = limit
        self._progress = progress
        self._opener = urllib.request.build_opener(_Redirects())
        #: what was asked for, and what came of it
        self.requests = 0
        self.bytes = 0
        self._began = time.monotonic()

    def get(self, name: str, limit: int) -> bytes:
        """A whole file of at most *limit* bytes.

        :raises FetchFailed: it cannot be had.
        """
        with Stream(self, name, 0, None, limit) as stream:
            return stream.rest()

    def stream(self, name: str, start: int, end: int) -> Stream:
        """The bytes *start* to *end* of a file."""
        return Stream(self, name, start, end, end - start)

    def open(self, url: str, start: int, end: int | None) -> tuple[http.client.HTTPResponse, int | None]:
        """Ask one mirror; the response, whose body is what was asked for, and its length.

        :raises _Failed: it does not give it.
        """
        headers = {"Accept-Encoding": "identity", "User-Agent": "stateless.linux"}
        if start or end is not None:
            headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        request = urllib.request.Request(url, headers=headers)
        self.requests += 1
        try:
            response = _within(
                self.patience.answer,
                lambda: self._opener.open(request, timeout=min(self.patience.silence, self.patience.answer)),
            )
        except urllib.error.HTTPError as error:
            error.close()
            kind = _Gone if error.code in (404, 410) else _Failed
            raise kind(f"it says {error.code} {error.reason!s:.100}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _Failed(_reason(error)) from error
        try:
            return response, self._checked(response, start, end)
        except BaseException:
            response.close()
            raise

    def _checked(self, response: http.client.HTTPResponse, start: int, end: int | None) -> int | None:
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise _Failed("it sends another encoding than was asked for")
        # the lengths of chunks could come as slowly as it likes; static files have a length
        if response.headers.get("Transfer-Encoding") is not None or response.length is None:
            raise _Failed("it does not say how long its answer is")
        length: int = response.length
        if response.status == 206:
            said = response.headers.get("Content-Range", "")
            first, last = start, (end if end is not None else start + length) - 1
            if not said.startswith(_RANGE.format(first=first, last=last)) or length != last - first + 1:
                raise _Failed(f"it sends another range than was asked for: {said!r:.100}")
        elif response.status == 200:
            if start > _SKIPPED:
                raise _Failed("it does not know ranges (RFC 9110, 14)")
            if end is not None and length < end:
                raise _Failed(f"the file has {length} bytes there, and {end} are needed")
        else:
            raise _Failed(f"it answers with status {response.status}")
        return length

    def count(self, size: int) -> float:
        """Count bytes that came, tell, and wait if they came too fast; the seconds that were waited."""
        self.bytes += size
        if self._progress is not None:
            self._progress(size)
        ahead = self.bytes / self._limit - (time.monotonic() - self._began) if self._limit else 0.0
        if ahead <= 0:
            return 0.0
        time.sleep(ahead)
        return ahead


class Stream:
    """A range of a file, read from its beginning to its end. A context manager.

    :arg end: None: the file's end.
    :arg most: bytes that it has at most.
    """

    def __init__(self, site: Site, name: str, start: int, end: int | None, most: int) -> None:
        self._site = site
        self._name = name
        self.at = start
        self._end = end
        self._most = most
        self._response: http.client.HTTPResponse | None = None
        self._last_failure = ""
        self._mirror = 0
        self._fruitless = 0
        self._gained = 0

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the transfer, wherever it is."""
        if self._response is not None:
            self._response.close()
            self._response = None

    def rest(self) -> bytes:
        """All that is left of a whole file."""
        while self._response is None:
            self._connect()
        if self._end is None:
            raise FetchFailed(f"cannot fetch {self._name}: its length is not known")
        return self.read(self._end - self.at)

    def skip(self, size: int) -> None:
        """Read *size* bytes for nothing."""
        while size > 0:
            size -= len(self.read(min(size, _PIECE)))

    def read(self, size: int) -> bytes:
        """Exactly *size* bytes.

        :raises FetchFailed: they cannot be had.
        """
        patience = self._site.patience
        parts: list[bytes] = []
        while size > 0:
            if self._response is None:
                self._connect()
                continue
            want = min(size, _PIECE)
            until = time.monotonic() + patience.silence + want / patience.rate
            try:
                while want > 0:
                    data = self._response.read1(want)
                    if not data:
                        raise _Failed("the transfer ended too early")
                    parts.append(data)
                    want -= len(data)
                    size -= len(data)
                    self.at += len(data)
                    self._gained += len(data)
                    # what is waited for the limit's sake is not the server's fault
                    until += self._site.count(len(data))
                    if time.monotonic() > until:
                        self._gained = 0
                        raise _Failed(f"it sends less than {patience.rate:g} bytes in a second")
            except (OSError, http.client.HTTPException, ValueError, _Failed) as error:
                self._failed(error)
        return b"".join(parts)

    def _connect(self) -> None:
        url = self._site.urls[self._mirror] + self._name
        try:
            response, length = self._site.open(url, self.at, self._end)
            try:
                if response.status == 200:
                    _drop(response, self.at)
                if self._end is None and length is not None:
                    if length > self._most:
                        raise _Failed(f"it has {length} bytes, and {self._most} are the limit")
                    self._end = self.at + length if response.status == 206 else length
            except BaseException:
                response.close()
                raise
            self._response = response
        except (OSError, http.client.HTTPException, ValueError, _Failed) as error:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        """Go to the next mirror, or give up."""
        self.close()
        url = self._site.urls[self._mirror] + self._name
        self._last_failure = f"{url}: {_reason(error)}"
        # a few bytes each time are no progress: that could go on for ever
        self._fruitless = 1 if self._gained >= _PIECE else self._fruitless + 1
        self._gained = 0
        self._mirror = (self._mirror + 1) % len(self._site.urls)
        if self._fruitless >= self._site.patience.rounds * len(self._site.urls):
            failed = FetchFailed(f"cannot fetch {self._last_failure}")
            failed.gone = isinstance(error, _Gone)
            raise failed
        if self._mirror == 0:
            time.sleep(self._site.patience.pause)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Only to where HTTP is spoken, and not for long."""

    max_redirections = 5
    max_repeats = 2

    def redirect_request(self, req: t.Any, fp: t.Any, code: t.Any, msg: t.Any, headers: t.Any, newurl: t.Any) -> t.Any:
        if urllib.parse.urlsplit(newurl).scheme not in ("http", "https"):
            raise urllib.error.URLError(f"it redirects to {newurl!r:.200}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _drop(response: http.client.HTTPResponse, size: int) -> None:
    until = time.monotonic() + 120
    while size > 0:
        data = response.read1(min(size, _PIECE))
        if not data or time.monotonic() > until:
            raise _Failed("it does not know ranges (RFC 9110, 14), and is too slow without")
        size -= len(data)


def _reason(error: BaseException) -> str:
    if isinstance(error, urllib.error.URLError):
        return f"{error.reason!s:.200}"
    return f"{error!s:.200}" or type(error).__name__


def _within(seconds: float, work: t.Callable[[], t.Any]) -> t.Any:
    """What *work* returns or raises, or a timeout: a name that is not answered, or an answer of endless headers."""
    done: queue.Queue[tuple[t.Any, BaseException | None]] = queue.Queue()

    def thread() -> None:
        try:
            done.put((work(), None))
        except BaseException as error:  # for whoever waits
            done.put((None, error))

    threading.Thread(target=thread, daemon=True).start()
    try:
        result, error = done.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} seconds") from None
    if error is not None:
        raise error
    return result
