"""Reads from and writes to the service's PostgreSQL directly."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

CHUNK = 1_000

APPEND = """
select coalesce(array_length(array_positions(outcomes, 0::smallint), 1), 0)
  from runfold.append_events(0, $1)
"""
# The columns that append_events takes, in its order.
SAMPLE = """
select e.subject, e.stream, e.kind, e.state, e.transitioned_at, e.namespace, e.job, e.parent_run, e.source,
       e.actor, e.fact, e.request_digest, e.payload_digest, p.body::text, null::bigint as expected
  from runfold.events e
  left join runfold.payloads p on p.log = e.log and p.position = e.position
 where e.log = 0 and e.subject = 'run' and e.stream = $1
 order by e.position
"""
SEED_TRANSACTION = """
insert into bench_transaction.runs (id, namespace, job, state, created_at, updated_at, args)
select id, 'bench', 'load', 'NEW', now(), now(), '{"email":"me@example.com"}' from unnest($1::uuid[]) as id
"""
LAG = """
select h.position - c.position
  from runfold.ledger_head h, runfold.catalog_cursor c
 where h.log = 0 and c.log = 0
"""
HAS_LINEAGE = "select to_regclass('runfold.lineage_cursor') is not null"
LINEAGE_LAG = LAG.replace("catalog_cursor", "lineage_cursor")
VACUUMS = "select count(*) from pg_stat_activity where backend_type = 'autovacuum worker'"
CONDITIONS = """
select current_setting('server_version') as postgresql, current_setting('fsync') as fsync,
       current_setting('synchronous_commit') as synchronous_commit,
       current_setting('shared_buffers') as shared_buffers
"""


class NotCaughtUpError(Exception):
    """The catalog did not reach the ledger head in time."""


def new_id() -> UUID:
    """Return a UUIDv7, as the service makes them: ids of about the same time are neighbours in an index."""
    random = secrets.randbits(74)
    return UUID(
        int=(time.time_ns() // 1_000_000) << 80 | 7 << 76 | (random >> 62) << 64 | 2 << 62 | random & (1 << 62) - 1
    )


async def _until_zero(lag: Callable[[], Awaitable[int]], name: str, seconds: float) -> float:
    began = time.monotonic()
    while (events := await lag()) > 0:
        if time.monotonic() - began > seconds:
            raise NotCaughtUpError(f"{name} is {events} events behind after {seconds} s")
        await asyncio.sleep(0.02)
    return time.monotonic() - began


class Database:
    """One connection to the service's PostgreSQL."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401  asyncpg is not typed
        self.connection = connection

    @classmethod
    async def connect(cls, dsn: str) -> Database:
        """Connect."""
        return cls(await asyncpg.connect(dsn))

    async def close(self) -> None:
        """Disconnect."""
        await self.connection.close()

    async def conditions(self) -> dict[str, str]:
        """Return the server's version and the settings that determine its durability."""
        return dict(await self.connection.fetchrow(CONDITIONS))

    async def head(self) -> int:
        """Return the ledger's last position."""
        return int(await self.connection.fetchval("select position from runfold.ledger_head where log = 0"))

    async def lag(self) -> int:
        """Return how many events are not projected into the catalog yet."""
        return int(await self.connection.fetchval(LAG))

    async def lineage_lag(self) -> int:
        """Return how many events are not projected into lineage yet; 0 for a version that has no such projection."""
        if not await self.connection.fetchval(HAS_LINEAGE):
            return 0
        return int(await self.connection.fetchval(LINEAGE_LAG))

    async def caught_up(self, seconds: float = 120) -> float:
        """Wait until everything is projected into the catalog; return the seconds that took."""
        return await _until_zero(self.lag, "the catalog", seconds)

    async def lineage_caught_up(self, seconds: float = 300) -> float:
        """Wait until everything is projected into lineage; return the seconds that took."""
        return await _until_zero(self.lineage_lag, "lineage", seconds)

    async def settle(self, seconds: float = 60) -> None:
        """Write what was changed to the disk now instead of later, and wait until no vacuum runs."""
        async with asyncio.timeout(seconds):
            while await self.connection.fetchval(VACUUMS):  # noqa: ASYNC110  the database sends no event to wait for
                await asyncio.sleep(0.1)
            await self.connection.execute("checkpoint")

    async def wait_for_append(self, after: int, seconds: float = 30) -> None:
        """Wait until an event is recorded after a position."""
        async with asyncio.timeout(seconds):
            while await self.head() <= after:  # noqa: ASYNC110  the database sends no event to wait for
                await asyncio.sleep(0.02)

    async def count(self, state: str, after: int = 0) -> int:
        """Return the number of transitions to `state` after a position, once it no longer grows."""
        statement = "select count(*) from runfold.events where log = 0 and position > $1 and state = $2"
        before = -1
        while before != (found := int(await self.connection.fetchval(statement, after, state))):
            before = found
            await asyncio.sleep(0.1)
        return before

    async def created(self, after: int) -> list[UUID]:
        """Return the ids of the runs created after a position, oldest first."""
        statement = """
            select stream from runfold.events
             where log = 0 and position > $1 and subject = 'run' and state = 'NEW' order by position
        """
        return [UUID(int=row[0].int) for row in await self.connection.fetch(statement, after)]

    async def runs(self) -> int:
        """Return the number of runs in the catalog."""
        return int(await self.connection.fetchval("select count(*) from runfold.runs"))

    async def clone(self, run: UUID, count: int) -> list[UUID]:
        """Append `count` copies of the first event of `run` with new ids, by append_events; return the ids."""
        (row, *_) = await self.connection.fetch(SAMPLE, run)
        ids = [new_id() for _ in range(count)]
        for chunk in _chunks(ids):
            await self._append([(row["subject"], stream, *row[2:]) for stream in chunk])
        return ids

    async def _append(self, drafts: Sequence[tuple[Any, ...]]) -> None:
        recorded = await self.connection.fetchval(APPEND, drafts)
        if recorded != len(drafts):
            raise RuntimeError(f"{len(drafts)} events appended, {recorded} recorded")

    async def seed_transaction(self, ids: Sequence[UUID]) -> None:
        """Insert runs into the tables of the transaction-per-request variant."""
        await self.connection.execute(SEED_TRANSACTION, ids)


def _chunks(items: Iterable[Any]) -> Iterable[list[Any]]:
    listed = list(items)
    for start in range(0, len(listed), CHUNK):
        yield listed[start : start + CHUNK]
