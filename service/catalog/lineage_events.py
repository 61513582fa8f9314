"""Finds OpenLineage events by their own time, and returns them as they were sent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from service.catalog.queries import PAGE_BYTES, RunItem, Slice, load_page
from service.database.connections import Connections
from service.database.statements import load
from service.domain.event import Subject
from service.ledger import archive_records
from service.ledger.archive_records import PayloadLocation
from service.ledger.events import LOG
from service.ledger.ledger_registers import read_registers

_ANY_NAMESPACE = ":namespace::text is null"
_ONE_NAMESPACE = "left(e.namespace, 64) = left(:namespace::text, 64) and e.namespace = :namespace::text"

_COUNT = {False: load("count_lineage", of=_ANY_NAMESPACE), True: load("count_lineage", of=_ONE_NAMESPACE)}
"""By whether the events of one namespace are counted."""

_LIST = {
    (of_one, descending): load(
        "list_lineage", of=_ONE_NAMESPACE if of_one else _ANY_NAMESPACE, direction="desc" if descending else "asc"
    )
    for of_one in (False, True)
    for descending in (False, True)
}
"""By whether the events of one namespace are listed, and whether the latest come first."""

_PAYLOADS = load("lineage_payloads")
_CHILDREN = load_page("children_of_run")
_COUNT_CHILDREN = load("count_children_of_run")

_PIECE_BYTES = 4 * 1024 * 1024
_FIRST_COUNT = 16
_MAX_COUNT = 1_000


class LineageFilter(NamedTuple):
    """Which events to find: of one namespace (None: of all), from time `after` on, before time `before` (None: any)."""

    namespace: str | None
    after: datetime | None
    before: datetime | None


class EventTexts(NamedTuple):
    """Events as they were sent, and the positions of those whose payload is not in the database."""

    texts: list[str]
    missing: list[int]


class LineageEventReader:
    """Reads OpenLineage events. Every method raises Unavailable if the database cannot be used.

    Events are read from the ledger itself: every event whose recording was acknowledged is found at once.
    """

    def __init__(self, connections: Connections) -> None:
        """Take the connections to read with."""
        self._connections = connections

    async def count(self, filters: LineageFilter) -> int:
        """Return the exact number of events; the catalog's counters keep this fast for any number."""
        async with self._connections.connection() as connection:
            return int(await connection.fetchval(_COUNT[filters.namespace is not None], LOG, *filters))

    async def positions(self, filters: LineageFilter, slice_: Slice, *, descending: bool) -> list[int]:
        """Return the positions of a slice of the events, by their time, then by position."""
        statement = _LIST[filters.namespace is not None, descending]
        return [row["position"] for row in await self._connections.fetch(statement, LOG, *filters, *slice_)]

    async def pieces(self, positions: Sequence[int]) -> AsyncGenerator[EventTexts]:
        """Yield the events at some positions, in their order, in pieces.

        A piece ends with the event that brings it to _PIECE_BYTES.
        """
        start, count = 0, _FIRST_COUNT
        while start < len(positions):
            rows = await self._connections.fetch(_PAYLOADS, LOG, positions[start : start + count], _PIECE_BYTES)
            piece = EventTexts(
                [row["body"] for row in rows if row["body"] is not None],
                [row["position"] for row in rows if row["body"] is None],
            )
            yield piece
            start += len(rows)
            mean_size = sum(map(len, piece.texts)) // len(rows) + 1
            count = max(1, min(_MAX_COUNT, 4 * count, _PIECE_BYTES // mean_size))

    async def locate_archived(self, positions: Sequence[int]) -> dict[PayloadLocation, list[int]]:
        """Return the files that have the payloads of some positions; erased payloads are in none."""
        return await archive_records.group_by_file(self._connections, positions)

    async def children(self, parent: UUID, slice_: Slice) -> tuple[list[RunItem], int]:
        """Return a slice of the runs that name a run as their parent, newest first, and the number of all."""
        async with self._connections.connection() as connection:
            rows = await connection.fetch(_CHILDREN, parent, *slice_, PAGE_BYTES)
            total = int(await connection.fetchval(_COUNT_CHILDREN, parent))
        registers = await read_registers(self._connections, LOG, Subject.RUN, rows)
        return [RunItem(row["id"], run) for row, run in zip(rows, registers, strict=True)], total
