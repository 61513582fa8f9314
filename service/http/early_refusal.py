"""Refuses a request before it is parsed, which takes a tenth of the time that aiohttp needs for any answer.

Only a request of a usual form is refused here: the place where the next one begins must be beyond doubt, or a proxy and
this service could disagree about it (request smuggling). Everything else is parsed, and refused by the middleware.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import NamedTuple

from aiohttp import hdrs, web

from service.http.fast_path import REQUEST_ID

_MAX_HEAD_BYTES = 4096

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
    """Return the request with which the data begins, whose head must be complete; None if it is of an unusual form.

    Nothing of it is kept: a head has the client's API key.
    """
    found = _HEAD.match(data[:_MAX_HEAD_BYTES].lower())
    if found is None:
        return None
    head_only, length, connection, request_id = found.groups()
    size = found.end() if length is None else found.end() + int(length)
    if request_id is not None:
        request_id = data[found.start(4) : found.end(4)]
    return UsualRequest(size, head_only is not None, connection == b"close", request_id or b"")


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
