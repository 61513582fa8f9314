"""Finds OpenLineage events by their own time, and gives them back as they were sent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from service.catalog.queries import RunItem, Slice
from service.database.connections import Connections
from service.database.statements import load
from service.ledger import archive_records
from service.ledger.aggregates import unpack_run
from service.ledger.archive_records import PayloadLocation
from service.ledger.events import LOG

_ALL = ":namespace::text is null"
_OF_ONE = "left(e.namespace, 64) = left(:namespace::text, 64) and e.namespace = :namespace::text"

_COUNT = {False: load("count_lineage", of=_ALL), True: load("count_lineage", of=_OF_ONE)}
_LIST = {
    (one, down): load("list_lineage", of=_OF_ONE if one else _ALL, direction="desc" if down else "asc")
    for one in (False, True)
    for down in (False, True)
}
_PAYLOADS = load("lineage_payloads")
_CHILDREN = load("children_of_run")
_COUNT_CHILDREN = load("count_children_of_run")

_PIECE_BYTES = 4 * 1024 * 1024
_FIRST = 16
_MOST_AT_ONCE = 1_000


class LineageFilter(NamedTuple):
    """Which events are asked for: those of one namespace or of all, from `after` on, up to and without `before`."""

    namespace: str | None
    after: datetime | None
    before: datetime | None


class EventTexts(NamedTuple):
    """Events as they were sent, and the positions of those whose payload is not in the database."""

    texts: list[str]
    missing: list[int]


class LineageEventReader:
    """Reads OpenLineage events. Every method raises Unavailable when the database does not answer.

    All that was acknowledged before is seen: events are read from the ledger itself.
    """

    def __init__(self, connections: Connections) -> None:
        """Take the connections to read with."""
        self._connections = connections

    async def count(self, span: LineageFilter) -> int:
        """Return how many events there are; exact, and quick whatever their number."""
        one = span.namespace is not None
        return int((await self._connections.fetch(_COUNT[one], LOG, *span))[0][0])

    async def positions(self, span: LineageFilter, part: Slice, *, descending: bool) -> list[int]:
        """Return the positions of a part of the events, by their time, then by position."""
        statement = _LIST[span.namespace is not None, descending]
        return [row[0] for row in await self._connections.fetch(statement, LOG, *span, *part)]

    async def pieces(self, positions: Sequence[int]) -> AsyncGenerator[EventTexts]:
        """Yield the events a few at a time: as many as come to _PIECE_BYTES, and one more where the last is large."""
        at, count = 0, _FIRST
        while at < len(positions):
            rows = await self._connections.fetch(_PAYLOADS, LOG, positions[at : at + count], _PIECE_BYTES)
            piece = EventTexts(
                [row[1] for row in rows if row[1] is not None], [row[0] for row in rows if row[1] is None]
            )
            yield piece
            at += len(rows)
            mean = sum(map(len, piece.texts)) // len(rows) + 1
            count = max(1, min(_MOST_AT_ONCE, 4 * count, _PIECE_BYTES // mean))

    async def archived(self, positions: Sequence[int]) -> dict[PayloadLocation, list[int]]:
        """Return which files have the payloads at some positions; those that were erased are in none."""
        return await archive_records.group_by_file(self._connections, positions)

    async def children(self, parent: UUID, part: Slice) -> tuple[list[RunItem], int]:
        """Return the runs that named a run as their parent, newest first, and how many there are."""
        rows = await self._connections.fetch(_CHILDREN, parent, *part)
        total = (await self._connections.fetch(_COUNT_CHILDREN, parent))[0][0]
        return [RunItem(row[0], unpack_run(row[1])) for row in rows], total
