"""What is no HTTP, or more than is taken, never reaches a route: aiohttp answers it by itself; here, as a problem too.

Nothing of what was sent is in the answer: it may hold a secret.
"""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import Any

from aiohttp import StreamReader, web
from aiohttp import http_exceptions as refused
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError

from service.errors import Malformed
from service.http.fast_path import RunRouter
from service.http.problems import SERVER_ERROR, of_error, of_http, problem


class _Quiet(logging.Filter):
    """Of a request that is no HTTP, say that there was one: not at length, and not what it held, maybe a secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, (HttpProcessingError, RequestPayloadError)):
            return True
        record.exc_info = None
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.msg = f"{record.msg}: {type(error).__name__}"
        return record.levelno >= logging.getLogger().getEffectiveLevel()


_log = logging.getLogger(__name__)
_log.addFilter(_Quiet())


HANDLER_ARGS: dict[str, Any] = {
    "auto_decompress": False,  # service/bodies.py says why
    # Also the time a client has from connecting, or from its last answer, to the end of its headers.
    "keepalive_timeout": 75.0,
    # Time to take what a refused client goes on sending, so that it reads the answer before the connection ends.
    "lingering_time": 5.0,
    # Two names of 1,024 characters of 4 bytes, percent-encoded, are 24 KiB.
    "max_line_size": 32 * 1024,
    "max_field_size": 8 * 1024,
    "max_headers": 128,
    "logger": _log,
}
"""What aiohttp is told for each connection."""


_LINE, _FIELD, _HEADERS = (HANDLER_ARGS[limit] for limit in ("max_line_size", "max_field_size", "max_headers"))
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (refused.LineTooLong, f"the request line is longer than {_LINE} bytes, or a header than {_FIELD}"),
    (refused.InvalidHeader, "a header cannot be read"),
    (refused.InvalidURLError, "the address in the request line cannot be read"),
    (refused.BadStatusLine, "the request line cannot be read, or its method is none that is known"),
    (refused.PayloadEncodingError, "the body is not encoded as its headers say"),
    (BaseException, f"this is not an HTTP/1.1 request with at most {_HEADERS} headers"),
)


class HttpRunner(web.AppRunner):
    """Runs an application on connections that answer every error as a problem."""

    async def _make_server(self) -> web.Server:
        return _Server(await super()._make_server(), RunRouter(self.app))


class _Server(web.Server):
    """Makes a _Connection for each client, where aiohttp's makes a RequestHandler."""

    def __init__(self, made: web.Server, front: RunRouter) -> None:
        super().__init__(front, request_factory=made.request_factory, loop=made._loop, **made._kwargs)  # noqa: SLF001  it tells nobody what it was made of

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    """Says in our words what aiohttp says in its own."""

    __slots__ = ("_body",)

    def __init__(self, *arguments: Any, **settings: Any) -> None:  # noqa: ANN401  aiohttp's, as they come
        super().__init__(*arguments, **settings)
        self._body: StreamReader | None = None

    def data_received(self, data: bytes) -> None:
        """Take what has come; whoever waits for a body learns that it cannot be read, which aiohttp keeps to itself."""
        super().data_received(data)
        if self._messages:
            message, body = self._messages[-1]
            if isinstance(message, RawRequestMessage):
                self._body = body
            elif self._body is not None and not self._body.is_eof():
                self._body.set_exception(web.RequestPayloadError("the encoding is broken"))
                self._body.feed_eof()
                self.close()  # the answer to that request is the last: where another would begin, nobody knows

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what the parser refused, or what failed outside every middleware."""
        super().handle_error(request, status, exc, message)  # logs, and raises where an answer has begun
        answer = _answer(status, exc)
        answer.force_close()
        return answer

    def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        """Answer; an error raised outside every middleware (an Expect that nobody can meet) as a problem."""
        if isinstance(resp, web.HTTPClientError):
            resp = of_http(resp)
        return super().finish_response(request, resp, start_time)


def _answer(status: int, error: BaseException | None) -> web.Response:
    if isinstance(error, refused.HttpProcessingError):
        return of_error(Malformed(next(reason for kind, reason in _REASONS if isinstance(error, kind))))
    return problem(status, "internal", "Internal error", "Something is wrong here; the log has more.")
