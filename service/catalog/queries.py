"""Finds namespaces, jobs and runs in the catalog, as far as it is projected."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from service.database.connections import Connections
from service.database.statements import load, load_text
from service.domain.event import RunState
from service.domain.ids import job_id, namespace_id
from service.domain.job import JobRegisters
from service.domain.namespace import NamespaceRegisters
from service.domain.run import RunRegisters
from service.ledger.aggregates import unpack_job, unpack_namespace, unpack_run
from service.ledger.cursors import RowCursor
from service.ledger.events import LOG

LATEST = 10
"""Number of newest runs that a job shows."""

PAGE_BYTES = 8 * 1024 * 1024
"""Bytes of registers after which a page of a list ends before its limit. As JSON they take about as much again."""


def load_page(name: str) -> str:
    """Return a statement that lists rows with registers, bounded by a further parameter in bytes; see within_bytes."""
    return load("within_bytes", statement=load_text(name))


_NAMESPACES = load_page("list_namespaces")
_NAMESPACE = load("catalog_rows", catalog="namespaces")
_JOBS, _COUNT_JOBS = load_page("list_jobs"), load("count_jobs")
_JOB = load("catalog_rows", catalog="jobs")
_RUNS, _COUNT_RUNS = load_page("list_runs_of_job"), load("count_runs_of_job")
_LATEST = load_page("latest_runs")
_REVISION = load("revision")
_LAG = load("lag")


class Slice(NamedTuple):
    """Part of a list: at most `limit` items, after the first `offset`; fewer where they take more than PAGE_BYTES."""

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
        """Return the revision of the schema; empty where it has none."""
        async with self._connections.connection() as connection:
            return str(await connection.fetchval(_REVISION) or "")

    async def positions(self) -> tuple[int, int]:
        """Return the positions of the ledger head and of the catalog's cursor."""
        (row,) = await self._connections.fetch(_LAG, LOG)
        return row["head"], row["projected"]

    async def namespaces(self, slice_: Slice) -> list[NamespaceRegisters]:
        """Return namespaces by name, without the hidden ones."""
        rows = await self._connections.fetch(_NAMESPACES, *slice_, PAGE_BYTES)
        return [unpack_namespace(row["registers"]) for row in rows]

    async def namespace(self, name: str) -> NamespaceRegisters | None:
        """Return a namespace, hidden or not."""
        rows = await self._connections.fetch(_NAMESPACE, [namespace_id(name)])
        return unpack_namespace(rows[0]["registers"]) if rows else None

    async def job(self, namespace: str, name: str) -> JobItem | None:
        """Return a job with its newest runs; None where it is unknown or deleted."""
        rows = await self._connections.fetch(_JOB, [job_id(namespace, name)])
        jobs = await self._with_latest(rows)
        return jobs[0] if jobs and not jobs[0].registers.hidden else None

    async def jobs(
        self, namespace: str | None, last_run_states: Sequence[str] | None, slice_: Slice
    ) -> tuple[list[JobItem], int]:
        """Return a slice of the jobs, the last updated first, and the number of all."""
        where = (namespace_id(namespace) if namespace is not None else None, last_run_states)
        rows, total = await self._list_and_count((_JOBS, *where, *slice_, PAGE_BYTES), (_COUNT_JOBS, *where))
        return await self._with_latest(rows), total

    async def _with_latest(self, rows: Sequence[Any]) -> list[JobItem]:
        """Return the jobs of rows, with their newest runs: the first jobs only, where all runs exceed PAGE_BYTES.

        The first job is returned in any case, with as many runs as fit, and at least the newest one.
        """
        if not rows:
            return []
        latest: dict[UUID, list[RunItem]] = {row["id"]: [] for row in rows}
        runs = await self._connections.fetch(_LATEST, list(latest), LATEST, PAGE_BYTES)
        for run in runs:
            latest[run["job_id"]].append(_run_item(run))
        if runs and len(runs) < runs[0]["found"]:
            ids = [row["id"] for row in rows]
            rows = rows[: max(1, ids.index(runs[-1]["job_id"]))]
        return [JobItem(unpack_job(row["registers"]), latest[row["id"]]) for row in rows]

    async def runs_of_job(
        self, namespace: str, job: str, states: Sequence[str] | None, slice_: Slice
    ) -> tuple[list[RunItem], int]:
        """Return a slice of a job's runs, newest first, and the number of all."""
        where = (job_id(namespace, job), states)
        rows, total = await self._list_and_count((_RUNS, *where, *slice_, PAGE_BYTES), (_COUNT_RUNS, *where))
        return [_run_item(row) for row in rows], total

    async def _list_and_count(self, listing: tuple[Any, ...], counting: tuple[Any, ...]) -> tuple[list[Any], int]:
        """Run both statements at once: under load, each round trip waits for its turn on the event loop."""
        rows, total = await asyncio.gather(self._connections.fetch(*listing), self._count(*counting))
        return rows, total

    async def _count(self, statement: str, *arguments: Any) -> int:  # noqa: ANN401  what asyncpg takes
        async with self._connections.connection() as connection:
            return int(await connection.fetchval(statement, *arguments))


def _run_item(row: Any) -> RunItem:  # noqa: ANN401  asyncpg has no types
    return RunItem(row["id"], unpack_run(row["registers"]))


_BY_STATE, _BY_NAME = load_page("runs_by_state"), load_page("runs_by_name")
_RUNNING = load_page("runs_running_at")

_LOWEST_ID = UUID(int=0)

_TOP = RowCursor(datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))
"""The cursor before the newest run."""


class RunFilters(NamedTuple):
    """What runs must match; None matches any.

    started_after includes its bound, started_before does not. A run that ended at running_at was not running then.
    """

    states: tuple[str, ...] | None = None
    namespace: str | None = None
    job: str | None = None
    started_before: datetime | None = None
    started_after: datetime | None = None
    running_at: datetime | None = None


class FoundRun(NamedTuple):
    """A run, and the cursor after which the next page begins."""

    id: UUID
    row: RowCursor
    registers: RunRegisters


class FoundRuns(NamedTuple):
    """A page of runs, and whether there are more."""

    runs: list[FoundRun]
    more: bool


class RunSearch:
    """Finds runs across jobs, in the catalog as far as it is projected."""

    def __init__(self, connections: Connections) -> None:
        """Take the connections to read with."""
        self._connections = connections

    async def runs(self, filters: RunFilters, after: RowCursor | None, limit: int) -> FoundRuns:
        """Return runs, newest first: by their start, or their creation where they have not started.

        They are at most `limit`, and fewer where they take more than PAGE_BYTES.
        Raises Unavailable when the database does not answer.
        """
        names = filters.namespace, filters.job
        started_only = filters.started_before is not None or filters.started_after is not None
        before = _upper_bound(filters, after)
        states = [state for state in filters.states or RunState if not (started_only and state == RunState.NEW)]
        where = (states, *names, started_only, filters.started_after, *before, limit + 1)
        async with self._connections.connection() as connection:
            if filters.running_at is not None:
                rows = await connection.fetch(_RUNNING, *where, filters.running_at, PAGE_BYTES)
            else:
                rows = await connection.fetch(_BY_STATE if names == (None, None) else _BY_NAME, *where, PAGE_BYTES)
        more = bool(rows) and rows[0]["found"] > min(limit, len(rows))
        runs = [
            FoundRun(row["id"], RowCursor(row["at"], row["id"]), unpack_run(row["registers"])) for row in rows[:limit]
        ]
        return FoundRuns(runs, more)


def _upper_bound(filters: RunFilters, after: RowCursor | None) -> RowCursor:
    """Return the one bound that the cursor, startedBefore and runningAt make together."""
    bounds = [after or _TOP]
    if filters.started_before is not None:
        bounds.append(RowCursor(filters.started_before, _LOWEST_ID))
    if filters.running_at is not None:
        bounds.append(RowCursor(filters.running_at + timedelta(microseconds=1), _LOWEST_ID))
    return min(bounds)
