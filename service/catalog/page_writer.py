"""Writes what a page of the ledger changes to the catalog's tables, in one transaction under the cursor's lock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from service.catalog import projection
from service.catalog.batches import as_columns, in_slices
from service.catalog.projection import CatalogRun, PageChanges
from service.catalog.statements import CatalogStatements
from service.catalog.summarizer import SummaryWriter
from service.domain.event import Event, Subject
from service.domain.job import merge_jobs
from service.domain.namespace import merge_namespaces
from service.ledger.aggregates import AGGREGATES
from service.ledger.erasure_replay import remove_erased
from service.ledger.events import LOG
from service.ledger.stored_registers import FORMAT, unpack_run

R = TypeVar("R", bound=tuple[Any, ...])

_REGISTER_BYTES = 16 * 1024 * 1024
"""Most bytes of registers that a page reads, of runs, of jobs and of namespaces; a page of one event reads any."""

_ANY_SIZE = 2**62

_RUN_REGISTERS = projection.RunRow._fields.index("registers")
_REGISTERS = -2
"""The column of the registers in a row of a job or a namespace."""


class CatalogWriter:
    """Merges the changes of a page into the catalog's rows."""

    def __init__(self, connection: Any, statements: CatalogStatements, events: int) -> None:  # noqa: ANN401  no types
        """Take the connection of the transaction, the statements, and the number of the page's events."""
        self._connection = connection
        self._statements = statements
        self._max_bytes = _REGISTER_BYTES if events > 1 else _ANY_SIZE

    async def write(self, changes: PageChanges, after: int, last: int) -> bool:
        """Write the rows that a page changes, and move the cursor from the position before it to its last one.

        Returns False, with nothing written, where the rows that a page of several events changes have too many bytes of
        registers.
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
