"""Finds namespaces, jobs and runs in the catalog, as far as it is projected."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from service.catalog.projection import ALL_JOBS, CONTRADICTED, INFERRED, RESTARTED
from service.catalog.run_parts import Row, read_parts
from service.database.connections import Connections
from service.database.migrations import SchemaVersion, read_schema
from service.database.statements import CATALOG, LINEAGE, load, load_text
from service.domain.binding import Binding
from service.domain.event import JobName, RunState, Subject
from service.domain.facet_selection import FacetNames
from service.domain.ids import job_id, namespace_id
from service.domain.job import JobRegisters
from service.domain.run import RunRegisters
from service.ledger.bound_runs import matching_namespaces
from service.ledger.events import LOG
from service.ledger.ledger_registers import read_registers

LATEST = 10
"""Number of newest runs that a job shows."""

PAGE_BYTES = 8 * 1024 * 1024
"""Bytes of registers after which a page of a list ends before its limit. As JSON they take about as much again."""


def load_page(name: str, **parts: str) -> str:
    """Return a statement that lists rows with registers, bounded by a further parameter in bytes; see within_bytes."""
    return load("within_bytes", statement=load_text(name, **parts), wanted="true")


EVERY = "true"
"""The condition of an API key that is not bound to namespaces."""

_WITHIN = load_text("within", namespace="n.name")
VISIBLE_RUN = load_text("visible_run", within=_WITHIN)
"""The condition that a bound key may see a run t of which one job is within the binding: Binding.may_see in SQL."""

_BOUND = {False: EVERY, True: VISIBLE_RUN}
"""By whether the API key is bound. Statements for keys that are not have no condition to check."""

_VISIBLE = load_text("visible_jobs")
_JOB_PARTS = {
    bound: {
        "visible": _VISIBLE,
        "within": load_text("jobs_within") if bound else EVERY,
        "newest_run_state": load_text("newest_run_state", visible_run=visible_run),
    }
    for bound, visible_run in _BOUND.items()
}
_JOBS = {bound: load_page("list_jobs", columns="j.id, j.registers", **parts) for bound, parts in _JOB_PARTS.items()}
_JOBS_IN_BRIEF = {
    bound: load(
        "list_jobs_in_brief",
        jobs=load_text("list_jobs", columns="j.id, j.namespace, j.name, j.updated_at", **parts),
        visible_run=_BOUND[bound],
    )
    for bound, parts in _JOB_PARTS.items()
}
_COUNT_JOBS = {bound: load("count_jobs", **parts) for bound, parts in _JOB_PARTS.items()}
_JOB = load("visible_job", visible=_VISIBLE)
_RUNS = {bound: load_page("list_runs_of_job", visible_run=visible_run) for bound, visible_run in _BOUND.items()}
_COUNT_RUNS = {
    False: load("count_runs_of_job"),
    True: load("count_visible_runs_of_job", count=load_text("count_runs_of_job"), visible_run=VISIBLE_RUN),
}
_LATEST = {bound: load_page("latest_runs", visible_run=visible_run) for bound, visible_run in _BOUND.items()}
_PROJECTIONS = (CATALOG, LINEAGE)
_CURSOR = {name: load("catalog_cursor", projection=name) for name in _PROJECTIONS}
_LAG = {name: load("lag", projection=name) for name in _PROJECTIONS}
_SET_ASIDE = {name: load("list_set_aside", projection=name) for name in _PROJECTIONS}
_CATALOG_LAG, _OLDEST_SNAPSHOT, _HEALTH = load("catalog_lag"), load("oldest_snapshot"), load("health")
_MARKED_RUNS = load("marked_runs")

MAX_COUNTED = 1_000
"""Events set aside are counted up to here."""


def condition(binding: Binding | None) -> tuple[list[str], ...]:
    """Return the arguments of within.sql; none for an API key that is not bound, whose statements lack it."""
    return () if binding is None else (list(binding.names), list(binding.prefixes))


def may_see(binding: Binding | None, run: RunRegisters) -> bool:
    """Tell whether an API key with a binding may see a run as it was read.

    Statements select such runs only; but registers that a newer program wrote are merged from the ledger instead, which
    may be ahead of the rows by which they were selected.
    """
    return binding is None or binding.may_see(run)


class Slice(NamedTuple):
    """Part of a list: at most `limit` items, after the first `offset`; fewer where they take more than PAGE_BYTES."""

    limit: int
    offset: int


class JobFilter(NamedTuple):
    """Which jobs are listed: of a namespace, whose newest run is in one of some states, whose names begin so."""

    namespace: str | None = None
    last_run_states: Sequence[str] | None = None
    prefix: str | None = None


class RunItem(NamedTuple):
    """A run in a list."""

    id: UUID
    registers: RunRegisters


class JobItem(NamedTuple):
    """A job with its newest runs."""

    registers: JobRegisters
    latest: list[RunItem]


class RunInBrief(NamedTuple):
    """What the columns of a run's row say."""

    id: UUID
    state: str
    started_at: datetime | None
    ended_at: datetime | None


class JobInBrief(NamedTuple):
    """What the columns of a job's row say, and its newest runs, newest first."""

    namespace: str
    name: str
    updated_at: datetime
    latest: list[RunInBrief]


class CatalogHealth(NamedTuple):
    """Whether the database refuses writes, and the numbers of events that are set aside; MAX_COUNTED: or more.

    `lineage_set_aside`: those that could not be projected into datasets and lineage.
    """

    read_only: bool
    set_aside: int
    lineage_set_aside: int


class CatalogFormats(NamedTuple):
    """The format of the program that projected last, and the oldest of those that did since the catalog was made."""

    latest: int
    oldest: int


class MarkedRuns(NamedTuple):
    """The number of runs with ends in several states, of those with a START after the end, and with an inferred end."""

    contradicted: int
    restarted: int
    inferred: int


class EventSetAside(NamedTuple):
    """An event that could not be projected; `left_out`: its `payload`, or the whole `event`."""

    position: int
    subject: str
    stream: UUID
    left_out: str
    reason: str
    set_aside_at: datetime


_id_of = itemgetter("id")


class CatalogQueries:
    """Reads the catalog. Every method raises Unavailable if the database cannot be used."""

    def __init__(self, connections: Connections) -> None:
        """Take the connections to read with."""
        self._connections = connections

    async def schema(self) -> SchemaVersion:
        """Return the version of the schema."""
        return await read_schema(self._connections)

    async def formats(self, projection: str = CATALOG) -> CatalogFormats:
        """Return the formats of the programs that projected the catalog, or another projection."""
        (row,) = await self._connections.fetch(_CURSOR[projection], LOG)
        return CatalogFormats(row["format"], row["oldest_format"])

    async def positions(self, projection: str = CATALOG) -> tuple[int, int]:
        """Return the positions of the ledger head and of the cursor of the catalog, or of another projection."""
        (row,) = await self._connections.fetch(_LAG[projection], LOG)
        return row["head"], row["projected"]

    async def lag_s(self, projected: int) -> float:
        """Return how many seconds ago the first event after the cursor's position was recorded; 0 if there is none."""
        (row,) = await self._connections.fetch(_CATALOG_LAG, LOG, projected)
        seconds: float = row["seconds"]
        return seconds

    async def oldest_snapshot_s(self) -> float:
        """Return the age of the oldest open transaction that keeps old row versions; 0 if there is none."""
        (row,) = await self._connections.fetch(_OLDEST_SNAPSHOT)
        seconds: float = row["seconds"]
        return seconds

    async def health(self) -> CatalogHealth:
        """Return what of the catalog's state needs an operator."""
        (row,) = await self._connections.fetch(_HEALTH, LOG, MAX_COUNTED)
        return CatalogHealth(row["read_only"], row["set_aside"], row["lineage_set_aside"])

    async def marked_runs(self) -> MarkedRuns:
        """Return the number of runs with each mark."""
        rows = await self._connections.fetch(_MARKED_RUNS, ALL_JOBS, [CONTRADICTED, RESTARTED, INFERRED])
        totals = {row["mark"]: row["total"] for row in rows}
        return MarkedRuns(*(totals.get(mark, 0) for mark in (CONTRADICTED, RESTARTED, INFERRED)))

    async def set_aside(self, limit: int, projection: str = CATALOG) -> list[EventSetAside]:
        """Return the events that could not be projected into the catalog, or otherwise, oldest first."""
        rows = await self._connections.fetch(_SET_ASIDE[projection], LOG, limit)
        return [EventSetAside(**row) for row in rows]

    async def _registers(self, subject: Subject, rows: Sequence[Any]) -> list[Any]:
        return await read_registers(self._connections, LOG, subject, rows)

    async def _run_items(self, rows: Sequence[Any]) -> list[RunItem]:
        return [
            RunItem(*pair) for pair in zip(map(_id_of, rows), await self._registers(Subject.RUN, rows), strict=True)
        ]

    async def job(self, namespace: str, name: str, binding: Binding | None) -> JobItem | None:
        """Return a job with its newest runs; None where it is unknown, or deleted by itself or with its namespace.

        Of its runs, those that the binding of an API key lets it see; the job must be within it.
        """
        rows = await self._connections.fetch(_JOB, job_id(namespace, name))
        jobs = await self._with_latest(rows, binding)
        return jobs[0] if jobs else None

    async def jobs(self, filters: JobFilter, slice_: Slice, binding: Binding | None) -> tuple[list[JobItem], int]:
        """Return a slice of the jobs, the last updated first, and the number of all: of those within a binding."""
        where, within = await self._conditions_of_jobs(filters, binding)
        bound = binding is not None
        rows, total = await self._list_and_count(
            (_JOBS[bound], *where, *slice_, *within, PAGE_BYTES), (_COUNT_JOBS[bound], *where, *within)
        )
        return await self._with_latest(rows, binding), total

    async def jobs_in_brief(
        self, filters: JobFilter, slice_: Slice, binding: Binding | None
    ) -> tuple[list[JobInBrief], int]:
        """Return the same slice of the jobs as `jobs`, and the number of all, from columns: no registers are read."""
        where, within = await self._conditions_of_jobs(filters, binding)
        bound = binding is not None
        rows, total = await self._list_and_count(
            (_JOBS_IN_BRIEF[bound], LATEST, *where, *slice_, *within), (_COUNT_JOBS[bound], *where, *within)
        )
        found: dict[tuple[str, str], JobInBrief] = {}
        for namespace, name, updated_at, *run in rows:
            job = found.setdefault((namespace, name), JobInBrief(namespace, name, updated_at, []))
            if run[0] is not None:
                job.latest.append(RunInBrief(*run))
        return list(found.values()), total

    async def _conditions_of_jobs(
        self, filters: JobFilter, binding: Binding | None
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return the arguments of the statements that list and count jobs: of the filter, and of a bound key."""
        namespace, states, prefix = filters
        where = (namespace_id(namespace) if namespace is not None else None, states, prefix)
        if binding is None:
            return where, ()
        names = [namespace] if namespace is not None else await matching_namespaces(self._connections, binding)
        ids = [namespace_id(name) for name in names if binding.allows(name)]
        return where, (ids, *condition(binding))

    async def _with_latest(self, rows: Sequence[Any], binding: Binding | None) -> list[JobItem]:
        """Return the jobs of rows, with their newest runs: the first jobs only, where all runs exceed PAGE_BYTES.

        The first job is returned in any case, with as many runs as fit, and at least the newest one.
        """
        if not rows:
            return []
        latest: dict[UUID, list[RunItem]] = {row["id"]: [] for row in rows}
        statement = _LATEST[binding is not None]
        runs = await self._connections.fetch(statement, list(latest), LATEST, *condition(binding), PAGE_BYTES)
        for run, item in zip(runs, await self._run_items(runs), strict=True):
            if may_see(binding, item.registers):
                latest[run["job_id"]].append(item)
        if runs and len(runs) < runs[0]["found"]:
            ids = [row["id"] for row in rows]
            rows = rows[: max(1, ids.index(runs[-1]["job_id"]))]
        jobs = await self._registers(Subject.JOB, rows)
        return [JobItem(job, latest[row["id"]]) for row, job in zip(rows, jobs, strict=True)]

    async def runs_of_job(
        self,
        job: JobName,
        states: Sequence[str] | None,
        slice_: Slice,
        binding: Binding | None,
        facets: FacetNames | None = None,
    ) -> tuple[list[RunItem], int]:
        """Return a slice of a job's runs, newest first, and the number of all: of those that a binding lets one see.

        The job must be within the binding. `facets`: the names of the facets that are wanted; None: all.
        """
        job_key = job_id(*job)
        counted = list(RunState) if states is None else states
        bound, within = binding is not None, condition(binding)
        counting: tuple[Any, ...] = (_COUNT_RUNS[bound], job_key, counted, *within)
        if facets is None:
            listing = (_RUNS[bound], job_key, states, *slice_, *within, PAGE_BYTES)
            rows, total = await self._list_and_count(listing, counting)
            items = await self._run_items(rows)
        else:

            async def fetch(connection: Any, read: Sequence[Row]) -> Sequence[Row]:  # noqa: ANN401
                count = len(read)
                rest = slice_.limit - count, slice_.offset + count
                rows: list[Row] = await connection.fetch(_RUNS[bound], job_key, states, *rest, *within, PAGE_BYTES)
                return rows

            reading = read_parts(self._connections, fetch, slice_.limit, facets, PAGE_BYTES)
            page, total = await asyncio.gather(reading, self._count(*counting))
            items = [RunItem(row["id"], run) for row, run in zip(page.rows, page.runs, strict=True)]
        return [item for item in items if may_see(binding, item.registers)], total

    async def _list_and_count(self, listing: tuple[Any, ...], counting: tuple[Any, ...]) -> tuple[list[Any], int]:
        """Run both statements at once: under load, each round trip waits for its turn on the event loop."""
        rows, total = await asyncio.gather(self._connections.fetch(*listing), self._count(*counting))
        return rows, total

    async def _count(self, statement: str, *arguments: Any) -> int:  # noqa: ANN401  what asyncpg takes
        async with self._connections.connection() as connection:
            return int(await connection.fetchval(statement, *arguments))
