"""What makes aiohttp answer faster, and the only module that uses private names of aiohttp.

- `json_response` makes a `PreserializedResponse`: status line, headers and body are sent in one piece. To build headers
  of any kind takes aiohttp a third of the time of an empty request; those of nearly every response here are known.
- `RunRouter` finds the routes of runs in a dictionary.
- `FastRunner` runs an application with both. It uses neither where the application has a middleware or an
  `on_response_prepare` handler: access logs, tracing and metrics hook in there and see every request and response.

Decision record: docs/decisions/0014-fast-path.md. A test asserts each of PRIVATE_NAMES in the installed aiohttp.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus
from types import ModuleType
from typing import Any, NamedTuple

import aiohttp.http
from aiohttp import HttpVersion11, StreamReader, hdrs, web, web_response
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import HttpRequestParser, RawRequestMessage
from multidict import istr
from yarl import URL

from service.http.paths import BASE
from service.http.server_header import SERVER


class PrivateName(NamedTuple):
    """A name that aiohttp does not document, and what it is used for here."""

    owner: type | ModuleType
    name: str
    why: str


PRIVATE_NAMES = (
    PrivateName(web.Request, "_match_info", "RunRouter sets the route, as Application._handle does"),
    PrivateName(web.Application, "_handle", "RunRouter passes on every request that it does not route itself"),
    PrivateName(web.AppRunner, "_make_server", "FastRunner overrides it: no public hook replaces the server"),
    PrivateName(web.Server, "_loop", "FastServer creates its connections as Server.__call__ does"),
    PrivateName(web.Server, "_kwargs", "likewise: the arguments of RequestHandler"),
    PrivateName(web.RequestHandler, "_messages", "FastConnection looks for the parser's error behind a request"),
    PrivateName(web.RequestHandler, "_request_count", "tells whether the head of a request is complete"),
    PrivateName(web.RequestHandler, "_request_in_progress", "tells whether an answer is complete"),
    PrivateName(web.RequestHandler, "_keepalive_timeout", "a request that was refused early keeps the connection, too"),
    PrivateName(web.RequestHandler, "_next_keepalive_close_time", "likewise"),
    PrivateName(web.RequestHandler, "_loop", "likewise: the clock of that time"),
    PrivateName(web.RequestHandler, "_current_request", "tells whether an answer may be under way"),
    PrivateName(web.RequestHandler, "handle_error", "overridden: parser errors are answered as problems"),
    PrivateName(web.RequestHandler, "finish_response", "overridden: a 417 is answered as a problem"),
    PrivateName(web.RequestHandler, "_parser", "its count of requests that are parsed and not taken is corrected"),
    PrivateName(HttpRequestParser, "message_consumed", "likewise"),
    PrivateName(web.RequestHandler, "_reading_paused", "to resume what is not paused takes time for each body"),
    PrivateName(web.Response, "_eof_sent", "set when a PreserializedResponse becomes a Response after it was sent"),
    PrivateName(web.Response, "_keep_alive", "likewise"),
    PrivateName(web.Response, "_body_length", "likewise"),
    PrivateName(aiohttp.http, "RawRequestMessage", "tells a parsed request from a parser's error in _messages"),
    PrivateName(web_response, "SERVER_SOFTWARE", "set: the Server header of what is not preserialized"),
)
"""Every private or undocumented name of aiohttp that the service relies on."""

vars(web_response)["SERVER_SOFTWARE"] = SERVER

BEHIND = istr("Runfold-Behind")
"""The header of a response that lacks the last events recorded before the request: how many (http/behind.py)."""

REQUEST_ID = istr("X-Request-ID")
"""The header with which a caller names a request; its response repeats it."""

RECORDED = istr("Runfold-Recorded")
"""The header of a response that says at which position the request recorded an event, or NOT_RECORDED."""

NOT_RECORDED = b"none"
"""The value of Runfold-Recorded where the request changed nothing, because the ledger has it already."""

_JSON = "application/json"
_HEAD = hdrs.METH_HEAD
_now = time.time


def json_response(
    request: web.Request,
    body: bytes = b"",
    status: int = HTTPStatus.OK,
    *,
    location: str | None = None,
    recorded: bytes | None = None,
    behind: str = "",
) -> web.Response:
    """Return a response with a JSON body and a newline, for terminals, or with no body.

    `location` must not contain control characters. `recorded` is the value of the header Runfold-Recorded: a position,
    or NOT_RECORDED. `behind` is that of Runfold-Behind.
    """
    connection = request.protocol
    if (
        isinstance(connection, FastConnection)
        and connection.preserializes
        and request.version == HttpVersion11
        and request.keep_alive
        and request.method != _HEAD
        and REQUEST_ID not in request.headers
        and not behind
    ):
        return PreserializedResponse(body, status, location, recorded)
    headers = {}
    if body:
        body += b"\n"
        headers[hdrs.CONTENT_TYPE] = _JSON
    if location is not None:
        headers[hdrs.LOCATION] = location
    if recorded is not None:
        headers[RECORDED] = recorded.decode()
    if behind:
        headers[BEHIND] = behind
    return web.Response(body=body, status=status, headers=headers)


class PreserializedResponse(web.Response):
    """A response that is written in one piece, unless it is read or changed before.

    Its first use for anything but sending and `status` turns it into an ordinary `web.Response`, which aiohttp sends.
    """

    _sent = False

    def __init__(self, body: bytes, status: int, location: str | None, recorded: bytes | None = None) -> None:
        """Take a body of JSON or none, a status of HTTPStatus, and values of headers without control characters."""
        # Without super().__init__(): it creates headers and state that are not needed; _materialize calls it.
        self._code = status
        fields = _JSON_LENGTH if body else _LENGTH
        if recorded is not None:
            fields = b"Runfold-Recorded: %b\r\n%b" % (recorded, fields)
        if location is not None:
            fields = b"Location: %b\r\n%b" % (location.encode(), fields)
        head = _heads.get(status)
        # join() takes 80 ns less than formatting all parts.
        self._message = (
            b"".join((head, fields, b"%d\r\n\r\n" % (len(body) + 1), body, b"\n"))
            if body
            else b"%b%b0\r\n\r\n" % (head, fields)
        )

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._code

    @property
    def prepared(self) -> bool:
        """Whether it was sent."""
        return self._sent

    @property
    def keep_alive(self) -> bool:
        """True: only a client that keeps its connection is answered with it."""
        return True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._code} {HTTPStatus(self._code).phrase}>"

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Send it. Raises ConnectionError when the client has disconnected."""
        writer = request.writer
        if not self._sent:
            self._sent = True
            await writer.write_eof(self._message)
        return writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: `prepare` has sent everything."""

    def _materialize(self) -> None:
        """Become a `web.Response` with the same status, headers and body, sent or not."""
        status, message, sent = self._code, self._message, self._sent
        vars(self).clear()
        self.__class__ = web.Response  # type: ignore[assignment]
        head, _, body = message.partition(b"\r\n\r\n")
        lines = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
        headers = {name: value for name, _, value in lines if sent or name not in _SET_WHEN_SENT}
        web.Response.__init__(self, body=body, status=status, headers=headers)
        if sent:
            self._eof_sent, self._keep_alive, self._body_length = True, True, len(message)


_SET_WHEN_SENT = {hdrs.DATE, hdrs.SERVER, hdrs.CONTENT_LENGTH}
_LENGTH = b"Content-Length: "
_JSON_LENGTH = f"Content-Type: {_JSON}\r\nContent-Length: ".encode()


class _Materializing:
    """An attribute of PreserializedResponse whose use turns the response into a `web.Response` first."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, response: PreserializedResponse | None, owner: type) -> Any:  # noqa: ANN401  any attribute
        if response is None:
            return getattr(web.Response, self._name)
        response._materialize()  # noqa: SLF001  of this module
        return getattr(response, self._name)

    def __set__(self, response: PreserializedResponse, value: object) -> None:
        response._materialize()  # noqa: SLF001  of this module
        setattr(response, self._name, value)


def _materialize_on_use() -> None:
    public = {name for name in dir(web.Response) if not name.startswith("_")}
    mapping = {"__getitem__", "__setitem__", "__delitem__", "__iter__", "__len__", "__contains__"}
    for name in public | mapping:
        if name not in vars(PreserializedResponse):
            setattr(PreserializedResponse, name, _Materializing(name))


_materialize_on_use()


class _Heads:
    """The first lines of responses, by status: status line, Date and Server. Built once a second."""

    def __init__(self) -> None:
        self._second = self._next = 0
        self._heads: dict[int, bytes] = {}

    def get(self, status: int) -> bytes:
        """Return the first lines of a response that is sent now."""
        now = _now()
        if not self._second <= now < self._next:
            self._second = int(now)
            self._next = self._second + 1
            self._heads.clear()
        return self._heads.get(status) or self._make(status)

    def _make(self, status: int) -> bytes:
        line, date = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", formatdate(self._second, usegmt=True)
        return self._heads.setdefault(status, f"{line}\r\nDate: {date}\r\nServer: {SERVER}\r\n".encode())


_heads = _Heads()

_SLASHES = re.compile("/{2,}")
_PREFIX = f"{BASE}/jobs/runs/"
_PREFIX_LENGTH = len(_PREFIX)
_RUN = f"{_PREFIX}{{id}}"


class RunRouter:
    """The handler of every request of an application: routes those of runs, passes the others to the application."""

    def __init__(self, app: web.Application, base_path: str = "") -> None:
        """Take an application to which all routes, middlewares and signal handlers have been added.

        `base_path` is a path below which the same routes are found, too.
        """
        self.app = app
        self.base_path = base_path
        self.steps_aside = bool(app.middlewares) or bool(app.on_response_prepare)
        """Whether something in the application expects to see every request or response."""
        routes = [] if self.steps_aside else app.router.routes()
        paths = [(route, route.resource.canonical) for route in routes if route.resource is not None]
        self._routes = {
            (route.method, path.removeprefix(_RUN)): route for route, path in paths if path.startswith(_RUN)
        }

    def __call__(self, request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        """Call the handler of the request. Unusual paths and `Expect` are left to the application's own router."""
        assert isinstance(request, web.Request)  # noqa: S101  the application's request factory makes these
        path = given = request.rel_url.raw_path
        if self.base_path:
            path = self._without_base_path(given)
        if path.startswith(_PREFIX):
            run, slash, rest = path[_PREFIX_LENGTH:].partition("/")
            route = self._routes.get((request.method, slash + rest))
            if route is not None and run and "%" not in run and hdrs.EXPECT not in request.headers:
                match = web.UrlMappingMatchInfo({"id": run}, route)
                match.add_app(self.app)
                request._match_info = match  # noqa: SLF001  PRIVATE_NAMES
                return route.handler(request)
        # Clients join a base URL and a path, each with a slash. A slash that belongs to a name is percent-encoded.
        if path[-1:] == "/" or "//" in path:
            path = _SLASHES.sub("/", path)
            path = path.removesuffix("/") if len(path) > 1 else path
        if path is not given:
            request = _with_path(request, path)
        return self.app._handle(request)  # noqa: SLF001  PRIVATE_NAMES

    def _without_base_path(self, path: str) -> str:
        """Return a path below the base path as one of the root; any other path as it is."""
        single = _SLASHES.sub("/", path) if "//" in path else path
        below = single.removeprefix(self.base_path)
        return below or "/" if below != single and below[:1] in ("", "/") else path


def _with_path(request: web.Request, path: str) -> web.Request:
    """Return a request for another path."""
    query = f"?{text}" if (text := request.rel_url.raw_query_string) else ""
    return request.clone(rel_url=URL(path + query, encoded=True))


class FastConnection(web.RequestHandler):
    """The connection of a client."""

    __slots__ = ("_body", "on_lost", "preserializes")

    def __init__(self, server: FastServer, **settings: Any) -> None:  # noqa: ANN401  those of RequestHandler
        super().__init__(server, **settings)
        self.preserializes = not server.router.steps_aside
        """Whether `json_response` may send in one piece on this connection."""
        self._body: StreamReader | None = None
        self.on_lost: Callable[[], None] | None = None
        """Is called when the client has disconnected."""

    @property
    def is_idle(self) -> bool:
        """Whether all requests that were parsed have been received and answered completely, if a handler has begun."""
        return not (self._request_in_progress or self._messages) and (self._body is None or self._body.is_eof())

    def keep_open(self) -> None:
        """Give the client the time to send another request, as after an answer."""
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout

    @property
    def is_answering(self) -> bool:
        """Whether a handler works on a request, so that an answer may be under way."""
        return self._current_request is not None

    def hold_head(self, _size: int) -> None:
        """Is called with the number of bytes that were added to a head that is still incomplete."""

    def release_head(self) -> None:
        """Is called when a head is complete."""

    def received_requests(self, _count: int) -> None:
        """Is called with the number of heads that are complete now."""

    def leave(self) -> None:
        """Is called when a request is not counted as under way any more."""

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002  aiohttp's
        """Read from the client again, and parse what the parser holds. aiohttp calls this for each piece of a body."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Report that the client has disconnected."""
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()

    def data_received(self, data: bytes) -> None:
        """Parse what was received. A handler that waits for a body is woken when the body cannot be parsed.

        aiohttp queues the parser's error behind the request and leaves the request's body waiting.
        """
        received, in_body = self._request_count, self._body is not None and not self._body.is_eof()
        super().data_received(data)
        if self._request_count != received:
            self.release_head()
            self.received_requests(self._request_count - received)
        elif data and not in_body and not self._messages:
            self.hold_head(len(data))
        if self._messages:
            message, body = self._messages[-1]
            if isinstance(message, RawRequestMessage):
                self._body = body
            elif self._body is not None and not self._body.is_eof():
                self._body.set_exception(web.RequestPayloadError("the body's encoding is broken"))
                self._body.feed_eof()
                self.close()  # that request is the last: where the next would begin is unknown


class FastServer(web.Server):
    """Creates a connection of a given class for each client, with the settings of an application's own server."""

    def __init__(self, server: web.Server, router: RunRouter, connection: type[FastConnection]) -> None:
        super().__init__(router, request_factory=server.request_factory, loop=server._loop, **server._kwargs)  # noqa: SLF001  PRIVATE_NAMES
        self.router = router
        self._connection = connection

    def __call__(self) -> FastConnection:
        """Return the protocol of a new connection."""
        return self._connection(self, loop=self._loop, **self._kwargs)


class FastRunner(web.AppRunner):
    """Runs an application on connections of `connection`, with fast routes and responses where it allows them."""

    connection: type[FastConnection] = FastConnection
    base_path = ""
    """The path below which the routes are found, too."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()  # start-up hooks may add signal handlers, which the router looks for
        return FastServer(server, RunRouter(self.app, self.base_path), self.connection)
