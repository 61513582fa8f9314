"""Finds OpenLineage events by their own time, and returns them as they were sent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from service.catalog.queries import EVERY, PAGE_BYTES, VISIBLE_RUN, RunItem, Slice, condition, load_page, may_see
from service.database.connections import Connections
from service.database.statements import load, load_text
from service.domain.binding import Binding
from service.domain.event import Subject
from service.ledger import archive_records
from service.ledger.archive_records import PayloadLocation
from service.ledger.bound_runs import matching_namespaces
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

_COUNT_OF_NAMESPACES = load("count_lineage_of_namespaces")
_LIST_OF_NAMESPACES = {
    descending: load("list_lineage_of_namespaces", direction="desc" if descending else "asc")
    for descending in (False, True)
}
_PAYLOADS = load("lineage_payloads")

_CHILD_PARTS = {False: EVERY, True: f"{load_text('within', namespace='t.namespace')} and {VISIBLE_RUN}"}
_CHILDREN = {bound: load_page("children_of_run", visible_run=part) for bound, part in _CHILD_PARTS.items()}
_COUNT_CHILDREN = {bound: load("count_children_of_run", visible_run=part) for bound, part in _CHILD_PARTS.items()}
"""By whether the API key is bound to namespaces."""

_PIECE_BYTES = 4 * 1024 * 1024
_FIRST_COUNT = 16
_MAX_COUNT = 1_000


class LineageFilter(NamedTuple):
    """Which events to find: of one namespace (None: of all), from time `after` on, before time `before` (None: any).

    `within`: only of these namespaces, those that an API key is bound to; then `namespace` is not looked at.
    """

    namespace: str | None
    after: datetime | None
    before: datetime | None
    within: tuple[str, ...] | None = None


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

    async def restrict(self, filters: LineageFilter, binding: Binding) -> LineageFilter:
        """Return filters for the events within a binding only. Raises Invalid for too many namespaces."""
        if filters.namespace is None:
            names = await matching_namespaces(self._connections, binding)
        else:
            names = [filters.namespace] if binding.allows(filters.namespace) else []
        return filters._replace(within=tuple(names))

    async def count(self, filters: LineageFilter) -> int:
        """Return the exact number of events; the catalog's counters keep this fast for any number."""
        names, times = filters.namespace if filters.within is None else filters.within, (filters.after, filters.before)
        statement = _COUNT[filters.namespace is not None] if filters.within is None else _COUNT_OF_NAMESPACES
        async with self._connections.connection() as connection:
            return int(await connection.fetchval(statement, LOG, names, *times))

    async def positions(self, filters: LineageFilter, slice_: Slice, *, descending: bool) -> list[int]:
        """Return the positions of a slice of the events, by their time, then by position."""
        names, times = filters.namespace if filters.within is None else filters.within, (filters.after, filters.before)
        statement = _LIST[filters.namespace is not None, descending]
        if filters.within is not None:
            statement = _LIST_OF_NAMESPACES[descending]
        rows = await self._connections.fetch(statement, LOG, names, *times, *slice_)
        return [row["position"] for row in rows]

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

    async def children(self, parent: UUID, slice_: Slice, binding: Binding | None) -> tuple[list[RunItem], int]:
        """Return a slice of the runs that name a run as their parent, newest first, and the number of all.

        Of those that the binding of an API key lets it see.
        """
        bound, within = binding is not None, condition(binding)
        async with self._connections.connection() as connection:
            rows = await connection.fetch(_CHILDREN[bound], parent, *slice_, *within, PAGE_BYTES)
            total = int(await connection.fetchval(_COUNT_CHILDREN[bound], parent, *within))
        registers = await read_registers(self._connections, LOG, Subject.RUN, rows)
        pairs = zip(rows, registers, strict=True)
        return [RunItem(row["id"], run) for row, run in pairs if may_see(binding, run)], total
