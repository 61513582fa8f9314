"""Projects the ledger into some tables, page by page: a page is a transaction under the lock of a cursor."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from service.catalog.failures import PageSize, PageTooLarge, is_caused_by_page, reason_of
from service.catalog.newer_catalog import require_format
from service.catalog.summarizer import FindArchivedPayload
from service.database.connections import Connections
from service.database.migrations import read_schema
from service.domain.event import Event
from service.errors import RunfoldError, Unavailable
from service.ledger.events import LOG
from service.ledger.rows import event_of

_log = logging.getLogger(__name__)

LedgerEvent = tuple[Event, str | None]
"""An event, and its payload: None where it has none, or where that was erased, archived or set aside."""


class Page(Protocol):
    """A page of the ledger as read: `events` events after position `after` up to `upto`."""

    @property
    def after(self) -> int: ...  # noqa: D102

    @property
    def upto(self) -> int: ...  # noqa: D102

    @property
    def events(self) -> int: ...  # noqa: D102


P = TypeVar("P", bound=Page)


class SetAside(NamedTuple):
    """What a page leaves out of its only event, `payload` or `event`, and why: the class of the error."""

    left_out: str
    reason: str


class WrittenPage(NamedTuple):
    """The cursor after a page, the number of its events, and the position of the ledger head at that time."""

    position: int
    events: int
    end: int


class PageLimits(NamedTuple):
    """Most events of a page, and most bytes of their payloads, as stored and as text.

    A stored payload may be compressed 200 times. The first event of a page is read whatever its size.
    """

    events: int
    stored_bytes: int
    text_bytes: int


class ProjectionStatements(Protocol):
    """The SQL statements that every projection has."""

    @property
    def cursor(self) -> str: ...  # noqa: D102

    @property
    def lock(self) -> str: ...  # noqa: D102

    @property
    def events(self) -> str: ...  # noqa: D102

    @property
    def set_aside(self) -> str: ...  # noqa: D102


S = TypeVar("S", bound=ProjectionStatements)


class LedgerProjection(ABC, Generic[P, S]):
    """A projection of the ledger into the tables that its statements name. The caller closes the connections.

    `connections`: two where a Projector uses them: one reads the next page while the other one writes.
    """

    name: ClassVar[str]
    """What is projected, for logs."""

    format: ClassVar[int]
    """The version of what it writes."""

    limits: ClassVar[PageLimits]

    live_statements: S
    """The statements for the tables in use."""

    def __init__(
        self,
        connections: Connections,
        statements: S | None = None,
        find_archived: FindArchivedPayload | None = None,
    ) -> None:
        """Take the connections, statements for other tables, and what finds payloads that are in no table any more."""
        self.connections = connections
        self.statements = self.live_statements if statements is None else statements
        self._find_archived = find_archived

    @abstractmethod
    async def make_page(self, after: int, upto: int, count: int, events: Iterable[LedgerEvent]) -> P:
        """Return what the events of a page change: `count` events after a position, up to `upto`.

        `events`: in the order of their positions; none where all is left out that the page has.
        """

    @abstractmethod
    async def write_changes(self, connection: Any, page: P) -> None:  # noqa: ANN401  asyncpg has no types
        """Write what a page with events changes, and move the cursor. Raises PageTooLarge for one of several events."""

    async def work_when_idle(self) -> bool:
        """Do some work that can wait while there are events to project; return whether more is left."""
        return False

    @property
    def page_events(self) -> int:
        """Most events of a page."""
        return self.limits.events

    async def read_cursor(self) -> int:
        """Return the position up to which the ledger is projected. Raises NewerCatalog."""
        async with self.connections.connection() as connection:
            cursor = await connection.fetchrow(self.statements.cursor, LOG)
        require_format(cursor["position"], cursor["format"], self.format)
        return int(cursor["position"])

    async def read_page(self, after: int, events: int) -> P:
        """Read the page after a position: some events at most. This needs no lock: recorded events do not change."""
        rows = await self._read_rows(after, events)
        upto = rows[-1]["position"] if rows else after
        return await self.make_page(after, upto, len(rows), self._events_of(rows))

    async def _read_rows(self, after: int, events: int) -> Sequence[Any]:
        async with self.connections.connection() as connection:
            rows: Sequence[Any] = await connection.fetch(
                self.statements.events, LOG, after, events, self.limits.stored_bytes, self.limits.text_bytes
            )
            return rows

    def _events_of(self, rows: Sequence[Any]) -> Iterator[LedgerEvent]:
        for row in rows:
            event, payload = event_of(row), row["body"]
            if payload is None and event.payload_digest is not None and self._find_archived is not None:
                payload = self._find_archived(event.position)
            yield event, payload

    async def write_page(self, page: P, aside: SetAside | None = None) -> WrittenPage | None:
        """Write a page; None where the cursor was moved, or the ledger lost events, since the page was read.

        `aside`: what is left out of the page, to be recorded. Raises PageTooLarge for a page of several events, and
        NewerCatalog, with nothing written.
        """
        async with self.connections.connection() as connection:
            try:
                return await self._write_page(connection, page, aside)
            except PageTooLarge as error:  # raised behind the block: an exception within it closes the connection
                too_large = error
        raise too_large

    async def _write_page(self, connection: Any, page: P, aside: SetAside | None) -> WrittenPage | None:  # noqa: ANN401
        async with connection.transaction():
            cursor = await connection.fetchrow(self.statements.lock, LOG)
            require_format(cursor["position"], cursor["format"], self.format)
            if cursor["position"] != page.after or cursor["head"] < page.upto:
                return None
            if page.events:
                await self.write_changes(connection, page)
            if aside is not None:
                await connection.execute(self.statements.set_aside, LOG, page.upto, aside.left_out, aside.reason)
        return WrittenPage(page.upto, page.events, cursor["head"])

    async def set_aside(self, after: int, error: Exception) -> WrittenPage | None:
        """Project the event after a position, which cannot be projected, without its payload, or leave it out.

        The event stays in the ledger; the table of events that are set aside records what is left out. Returns None
        where another process has moved the cursor. Raises Unavailable where the schema belongs to a newer program, and
        does not let this one go on: that one is left to project.
        """
        if self.statements is self.live_statements:
            schema = await read_schema(self.connections)
            if schema.problem is not None:
                raise Unavailable(f"the schema is {schema.problem}")
        upto, reason = after + 1, reason_of(error)
        _log.error(
            "position %d cannot be projected into %s and is set aside (%s)",
            upto,
            self.name,
            reason,
            exc_info=None if isinstance(error, RunfoldError) else error,
        )
        try:
            events = [(event_of(row), None) for row in await self._read_rows(after, 1)]
            page = await self.make_page(after, upto, 1, events)
            return await self.write_page(page, SetAside("payload", reason))
        except Exception as second_error:
            if not is_caused_by_page(second_error):
                raise
        empty = await self.make_page(after, upto, 1, ())
        return await self.write_page(empty, SetAside("event", reason))


async def project_next_page(projection: LedgerProjection[Any, Any], events: int | None = None) -> WrittenPage:
    """Project the page after the cursor, or its first part where the page fails; no events: the ledger ends there.

    `events`: most events of the page; None: as many as the projection takes at once.
    """
    size = PageSize(events or projection.page_events)
    while True:
        cursor = await projection.read_cursor()
        try:
            written = await projection.write_page(await projection.read_page(cursor, size.events))
        except Exception as error:
            if not is_caused_by_page(error):
                raise
            written = None if size.shrink() else await projection.set_aside(cursor, error)
        if written is not None:
            return written
