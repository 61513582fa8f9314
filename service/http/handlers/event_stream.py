"""The ledger as server-sent events: what is recorded after the cursor, in order, each event once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import NamedTuple

from aiohttp import hdrs, web

from service.audit.brief_batch import MOST_DESCRIBED
from service.audit.event_lines import PositionRange
from service.audit.event_text import next_cursor, sse_frame
from service.audit.filters import EventFilters
from service.audit.ledger_reader import LedgerReader
from service.audit.tail import LedgerTail
from service.auth.keys import Scope
from service.errors import Unavailable
from service.http.event_parameters import FILTERS, LAST_EVENT_ID, STREAM_CURSOR, event_filters, position_after
from service.http.parameters import MAX_PAGE_EVENTS, boolean
from service.http.paths import BASE
from service.http.permissions import binding_of
from service.http.resources import RESOURCES
from service.http.route import Reach, Route, Tag, parameters_of
from service.http.streaming import disconnection, streaming, write

HEARTBEAT_S = 15.0
"""Seconds without a write after which a comment is sent, so that proxies do not close the connection as idle."""

RETRY_S = 0.5
"""Seconds after which the ledger is read again for a listener while the database cannot be used."""

_BRIEF = boolean(
    "brief",
    "`true`: once a second at most, how many events were recorded, and what the last of them are about, at most "
    f"{MOST_DESCRIBED}, without payloads: `{{events, transitions, latest}}`.",
)

_HEADERS = {hdrs.CONTENT_TYPE: "text/event-stream", hdrs.CACHE_CONTROL: "no-store", "X-Accel-Buffering": "no"}


async def listen(request: web.Request) -> web.StreamResponse:
    """Follow the ledger."""
    parameters = parameters_of(request)
    filters, cursor = (
        event_filters(parameters, binding_of(request)),
        parameters[LAST_EVENT_ID] or parameters[STREAM_CURSOR],
    )
    resources = request.app[RESOURCES]
    with resources.briefs if parameters[_BRIEF] else resources.tail as tail:
        head = await resources.ledger.head()
        position = position_after(cursor, head)
        if request.method == hdrs.METH_HEAD:
            return web.Response(headers=_HEADERS)
        response = web.StreamResponse(headers=_HEADERS)
        await response.prepare(request)
        gone = disconnection(request)
        with streaming(request):
            await write(response, b": from position %d\n\n" % position)
            if parameters[_BRIEF]:
                source = _Source(tail, _in_brief(tail, filters), 0)
            else:
                source = _Source(tail, _whole(resources.ledger, filters), head.position)
            async with aclosing(_frames(source, filters, position, gone)) as frames:
                async for data in frames:
                    await write(response, data)
            await response.write_eof()
    return response


_ReadLedger = Callable[[int], Awaitable[tuple[bytes, int]]]
"""Returns what to send of the ledger after a position, and the position up to which it was read."""


class _Source(NamedTuple):
    """What a listener gets events from: a tail, or the ledger while it is behind that; `head`: see next_after()."""

    tail: LedgerTail
    read_ledger: _ReadLedger
    head: int


def _whole(ledger: LedgerReader, filters: EventFilters) -> _ReadLedger:
    async def read(position: int) -> tuple[bytes, int]:
        page = await ledger.page(filters, PositionRange(position, (await ledger.head()).position), MAX_PAGE_EVENTS)
        return b"".join([sse_frame(line.position, line.text) for line in page.lines]), page.rest.after

    return read


def _in_brief(tail: LedgerTail, filters: EventFilters) -> _ReadLedger:
    async def read(position: int) -> tuple[bytes, int]:
        batch = await tail.read_ledger(position)
        return (b"", position) if batch is None else (await batch.sse_frames(filters, position), batch.upto)

    return read


async def _frames(
    source: _Source, filters: EventFilters, position: int, gone: asyncio.Future[None]
) -> AsyncGenerator[bytes]:
    """Yield what to send next: batches that the tail keeps, pages of the ledger while behind these, else heartbeats.

    A filter may match nothing for long while many events are read: a heartbeat is due HEARTBEAT_S after the last write,
    and its id is the cursor up to which events were read, so that a client that resumes does not scan them again.
    While the database cannot be used, there are only heartbeats.
    """
    tail = source.tail
    clock, generation = asyncio.get_running_loop().time, tail.generation
    written = clock()
    while not tail.closing and not gone.done():
        if tail.generation != generation:
            yield b": the ledger ends before what was sent; resume, or begin anew if that is refused\n\n"
            return
        batch, behind = tail.next_after(position, source.head)
        frames = b""
        try:
            if batch is not None:
                frames, position = await batch.sse_frames(filters, position), batch.upto
            elif behind:
                frames, position = await source.read_ledger(position)
            else:
                await tail.wait(position, written + HEARTBEAT_S - clock(), gone)
        except Unavailable:
            await asyncio.wait((gone,), timeout=RETRY_S)
        if frames:
            yield frames
            written = clock()
        elif clock() - written >= HEARTBEAT_S:
            yield b": heartbeat\nid: %b\n\n" % next_cursor(position).encode()
            written = clock()


ROUTES = (
    Route(
        method="GET",
        path=f"{BASE}/events/stream",
        handler=listen,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.LEDGER,
        summary="Follow the ledger",
        description="Server-sent events: what is recorded, in order, without gaps and without repetition; or, with "
        "`brief`, a summary of it each second, of which each page of a web interface can have one.",
        parameters=(*FILTERS, _BRIEF, STREAM_CURSOR, LAST_EVENT_ID),
        answers={200: "text/event-stream"},
        long_lasting=True,
    ),
)
