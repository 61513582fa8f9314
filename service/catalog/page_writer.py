"""Projects the next page of the ledger into the catalog's tables, in one transaction under the cursor's lock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from service.catalog import projection
from service.catalog.projection import CatalogRun, PageChanges
from service.database.connections import Connections
from service.database.statements import load, load_text
from service.domain.event import Event, Kind, Subject
from service.domain.job import merge_jobs
from service.domain.namespace import merge_namespaces
from service.ledger.aggregates import AGGREGATES, pack_registers, unpack_run
from service.ledger.erasure_replay import remove_erased
from service.ledger.events import LOG
from service.ledger.rows import event_of

TABLES = ("catalog_cursor", "namespaces", "jobs", "runs", "run_snapshots", "run_counts", "lineage_counts")
"""The catalog: every table that is derived from the ledger."""

PAGE_EVENTS = 2000
"""Most events that one transaction projects."""

_PAGE_BYTES = 1024 * 1024
"""Most payload bytes in a page, as stored: compressed, so perhaps three times as many in memory. The first event of a
page is read whatever its size.
"""

_EVENTS_AT_ONCE = 100
"""Events projected before other tasks of the event loop get their turn."""

_LINEAGE_SOURCES = frozenset({"openlineage", "import"})


class ReadPage(NamedTuple):
    """A page of the ledger as read: `events` events after position `after` up to `upto`, and what they change.

    `erasures`: its events of kind erased, each with its payload. `has_lineage`: it has OpenLineage events.
    """

    after: int
    upto: int
    events: int
    changes: PageChanges
    erasures: list[tuple[Event, str | None]]
    has_lineage: bool


class WrittenPage(NamedTuple):
    """The cursor after a page, the number of its events, and the position of the ledger head at that time."""

    position: int
    events: int
    end: int


FindArchivedPayload = Callable[[int], str | None]
"""Returns the payload of a position that the database no longer has; None where no archive has it.

Payloads are archived only after they were projected, so only a rebuild needs this.
"""


class CatalogStatements(NamedTuple):
    """The SQL statements of the projection, for the catalog in use or for one that is being rebuilt."""

    cursor: str
    lock: str
    events: str
    rows: Mapping[Subject, str]
    put: Mapping[Subject, str]
    write_page: str
    put_snapshots: str
    drop_snapshots: str
    lineage_counts: str


def catalog_statements(schema: str) -> CatalogStatements:
    """Return the statements for the catalog in a schema; the ledger's schema is always the same."""

    def statement(name: str, **parts: str) -> str:
        return load(name, schema=schema, **parts)

    put = {Subject.RUN: "put_runs", Subject.JOB: "put_jobs", Subject.NAMESPACE: "put_namespaces"}
    rows = {subject: statement("catalog_rows", catalog=aggregate.table) for subject, aggregate in AGGREGATES.items()}
    parts = ("put_jobs", "put_namespaces", "add_run_counts", "catalog_move")
    return CatalogStatements(
        cursor=statement("catalog_cursor"),
        lock=statement("catalog_lock"),
        events=statement("events_after"),
        rows=rows | {Subject.RUN: statement("run_rows")},
        put={subject: statement(name) for subject, name in put.items()},
        write_page=statement("write_page", **{name: load_text(name, schema=schema) for name in parts}),
        put_snapshots=statement("put_snapshots"),
        drop_snapshots=statement("drop_snapshots"),
        lineage_counts=statement("add_lineage_counts"),
    )


LIVE_STATEMENTS = catalog_statements("runfold")


async def project_next_page(
    connections: Connections,
    page_size: int = PAGE_EVENTS,
    statements: CatalogStatements = LIVE_STATEMENTS,
    find_archived: FindArchivedPayload | None = None,
) -> WrittenPage:
    """Project the page after the cursor; it has no events where the ledger ends there."""
    while True:
        cursor = await read_cursor(connections, statements)
        page = await read_page(connections, cursor, page_size, statements, find_archived)
        written = await write_page(connections, page, statements)
        if written is not None:
            return written


async def read_cursor(connections: Connections, statements: CatalogStatements = LIVE_STATEMENTS) -> int:
    """Return the position up to which the catalog is projected."""
    async with connections.connection() as connection:
        return int(await connection.fetchval(statements.cursor, LOG))


async def read_page(
    connections: Connections,
    after: int,
    page_size: int = PAGE_EVENTS,
    statements: CatalogStatements = LIVE_STATEMENTS,
    find_archived: FindArchivedPayload | None = None,
) -> ReadPage:
    """Read the page after a position. This needs no lock: recorded events do not change."""
    async with connections.connection() as connection:
        rows = await connection.fetch(statements.events, LOG, after, page_size, _PAGE_BYTES)
    page = projection.PageProjection()
    erasures = []
    has_lineage = False
    for index, row in enumerate(rows, 1):
        event, payload = event_of(row), row["body"]
        if payload is None and event.payload_digest is not None and find_archived is not None:
            payload = find_archived(event.position)
        page.add(event, payload)
        if event.kind == Kind.ERASED:
            erasures.append((event, payload))
        has_lineage = has_lineage or event.source in _LINEAGE_SOURCES
        if index % _EVENTS_AT_ONCE == 0:
            await asyncio.sleep(0)
    upto = rows[-1]["position"] if rows else after
    return ReadPage(after, upto, len(rows), page.changes(), erasures, has_lineage)


async def write_page(
    connections: Connections, page: ReadPage, statements: CatalogStatements = LIVE_STATEMENTS
) -> WrittenPage | None:
    """Write a page to the catalog; None where another process has moved the cursor since the page was read."""
    async with connections.connection() as connection, connection.transaction():
        cursor = await connection.fetchrow(statements.lock, LOG)
        if cursor["position"] != page.after:
            return None
        if page.events:
            writer = _Writer(connection, statements)
            await writer.write(page.changes, page.upto)
            await writer.replay_erasures(page.erasures)
            if page.has_lineage:
                await connection.execute(statements.lineage_counts, LOG, page.after, page.upto)
        return WrittenPage(page.upto, page.events, cursor["head"])


class _Writer:
    """Merges the changes of a page into the catalog's rows."""

    def __init__(self, connection: Any, statements: CatalogStatements) -> None:  # noqa: ANN401  asyncpg has no types
        self._connection = connection
        self._statements = statements

    async def write(self, changes: PageChanges, last: int) -> None:
        """Write the rows that a page changes, and move the cursor to its last position."""
        before = await self._read_runs({run_event.event.stream for run_event in changes.runs})
        projected = projection.project_runs(before, changes.runs)
        runs = {run_id: projection.run_row(run_id, run) for run_id, run in projected.runs.items()}
        jobs = _merged(await self._read(Subject.JOB, changes.jobs), changes.jobs, merge_jobs)
        namespaces = _merged(
            await self._read(Subject.NAMESPACE, changes.namespaces), changes.namespaces, merge_namespaces
        )
        await self._put_runs(list(runs.values()))
        if projected.snapshots:
            rows = [(run_id, run.position, pack_registers(run)) for run_id, run in projected.snapshots]
            await self._connection.execute(self._statements.put_snapshots, *_columns(rows, 3))
        counts = projection.count_changes(before, runs)
        await self._connection.execute(
            self._statements.write_page,
            *_columns([projection.job_row(*item) for item in jobs.items()], 9),
            *_columns([projection.namespace_row(*item) for item in namespaces.items()], 6),
            *_columns([(*key, change) for key, change in sorted(counts.items())], 3),
            LOG,
            last,
        )

    async def replay_erasures(self, erasures: list[tuple[Event, str | None]]) -> None:
        """Remove erased payloads from registers. States and counts need no change: they do not come from payloads."""
        for (subject, identity), positions in projection.group_erasures(erasures).items():
            if subject is Subject.RUN:
                await self._remove_from_run(identity, positions)
                continue
            for registers in (await self._read(subject, [identity])).values():
                left = await remove_erased(self._connection, LOG, (subject, identity), registers, positions)
                if left is not registers:
                    row = projection.ROW_BUILDERS[subject](identity, left)
                    await self._connection.execute(self._statements.put[subject], *_columns([row], len(row)))

    async def _remove_from_run(self, run_id: UUID, positions: Sequence[int]) -> None:
        await self._connection.execute(self._statements.drop_snapshots, run_id, min(positions))
        for run in (await self._read_runs([run_id])).values():
            left = await remove_erased(self._connection, LOG, (Subject.RUN, run_id), run.registers, positions)
            if left is not run.registers:
                await self._put_runs([projection.run_row(run_id, run._replace(registers=left))])

    async def _read_runs(self, ids: Collection[UUID]) -> dict[UUID, CatalogRun]:
        rows = await self._connection.fetch(self._statements.rows[Subject.RUN], list(ids)) if ids else []
        return {row["id"]: CatalogRun(unpack_run(row["registers"]), row["since"]) for row in rows}

    async def _read(self, subject: Subject, ids: Collection[UUID]) -> dict[UUID, Any]:
        if not ids:
            return {}
        unpack = AGGREGATES[subject].unpack
        rows = await self._connection.fetch(self._statements.rows[subject], list(ids))
        return {row["id"]: unpack(row["registers"]) for row in rows}

    async def _put_runs(self, rows: Sequence[projection.RunRow]) -> None:
        if rows:
            await self._connection.execute(self._statements.put[Subject.RUN], rows)


def _columns(rows: Sequence[tuple[object, ...]], count: int) -> list[Sequence[object]]:
    return list(zip(*rows, strict=True)) if rows else [()] * count


def _merged(
    before: Mapping[UUID, Any], changes: Mapping[UUID, Any], merge: Callable[[Any, Any], Any]
) -> dict[UUID, Any]:
    return {key: merge(before[key], change) if key in before else change for key, change in changes.items()}
