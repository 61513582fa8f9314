"""What the log says of a request: its line in the access log, and the fields of any record about it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from aiohttp import web
from multidict import istr

from service import logs, trace_context
from service.http.addresses import ADDRESSES
from service.http.fast_path import REQUEST_ID, PreserializedResponse
from service.http.paths import RUN
from service.http.request_metrics import RequestMetrics
from service.http.route import CONTEXT
from service.trace_context import TraceContext

TRACEPARENT = istr("traceparent")
"""The header with which a caller names the trace of a request (W3C Trace Context)."""

TRACERESPONSE = istr("traceresponse")
"""The header of an answer that names the span of this service in the caller's trace."""

TRACE: web.RequestKey[TraceContext] = web.RequestKey("trace", TraceContext)
"""The span of a request: one that is recorded, or one that only the log and an error's answer name."""

_log = logging.getLogger("service.access")

Observe = Callable[[web.Request, web.StreamResponse, float], None]


def request_fields(request: web.Request, response: web.StreamResponse) -> dict[str, str | float | None]:
    """Return the fields of a record about a request and its answer. The query is left out: it may hold anything."""
    # A preserialized answer has no X-Request-ID, and reading its headers would make it an ordinary one.
    request_id = None if type(response) is PreserializedResponse else response.headers.get(REQUEST_ID)
    span = request.get(TRACE)
    trace = span or trace_context.parse(request.headers.get(TRACEPARENT))
    route, names = request.match_info.route, request.match_info
    of_run = route.resource is not None and route.resource.canonical.startswith(RUN)
    return {
        "method": request.method,
        "path": request.rel_url.raw_path[:500],
        "status": response.status,
        "run": names["id"] if of_run else None,
        "key": request[CONTEXT].actor,
        "caller": request.app[ADDRESSES].caller(request),
        "trace_id": trace.trace_id if trace is not None else None,
        "span_id": span.span_id if span is not None else None,
        "request_id": request_id,
    }


def observe_and_log(metrics: RequestMetrics) -> Observe:
    """Return the function that counts a request that was answered, and writes its line of the access log."""

    def observe(request: web.Request, response: web.StreamResponse, seconds: float) -> None:
        metrics.observe(request, response, seconds)
        duration_ms = round(seconds * 1000, 1)
        _log.info(
            "%s %.500s %d %.1fms",
            request.method,
            request.rel_url.raw_path,
            response.status,
            duration_ms,
            extra=logs.fields(**request_fields(request, response), duration_ms=duration_ms),
        )

    return observe
