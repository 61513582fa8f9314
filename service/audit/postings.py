"""Where the events of a filter lie: posted in bulk once a chunk of positions is full, read instead of the ledger.

An index for each filter would make every append half as dear again; this costs it nothing, and counts for free.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple

from service.audit import bitmaps
from service.audit.bitmaps import CHUNK, Offsets
from service.audit.filters import EventFilters
from service.database.connections import Connections
from service.database.statements import load
from service.errors import DatabaseUnavailable
from service.ledger.events import LOG

_log = logging.getLogger(__name__)

_PAUSE_AFTER_LOSS = 0.5
_LOCK = 0x52554E504F5354
_FIRST_WINDOW, _LAST_WINDOW, _GROWTH = 1, 256, 4
_COUNTED = 128

_GATHER, _POST, _POSTED = load("gather_chunk"), load("post_chunk"), load("ledger_ends")
_POSTINGS, _TOTAL = load("postings"), load("postings_total")
_TRY_LOCK = "select pg_try_advisory_xact_lock($1)"
_ASYNCHRONOUS = "set local synchronous_commit = off"


class LedgerEnds(NamedTuple):
    """Up to which position events are posted, and where the log ends."""

    posted: int
    position: int
    hash: bytes
    recorded_at: Any


async def read_ends(connection: Any) -> LedgerEnds:  # noqa: ANN401  asyncpg has no types
    """Return both as of now."""
    return LedgerEnds(*await connection.fetchrow(_POSTED, LOG))


class _Wanted(NamedTuple):
    """What a filter asks for, as postings keep it: facets and values side by side."""

    facets: list[int]
    values: list[str]


def _wanted(filters: EventFilters) -> _Wanted:
    given = {
        1: (filters.namespace,),
        2: (filters.job,),
        3: (filters.actor,),
        4: filters.kinds or (),
        5: filters.states or (),
        6: filters.sources or (),
    }
    pairs = [(facet, value) for facet, values in given.items() for value in dict.fromkeys(values) if value is not None]
    return _Wanted([facet for facet, _ in pairs], [value for _, value in pairs])


async def find_positions(connection: Any, filters: EventFilters, after: int, upto: int, limit: int) -> list[int]:  # noqa: ANN401
    """Return the first `limit` positions of a filter in (after, upto], all of which must be posted.

    A value's hash stands for it: whoever reads the events there must look at the values.
    """
    found: list[int] = []
    wanted = _wanted(filters)
    chunk, last, window = after // CHUNK, (upto - 1) // CHUNK, _FIRST_WINDOW
    while chunk <= last and len(found) < limit:
        end = min(chunk + window - 1, last)
        for at, common in _intersected(await connection.fetch(_POSTINGS, LOG, *wanted, chunk, end)):
            base = at * CHUNK + 1
            positions = (base + offset for offset in bitmaps.ascending(common))
            within = (position for position in positions if after < position <= upto)
            found += islice(within, limit - len(found))
            if len(found) >= limit:
                break
        chunk, window = end + 1, min(window * _GROWTH, _LAST_WINDOW)
    return found


async def count_events(connection: Any, filters: EventFilters, first_chunk: int, last_chunk: int) -> int:  # noqa: ANN401
    """Return how many events of a filter lie in whole chunks."""
    wanted = _wanted(filters)
    if len(set(wanted.facets)) == 1:
        chunks = (first_chunk, last_chunk)
        return int(await connection.fetchval(_TOTAL, LOG, wanted.facets[0], wanted.values, *chunks))
    total = 0
    for start in range(first_chunk, last_chunk + 1, _COUNTED):
        end = min(start + _COUNTED - 1, last_chunk)
        rows = await connection.fetch(_POSTINGS, LOG, *wanted, start, end)
        total += sum(bitmaps.count(common) for _, common in _intersected(rows))
        await asyncio.sleep(0)
    return total


def _intersected(rows: Iterable[Any]) -> Iterator[tuple[int, Offsets]]:
    """Return each chunk with the offsets that every facet has; the values of one facet are alternatives."""
    for chunk, of_chunk in groupby(rows, itemgetter(0)):
        facets = [bitmaps.union([row[2:] for row in of_facet]) for _, of_facet in groupby(of_chunk, itemgetter(1))]
        yield chunk, bitmaps.intersection(facets)


class PostingsWriter:
    """The task of this process that posts what is full; one process at a time does the work."""

    def __init__(self, connections: Connections) -> None:
        """Take a connection of its own."""
        self._connections = connections
        self._full = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start; what is not posted yet is posted first."""
        self._wake.set()
        self._task = asyncio.create_task(self._run(), name="posting")

    async def close(self) -> None:
        """Stop; the next process that starts goes on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def appended(self, position: int) -> None:
        """Hear that events were appended, or seen, up to a position."""
        if position // CHUNK > self._full:
            self._full = position // CHUNK
            self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                while await post_next(self._connections):
                    pass
            except DatabaseUnavailable:
                await asyncio.sleep(_PAUSE_AFTER_LOSS)
                self._wake.set()
            except Exception:  # noqa: BLE001  the task must outlive whatever happens to one chunk
                _log.exception("events could not be posted")
                await asyncio.sleep(_PAUSE_AFTER_LOSS)


async def post_next(connections: Connections) -> bool:
    """Post the next chunk. Returns whether there may be another; False, too, while another process is at it."""
    async with connections.connection() as connection, connection.transaction():
        if not await connection.fetchval(_TRY_LOCK, _LOCK):
            return False
        await connection.execute(_ASYNCHRONOUS)
        found = await read_ends(connection)
        if found.posted + CHUNK > found.position:
            return False
        await _post(connection, found.posted // CHUNK)
        return found.posted + 2 * CHUNK <= found.position


async def _post(connection: Any, chunk: int) -> None:  # noqa: ANN401
    rows = await connection.fetch(_GATHER, LOG, chunk)
    totals, packed = [], []
    for _, _, listed in rows:
        totals.append(len(listed) // 2)
        packed.append(bitmaps.pack_offsets(listed))
    facets, hashes = [row[0] for row in rows], [row[1] for row in rows]
    await connection.execute(_POST, LOG, chunk, facets, hashes, totals, packed)
