"""Refuses a request before it is parsed, which takes a tenth of the time that aiohttp needs for any answer.

Only a request of a usual form is refused here: the place where the next one begins must be beyond doubt, or a proxy and
this service could disagree about it (request smuggling). Everything else is parsed, and refused by the middleware.
"""

from __future__ import annotations

import re
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

from aiohttp import hdrs, web

from service.http.fast_path import REQUEST_ID

_END = b"\r\n\r\n"
_MAX_HEAD_BYTES = 4096

_LINE = re.compile(rb"(?:get|head|post|put|delete) (?!\S*/(?:livez|readyz|metrics)[ ?])[!-~]+ http/1\.1\r\n")
"""The request line, in lower case, without those that are answered at any time."""

_UNUSUAL = (b"\ntransfer-encoding", b"\nexpect", b"\nupgrade", b"\n ", b"\n\t", b"\n:", b"\0")
"""What makes the end of a request, or what its client waits for, depend on more than Content-Length."""

_LENGTH = re.compile(rb"\r\ncontent-length: ?([0-9]{1,7})\r\n")
_CONNECTION = re.compile(rb"\r\nconnection: ?(keep-alive|close)\r\n")
_ID = re.compile(rb"\r\nx-request-id: ?([!-~]{1,128})\r\n", re.IGNORECASE)


class UsualRequest(NamedTuple):
    """A request whose end is beyond doubt.

    size: bytes of head and body; head_only: whether it is HEAD; closes: whether the client wants the connection closed;
    request_id: the X-Request-ID, empty if there is none.
    """

    size: int
    head_only: bool
    closes: bool
    request_id: bytes


def read_usual_request(data: bytes) -> UsualRequest | None:
    """Return the request with which the data begins, whose head must be complete; None if it is of an unusual form."""
    end = data.find(_END, 0, _MAX_HEAD_BYTES)
    return None if end < 0 else _read_usual_head(data[: end + 2])


@lru_cache(maxsize=1024)  # a client's requests have the same head, where its path has no id
def _read_usual_head(given: bytes) -> UsualRequest | None:
    """Return the request with a head that ends with its last line."""
    head = given.lower()
    lines = head.count(b"\r\n")
    if (
        _LINE.match(head) is None
        or head.count(b"\n") != lines
        or head.count(b"\r") != lines
        or any(map(head.__contains__, _UNUSUAL))
    ):
        return None
    length, connection, request_id = b"0", b"", b""
    if b"content-length" in head:
        found = _LENGTH.search(head)
        if found is None or head.count(b"content-length") > 1:
            return None
        length = found[1]
    if b"\nconnection" in head:
        found = _CONNECTION.search(head)
        if found is None or head.count(b"\nconnection") > 1:
            return None
        connection = found[1]
    if b"\nx-request-id" in head:
        found = _ID.search(given)
        request_id = b"" if found is None else found[1]
    size = len(head) + 2 + int(length)
    return UsualRequest(size, head.startswith(b"head "), connection == b"close", request_id)


class SerializedRefusal:
    """An answer of a server that is overloaded, serialized once."""

    def __init__(self, response: web.Response) -> None:
        """Take the answer as a problem."""
        body = response.body
        assert isinstance(body, bytes)  # noqa: S101  problem() makes it so
        lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in response.headers.items() if name != hdrs.CONTENT_LENGTH]
        lines += [f"{hdrs.CONTENT_LENGTH}: {len(body)}", ""]
        self._head = "\r\n".join(lines).encode()
        self._body = body
        self._usual = self._head + b"\r\n" + body

    def answer(self, request: UsualRequest) -> bytes:
        """Return the bytes that answer a request."""
        if not (request.head_only or request.closes or request.request_id):
            return self._usual
        return b"".join((
            self._head,
            b"Connection: close\r\n" if request.closes else b"",
            b"%b: %b\r\n" % (REQUEST_ID.encode(), request.request_id) if request.request_id else b"",
            b"\r\n",
            b"" if request.head_only else self._body,
        ))  # fmt: skip
