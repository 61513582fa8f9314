"""Finds namespaces, jobs and runs in the catalog, as far as it is folded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from service.database.connections import Connections
from service.database.statements import load
from service.domain.event import RunState
from service.domain.ids import job_id, namespace_id
from service.domain.job import JobRegisters
from service.domain.namespace import NamespaceRegisters
from service.domain.run import RunRegisters
from service.ledger.aggregates import unpack_job, unpack_namespace, unpack_run
from service.ledger.cursors import RowCursor
from service.ledger.events import LOG

LATEST = 10
"""How many of its runs a job shows."""

_NAMESPACES = load("list_namespaces")
_NAMESPACE = load("catalog_rows", catalog="namespaces")
_JOBS, _COUNT_JOBS = load("list_jobs"), load("count_jobs")
_JOB = load("catalog_rows", catalog="jobs")
_RUNS, _COUNT_RUNS = load("list_runs_of_job"), load("count_runs_of_job")
_LATEST = load("latest_runs")
_REVISION = load("revision")
_LAG = load("lag")


class Slice(NamedTuple):
    """Which part of a list is asked for."""

    limit: int
    offset: int


class RunItem(NamedTuple):
    """A run in a list."""

    id: UUID
    registers: RunRegisters


class JobItem(NamedTuple):
    """A job with its newest runs."""

    registers: JobRegisters
    latest: list[RunItem]


class CatalogQueries:
    """Reads the catalog. Every method raises Unavailable when the database does not answer."""

    def __init__(self, connections: Connections) -> None:
        """Take the connections to read with."""
        self._connections = connections

    async def revision(self) -> str:
        """Return the revision the schema is at."""
        rows = await self._connections.fetch(_REVISION)
        return str(rows[0][0]) if rows else ""

    async def positions(self) -> tuple[int, int]:
        """Return where the ledger ends, and how far the catalog is folded."""
        end, folded = (await self._connections.fetch(_LAG, LOG))[0]
        return end, folded

    async def namespaces(self, part: Slice) -> list[NamespaceRegisters]:
        """Return namespaces by name, without the hidden ones."""
        return [unpack_namespace(row[0]) for row in await self._connections.fetch(_NAMESPACES, *part)]

    async def namespace(self, name: str) -> NamespaceRegisters | None:
        """Return a namespace, hidden or not."""
        rows = await self._connections.fetch(_NAMESPACE, [namespace_id(name)])
        return unpack_namespace(rows[0][1]) if rows else None

    async def job(self, namespace: str, name: str) -> JobItem | None:
        """Return a job with its newest runs; None where it is unknown or deleted."""
        rows = await self._connections.fetch(_JOB, [job_id(namespace, name)])
        jobs = await self._with_latest(rows)
        return jobs[0] if jobs and not jobs[0].registers.hidden else None

    async def jobs(
        self, namespace: str | None, last_run_states: Sequence[str] | None, part: Slice
    ) -> tuple[list[JobItem], int]:
        """Return jobs, last heard of first, and how many there are."""
        where = (namespace_id(namespace) if namespace is not None else None, last_run_states)
        rows, total = await self._page((_JOBS, *where, *part), (_COUNT_JOBS, *where))
        return await self._with_latest(rows), total

    async def _with_latest(self, rows: Sequence[Any]) -> list[JobItem]:
        if not rows:
            return []
        latest: dict[UUID, list[RunItem]] = {row[0]: [] for row in rows}
        for of, run_id, registers in await self._connections.fetch(_LATEST, list(latest), LATEST):
            latest[of].append(RunItem(run_id, unpack_run(registers)))
        return [JobItem(unpack_job(row[1]), latest[row[0]]) for row in rows]

    async def runs_of_job(
        self, namespace: str, job: str, states: Sequence[str] | None, part: Slice
    ) -> tuple[list[RunItem], int]:
        """Return a job's runs, newest first, and how many there are."""
        of = job_id(namespace, job)
        rows, total = await self._page((_RUNS, of, states, *part), (_COUNT_RUNS, of, states))
        return [RunItem(row[0], unpack_run(row[1])) for row in rows], total

    async def _page(self, listing: tuple[Any, ...], counting: tuple[Any, ...]) -> tuple[list[Any], int]:
        """Ask for rows and for how many there are at once: under load, a round trip waits for its turn on the loop."""
        rows, counted = await asyncio.gather(self._connections.fetch(*listing), self._connections.fetch(*counting))
        return rows, counted[0][0]


PARAMETERS = ("state", "namespace", "job", "startedBefore", "startedAfter", "runningAt")


_BY_STATE, _BY_NAME, _RUNNING = load("runs_by_state"), load("runs_by_name"), load("runs_running_at")


_LEAST = UUID(int=0)


_TOP = RowCursor(datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


class RunFilters(NamedTuple):
    """None: any. startedAfter is included, startedBefore is not; a run that ended at runningAt was not running."""

    states: tuple[str, ...] | None = None
    namespace: str | None = None
    job: str | None = None
    started_before: datetime | None = None
    started_after: datetime | None = None
    running_at: datetime | None = None


class FoundRun(NamedTuple):
    """A run, and the row to go on behind."""

    id: UUID
    row: RowCursor
    registers: RunRegisters


class RunSearch:
    """Reads the catalog, as far as it is folded."""

    def __init__(self, connections: Connections) -> None:
        """Take the connections to read with."""
        self._connections = connections

    async def runs(self, wanted: RunFilters, after: RowCursor | None, limit: int) -> list[FoundRun]:
        """Return runs, newest first: by their start, or their creation where they have not started."""
        names = wanted.namespace, wanted.job
        started_only = wanted.started_before is not None or wanted.started_after is not None
        below = _below(wanted, after)
        states = [state for state in wanted.states or RunState if not (started_only and state == RunState.NEW)]
        where = (states, *names, started_only, wanted.started_after, *below, limit)
        async with self._connections.connection() as connection:
            if wanted.running_at is not None:
                rows = await connection.fetch(_RUNNING, *where, wanted.running_at)
            else:
                rows = await connection.fetch(_BY_STATE if names == (None, None) else _BY_NAME, *where)
        return [FoundRun(row[0], RowCursor(row[1], row[0]), unpack_run(row[2])) for row in rows]


def _below(wanted: RunFilters, after: RowCursor | None) -> RowCursor:
    """Return the one bound that cursor, startedBefore and runningAt come to."""
    bounds = [after or _TOP]
    if wanted.started_before is not None:
        bounds.append(RowCursor(wanted.started_before, _LEAST))
    if wanted.running_at is not None:
        bounds.append(RowCursor(wanted.running_at + timedelta(microseconds=1), _LEAST))
    return min(bounds)
