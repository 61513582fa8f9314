"""Around every request: errors become problem+json here and nowhere else, each answer names its request."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from service import errors
from service.errors import RunfoldError, Unavailable
from service.identifiers import uuid7

_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_STATUS: dict[type[RunfoldError], int] = {
    errors.Malformed: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.UnsupportedType: 415,
    errors.Invalid: 422,
    errors.Unavailable: 503,
}

_HTTP_TITLES = {
    404: "No such route",
    405: "The route does not take this method",
    413: "The request is too large",
}
_SERVER_ERROR = 500
_MAX_ID = 128


def status_of(error: RunfoldError) -> int:
    """Return the status of an error's class or of the nearest one above it."""
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), _SERVER_ERROR)


def problem(status: int, code: str, title: str, detail: str, **more: Any) -> web.Response:  # noqa: ANN401
    """Return RFC 9457 with Marquez's `code` and `message` beside it, so that both kinds of client can read it."""
    body = {
        "type": f"/errors/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": status,
        "message": detail,
        **more,
    }
    text = orjson.dumps(body) if detail.isascii() else orjson.dumps(_speakable(body))
    return web.Response(body=text, status=status, content_type="application/problem+json")


def _speakable(body: dict[str, Any]) -> dict[str, Any]:
    """Lone surrogates came in with the request; they cannot go out."""
    return {
        name: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
        for name, value in body.items()
    }


def _of(error: RunfoldError) -> web.Response:
    more: dict[str, Any] = {}
    if error.errors:
        more["errors"] = [one._asdict() for one in error.errors]
    if isinstance(error, errors.Conflict):
        more["run"] = orjson.Fragment(error.run)
    response = problem(status_of(error), error.code, error.title, error.detail, **more)
    if isinstance(error, Unavailable):
        response.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.Unauthenticated):
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _of_http(error: web.HTTPException) -> web.Response:
    """What aiohttp itself refuses: no such route, wrong method, too large."""
    detail = f"HTTP {error.status} {error.reason}"
    response = problem(error.status, f"http-{error.status}", _HTTP_TITLES.get(error.status, error.reason), detail)
    if isinstance(error, web.HTTPMethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
    return response


def request_id(request: web.Request) -> str:
    """Return the caller's X-Request-ID where it is a decent one, else a new id."""
    given = request.headers.get("X-Request-ID", "")
    return given if 0 < len(given) <= _MAX_ID and given.isascii() and given.isprintable() else str(uuid7())


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into an answer."""
    try:
        return await handler(request)
    except RunfoldError as error:
        response = _of(error)
    except web.HTTPException as error:
        if error.status < 400:  # noqa: PLR2004
            raise
        response = _of_http(error)
    except Exception:
        found = request_id(request)
        _log.exception("request %s: %s %s failed", found, request.method, request.path)
        response = problem(_SERVER_ERROR, "internal", "Internal error", f"Something is wrong here; logged as {found}.")
        response.headers["X-Request-ID"] = found
        return response
    response.headers["X-Request-ID"] = request_id(request)
    return response


def access_log() -> Callable[..., Any]:
    """Return the middleware that writes a line a request."""
    log = logging.getLogger("service.access")

    @web.middleware
    async def write(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        response = await handler(request)
        took = (time.perf_counter() - started) * 1000
        log.info("%s %s %d %.1fms", request.method, request.path, response.status, took)
        return response

    return write
