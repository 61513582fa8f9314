"""The ledger's events by any filter: as pages, as a stream of lines, counted."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import hdrs, web

from service.audit.event_lines import CSV_HEADER, EventLinePage, PositionRange, ReadOrder, TextFormat
from service.audit.event_text import as_record, next_cursor
from service.auth.keys import Scope
from service.http.event_parameters import (
    CURSOR,
    FILTERS,
    POSITION,
    SINCE,
    UNTIL,
    WITHOUT_PAYLOADS,
    bounded_event_filters,
    selected_positions,
)
from service.http.fast_path import json_response
from service.http.openapi import responses
from service.http.parameters import MAX_PAGE_EVENTS, choice, optional_integer
from service.http.paths import BASE
from service.http.permissions import binding_of
from service.http.request_body import NDJSON_TYPES
from service.http.resources import RESOURCES
from service.http.route import Reach, Route, Tag, parameters_of
from service.http.streaming import streaming, write
from service.payloads.json_writer import dump

_CSV_TYPE = "text/csv"
_DEFAULT_LIMIT = 100
_LIMIT = optional_integer(
    "limit", f"The maximum number of events; else {_DEFAULT_LIMIT}, or all as lines.", 1, MAX_PAGE_EVENTS
)
_ORDER = choice("order", "`asc`: the oldest first; `desc`: the newest first.", tuple(ReadOrder), ReadOrder.OLDEST_FIRST)


async def read(request: web.Request) -> web.StreamResponse:
    """Read a page of events, or all that match as NDJSON or CSV."""
    parameters, binding = parameters_of(request), binding_of(request)
    filters, limit, cursor = bounded_event_filters(parameters, binding), parameters[_LIMIT], parameters[CURSOR]
    form = TextFormat.OUTLINE if parameters[WITHOUT_PAYLOADS] else TextFormat.JSON
    order, position = ReadOrder(parameters[_ORDER]), parameters[POSITION]
    ledger = request.app[RESOURCES].ledger
    span = await selected_positions(ledger, filters, cursor, order)
    if position is not None:
        span = span.at(position)
    accepted = request.headers.get(hdrs.ACCEPT, "")
    if any(kind in accepted for kind in NDJSON_TYPES):
        return await _stream(request, ledger.pages(filters, span, form, order), span, NDJSON_TYPES[0], limit)
    if _CSV_TYPE in accepted:
        return await _stream(request, ledger.pages(filters, span, TextFormat.CSV, order), span, _CSV_TYPE, limit)
    page = await ledger.collect(filters, span, limit or _DEFAULT_LIMIT, order, form)
    following = b"null" if page.done else dump(next_cursor(page.covered(order)))
    return json_response(
        request, b'{"events":[%b],"next":%b}' % (b",".join([line.text for line in page.lines]), following)
    )


async def _stream(
    request: web.Request,
    events: AsyncGenerator[EventLinePage],
    span: PositionRange,
    media_type: str,
    limit: int | None,
) -> web.StreamResponse:
    """Write events as lines: `limit` at most, None: all."""
    headers: dict[str, str] = {hdrs.CONTENT_TYPE: media_type}
    if binding_of(request) is None:  # with `until`, it would tell when others recorded something
        headers["X-Runfold-Position"] = str(span.upto)
    if request.method == hdrs.METH_HEAD:
        return web.Response(headers=headers)
    response = web.StreamResponse(headers=headers)
    async with aclosing(_first(events, limit)) as pages:
        page = await anext(pages)  # before the answer begins, so that an unavailable database is a 503
        await response.prepare(request)
        with streaming(request):
            quoted = media_type == _CSV_TYPE
            if quoted:
                await write(response, CSV_HEADER.encode() + b"\n")
            await write(response, _lines(page, quoted=quoted))
            async for following in pages:
                await write(response, _lines(following, quoted=quoted))
            await response.write_eof()
    return response


async def _first(events: AsyncGenerator[EventLinePage], limit: int | None) -> AsyncGenerator[EventLinePage]:
    """Yield pages up to their first `limit` events."""
    left = limit
    async with aclosing(events) as pages:
        async for page in pages:
            yield page if left is None else page._replace(lines=page.lines[:left])
            if left is not None:
                left -= len(page.lines)
                if left <= 0:
                    return


def _lines(page: EventLinePage, *, quoted: bool) -> bytes:
    """Return a page's events as records of a file."""
    return b"".join([as_record(line.text, quoted=quoted) for line in page.lines])


async def count(request: web.Request) -> web.Response:
    """Count events."""
    filters = bounded_event_filters(parameters_of(request), binding_of(request))
    ledger = request.app[RESOURCES].ledger
    total = await ledger.count(filters, await selected_positions(ledger, filters))
    return json_response(request, dump({"count": total}))


ROUTES = (
    Route(
        method="GET",
        path=f"{BASE}/events",
        handler=read,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.LEDGER,
        summary="Read the ledger's events",
        description="Oldest first, or newest first with `order=desc`. "
        "With `Accept: application/x-ndjson` or `text/csv`, all that match or the first `limit` of them, as a stream.",
        parameters=(*FILTERS, SINCE, UNTIL, POSITION, WITHOUT_PAYLOADS, _ORDER, _LIMIT, CURSOR),
        answers={200: responses.EventPage},
        long_lasting=True,
    ),
    Route(
        method="GET",
        path=f"{BASE}/events/count",
        handler=count,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.LEDGER,
        summary="Count the ledger's events",
        parameters=(*FILTERS, SINCE, UNTIL),
        answers={200: responses.Count},
    ),
)
