"""Answers requests that aiohttp's parser rejects (malformed HTTP, oversized lines or headers) with a problem.

Those requests never reach a route. Nothing that the client sent is repeated in the response or in the log: it may hold
a secret.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Coroutine
from http import HTTPStatus
from math import inf
from typing import Any, cast

from aiohttp import hdrs, http_exceptions, web

from service.errors import Malformed, Overloaded, RunfoldError
from service.http.addresses import ADDRESSES
from service.http.admission import ADMISSION, ALWAYS, LEAST, TOO_MANY_REQUESTS, UNLIMITED, Admission
from service.http.body_budget import BODY_BUDGET, BodyBudget
from service.http.early_refusal import SerializedRefusal, read_usual_request
from service.http.fast_path import FastConnection, FastRunner, FastServer, PreserializedResponse
from service.http.problems import SERVER_ERROR, of_error, of_http, problem
from service.http.server_header import SERVER
from service.http.unread_answers import UnreadAnswers


class _ParserErrors(logging.Filter):
    """Shortens the record of a request that could not be parsed to one line at INFO, without its content."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, (http_exceptions.HttpProcessingError, web.RequestPayloadError)):
            return True
        record.exc_info = None
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.msg = f"{record.msg}: {type(error).__name__}"
        return record.levelno >= logging.getLogger().getEffectiveLevel()


_log = logging.getLogger(__name__)
_log.addFilter(_ParserErrors())


HANDLER_ARGS: dict[str, Any] = {
    "auto_decompress": False,  # service/http/request_body.py gives the reason
    # Also the time a client has from connecting, or from its last response, to the end of its headers.
    "keepalive_timeout": 75.0,
    # Time in which the rest of a refused request is read, so that the client gets the response before the close.
    "lingering_time": 5.0,
    # Two names of 1,024 characters of 4 bytes, percent-encoded, are 24 KiB.
    "max_line_size": 32 * 1024,
    "max_field_size": 8 * 1024,
    "max_headers": 64,
    "logger": _log,
}
"""Arguments of aiohttp's RequestHandler for each connection; times in seconds, sizes in bytes."""


MAX_HEAD_BYTES = 64 * 1024
"""Bytes of a request's head that are held while it is incomplete: a line of the greatest size, and headers."""

_LINE, _FIELD, _HEADERS = (HANDLER_ARGS[limit] for limit in ("max_line_size", "max_field_size", "max_headers"))
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (
        http_exceptions.LineTooLong,
        f"the request line is longer than {_LINE} bytes, or a header is longer than {_FIELD} bytes",
    ),
    (http_exceptions.InvalidHeader, "a header cannot be parsed"),
    (http_exceptions.InvalidURLError, "the URL in the request line cannot be parsed"),
    (http_exceptions.BadStatusLine, "the request line cannot be parsed, or its method is unknown"),
    (http_exceptions.PayloadEncodingError, "the body is not encoded as its headers declare"),
    (BaseException, f"this is not an HTTP/1.1 request with at most {_HEADERS} headers"),
)


class _ConnectionLimit:
    """Counts the connections of a server. What exceeds the limit is logged once, until half of them are closed."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._open = 0
        self._exceeded = False

    def add(self) -> bool:
        """Count a connection that was accepted; return whether it may stay."""
        self._open += 1
        if self._open <= self._limit:
            return True
        if not self._exceeded:
            self._exceeded = True
            _log.error("%d connections are open, which is the limit; further ones are answered 503", self._limit)
        return False

    def remove(self) -> None:
        """Count a connection that was closed."""
        self._open -= 1
        if self._open <= self._limit / 2:
            self._exceeded = False


_TOO_MANY = "too many connections are open; nothing was recorded"

_UNBOUNDED = BodyBudget(sys.maxsize)
"""For applications without a budget."""

_UNKNOWN = -1


class _Connection(FastConnection):
    """Answers as problems the errors that aiohttp answers as text; closes itself where there are too many.

    While the service is overloaded, it refuses requests before they are parsed.
    """

    __slots__ = (
        "_admission",
        "_head",
        "_parsed",
        "_prefix",
        "_refused",
        "_refusing",
        "_skipped",
        "_to_come",
        "_under_way",
        "_unwritten",
    )

    limit = _ConnectionLimit(inf)
    refusal: SerializedRefusal
    unread: UnreadAnswers

    def __init__(self, server: FastServer, **settings: Any) -> None:  # noqa: ANN401  those of RequestHandler
        super().__init__(server, **settings)
        self._prefix = server.router.base_path
        self._head = (server.router.app.get(BODY_BUDGET) or _UNBOUNDED).hold()
        self._admission = server.router.app.get(ADMISSION) or Admission()
        self._under_way = 0
        self._refusing = False
        """Whether the last request was refused early: more of its body may come, and its answer may be unwritten."""
        self._skipped = 0
        """Bytes to come of the body of a request that was refused."""
        self._unwritten = b""
        """The answer to it."""
        self._parsed = False
        """Whether something was parsed after the last request that was refused early."""
        self._to_come = 0
        """Bytes to come until the next request begins; _UNKNOWN: that is in doubt, and nothing is refused early."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve the client, or answer 503 and close where the limit is reached."""
        self._refused = not self.limit.add()
        if self._refused:
            writable = cast("asyncio.WriteTransport", transport)  # uvloop's transports are of classes of their own
            writable.write(_serialize(of_error(Overloaded(_TOO_MANY), self._prefix)))
            writable.close()
            return
        super().connection_made(transport)

    def pause_writing(self) -> None:
        """Wait until the client has read some of what was written, for a limited time."""
        super().pause_writing()
        if self.transport is not None:
            self.unread.add(self.transport)

    def resume_writing(self) -> None:
        """Go on to write."""
        super().resume_writing()
        if self.transport is not None:
            self.unread.remove(self.transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End the connection, and return its share of the budget. A handler that works goes on, and counts."""
        if self.writing_paused and self.transport is not None:
            self.unread.remove(self.transport)
        self._unwritten = b""
        self.release_head()
        while self._under_way > self.is_answering:
            self.leave()
        self.limit.remove()
        if not self._refused:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what was received, unless it is a request that is to be refused.

        aiohttp calls this without data to have parsed what its parser holds.
        """
        if self._admission.limit == UNLIMITED and not self._refusing:
            self._to_come, self._parsed = _UNKNOWN, True
            self._feed(data)
        elif rest := data and self._refuse_early(data):
            self._refusing = False
            self.write_refusal()
            self._parse(rest)
        elif not data:
            self.write_refusal()
            self._to_come, self._parsed = _UNKNOWN, True
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        """Parse what was received, and free the place of a request that was taken before its body was complete.

        aiohttp's parser holds what follows so many requests that are complete and not taken. It counts a request when
        its body is complete, and uncounts it when it is taken: one that was taken before would be counted for ever, and
        what is held would be parsed no more.
        """
        body = self._body
        taken = body is not None and not self._messages and not body.is_eof()
        super().data_received(data)
        if taken and body is not None and body.is_eof() and self._parser is not None:
            self._parser.message_consumed()
            if self._messages:
                super().data_received(b"")

    def _parse(self, data: bytes) -> None:
        """Parse what was received, and find out where the next request begins.

        If everything that was parsed before is answered, the parser holds at most a part of a head. Whatever that part
        is, where a request of the usual form follows it, both are one request that ends where that one does, or its
        body is incomplete, or the parser refuses them.
        """
        to_come, received, expected = _UNKNOWN, self._request_count, 0
        if self._to_come > 0:
            to_come = self._to_come - len(data)
        elif not (self._is_parsing() or self.writing_paused) and (request := read_usual_request(data)) is not None:
            to_come, expected = request[0] - len(data), 1
        self._parsed = True
        self._feed(data)
        self._to_come = to_come if to_come >= 0 and self._request_count - received == expected else _UNKNOWN

    def _refuse_early(self, data: bytes) -> bytes:
        """Answer requests of the usual form with 503 without parsing them; return the data from another one on."""
        admission = self._admission
        while data:
            if self._skipped:
                length = len(data)
                data = data[self._skipped :]
                self._skipped = max(0, self._skipped - length)
                continue
            limit = LEAST if admission.behind else admission.limit
            if admission.under_way < limit or self._to_come or self.writing_paused or self._is_parsing():
                break
            request = read_usual_request(data)
            if request is None:
                break
            size, form = request
            if form is not None and form.closes and size > len(data):
                break
            admission.refused_early += 1
            if self._unwritten:  # two requests came at once
                self.write_refusal()
            self._unwritten = self.refusal.usual if form is None else self.refusal.answer(form)
            if form is not None and form.closes:
                self.write_refusal()
                self.force_close()
                return b""
            admission.unwritten.add(self)
            self.keep_open()
            self._refusing, self._parsed = True, False
            if size == len(data):
                return b""
            self._skipped = max(0, size - len(data))
            data = data[size:]
        return data

    def write_refusal(self) -> None:
        """Answer a request that was refused early, if it was not answered yet."""
        if self._unwritten:
            answer, self._unwritten = self._unwritten, b""
            if self.transport is not None:
                self.transport.write(answer)

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109  aiohttp's
        """End the connection; what was refused is answered."""
        self.write_refusal()
        await super().shutdown(timeout)

    def _is_parsing(self) -> bool:
        """Whether a refusal cannot be the next answer: one before it is not complete, or a head is not."""
        return self._parsed and bool(self._under_way or self._head.size or not self.is_idle)

    def received_requests(self, count: int) -> None:
        """Count requests as under way."""
        admission = self._admission
        self._under_way += count
        admission.under_way += count
        if admission.under_way > ALWAYS and not admission.watching:
            admission.watch()

    def leave(self) -> None:
        """Count a request as under way no longer: it was answered, or may last as long as its client likes."""
        if self._under_way:
            admission = self._admission
            self._under_way -= 1
            admission.under_way -= 1
            admission.answered += 1

    def hold_head(self, size: int) -> None:
        """Bound what is held of an incomplete head, alone and in the budget of the process."""
        try:
            self._head.resize(self._head.size + size)
            if self._head.size > MAX_HEAD_BYTES:
                raise Malformed(f"the request line and the headers have more than {MAX_HEAD_BYTES} bytes")
        except RunfoldError as error:
            if self.transport is not None and not self.is_answering:
                self.transport.write(_serialize(of_error(error, self._prefix)))
            self.force_close()

    def release_head(self) -> None:
        """Return the share of the budget."""
        if self._head.size:
            self._head.resize(0)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that the parser rejected, or an error that was raised outside of every handler."""
        super().handle_error(request, status, exc, message)  # logs, and raises if a response has begun
        response = _error_response(status, exc, self._prefix)
        response.force_close()
        return response

    def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        """Send a response; an error raised outside of every handler (an unknown Expect, 417) as a problem."""
        self.leave()
        # The first check is the quick one: isinstance() of a response goes through ABCMeta and takes 0.1 microseconds.
        if type(resp) is not PreserializedResponse and isinstance(resp, web.HTTPClientError):
            resp = of_http(resp, self._prefix)
        return super().finish_response(request, resp, start_time)


def _serialize(response: web.Response) -> bytes:
    """Return a response as it is sent outside of a request: the connection is closed after it."""
    head = [
        f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
        f"Server: {SERVER}",
        "Connection: close",
    ]
    body = response.body
    assert isinstance(body, bytes)  # noqa: S101  of_error makes it so
    head += [f"{name}: {value}" for name, value in response.headers.items() if name != hdrs.CONTENT_LENGTH]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


class HttpRunner(FastRunner):
    """Runs an application on connections that answer every error as a problem."""

    def __init__(self, app: web.Application, *, max_connections: float = inf, **settings: Any) -> None:  # noqa: ANN401
        """Take the application, the number of connections that may be open, and the settings of aiohttp's runner."""
        super().__init__(app, **settings)
        addresses = app.get(ADDRESSES)
        self.base_path = addresses.base_path if addresses is not None else ""
        shared = {
            "__slots__": (),
            "limit": _ConnectionLimit(max_connections),
            "unread": UnreadAnswers(),
            "refusal": SerializedRefusal(of_error(Overloaded(TOO_MANY_REQUESTS), self.base_path)),
        }
        self.connection = type("_LimitedConnection", (_Connection,), shared)


def _error_response(status: int, error: BaseException | None, prefix: str) -> web.Response:
    if isinstance(error, http_exceptions.HttpProcessingError):
        return of_error(Malformed(next(reason for kind, reason in _REASONS if isinstance(error, kind))), prefix)
    detail = "Something is wrong here; the log has more."
    return problem(status, "internal", "Internal error", detail, prefix=prefix)
