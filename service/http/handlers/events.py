"""The ledger's events by any filter: as pages, as a stream of lines, counted."""

from __future__ import annotations

from contextlib import aclosing

from aiohttp import hdrs, web

from service.audit.event_text import as_record, next_cursor
from service.audit.filters import EventFilters
from service.audit.ledger_reader import CSV_HEADER, EventLinePage, PositionRange, TextFormat
from service.auth.keys import Scope
from service.http.event_parameters import CURSOR, FILTERS, SINCE, UNTIL, bounded_event_filters, selected_positions
from service.http.fast_path import json_response
from service.http.openapi import responses
from service.http.parameters import PAGE_LIMIT
from service.http.paths import BASE
from service.http.request_body import NDJSON_TYPES
from service.http.resources import RESOURCES
from service.http.route import Route, Tag, parameters_of
from service.http.streaming import streaming, write
from service.payloads.json_writer import dump

_CSV_TYPE = "text/csv"


async def read(request: web.Request) -> web.StreamResponse:
    """Read a page of events, or all that match as NDJSON or CSV."""
    parameters = parameters_of(request)
    filters, limit, cursor = bounded_event_filters(parameters), parameters[PAGE_LIMIT], parameters[CURSOR]
    ledger = request.app[RESOURCES].ledger
    span = await selected_positions(ledger, filters, cursor)
    accepted = request.headers.get(hdrs.ACCEPT, "")
    if any(kind in accepted for kind in NDJSON_TYPES):
        return await _stream(request, filters, span, TextFormat.JSON, NDJSON_TYPES[0])
    if _CSV_TYPE in accepted:
        return await _stream(request, filters, span, TextFormat.CSV, _CSV_TYPE)
    page = await ledger.collect(filters, span, limit)
    following = b"null" if page.done else dump(next_cursor(page.covered))
    return json_response(
        request, b'{"events":[%b],"next":%b}' % (b",".join([line.text for line in page.lines]), following)
    )


async def _stream(
    request: web.Request, filters: EventFilters, span: PositionRange, form: TextFormat, media_type: str
) -> web.StreamResponse:
    headers = {hdrs.CONTENT_TYPE: media_type, "X-Runfold-Position": str(span.upto)}
    if request.method == hdrs.METH_HEAD:
        return web.Response(headers=headers)
    response = web.StreamResponse(headers=headers)
    async with aclosing(request.app[RESOURCES].ledger.pages(filters, span, form)) as pages:
        page = await anext(pages)  # before the answer begins, so that an unavailable database is a 503
        await response.prepare(request)
        with streaming(request):
            if form is TextFormat.CSV:
                await write(response, CSV_HEADER.encode() + b"\n")
            await write(response, _lines(page, form))
            async for following in pages:
                await write(response, _lines(following, form))
            await response.write_eof()
    return response


def _lines(page: EventLinePage, form: TextFormat) -> bytes:
    """Return a page's events as records of a file."""
    return b"".join([as_record(line.text, quoted=form is TextFormat.CSV) for line in page.lines])


async def count(request: web.Request) -> web.Response:
    """Count events."""
    filters = bounded_event_filters(parameters_of(request))
    ledger = request.app[RESOURCES].ledger
    total = await ledger.count(filters, await selected_positions(ledger, filters))
    return json_response(request, dump({"count": total}))


ROUTES = (
    Route(
        method="GET",
        path=f"{BASE}/events",
        handler=read,
        scope=Scope.READ,
        tag=Tag.LEDGER,
        summary="Read the ledger's events",
        description="Oldest first. With `Accept: application/x-ndjson` or `text/csv`, all that match, as a stream.",
        parameters=(*FILTERS, SINCE, UNTIL, PAGE_LIMIT, CURSOR),
        answers={200: responses.EventPage},
        long_lasting=True,
    ),
    Route(
        method="GET",
        path=f"{BASE}/events/count",
        handler=count,
        scope=Scope.READ,
        tag=Tag.LEDGER,
        summary="Count the ledger's events",
        parameters=(*FILTERS, SINCE, UNTIL),
        answers={200: responses.Count},
    ),
)
