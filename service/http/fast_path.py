"""Answers that are whole before their first byte is sent: a head of which little changes, and JSON.

aiohttp makes the head of any response there may be, which takes it a third of the time of a request that does nothing.
Nearly every answer here is JSON for a client that keeps its connection, and its head is known: it is sent in one piece
with the body (docs/decisions/0014-short-ways.md).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable
from email.utils import formatdate
from http import HTTPStatus

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import SERVER_SOFTWARE

from service.http.paths import BASE

REQUEST_ID = "X-Request-ID"
"""What a caller names a request with; its answer must repeat it."""

_JSON = "application/json"
_now = time.time


def json_response(
    request: web.Request, body: bytes = b"", status: int = HTTPStatus.OK, *, location: str | None = None
) -> web.Response:
    """Answer JSON, or nothing."""
    if (
        request.version == HttpVersion11
        and request.keep_alive
        and request.method != hdrs.METH_HEAD
        and REQUEST_ID not in request.headers
    ):
        return PreserializedResponse(body, status, location)
    headers = {hdrs.CONTENT_TYPE: _JSON} if body else {}
    if location is not None:
        headers[hdrs.LOCATION] = location
    return web.Response(body=body, status=status, headers=headers)


class PreserializedResponse(web.Response):
    """What there is to say, as it goes over the wire.

    Nothing of it can be changed: it has no headers and no cookies, and no signal of aiohttp's is sent for it.
    """

    def __init__(self, body: bytes, status: int, location: str | None) -> None:
        """Take a status of this module's, and a location without control characters."""
        # Not super().__init__(): it makes what is never looked at.
        self._kind = status
        self._message: bytes | None = b"%b%b%d\r\n\r\n%b" % (
            _heads.of(status),
            _field(location, body),
            len(body),
            body,
        )

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._kind

    @property
    def prepared(self) -> bool:
        """Whether it was sent."""
        return self._message is None

    @property
    def reason(self) -> str:
        """What the status means."""
        return HTTPStatus(self._kind).phrase

    @property
    def keep_alive(self) -> bool:
        """The connection lives on: nobody else is answered like this."""
        return True

    def force_close(self) -> None:
        """Refuse: its head says otherwise."""
        raise RuntimeError("a ready answer leaves the connection open")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._kind} {self.reason}>"

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Send it. Raises ConnectionError when nobody is there any more."""
        writer, message, self._message = request.writer, self._message, None
        if message is not None:
            await writer.write_eof(message)
        return writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: it was sent whole."""


_LENGTH = b"Content-Length: "
_JSON_LENGTH = f"Content-Type: {_JSON}\r\nContent-Length: ".encode()


def _field(location: str | None, body: bytes) -> bytes:
    fields = _JSON_LENGTH if body else _LENGTH
    return fields if location is None else b"Location: %b\r\n%b" % (location.encode(), fields)


class _Heads:
    """How answers begin: the line of the status, the server, the second."""

    def __init__(self) -> None:
        self._second = 0
        self._heads: dict[int, bytes] = {}

    def of(self, status: int) -> bytes:
        """Return the beginning of an answer that is sent now."""
        second = int(_now())
        if second != self._second:
            self._second = second
            self._heads.clear()
        return self._heads.get(status) or self._make(status)

    def _make(self, status: int) -> bytes:
        line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
        head = f"{line}\r\nDate: {formatdate(self._second, usegmt=True)}\r\nServer: {SERVER_SOFTWARE}\r\n".encode()
        self._heads[status] = head
        return head


_heads = _Heads()


_PREFIX = f"{BASE}/jobs/runs/"


_PREFIX_LENGTH = len(_PREFIX)


_RUN = f"{_PREFIX}{{id}}"


class RunRouter:
    """Takes every request of an application."""

    def __init__(self, app: web.Application) -> None:
        """Take an application whose routes are all there."""
        self._app = app
        routes = [] if app.middlewares else app.router.routes()  # a middleware sees what the application handles
        found = [(route, route.resource.canonical) for route in routes if route.resource is not None]
        self._short = {(route.method, path.removeprefix(_RUN)): route for route, path in found if path.startswith(_RUN)}

    def __call__(self, request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        """Return the answer to come."""
        assert isinstance(request, web.Request)  # noqa: S101  that is what the application's factory makes
        path = request.rel_url.raw_path
        if path.startswith(_PREFIX):
            run, slash, rest = path[_PREFIX_LENGTH:].partition("/")
            route = self._short.get((request.method, slash + rest))
            if route is not None and run and "%" not in run and hdrs.EXPECT not in request.headers:
                match = web.UrlMappingMatchInfo({"id": run}, route)
                match.add_app(self._app)
                request._match_info = match  # noqa: SLF001  what the application itself does
                return route.handler(request)
        return self._app._handle(request)  # noqa: SLF001  what its server calls
