"""The ledger as server-sent events: what was, where that is asked for, then what comes, in order, each event once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import hdrs, web

from service.audit.event_text import sse_frame
from service.audit.filters import EventFilters
from service.audit.ledger_reader import LedgerReader, PositionRange
from service.audit.tail import LedgerTail
from service.errors import Malformed
from service.http import parameters
from service.http.resources import RESOURCES
from service.http.streaming import streaming, write

HEARTBEAT_S = 15.0
"""Seconds of silence after which a comment is sent, so that nobody on the way takes the connection for dead."""

_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def listen(request: web.Request) -> web.StreamResponse:
    """GET /events/stream."""
    wanted = parameters.filters(request, "cursor")
    if wanted.since or wanted.until:
        raise Malformed("a stream begins at its cursor and has no end: since and until are for GET /events")
    resources = request.app[RESOURCES]
    given = request.headers.get("Last-Event-ID") or parameters.one(request, "cursor") or parameters.NOW
    with resources.tail as tail:
        position = parameters.cursor(given, await resources.ledger.head())
        if request.method == hdrs.METH_HEAD:
            return web.Response(headers=_HEADERS)
        response = web.StreamResponse(headers=_HEADERS)
        await response.prepare(request)
        with streaming(request):
            await write(response, b": from position %d\n\n" % position)
            async with aclosing(_frames(resources.ledger, tail, wanted, position)) as frames:
                async for data in frames:
                    await write(response, data)
            await response.write_eof()
    return response


async def _frames(audit: LedgerReader, tail: LedgerTail, wanted: EventFilters, position: int) -> AsyncGenerator[bytes]:
    """Give what to send next, for ever: what is kept in common, own pages while behind that, else heartbeats."""
    while not tail.closing:
        caught = tail.read_after(position)
        if caught.behind:
            page = await audit.page(wanted, PositionRange(position, (await audit.head()).position), parameters.MOST)
            position = page.covered
            yield b"".join([sse_frame(line.position, line.text) for line in page.lines])
            continue
        for batch in caught.batches:
            yield batch.sse_frames(wanted, position)
            position = batch.upto
        if not caught.batches and not await tail.wait(position, HEARTBEAT_S):
            yield b": heartbeat\n\n"
