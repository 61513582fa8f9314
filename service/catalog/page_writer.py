"""Folds the next page of the ledger into the catalog's tables, in one transaction under the cursor's lock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from service.catalog import projection
from service.catalog.projection import CatalogRun, PageChanges
from service.database.connections import Connections
from service.database.statements import load, load_text
from service.domain.event import Event, Kind, Subject, make_tuple
from service.domain.job import merge_jobs
from service.domain.namespace import merge_namespaces
from service.ledger.aggregates import AGGREGATES, pack_registers, unpack_run
from service.ledger.erasure_replay import remove_erased
from service.ledger.events import LOG

TABLES = ("catalog_cursor", "namespaces", "jobs", "runs", "run_snapshots", "run_counts", "lineage_counts")
"""The catalog: everything that is derived from the ledger."""

PAGE_EVENTS = 2000
"""Events folded in one transaction."""

_PAGE_BYTES = 1024 * 1024
"""Payload bytes in one page, as they lie in the table: compressed, so perhaps three times as many in memory.

One event is always taken.
"""

_PIECE = 100
"""Events folded before others get their turn in the event loop."""


_LINEAGE = frozenset({"openlineage", "import"})


class ReadPage(NamedTuple):
    """A page of the ledger as read: the events after one position and up to another, and what they say."""

    after: int
    upto: int
    events: int
    page: PageChanges
    erasures: list[tuple[Event, str | None]]
    has_lineage: bool


class WrittenPage(NamedTuple):
    """Where the cursor is, how many events were folded, and where the ledger ended, at least, when it was asked."""

    position: int
    events: int
    end: int


FindArchivedPayload = Callable[[int], str | None]
"""Finds the payload of a position where the database has it no more; payloads leave only after they were folded."""


class CatalogStatements(NamedTuple):
    """What folding says to PostgreSQL, for the catalog in use or for one that is being rebuilt beside it."""

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
    """Return the statements for a catalog that lies in a schema; the ledger's schema is always the same."""

    def statement(name: str, **parts: str) -> str:
        return load(name, schema=schema, **parts)

    put = {Subject.RUN: "put_runs", Subject.JOB: "put_jobs", Subject.NAMESPACE: "put_namespaces"}
    rows = {subject: statement("catalog_rows", catalog=kind.table) for subject, kind in AGGREGATES.items()}
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


def _none(_position: int) -> str | None:
    return None


async def project_next_page(
    connections: Connections,
    page_size: int = PAGE_EVENTS,
    says: CatalogStatements = LIVE_STATEMENTS,
    archived: FindArchivedPayload = _none,
) -> WrittenPage:
    """Fold the next page; no events where there are none."""
    while True:
        reading = await read_page(connections, await read_cursor(connections, says), page_size, says, archived)
        folded = await write_page(connections, reading, says)
        if folded is not None:
            return folded


async def read_cursor(connections: Connections, says: CatalogStatements = LIVE_STATEMENTS) -> int:
    """Return how far the catalog is folded."""
    async with connections.connection() as connection:
        return int(await connection.fetchval(says.cursor, LOG))


async def read_page(
    connections: Connections,
    after: int,
    page_size: int = PAGE_EVENTS,
    says: CatalogStatements = LIVE_STATEMENTS,
    archived: FindArchivedPayload = _none,
) -> ReadPage:
    """Read the page after a position. It needs no lock: what is recorded does not change."""
    async with connections.connection() as connection:
        rows = await connection.fetch(says.events, LOG, after, page_size, _PAGE_BYTES)
    folding = projection.PageProjection()
    erasures = []
    for index, row in enumerate(rows, 1):
        event = make_tuple(Event, row[:15])
        body = archived(row[0]) if row[15] is None and row[14] is not None else row[15]
        folding.add(event, body)
        if event.kind == Kind.ERASED:
            erasures.append((event, body))
        if index % _PIECE == 0:
            await asyncio.sleep(0)  # others on the loop come in between
    lineage = any(row[10] in _LINEAGE for row in rows)
    return ReadPage(after, rows[-1][0] if rows else after, len(rows), folding.page(), erasures, lineage)


async def write_page(
    connections: Connections, reading: ReadPage, says: CatalogStatements = LIVE_STATEMENTS
) -> WrittenPage | None:
    """Fold a page into the catalog; None where the cursor is elsewhere, for another process was quicker."""
    async with connections.connection() as connection, connection.transaction():
        position, end = await connection.fetchrow(says.lock, LOG)
        if position != reading.after:
            return None
        if reading.events:
            writer = _Writer(connection, says)
            await writer.write(reading.page, reading.upto)
            await writer.forget(reading.erasures)
            if reading.has_lineage:
                await connection.execute(says.lineage_counts, LOG, reading.after, reading.upto)
        return WrittenPage(reading.upto, reading.events, end)


class _Writer:
    """Merges a page into the rows there are."""

    def __init__(self, connection: Any, says: CatalogStatements) -> None:  # noqa: ANN401  asyncpg has no types
        self._connection = connection
        self._says = says

    async def runs(self, ids: Collection[UUID]) -> dict[UUID, CatalogRun]:
        """Return runs as the catalog has them."""
        found = await self._connection.fetch(self._says.rows[Subject.RUN], list(ids)) if ids else []
        return {row[0]: CatalogRun(unpack_run(row[1]), row[2]) for row in found}

    async def write(self, page: PageChanges, last: int) -> None:
        """Write a page's rows and move the cursor to its last position."""
        before = await self.runs({told.event.stream for told in page.runs})
        after = projection.project_runs(before, page.runs)
        runs = {run_id: projection.run_row(run_id, run) for run_id, run in after.standing.items()}
        jobs = _merged(await self._rows(Subject.JOB, page.jobs), page.jobs, merge_jobs)
        namespaces = _merged(await self._rows(Subject.NAMESPACE, page.namespaces), page.namespaces, merge_namespaces)
        await self._put_runs(list(runs.values()))
        if after.snapshots:
            rows = [(run_id, run.position, pack_registers(run)) for run_id, run in after.snapshots]
            await self._connection.execute(self._says.put_snapshots, *_columns(rows, 3))
        counts = projection.count_changes(before, runs)
        await self._connection.execute(
            self._says.write_page,
            *_columns([projection.job_row(*item) for item in jobs.items()], 8),
            *_columns([projection.namespace_row(*item) for item in namespaces.items()], 5),
            *_columns([(*key, change) for key, change in sorted(counts.items())], 3),
            LOG,
            last,
        )

    async def forget(self, erasures: list[tuple[Event, str | None]]) -> None:
        """Take back what erased payloads said; neither states nor counts come from payloads."""
        for (subject, identity), positions in projection.group_erasures(erasures).items():
            if subject is Subject.RUN:
                await self._forget_run(identity, positions)
                continue
            for registers in (await self._rows(subject, [identity])).values():
                left = await remove_erased(self._connection, LOG, (subject, identity), registers, positions)
                if left is not registers:
                    row = projection.ROW_BUILDERS[subject](identity, left)
                    await self._connection.execute(self._says.put[subject], *_columns([row], len(row)))

    async def _forget_run(self, run_id: UUID, positions: Sequence[int]) -> None:
        await self._connection.execute(self._says.drop_snapshots, run_id, min(positions))
        for standing in (await self.runs([run_id])).values():
            left = await remove_erased(self._connection, LOG, (Subject.RUN, run_id), standing.registers, positions)
            if left is not standing.registers:
                await self._put_runs([projection.run_row(run_id, standing._replace(registers=left))])

    async def _rows(self, subject: Subject, ids: Collection[UUID]) -> dict[UUID, Any]:
        if not ids:
            return {}
        unpack = AGGREGATES[subject].unpack
        found = await self._connection.fetch(self._says.rows[subject], list(ids))
        return {row[0]: unpack(row[1]) for row in found}

    async def _put_runs(self, rows: Sequence[projection.RunRow]) -> None:
        if rows:
            await self._connection.execute(self._says.put[Subject.RUN], rows)


def _columns(rows: Sequence[tuple[object, ...]], count: int) -> list[Sequence[object]]:
    return list(zip(*rows, strict=True)) if rows else [()] * count


def _merged(
    before: Mapping[UUID, Any], page: Mapping[UUID, Any], merge_two: Callable[[Any, Any], Any]
) -> dict[UUID, Any]:
    return {key: merge_two(before[key], part) if key in before else part for key, part in page.items()}
