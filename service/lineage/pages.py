"""Projects pages of the ledger into datasets and lineage: a page is a transaction under the lock of the cursor."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

from service.catalog.batches import Pauses
from service.catalog.failures import PageSize, PageTooLarge, is_caused_by_page, reason_of
from service.catalog.newer_catalog import require_format
from service.catalog.page_writer import SetAside, WrittenPage
from service.catalog.summarizer import FindArchivedPayload
from service.database.connections import Connections
from service.database.migrations import read_schema
from service.database.statements import LINEAGE
from service.domain.event import Event, Kind
from service.errors import RunfoldError, Unavailable
from service.ledger.events import LOG
from service.ledger.rows import event_of
from service.lineage.changes import LineageChanges
from service.lineage.erasures import LineageEraser
from service.lineage.page_writer import LineageWriter, TooLarge
from service.lineage.projection import PageProjection
from service.lineage.statements import LIVE_STATEMENTS, LineageStatements
from service.lineage.stored import FORMAT

_log = logging.getLogger(__name__)

PAGE_EVENTS = 500
"""Most events that one transaction projects."""

_PAGE_BYTES, _PAGE_TEXT_BYTES = 512 * 1024, 4 * 1024 * 1024
"""Most bytes of payloads in a page, as stored and as text; the first event of a page is read whatever its size."""

_REGISTER_BYTES = 16 * 1024 * 1024
"""Most bytes of registers of one kind that a page reads; a page of one event reads any."""

_LARGE_EVENT = 256 * 1024
"""Characters of a payload from which it is decoded in a thread, so that the other projection goes on meanwhile."""

_ANY_SIZE = 2**62


class LineagePage(NamedTuple):
    """A page of the ledger as read: `events` events after position `after` up to `upto`, and what they change.

    `erasures`: its events of the kind erased, with their payloads.
    """

    after: int
    upto: int
    events: int
    changes: LineageChanges
    erasures: list[tuple[Event, str | None]]


async def read_page(
    connections: Connections,
    after: int,
    page_size: int = PAGE_EVENTS,
    statements: LineageStatements = LIVE_STATEMENTS,
    find_archived: FindArchivedPayload | None = None,
) -> LineagePage:
    """Read the page after a position: `page_size` events at most. This needs no lock: recorded events do not change."""
    async with connections.connection() as connection:
        rows = await connection.fetch(statements.events, LOG, after, page_size, _PAGE_BYTES, _PAGE_TEXT_BYTES)
    return await project_rows(rows, after, find_archived)


async def project_rows(
    rows: Sequence[Any], after: int, find_archived: FindArchivedPayload | None = None, *, payloads: bool = True
) -> LineagePage:
    """Return the page that rows of the ledger make, with their payloads or without."""
    page, pauses = PageProjection(), Pauses()
    erasures = []
    is_large = False
    for row in rows:
        event, payload = event_of(row), row["body"] if payloads else None
        if payloads and payload is None and event.payload_digest is not None and find_archived is not None:
            payload = find_archived(event.position)
        if payload is None or len(payload) <= _LARGE_EVENT:
            page.add(event, payload)
        else:
            await asyncio.to_thread(page.add, event, payload)
            is_large = True
        if event.kind == Kind.ERASED:
            erasures.append((event, payload))
        await pauses.pause()
    upto = rows[-1]["position"] if rows else after
    changes = await asyncio.to_thread(page.changes) if is_large else page.changes()
    return LineagePage(after, upto, len(rows), changes, erasures)


async def read_cursor(connections: Connections, statements: LineageStatements = LIVE_STATEMENTS) -> int:
    """Return the position up to which lineage is projected. Raises NewerCatalog."""
    async with connections.connection() as connection:
        cursor = await connection.fetchrow(statements.cursor, LOG)
    require_format(cursor["position"], cursor["format"], FORMAT)
    return int(cursor["position"])


async def write_page(
    connections: Connections,
    page: LineagePage,
    statements: LineageStatements = LIVE_STATEMENTS,
    aside: SetAside | None = None,
) -> WrittenPage | None:
    """Write a page; None where the cursor was moved, or the ledger lost events, since the page was read.

    `aside`: what is left out of the page, to be recorded. Raises PageTooLarge for a page of several events, and
    NewerCatalog, with nothing written.
    """
    async with connections.connection() as connection, connection.transaction():
        cursor = await connection.fetchrow(statements.lock, LOG)
        require_format(cursor["position"], cursor["format"], FORMAT)
        if cursor["position"] != page.after or cursor["head"] < page.upto:
            return None
        if page.events:
            limit = _REGISTER_BYTES if page.events > 1 else _ANY_SIZE
            writer = LineageWriter(connection, statements, limit)
            try:
                await writer.write(page.changes, page.upto)
                if page.erasures:
                    await LineageEraser(connection, statements, writer, page.upto).remove(page.erasures)
            except TooLarge:
                raise PageTooLarge(f"the page from {page.after + 1} to {page.upto} is too large") from None
            if aside is not None:
                await connection.execute(statements.set_aside, LOG, page.upto, aside.left_out, aside.reason)
            await connection.execute(statements.move, LOG, page.after, page.upto, FORMAT)
    return WrittenPage(page.upto, page.events, cursor["head"])


async def set_aside(
    connections: Connections, after: int, error: Exception, statements: LineageStatements = LIVE_STATEMENTS
) -> WrittenPage | None:
    """Project the event after a position, which cannot be projected, without its payload, or leave it out.

    As catalog.page_writer.set_aside; the table lineage_set_aside records it.
    """
    if statements is LIVE_STATEMENTS:
        schema = await read_schema(connections)
        if schema.problem is not None:
            raise Unavailable(f"the schema is {schema.problem}")
    upto, reason = after + 1, reason_of(error)
    _log.error(
        "position %d cannot be projected into %s and is set aside (%s)",
        upto,
        LINEAGE,
        reason,
        exc_info=None if isinstance(error, RunfoldError) else error,
    )
    try:
        async with connections.connection() as connection:
            rows = await connection.fetch(statements.events, LOG, after, 1, _PAGE_BYTES, _PAGE_TEXT_BYTES)
        page = await project_rows(rows, after, payloads=False)
        return await write_page(connections, page, statements, SetAside("payload", reason))
    except Exception as second_error:
        if not is_caused_by_page(second_error):
            raise
    empty = LineagePage(after, upto, 1, PageProjection().changes(), [])
    return await write_page(connections, empty, statements, SetAside("event", reason))


async def project_next_page(
    connections: Connections,
    page_size: int = PAGE_EVENTS,
    statements: LineageStatements = LIVE_STATEMENTS,
    find_archived: FindArchivedPayload | None = None,
) -> WrittenPage:
    """Project the page after the cursor, or its first part where the page fails; no events: the ledger ends there."""
    size = PageSize(page_size)
    while True:
        cursor = await read_cursor(connections, statements)
        try:
            page = await read_page(connections, cursor, size.events, statements, find_archived)
            written = await write_page(connections, page, statements)
        except Exception as error:
            if not is_caused_by_page(error):
                raise
            written = None if size.shrink() else await set_aside(connections, cursor, error, statements)
        if written is not None:
            return written


class LineageProjection:
    """A catalog.projector.Projection."""

    name = "datasets and lineage"
    page_events = PAGE_EVENTS

    def __init__(self, connections: Connections) -> None:
        """Take two connections; the caller closes them."""
        self.connections = connections

    async def read_cursor(self) -> int:
        """Return the position up to which the ledger is projected. Raises NewerCatalog."""
        return await read_cursor(self.connections)

    async def read_page(self, after: int, events: int) -> LineagePage:
        """Read a page, without a lock."""
        return await read_page(self.connections, after, events)

    async def write_page(self, page: LineagePage) -> WrittenPage | None:
        """Write a page; None where the cursor has moved. Raises PageTooLarge and NewerCatalog."""
        return await write_page(self.connections, page)

    async def set_aside(self, after: int, error: Exception) -> WrittenPage | None:
        """Leave out the event after a position, or its payload: it cannot be projected."""
        return await set_aside(self.connections, after, error)

    async def work_when_idle(self) -> bool:
        """Do nothing: there is no other work."""
        return False
