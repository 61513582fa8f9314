"""The ledger's events by any filter: pages, lines without end, counts."""

from __future__ import annotations

from contextlib import aclosing

from aiohttp import hdrs, web

from service.audit.event_text import next_cursor, on_one_line
from service.audit.filters import EventFilters
from service.audit.ledger_reader import CSV_HEADER, EventLinePage, PositionRange, TextFormat
from service.http import parameters
from service.http.fast_path import json_response
from service.http.parameters import integer
from service.http.resources import RESOURCES
from service.http.streaming import streaming, write
from service.payloads.json_writer import dump

_NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")
_CSV = ("text/csv",)


async def read(request: web.Request) -> web.StreamResponse:
    """GET /events: a page, or, as NDJSON or CSV, all that match."""
    wanted = parameters.filters(request, "cursor", "limit")
    accepted = request.headers.get("Accept", "")
    limit = integer(request, "limit", 100, 1, parameters.MOST)
    span = await parameters.span(request, wanted)
    if any(kind in accepted for kind in _NDJSON):
        return await _stream(request, wanted, span, TextFormat.JSON, _NDJSON[0])
    if any(kind in accepted for kind in _CSV):
        return await _stream(request, wanted, span, TextFormat.CSV, "text/csv")
    page = await request.app[RESOURCES].ledger.collect(wanted, span, limit)
    return json_response(request, b'{"events":[%b],"next":%b}' % (_joined(page), _next(page)))


def _joined(page: EventLinePage) -> bytes:
    return b",".join([line.text for line in page.lines])


def _next(page: EventLinePage) -> bytes:
    return b"null" if page.done else dump(next_cursor(page.covered))


async def _stream(
    request: web.Request, wanted: EventFilters, span: PositionRange, form: TextFormat, media: str
) -> web.StreamResponse:
    headers = {"Content-Type": media, "X-Runfold-Position": str(span.upto)}
    if request.method == hdrs.METH_HEAD:
        return web.Response(headers=headers)
    response = web.StreamResponse(headers=headers)
    async with aclosing(request.app[RESOURCES].ledger.pages(wanted, span, form)) as pages:
        page = await anext(pages)  # so that a database that is away is 503, not a broken answer
        await response.prepare(request)
        with streaming(request):
            if form is TextFormat.CSV:
                await write(response, CSV_HEADER.encode() + b"\n")
            await write(response, lines(page))
            async for following in pages:
                await write(response, lines(following))
            await response.write_eof()
    return response


def lines(page: EventLinePage) -> bytes:
    """Return a page's events, each on a line."""
    return b"".join([on_one_line(line.text) + b"\n" for line in page.lines])


async def count(request: web.Request) -> web.Response:
    """GET /events/count."""
    wanted = parameters.filters(request)
    span = await parameters.span(request, wanted)
    total = await request.app[RESOURCES].ledger.count(wanted, span)
    return json_response(request, dump({"count": total}))
