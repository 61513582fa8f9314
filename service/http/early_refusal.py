"""Refuses a request before it is parsed, which takes a tenth of the time that aiohttp needs for any answer.

Only a request of a usual form is refused here: the place where the next one begins must be beyond doubt, or a proxy and
this service could disagree about it (request smuggling). Everything else is parsed, and refused by the middleware.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from http import HTTPStatus
from typing import NamedTuple, Protocol

from aiohttp import hdrs, web

from service.http.fast_path import REQUEST_ID
from service.http.server_header import SERVER

_MAX_HEAD_BYTES = 4096

_WRITTEN_AT_ONCE = 128
"""Answers that are written in one turn of the event loop, which takes less than two milliseconds."""

_HEAD = re.compile(
    rb"""
    (?:get|(head)|post|put|delete)[ ]
    (?!\S*/(?:livez|readyz|metrics)[ ?])  # these are answered at any time
    [!-~]++[ ]http/1\.1\r\n
    (?:
        (?!connection|content-length|expect|proxy-connection|transfer-encoding|upgrade|x-request-id)
        [0-9_a-z-]++:[\t -~\x80-\xff]*+\r\n
      | (?(2)(?!))content-length:[ ]?([0-9]{1,7})\r\n  # (?(2)(?!)): none was found before
      | (?(3)(?!))connection:[ ]?(keep-alive|close)\r\n
      | (?(4)(?!))x-request-id:[ ]?([!-~]{1,128})\r\n
    )*+
    \r\n
    """,
    re.VERBOSE,
)
"""A head in lower case. No field has a say in where the request ends, or in what its client waits for, but these."""


class AnswerForm(NamedTuple):
    """The form of the answer that a client needs, where it is not the usual one.

    head_only: whether the request is HEAD; closes: whether the client wants the connection closed; request_id: the
    X-Request-ID, empty if there is none.
    """

    head_only: bool
    closes: bool
    request_id: bytes


def read_usual_request(data: bytes) -> tuple[int, AnswerForm | None] | None:
    """Return the bytes of head and body of the request with which the data begins, and the form of its answer.

    Its head must be complete. None if it is of an unusual form, so that its end is not beyond doubt. Nothing of it is
    kept: a head has the client's API key.
    """
    found = _HEAD.match(data[:_MAX_HEAD_BYTES].lower())
    if found is None:
        return None
    head_only, length, connection, request_id = found.groups()
    size = found.end() if length is None else found.end() + int(length)
    closes = connection == b"close"
    if head_only is None and request_id is None and not closes:
        return size, None
    if request_id is not None:
        request_id = data[found.start(4) : found.end(4)]
    return size, AnswerForm(head_only is not None, closes, request_id or b"")


class SerializedRefusal:
    """An answer of a server that is overloaded, serialized once."""

    def __init__(self, response: web.Response) -> None:
        """Take the answer as a problem."""
        body = response.body
        assert isinstance(body, bytes)  # noqa: S101  problem() makes it so
        lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in response.headers.items() if name != hdrs.CONTENT_LENGTH]
        lines += [f"{hdrs.SERVER}: {SERVER}", f"{hdrs.CONTENT_LENGTH}: {len(body)}", ""]
        self._head = "\r\n".join(lines).encode()
        self._body = body
        self.usual = self._head + b"\r\n" + body
        """The bytes that answer a request in the usual form."""

    def answer(self, form: AnswerForm) -> bytes:
        """Return the bytes that answer a request in a form that is not the usual one."""
        return b"".join((
            self._head,
            b"Connection: close\r\n" if form.closes else b"",
            b"%b: %b\r\n" % (REQUEST_ID.encode(), form.request_id) if form.request_id else b"",
            b"\r\n",
            b"" if form.head_only else self._body,
        ))  # fmt: skip


class Refusing(Protocol):
    """A connection with an answer that is to be written."""

    def write_refusal(self) -> None:
        """Write the answer, unless it was written before."""


class UnwrittenRefusals:
    """Connections whose requests were refused and are not answered yet, in the order of their requests.

    To write an answer takes the kernel several times as long as to read a request. So requests are refused as they are
    read, and a bounded number of answers is written in each turn of the event loop: requests that were taken have their
    next turn soon, however many are refused.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._waiting: deque[Refusing] = deque()
        self._since = 0.0

    def add(self, connection: Refusing) -> None:
        """Have a connection write its answer in the next turn, or as soon as those before it were written."""
        if not self._waiting:
            self._since = time.monotonic()
            asyncio.get_running_loop().call_soon(self._write)
        self._waiting.append(connection)

    def _write(self) -> None:
        waiting = self._waiting
        for _ in range(min(_WRITTEN_AT_ONCE, len(waiting))):
            waiting.popleft().write_refusal()
        if waiting:
            asyncio.get_running_loop().call_soon(self._write)

    def waited(self, now: float) -> float:
        """Return for how many seconds there have always been some; `now` is of time.monotonic."""
        return now - self._since if self._waiting else 0.0
