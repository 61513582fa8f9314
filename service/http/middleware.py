"""Around every handler: who may, what went wrong, how long it took.

Not a middleware of aiohttp's: to find its way through one takes a request 3 microseconds, a twentieth of a read of a
run. What has no route of its own goes to `missing`, so every request for a path comes by here (`OPTIONS *` has none).
"""

import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from time import perf_counter

from aiohttp import web
from aiohttp.typedefs import Middleware

from service.domain.ids import uuid7
from service.errors import RunfoldError
from service.http.authentication import ACTOR, Authenticator
from service.http.fast_path import REQUEST_ID
from service.http.paths import REST
from service.http.problems import SERVER_ERROR, of_error, of_http, problem, unrouted
from service.http.request_metrics import RequestMetrics

_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_MAX_ID = 128
_FIRST_ERROR = 400


def wrap_handlers(guard: Authenticator, meter: RequestMetrics) -> Callable[[Handler], Handler]:
    """Return what wraps a handler: it admits, answers errors as problems, names the request and counts it."""

    def wrapped(handler: Handler) -> Handler:
        @wraps(handler)
        async def answer(request: web.Request) -> web.StreamResponse:
            began = perf_counter()
            request[ACTOR] = None
            try:
                if guard.on and not guard.admit(request):
                    await guard.admit_later(request)
                response = await handler(request)
            except RunfoldError as error:
                response = _named(of_error(error), request)
            except web.HTTPException as error:
                if error.status < _FIRST_ERROR:
                    raise
                response = _named(of_http(error), request)
            except Exception:  # noqa: BLE001  a caller is told something in any case
                response = _failed(request)
            else:
                if REQUEST_ID in request.headers and not response.prepared:
                    _named(response, request)
            meter.observe(request, response, perf_counter() - began)
            return response

        return answer

    return wrapped


async def no_route(request: web.Request) -> web.StreamResponse:
    """Say that there is no such path, or which methods it takes."""
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        if resource.canonical != REST:
            allowed |= (await resource.resolve(request))[1]
    raise unrouted(request.method, allowed)


def _named(response: web.StreamResponse, request: web.Request) -> web.StreamResponse:
    response.headers[REQUEST_ID] = _request_id(request)
    return response


def _request_id(request: web.Request) -> str:
    """Return the caller's X-Request-ID where it is a decent one, else a new id."""
    given = request.headers.get(REQUEST_ID, "")
    return given if 0 < len(given) <= _MAX_ID and given.isascii() and given.isprintable() else str(uuid7())


def _failed(request: web.Request) -> web.StreamResponse:
    """Answer what nobody thought of; the answer says where in the log to look and nothing else."""
    found = _request_id(request)
    _log.exception("request %s: %s %s failed", found, request.method, request.path)
    detail = f"Something is wrong here; logged as {found}."
    response = problem(SERVER_ERROR, "internal", "Internal error", detail)
    response.headers[REQUEST_ID] = found
    return response


def access_log() -> Middleware:
    """Return the middleware that writes a line a request."""
    log = logging.getLogger("service.access")

    @web.middleware
    async def write(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = perf_counter()
        response = await handler(request)
        took = (perf_counter() - began) * 1000
        log.info("%s %s %d %.1fms", request.method, request.path, response.status, took)
        return response

    return write
