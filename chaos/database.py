"""Queries the service's PostgreSQL directly, over connections that no fault targets."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

NAME = "runfold-chaos"
"""The application_name of our connections; faults that end connections leave these alone."""

_EVENTS = """
select e.position, e.subject, e.stream, e.kind, e.state, e.transitioned_at, e.recorded_at, e.namespace, e.job, e.source,
       e.actor, e.payload_digest, convert_to(p.body::text, 'UTF8') as body
  from runfold.events e
  left join runfold.payloads p on p.log = e.log and p.position = e.position
 where e.log = 0 and e.position > $1
 order by e.position
 limit 20000
"""
_HEAD = "select position from runfold.ledger_head where log = 0"
_LAG = """
select h.position - c.position
  from runfold.ledger_head h, runfold.catalog_cursor c
 where h.log = 0 and c.log = 0
"""
_OTHERS = f"""
select pid
  from pg_stat_activity
 where datname = current_database() and backend_type = 'client backend' and application_name <> '{NAME}'
"""
_WAITING = f"""
select count(*)
  from pg_stat_activity
 where datname = current_database() and application_name <> '{NAME}' and state = 'active' and wait_event_type = 'Lock'
   and clock_timestamp() - query_start > make_interval(secs => $1)
"""


class Row(NamedTuple):
    """A row of the ledger with its payload."""

    position: int
    subject: str
    stream: UUID
    kind: str
    state: str | None
    transitioned_at: datetime
    recorded_at: datetime
    namespace: str | None
    job: str | None
    source: str
    actor: str | None
    payload_digest: bytes | None
    body: bytes | None


class Database:
    """Opens one connection per query, because the server may have been restarted since the last one."""

    def __init__(self, dsn: str) -> None:
        """`dsn` is the address of the server itself, without the proxy."""
        self.dsn = dsn

    async def _fetch(self, statement: str, *arguments: object) -> list[Any]:
        connection = await asyncpg.connect(
            self.dsn, timeout=10, command_timeout=60, server_settings={"application_name": NAME}
        )
        try:
            rows: list[Any] = await connection.fetch(statement, *arguments)
            return rows
        finally:
            connection.terminate()

    async def after(self, position: int) -> list[Row]:
        """Return at most 20,000 rows after a position, in order of position."""
        return [Row(*row) for row in await self._fetch(_EVENTS, position)]

    async def head(self) -> int:
        """Return the last position."""
        return int((await self._fetch(_HEAD))[0][0])

    async def lag(self) -> int:
        """Return how many events are not projected yet."""
        return int((await self._fetch(_LAG))[0][0])

    async def connections(self) -> list[int]:
        """Return the process ids of all other client backends."""
        return [row[0] for row in await self._fetch(_OTHERS)]

    async def waiting(self, seconds: float) -> int:
        """Return how many statements of the service have waited for locks for longer than some seconds."""
        return int((await self._fetch(_WAITING, seconds))[0][0])

    async def terminate(self, pids: list[int]) -> None:
        """End connections with pg_terminate_backend."""
        await self._fetch("select pg_terminate_backend(pid) from unnest($1::int[]) as pid", pids)
