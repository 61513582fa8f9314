"""What is no HTTP, or more than is taken, never reaches a route: aiohttp answers it by itself; here, as a problem too.

Nothing of what was sent is in the answer: it may hold a secret.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from aiohttp import StreamReader, web
from aiohttp import http_exceptions as refused
from aiohttp.http import RawRequestMessage

from service.errors import Malformed
from service.http.connections import HANDLER_ARGS
from service.http.front import Front
from service.http.problems import SERVER_ERROR, of_error, of_http, problem

_LINE, _FIELD, _HEADERS = (HANDLER_ARGS[limit] for limit in ("max_line_size", "max_field_size", "max_headers"))
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (refused.LineTooLong, f"the request line is longer than {_LINE} bytes, or a header than {_FIELD}"),
    (refused.InvalidHeader, "a header cannot be read"),
    (refused.InvalidURLError, "the address in the request line cannot be read"),
    (refused.BadStatusLine, "the request line cannot be read, or its method is none that is known"),
    (refused.PayloadEncodingError, "the body is not encoded as its headers say"),
    (BaseException, f"this is not an HTTP/1.1 request with at most {_HEADERS} headers"),
)


class Runner(web.AppRunner):
    """Runs an application on connections that answer every error as a problem."""

    async def _make_server(self) -> web.Server:
        return _Server(await super()._make_server(), Front(self.app))


class _Server(web.Server):
    """Makes a _Connection for each client, where aiohttp's makes a RequestHandler."""

    def __init__(self, made: web.Server, front: Front) -> None:
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
