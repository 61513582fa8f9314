"""The ledger as server-sent events: what is recorded after the cursor, in order, each event once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import hdrs, web

from service.audit.event_text import sse_frame
from service.audit.filters import EventFilters
from service.audit.ledger_reader import LedgerReader, PositionRange
from service.audit.tail import LedgerTail
from service.auth.keys import Scope
from service.http.event_parameters import FILTERS, LAST_EVENT_ID, STREAM_CURSOR, event_filters, position_after
from service.http.parameters import MAX_PAGE_EVENTS
from service.http.paths import BASE
from service.http.resources import RESOURCES
from service.http.route import Route, Tag, parameters_of
from service.http.streaming import streaming, write

HEARTBEAT_S = 15.0
"""Seconds without an event after which a comment is sent, so that proxies do not close the connection as idle."""

_HEADERS = {hdrs.CONTENT_TYPE: "text/event-stream", hdrs.CACHE_CONTROL: "no-store", "X-Accel-Buffering": "no"}


async def listen(request: web.Request) -> web.StreamResponse:
    """Follow the ledger."""
    parameters = parameters_of(request)
    filters, cursor = event_filters(parameters), parameters[LAST_EVENT_ID] or parameters[STREAM_CURSOR]
    resources = request.app[RESOURCES]
    with resources.tail as tail:
        position = position_after(cursor, await resources.ledger.head())
        if request.method == hdrs.METH_HEAD:
            return web.Response(headers=_HEADERS)
        response = web.StreamResponse(headers=_HEADERS)
        await response.prepare(request)
        with streaming(request):
            await write(response, b": from position %d\n\n" % position)
            async with aclosing(_frames(resources.ledger, tail, filters, position)) as frames:
                async for data in frames:
                    await write(response, data)
            await response.write_eof()
    return response


async def _frames(
    ledger: LedgerReader, tail: LedgerTail, filters: EventFilters, position: int
) -> AsyncGenerator[bytes]:
    """Yield what to send next: batches that the tail keeps, pages of the ledger while behind these, else heartbeats."""
    generation = tail.generation
    while not tail.closing:
        if tail.generation != generation:
            yield b": the ledger ends before what was sent; resume, or begin anew if that is refused\n\n"
            return
        recent = tail.read_after(position)
        if recent.behind:
            span = PositionRange(position, (await ledger.head()).position)
            page = await ledger.page(filters, span, MAX_PAGE_EVENTS)
            position = page.covered
            yield b"".join([sse_frame(line.position, line.text) for line in page.lines])
            continue
        for batch in recent.batches:
            yield batch.sse_frames(filters, position)
            position = batch.upto
        if not recent.batches and not await tail.wait(position, HEARTBEAT_S):
            yield b": heartbeat\n\n"


ROUTES = (
    Route(
        method="GET",
        path=f"{BASE}/events/stream",
        handler=listen,
        scope=Scope.READ,
        tag=Tag.LEDGER,
        summary="Follow the ledger",
        description="Server-sent events: what is recorded, in order, without gaps and without repetition.",
        parameters=(*FILTERS, STREAM_CURSOR, LAST_EVENT_ID),
        answers={200: "text/event-stream"},
        long_lasting=True,
    ),
)
