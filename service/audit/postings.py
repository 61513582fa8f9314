"""Posting lists: the positions of the events that have a value, written in bulk once a chunk of positions is full.

Filters read them instead of the ledger. An index for each filter would make every append half as expensive again;
postings cost an append nothing, and hold the counts, too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from service.audit import bitmaps
from service.audit.bitmaps import CHUNK, Offsets
from service.audit.filters import EventFilters
from service.database.connections import Connections
from service.database.statements import load
from service.errors import DatabaseUnavailable
from service.ledger.events import LOG, Head

_log = logging.getLogger(__name__)

_RETRY_DELAY_S = 0.5
_LOCK = 0x52554E504F5354
_FIRST_WINDOW, _LAST_WINDOW, _GROWTH = 1, 256, 4
"""Chunks searched by the first statement of a search, by any later one, and the factor in between."""

_COUNTED_CHUNKS = 128
"""Chunks counted by one statement."""


_GATHER = load("gather_chunk")
_POSTINGS, _TOTAL = load("postings"), load("postings_total")
_TRY_LOCK = load("try_transaction_lock")
_ASYNCHRONOUS = "set local synchronous_commit = off"

_total_and_offsets = itemgetter("total", "offsets")


class LedgerEnds(NamedTuple):
    """The position up to which events are posted, and the ledger head."""

    posted: int
    head: Head


class PostingStatements(NamedTuple):
    """The SQL statements on the table of postings, of the one in use or of one that is being rebuilt."""

    post: str
    ends: str


def posting_statements(schema: str) -> PostingStatements:
    """Return the statements for the table in a schema."""
    return PostingStatements(load("post_chunk", schema=schema), load("ledger_ends", schema=schema))


_LIVE = posting_statements("runfold")


async def read_ends(connection: Any, statements: PostingStatements = _LIVE) -> LedgerEnds:  # noqa: ANN401  asyncpg has no types
    """Return both as of now."""
    row = await connection.fetchrow(statements.ends, LOG)
    return LedgerEnds(row["posted"], Head(row["position"], row["hash"], row["recorded_at"]))


class _Terms(NamedTuple):
    """The values that a filter compares, each with its facet; both columns have the same length."""

    facets: list[int]
    values: list[str]


def _terms(filters: EventFilters) -> _Terms:
    """Return the terms of filters; `within` is resolved to names, and has the only one where `namespace` is given."""
    values_by_facet = {
        1: (filters.namespace,) if filters.within is None else filters.within.names,
        2: (filters.job,),
        3: (filters.actor,),
        4: filters.kinds or (),
        5: filters.states or (),
        6: filters.sources or (),
    }
    pairs = [
        (facet, value)
        for facet, values in values_by_facet.items()
        for value in dict.fromkeys(values)
        if value is not None
    ]
    return _Terms([facet for facet, _ in pairs], [value for _, value in pairs])


async def find_positions(
    connection: Any,  # noqa: ANN401
    filters: EventFilters,
    after: int,
    upto: int,
    limit: int,
    *,
    newest_first: bool = False,
) -> list[int]:
    """Return the first `limit` positions of a filter in (after, upto], all of which must be posted.

    `newest_first`: the last ones, the greatest first. Postings hold hashes of values, which may collide: the caller
    must compare the events' values.
    """
    found: list[int] = []
    terms = _terms(filters)
    chunks = range(after // CHUNK, (upto - 1) // CHUNK + 1)
    if newest_first:
        chunks = chunks[::-1]
    window = _FIRST_WINDOW
    while chunks and len(found) < limit:
        searched, chunks = chunks[:window], chunks[window:]
        rows = await connection.fetch(_POSTINGS, LOG, *terms, min(searched), max(searched))
        for position in _positions(rows, newest_first=newest_first):
            if after < position <= upto:
                found.append(position)
                if len(found) >= limit:
                    break
        window = min(window * _GROWTH, _LAST_WINDOW)
    return found


def _positions(rows: Iterable[Any], *, newest_first: bool) -> Iterator[int]:
    """Yield the positions that match in rows of postings, which are in the order of chunks."""
    if not newest_first:
        for chunk, offsets in _matching_offsets(rows):
            base = chunk * CHUNK + 1
            yield from (base + offset for offset in bitmaps.ascending(offsets))
        return
    for chunk, offsets in reversed(list(_matching_offsets(rows))):
        base = chunk * CHUNK + 1
        yield from [base + offset for offset in bitmaps.ascending(offsets)][::-1]


async def count_events(connection: Any, filters: EventFilters, first_chunk: int, last_chunk: int) -> int:  # noqa: ANN401
    """Return the number of events of a filter in whole chunks, first to last."""
    terms = _terms(filters)
    if len(set(terms.facets)) == 1:
        chunks = (first_chunk, last_chunk)
        return int(await connection.fetchval(_TOTAL, LOG, terms.facets[0], terms.values, *chunks))
    total = 0
    for start in range(first_chunk, last_chunk + 1, _COUNTED_CHUNKS):
        end = min(start + _COUNTED_CHUNKS - 1, last_chunk)
        rows = await connection.fetch(_POSTINGS, LOG, *terms, start, end)
        total += sum(bitmaps.count(offsets) for _, offsets in _matching_offsets(rows))
        await asyncio.sleep(0)
    return total


def _matching_offsets(rows: Iterable[Any]) -> Iterator[tuple[int, Offsets]]:
    """Yield each chunk with the offsets that match in every facet; one of several values of a facet must match."""
    for chunk, of_chunk in groupby(rows, itemgetter("chunk")):
        facets = [
            bitmaps.union(map(_total_and_offsets, of_facet)) for _, of_facet in groupby(of_chunk, itemgetter("facet"))
        ]
        yield chunk, bitmaps.intersection(facets)


class PostingsWriter:
    """The task of this process that posts full chunks; one process at a time does the work."""

    def __init__(self, connections: Connections) -> None:
        """Take a connection of its own."""
        self._connections = connections
        self._full_chunks = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start; full chunks without postings come first."""
        self._wake.set()
        self._task = asyncio.create_task(self._run(), name="posting")

    async def close(self) -> None:
        """Stop; the next process that starts continues."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def forget_positions(self) -> None:
        """Forget how far the ledger reached: it has lost its tail."""
        self._full_chunks = 0
        self._wake.set()

    def notify_appended(self, position: int) -> None:
        """Report that events exist up to a position."""
        if position // CHUNK > self._full_chunks:
            self._full_chunks = position // CHUNK
            self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                while await post_next(self._connections):
                    pass
            except DatabaseUnavailable:
                await asyncio.sleep(_RETRY_DELAY_S)
                self._wake.set()
            except Exception:  # noqa: BLE001  the task must outlive any failure of one chunk
                _log.exception("events could not be posted")
                await asyncio.sleep(_RETRY_DELAY_S)


async def post_next(connections: Connections) -> bool:
    """Post the next chunk. Return whether another one may be full; False, too, while another process posts."""
    async with connections.connection() as connection, connection.transaction():
        if not await connection.fetchval(_TRY_LOCK, _LOCK):
            return False
        await connection.execute(_ASYNCHRONOUS)
        posted, head = await read_ends(connection)
        if posted + CHUNK > head.position:
            return False
        await _post(connection, posted // CHUNK)
        return posted + 2 * CHUNK <= head.position


async def post_all(connection: Any, statements: PostingStatements) -> None:  # noqa: ANN401
    """Post every full chunk that is not posted yet. Another process must not post to the same table."""
    posted, head = await read_ends(connection, statements)
    for chunk in range(posted // CHUNK, head.position // CHUNK):
        await _post(connection, chunk, statements)


async def gather_chunk(connection: Any, chunk: int) -> dict[tuple[int, int], tuple[int, bytes]]:  # noqa: ANN401
    """Return the postings of a chunk as its events make them: by facet and hash, the total and the packed offsets."""
    return {
        (row["facet"], row["hash"]): (len(row["offsets"]) // 2, bitmaps.pack_offsets(row["offsets"]))
        for row in await connection.fetch(_GATHER, LOG, chunk)
    }


async def _post(connection: Any, chunk: int, statements: PostingStatements = _LIVE) -> None:  # noqa: ANN401
    rows = await gather_chunk(connection, chunk)
    facets, hashes = [facet for facet, _ in rows], [value for _, value in rows]
    totals, packed = [total for total, _ in rows.values()], [offsets for _, offsets in rows.values()]
    await connection.execute(statements.post, LOG, chunk, facets, hashes, totals, packed)
