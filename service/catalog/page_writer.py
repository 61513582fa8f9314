"""Projects the next page of the ledger into the catalog's tables, in one transaction under the cursor's lock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from service.catalog import projection
from service.catalog.batches import as_columns, in_slices
from service.catalog.failures import PageSize, PageTooLarge, is_caused_by_page, reason_of
from service.catalog.newer_catalog import require_format
from service.catalog.projection import CatalogRun, PageChanges
from service.catalog.statements import LIVE_STATEMENTS, CatalogStatements
from service.catalog.summarizer import FindArchivedPayload, SummaryWriter
from service.database.connections import Connections
from service.database.migrations import read_schema
from service.domain.event import Event, Kind, Subject
from service.domain.job import merge_jobs
from service.domain.namespace import merge_namespaces
from service.errors import RunfoldError, Unavailable
from service.ledger.aggregates import AGGREGATES
from service.ledger.erasure_replay import remove_erased
from service.ledger.events import LOG
from service.ledger.rows import event_of
from service.ledger.stored_registers import FORMAT, unpack_run

_log = logging.getLogger(__name__)

R = TypeVar("R", bound=tuple[Any, ...])

PAGE_EVENTS = 2000
"""Most events that one transaction projects."""

_PAGE_BYTES, _PAGE_TEXT_BYTES = 1024 * 1024, 16 * 1024 * 1024
"""Most bytes of payloads in a page, as stored and as text: a stored payload may be compressed 200 times.

The first event of a page is read whatever its size.
"""

_REGISTER_BYTES = 16 * 1024 * 1024
"""Most bytes of registers that a page reads, of runs, of jobs and of namespaces; a page of one event reads any."""

_ANY_SIZE = 2**62

_RUN_REGISTERS = projection.RunRow._fields.index("registers")
_REGISTERS = -2
"""The column of the registers in a row of a job or a namespace."""


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


class SetAside(NamedTuple):
    """What a page leaves out of its only event, `payload` or `event`, and why: the class of the error."""

    left_out: str
    reason: str


class WrittenPage(NamedTuple):
    """The cursor after a page, the number of its events, and the position of the ledger head at that time."""

    position: int
    events: int
    end: int


async def project_next_page(
    connections: Connections,
    page_size: int = PAGE_EVENTS,
    statements: CatalogStatements = LIVE_STATEMENTS,
    find_archived: FindArchivedPayload | None = None,
) -> WrittenPage:
    """Project the page after the cursor, or its first part where the page fails; no events: the ledger ends there."""
    size = PageSize(page_size)
    while True:
        cursor = await read_cursor(connections, statements)
        try:
            page = await read_page(connections, cursor, size.events, statements, find_archived)
            written = await write_page(connections, page, statements)
        except Exception as error:
            if not is_caused_by_page(error):
                raise
            written = None if size.shrink() else await set_aside(connections, cursor, error, statements)
        if written is not None:
            return written


async def set_aside(
    connections: Connections, after: int, error: Exception, statements: CatalogStatements = LIVE_STATEMENTS
) -> WrittenPage | None:
    """Project the event after a position, which cannot be projected, without its payload, or leave it out.

    The event stays in the ledger; the table catalog_set_aside records what is left out. Returns None where another
    process has moved the cursor. Raises Unavailable where the schema belongs to a newer program, and does not let this
    one go on: that one is left to project.
    """
    if statements is LIVE_STATEMENTS:
        schema = await read_schema(connections)
        if schema.problem is not None:
            raise Unavailable(f"the schema is {schema.problem}")
    upto, reason = after + 1, reason_of(error)
    _log.error(
        "position %d cannot be projected and is set aside (%s)",
        upto,
        reason,
        exc_info=None if isinstance(error, RunfoldError) else error,
    )
    try:
        async with connections.connection() as connection:
            rows = await connection.fetch(statements.events, LOG, after, 1, _PAGE_BYTES, _PAGE_TEXT_BYTES)
        page = await project_rows(rows, after, payloads=False)
        return await write_page(connections, page, statements, SetAside("payload", reason))
    except Exception as second_error:
        if not is_caused_by_page(second_error):
            raise
    empty = ReadPage(after, upto, 1, PageChanges([], {}, {}), [], has_lineage=False)
    return await write_page(connections, empty, statements, SetAside("event", reason))


async def read_cursor(connections: Connections, statements: CatalogStatements = LIVE_STATEMENTS) -> int:
    """Return the position up to which the catalog is projected. Raises NewerCatalog."""
    async with connections.connection() as connection:
        cursor = await connection.fetchrow(statements.cursor, LOG)
    require_format(cursor["position"], cursor["format"])
    return int(cursor["position"])


async def read_page(
    connections: Connections,
    after: int,
    page_size: int = PAGE_EVENTS,
    statements: CatalogStatements = LIVE_STATEMENTS,
    find_archived: FindArchivedPayload | None = None,
) -> ReadPage:
    """Read the page after a position: `page_size` events at most. This needs no lock: recorded events do not change."""
    async with connections.connection() as connection:
        rows = await connection.fetch(statements.events, LOG, after, page_size, _PAGE_BYTES, _PAGE_TEXT_BYTES)
    return await project_rows(rows, after, find_archived)


async def project_rows(
    rows: Sequence[Any], after: int, find_archived: FindArchivedPayload | None = None, *, payloads: bool = True
) -> ReadPage:
    """Return the page that rows of the ledger make, with their payloads or without."""
    page = projection.PageProjection()
    erasures = []
    has_lineage = False
    for index, row in enumerate(rows, 1):
        event, payload = event_of(row), row["body"] if payloads else None
        if payloads and payload is None and event.payload_digest is not None and find_archived is not None:
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
    connections: Connections,
    page: ReadPage,
    statements: CatalogStatements = LIVE_STATEMENTS,
    aside: SetAside | None = None,
) -> WrittenPage | None:
    """Write a page to the catalog; None where the cursor was moved, or the ledger lost events, since the page was read.

    `aside`: what is left out of the page, to be recorded. Raises PageTooLarge for a page of several events, and
    NewerCatalog, with nothing written.
    """
    async with connections.connection() as connection, connection.transaction():
        cursor = await connection.fetchrow(statements.lock, LOG)
        require_format(cursor["position"], cursor["format"])
        if cursor["position"] != page.after or cursor["head"] < page.upto:
            return None
        fits = not page.events or await _write_changes(connection, page, statements, aside)
    if not fits:
        raise PageTooLarge(f"the registers of the page from {page.after + 1} to {page.upto} are too large")
    return WrittenPage(page.upto, page.events, cursor["head"])


async def _write_changes(
    connection: Any,  # noqa: ANN401  asyncpg has no types
    page: ReadPage,
    statements: CatalogStatements,
    aside: SetAside | None,
) -> bool:
    """Write the changes of a page. Returns False, with nothing written, where its registers are too large."""
    writer = _Writer(connection, statements, _REGISTER_BYTES if page.events > 1 else _ANY_SIZE)
    if not await writer.write(page.changes, page.after, page.upto):
        return False
    await writer.replay_erasures(page.erasures)
    if page.has_lineage:
        await connection.execute(statements.lineage_counts, LOG, page.after, page.upto)
    if aside is not None:
        await connection.execute(statements.set_aside, LOG, page.upto, aside.left_out, aside.reason)
    return True


class _Writer:
    """Merges the changes of a page into the catalog's rows."""

    def __init__(self, connection: Any, statements: CatalogStatements, max_bytes: int) -> None:  # noqa: ANN401  no types
        self._connection = connection
        self._statements = statements
        self._max_bytes = max_bytes

    async def write(self, changes: PageChanges, after: int, last: int) -> bool:
        """Write the rows that a page changes, and move the cursor from the position before it to its last one.

        Returns False, with nothing written, where the rows have more than max_bytes of registers.
        """
        before = await self._read_runs({run_event.event.stream for run_event in changes.runs})
        jobs_before = await self._read(Subject.JOB, changes.jobs)
        namespaces_before = await self._read(Subject.NAMESPACE, changes.namespaces)
        if before is None or jobs_before is None or namespaces_before is None:
            return False
        projected = projection.project_runs(before, changes.runs)
        runs = {run_id: projection.run_row(run_id, run) for run_id, run in projected.items()}
        jobs_after = _merged(jobs_before, changes.jobs, merge_jobs)
        namespaces_after = _merged(namespaces_before, changes.namespaces, merge_namespaces)
        settings = projection.changed_settings(jobs_before, jobs_after)
        settings += projection.changed_settings(namespaces_before, namespaces_after)
        jobs = [projection.job_row(*item) for item in jobs_after.items()]
        namespaces = [projection.namespace_row(*item) for item in namespaces_after.items()]
        await self._put_runs(runs.values())
        await self._put_runs_of_jobs(before, projected)
        await self._mark_inferred(*projection.inferred_changes(before, projected))
        await self._put_settings(settings)
        await self._put_crossing_runs(before, projected)
        if changes.dataset_namespaces:
            await self._connection.execute(self._statements.put_dataset_namespaces, sorted(changes.dataset_namespaces))
        # The last slices are written together with the counters and the cursor: mostly, they are all there is.
        *job_slices, jobs = list(in_slices(jobs, _REGISTERS)) or [[]]
        *namespace_slices, namespaces = list(in_slices(namespaces, _REGISTERS)) or [[]]
        for subject, slices in ((Subject.JOB, job_slices), (Subject.NAMESPACE, namespace_slices)):
            for rows in slices:
                await self._connection.execute(self._statements.put[subject], *as_columns(rows, len(rows[0])))
        counts = projection.count_changes(before, projected)
        await self._connection.execute(
            self._statements.write_page,
            *as_columns(jobs, 9),
            *as_columns(namespaces, 6),
            *as_columns([(*key, change) for key, change in sorted(counts.items())], 3),
            last,
            LOG,
            after,
            FORMAT,
        )
        return True

    async def replay_erasures(self, erasures: list[tuple[Event, str | None]]) -> None:
        """Remove erased payloads from registers. States and counts need no change: they do not come from payloads."""
        for (subject, identity), positions in projection.group_erasures(erasures).items():
            if subject is Subject.RUN:
                await self._remove_from_run(identity, positions)
                continue
            for registers in (await self._read(subject, [identity], _ANY_SIZE) or {}).values():
                left = await remove_erased(self._connection, LOG, (subject, identity), registers, positions)
                if left is not registers:
                    row = projection.ROW_BUILDERS[subject](identity, left)
                    await self._connection.execute(self._statements.put[subject], *as_columns([row], len(row)))
                    await self._connection.execute(self._statements.drop_setting, identity)
                    await self._put_settings(projection.changed_settings({}, {identity: left}))

    async def _remove_from_run(self, run_id: UUID, positions: Sequence[int]) -> None:
        await SummaryWriter(self._connection, self._statements.summaries, run_id).remove_erased(positions)
        for run in (await self._read_runs([run_id], _ANY_SIZE) or {}).values():
            left = await remove_erased(self._connection, LOG, (Subject.RUN, run_id), run.registers, positions)
            if left is not run.registers:
                await self._put_runs([projection.run_row(run_id, run._replace(registers=left))])

    async def _read_runs(self, ids: Collection[UUID], max_bytes: int | None = None) -> dict[UUID, CatalogRun] | None:
        rows = await self._fetch(Subject.RUN, ids, max_bytes)
        if rows is None:
            return None
        return {row["id"]: CatalogRun(unpack_run(row["registers"]), row["since"]) for row in rows}

    async def _read(
        self, subject: Subject, ids: Collection[UUID], max_bytes: int | None = None
    ) -> dict[UUID, Any] | None:
        rows = await self._fetch(subject, ids, max_bytes)
        unpack = AGGREGATES[subject].unpack
        return None if rows is None else {row["id"]: unpack(row["registers"]) for row in rows}

    async def _fetch(self, subject: Subject, ids: Collection[UUID], max_bytes: int | None) -> list[Any] | None:
        """Return rows; None where they have more bytes of registers than `max_bytes`, or than the writer's limit."""
        if not ids:
            return []
        limit = self._max_bytes if max_bytes is None else max_bytes
        rows = await self._connection.fetch(self._statements.rows[subject], list(ids), limit)
        return None if any(row["registers"] is None for row in rows) else rows

    async def _put_runs(self, rows: Iterable[projection.RunRow]) -> None:
        for slice_ in in_slices(rows, _RUN_REGISTERS):
            await self._connection.execute(self._statements.put[Subject.RUN], slice_)

    async def _put_runs_of_jobs(self, before: Mapping[UUID, CatalogRun], after: Mapping[UUID, CatalogRun]) -> None:
        old, new = projection.runs_of_other_jobs(before), projection.runs_of_other_jobs(after)
        gone, changed = _changed_rows(old, new)
        if changed or gone:
            columns = *as_columns(gone, 2), *as_columns(changed, 3)
            await self._connection.execute(self._statements.put_runs_of_jobs, *columns)

    async def _mark_inferred(self, begins: Sequence[UUID], ends: Sequence[UUID]) -> None:
        if begins or ends:
            await self._connection.execute(self._statements.mark_inferred, begins, ends)

    async def _put_settings(self, settings: Sequence[projection.SettingRow]) -> None:
        if settings:
            await self._connection.execute(self._statements.put_settings, *as_columns(settings, 3))

    async def _put_crossing_runs(self, before: Mapping[UUID, CatalogRun], after: Mapping[UUID, CatalogRun]) -> None:
        old, new = projection.crossing_runs(before), projection.crossing_runs(after)
        gone, changed = _changed_rows(old, new)
        if changed or gone:
            rows = [(run_id, job, ",".join(map(str, ids))) for run_id, job, ids in changed]
            columns = *as_columns(gone, 2), *as_columns(rows, 3)
            await self._connection.execute(self._statements.put_crossing_runs, *columns)


def _changed_rows(old: set[R], new: set[R]) -> tuple[list[tuple[Any, ...]], list[R]]:
    """Return the keys of rows to remove, which are their first two columns, and the rows to write."""
    changed = sorted(new - old)
    gone = {row[:2] for row in old - new} - {row[:2] for row in changed}
    return sorted(gone), changed


def _merged(
    before: Mapping[UUID, Any], changes: Mapping[UUID, Any], merge: Callable[[Any, Any], Any]
) -> dict[UUID, Any]:
    return {key: merge(before[key], change) if key in before else change for key, change in changes.items()}
