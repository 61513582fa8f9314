"""Wraps every handler: admission, unknown parameters, errors, request ids, metrics.

It is not a middleware of aiohttp, because that costs a request 3 microseconds, a twentieth of a read of a run. Requests
without a route of their own go to `no_route`, so every request for a path passes through here (`OPTIONS *` has none).
"""

import logging
from dataclasses import replace
from functools import wraps
from time import perf_counter

from aiohttp import hdrs, web

from service import logs, trace_context
from service.auth.keys import Scope
from service.domain.ids import uuid7
from service.errors import Conflict, RunfoldError
from service.http.addresses import ADDRESSES
from service.http.admission import Admission
from service.http.authentication import Authenticator
from service.http.fast_path import REQUEST_ID, FastConnection
from service.http.navigation import for_reader
from service.http.paths import REST
from service.http.problems import SERVER_ERROR, of_error, of_http, problem, unrouted
from service.http.request_log import TRACE, TRACEPARENT, TRACERESPONSE, Observe, observe_and_log, request_fields
from service.http.request_metrics import RequestMetrics
from service.http.route import CONTEXT, Context, Handler, Reach, Route, Tag
from service.tracing import Tracing

_log = logging.getLogger(__name__)

_MAX_ID = 128
_OTHER_METHOD = "_OTHER"
_FIRST_ERROR = 400


def wrap_handler(
    route: Route, guard: Authenticator, metrics: RequestMetrics, admission: Admission, *, access_log: bool = False
) -> Handler:
    """Return the handler of a route as the application calls it: authenticated, with errors as problems, counted.

    `access_log`: each request is logged.
    """
    handler, anonymous, long_lasting = route.handler, Context(route), route.long_lasting
    observe = _observer(metrics, access_log=access_log)

    @wraps(handler)
    async def handle(request: web.Request) -> web.StreamResponse:
        began = perf_counter()
        request[CONTEXT] = anonymous
        try:
            if admission.limiting or long_lasting:
                _enter(request, route, admission)
            if not guard.admit(request, route):
                _leave(request)  # waits, and does nothing
                await guard.admit_later(request, route)
            if request.query_string:
                _check_query(route, request)
            response = await handler(request)
        except RunfoldError as error:
            response = _refuse(error, request, metrics)
        except web.HTTPException as error:
            response = _answer_http_error(error, request)
        except Exception:  # noqa: BLE001  every request is answered
            response = _internal_error(request)
        else:
            if REQUEST_ID in request.headers and not response.prepared:
                _with_request_id(response, request)
        observe(request, response, perf_counter() - began)
        return response

    return handle


def trace_requests(handle: Handler, route: Route, tracing: Tracing) -> Handler:
    """Return a handler that records a span for each request, except for those of probes and scrapes."""
    if route.tag is Tag.SERVICE and route.path != REST:
        return handle

    @wraps(handle)
    async def handle_traced(request: web.Request) -> web.StreamResponse:
        method = request.method if request.method in hdrs.METH_ALL else _OTHER_METHOD
        path = None if route.path == REST else route.path
        with tracing.request(method, path, request.headers) as span:
            request[TRACE] = span.context
            response = await handle(request)
            found = request_fields(request, response)
            span.answered(response.status, run=found["run"], key=found["key"])
        return response

    return handle_traced


def _observer(metrics: RequestMetrics, *, access_log: bool) -> Observe:
    """Return the function that counts each request that was answered, and logs it with `access_log`."""
    return observe_and_log(metrics) if access_log else metrics.observe


def _answer_http_error(error: web.HTTPException, request: web.Request) -> web.StreamResponse:
    """Answer an error that aiohttp raises. Redirections and the like are raised again: aiohttp answers them."""
    if error.status < _FIRST_ERROR:
        raise error
    return _traced_error(for_reader(of_http(error, _prefix(request)), request), request)


def _enter(request: web.Request, route: Route, admission: Admission) -> None:
    """Raise Overloaded if too many requests are under way, among which those do not count that may last for hours."""
    admission.check(route)
    if route.long_lasting:
        _leave(request)


def _leave(request: web.Request) -> None:
    """Count a request as under way no longer."""
    if isinstance(request.protocol, FastConnection):
        request.protocol.leave()


def _check_query(route: Route, request: web.Request) -> None:
    if route.path != REST:
        route.check_query(request.query)


async def no_route(request: web.Request) -> web.StreamResponse:
    """Answer 404, or 405 where the path has routes of other methods."""
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        if resource.canonical != REST:
            allowed |= (await resource.resolve(request))[1]
    raise unrouted(request.method, request.rel_url.raw_path, allowed)


NO_ROUTE = Route(
    method=hdrs.METH_ANY,
    path=REST,
    handler=no_route,
    scope=Scope.READ,
    reach=Reach.NO_DATA,
    tag=Tag.SERVICE,
    summary="",
    answers={},
)
"""Takes the requests that no other route takes. It is not part of the described API."""

NO_PAGE = replace(NO_ROUTE, scope=Scope.OPEN)
"""Takes those of them that are a browser's navigation, which has no API key: like pages, it needs none."""


def _prefix(request: web.Request) -> str:
    return request.app[ADDRESSES].prefix(request)


def _with_request_id(response: web.StreamResponse, request: web.Request) -> web.StreamResponse:
    response.headers[REQUEST_ID] = _request_id(request)
    return response


def _traced_error(response: web.StreamResponse, request: web.Request) -> web.StreamResponse:
    """Add to an error the ids under which the log has it: that of the request and, in the caller's trace, a span's."""
    parent = trace_context.parse(request.headers.get(TRACEPARENT))
    if TRACE not in request and parent is not None:
        request[TRACE] = parent.child()
    if TRACE in request:
        response.headers[TRACERESPONSE] = str(request[TRACE])
    return _with_request_id(response, request)


def _request_id(request: web.Request) -> str:
    """Return the caller's X-Request-ID if it is short printable ASCII, else a new id."""
    given = request.headers.get(REQUEST_ID, "")
    return given if 0 < len(given) <= _MAX_ID and given.isascii() and given.isprintable() else str(uuid7())


def _refuse(error: RunfoldError, request: web.Request, metrics: RequestMetrics) -> web.StreamResponse:
    """Answer an error. A conflict is logged and counted: two reporters contradict each other, and one is recorded."""
    response = _traced_error(for_reader(of_error(error, _prefix(request)), request), request)
    if isinstance(error, Conflict):
        metrics.refused(error.kind)
        _log.warning(
            "refused: %s %.500s: %d %s",
            request.method,
            request.rel_url.raw_path,
            response.status,
            error.code,
            extra=logs.fields(**request_fields(request, response), conflict=error.kind),
        )
    return response


def _internal_error(request: web.Request) -> web.StreamResponse:
    """Answer an unexpected exception. The answer has the id of the log record and nothing else of the exception."""
    request_id = _request_id(request)
    detail = f"Something is wrong here; logged as {request_id}."
    response = problem(SERVER_ERROR, "internal", "Internal error", detail, prefix=_prefix(request))
    _traced_error(response, request)
    response.headers[REQUEST_ID] = request_id
    _log.exception(
        "request %s: %s %.500s failed",
        request_id,
        request.method,
        request.rel_url.raw_path,
        extra=logs.fields(**request_fields(request, response)),
    )
    return response
