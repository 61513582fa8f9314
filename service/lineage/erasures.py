"""Removes the content of erased payloads from datasets and lineage, within the transaction of a page.

What has values of an erased payload is projected again from the events that remain: the run, and those of its datasets
whose registers or versions the payload told. The names of sources and tags that only an erased payload told stay known
until `runfold rebuild`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any
from uuid import UUID

from service.catalog.batches import Pauses, as_columns
from service.domain.dataset import DatasetRegisters, claim_of
from service.domain.dataset_versions import VersionContent
from service.domain.erasure import Stamp, dataset_without, job_entry_without
from service.domain.event import Event, Subject
from service.domain.ids import dataset_id, job_id
from service.domain.job_entry import JobEntry, merge_job_entries
from service.ledger.erasure_replay import JOB_TIMEOUT_S, remove_erased
from service.ledger.events import LOG
from service.ledger.rows import event_of
from service.lineage.changes import Edge, LineageChanges
from service.lineage.page_writer import LineageWriter
from service.lineage.primary_names import find_primaries
from service.lineage.projection import PageProjection, pseudo_run
from service.lineage.search_entries import job_entry
from service.lineage.statements import LineageStatements
from service.lineage.stored import (
    pack,
    unpack_dataset,
    unpack_job_entry,
    unpack_run_datasets,
    unpack_source,
    unpack_tag,
    unpack_version,
)
from service.payloads.records import read_record

_BATCH_EVENTS = 200
"""Events read at once, with their payloads."""


class LineageEraser:
    """Removes erased payloads of a page."""

    def __init__(self, connection: Any, statements: LineageStatements, writer: LineageWriter, upto: int) -> None:  # noqa: ANN401
        """Take the connection of the transaction, what writes the page, and the last position of the page."""
        self._upto = upto
        self._connection = connection
        self._statements = statements
        self._erasing = statements.erasing
        self._writer = writer
        self._pauses = Pauses()

    async def remove(self, erasures: Iterable[tuple[Event, str | None]]) -> None:
        """Remove the payloads that some events of the kind erased name."""
        for event, record in erasures:
            if record is not None:
                position = read_record(record).position
                rows = await self._connection.fetch(self._erasing.stamps, LOG, [position])
                if rows:
                    stamp = Stamp(rows[0]["at"], rows[0]["digest"], rows[0]["fact"], position)
                    await self._remove(event, stamp)

    async def _remove(self, event: Event, stamp: Stamp) -> None:
        if event.subject == Subject.SOURCE:
            await self._remove_from(event, stamp, self._statements.sources, unpack_source, self._statements.put_sources)
        elif event.subject == Subject.TAG:
            await self._remove_from(event, stamp, self._statements.tags, unpack_tag, self._statements.put_tags)
        elif event.subject == Subject.DATASET:
            await self._remove_from_datasets({event.stream}, [stamp])
        elif event.subject in (Subject.RUN, Subject.JOB):
            await self._remove_from_run(event, stamp)

    async def _remove_from(self, event: Event, stamp: Stamp, read: str, unpack: Any, put: str) -> None:  # noqa: ANN401
        """Remove a payload from the registers of a source or a tag, whose own event it was."""
        for row in await self._connection.fetch(read, [event.stream], 2**62):
            before = unpack(row["registers"])
            stream = Subject(event.subject), event.stream
            left = await remove_erased(self._connection, LOG, stream, before, [stamp.position])
            created = left.first_seen.at if left.first_seen is not None else left.updated_at
            columns = [row["id"], left.name, left.position, *([created] if read == self._statements.sources else [])]
            await self._connection.execute(put, *as_columns([(*columns, pack(left))], 0))

    async def _remove_from_run(self, event: Event, stamp: Stamp) -> None:
        """Remove a payload of a run, or of a job's own event, from the run and from its datasets.

        Others of the run that were erased, too, go at once, also those of other jobs: what they named is not known any
        more afterwards.
        """
        is_run = event.subject == Subject.RUN
        run = event.stream if is_run else pseudo_run(stamp.position)
        positions = await self._positions_of_run(run) if is_run else []
        stamps = [stamp, *await self._erased_stamps(positions)]
        own_job = job_id(event.namespace or "", event.job or "")
        datasets, jobs = set(), {own_job}
        for row in await self._connection.fetch(self._erasing.of_run, [run]):
            found = unpack_run_datasets(row["registers"])
            datasets |= {dataset_id(*name) for name in (*found.inputs, *found.outputs)}
            jobs.add(row["job_id"])
        await self._connection.execute(self._erasing.forget_run, [run], list(jobs), list(datasets))
        await self._remove_from_datasets(datasets, stamps)
        replayed = await self._replay(positions)
        await self._writer.write_runs({key: value for key, value in replayed.runs.items() if key.run == run})
        await self._connect_again(jobs, datasets)
        await self._remove_from_job(own_job, stamp)

    async def _positions_of_run(self, run: UUID) -> list[int]:
        rows = await self._connection.fetch(self._erasing.of_stream, LOG, Subject.RUN, run, self._upto)
        return [row["position"] for row in rows]

    async def _erased_stamps(self, positions: list[int]) -> list[Stamp]:
        """Return the stamps of those events whose payloads are erased."""
        erased = [row["position"] for row in await self._connection.fetch(self._erasing.erased, LOG, positions)]
        rows = await self._connection.fetch(self._erasing.stamps, LOG, erased)
        return [Stamp(row["at"], row["digest"], row["fact"], row["position"]) for row in rows]

    async def _connect_again(self, jobs: set[UUID], datasets: set[UUID]) -> None:
        """Write the edges between jobs and datasets that the remaining events tell, and which are current."""
        rows = await self._connection.fetch(self._erasing.edges, LOG, list(jobs), list(datasets))
        edges = {Edge(row["job_id"], row["direction"], row["dataset_id"]): row["first_at"] for row in rows}
        await self._writer.write_edges_of(jobs, edges)

    async def _remove_from_datasets(self, ids: set[UUID], stamps: list[Stamp]) -> None:
        """Remove payloads from datasets that they name; those that have values of them are projected again."""
        members = await self._names_of(list(ids))
        of_others = {name for name, each in (await self._registers(members)).items() if each.first_seen is None}
        touched = list(ids | of_others)
        before = await self._registers(touched)
        told = {name for name, registers in before.items() if reduce(dataset_without, stamps, registers) != registers}
        versions = await self._connection.fetch(self._erasing.versions, touched)
        told |= {row["dataset_id"] for row in versions if _is_told_by(unpack_version(row["content"]), stamps)}
        told |= of_others | {name for name, registers in before.items() if registers.has_links}
        positions = [row["position"] for row in await self._connection.fetch(self._erasing.positions, list(told))]
        erased = {stamp.position for stamp in stamps}
        await self._connection.execute(self._erasing.forget_event, touched, list(erased))
        await self._connection.execute(self._erasing.forget_datasets, list(told))
        replayed = await self._replay([position for position in positions if position not in erased])
        await self._writer.write_parts(_only(replayed, told))
        unnamed = await self._connection.fetch(self._erasing.unnamed, touched)
        await self._connection.execute(self._erasing.forget_datasets, [row["id"] for row in unnamed])
        await self._join_again(members)

    async def _names_of(self, ids: list[UUID]) -> list[UUID]:
        """Return all names of some datasets."""
        rows = await self._connection.fetch(self._statements.datasets, ids, 2**62)
        primaries = list({row["primary_id"] for row in rows})
        return [row["id"] for row in await self._connection.fetch(self._statements.names_of_datasets, primaries)]

    async def _join_again(self, ids: list[UUID]) -> None:
        """Find the primary names of datasets again, some of whose links are gone."""
        names = await self._registers(ids)
        rows = await self._connection.fetch(self._erasing.links, list(names))
        links = [
            (row["dataset_id"], row["alias_id"]) for row in rows if {row["dataset_id"], row["alias_id"]} <= names.keys()
        ]
        found = find_primaries({name: claim_of(registers) for name, registers in names.items()}, {}, links)
        await self._connection.execute(self._erasing.set_primaries, *as_columns(list(found.primary.items()), 2))
        await self._writer.rewrite_entries(names, found)

    async def _registers(self, ids: list[UUID]) -> dict[UUID, DatasetRegisters]:
        rows = await self._connection.fetch(self._statements.datasets, ids, 2**62)
        return {row["id"]: unpack_dataset(row["registers"]) for row in rows}

    async def _replay(self, positions: list[int]) -> LineageChanges:
        """Project some events again, with the payloads that the database has."""
        page = PageProjection()
        for start in range(0, len(positions), _BATCH_EVENTS):
            batch = positions[start : start + _BATCH_EVENTS]
            for row in await self._connection.fetch(self._erasing.events_at, LOG, batch):
                page.add(event_of(row), row["body"])
                await self._pauses.pause()
        return page.changes()

    async def _remove_from_job(self, identity: UUID, stamp: Stamp) -> None:
        """Remove the description and the tags that the payload told of a job, and find those that were before them."""
        for row in await self._connection.fetch(self._statements.job_entries, [identity], 2**62):
            before = unpack_job_entry(row["registers"])
            left = job_entry_without(before, stamp)
            if left != before:
                left = await self._tell_job_again(identity, left)
            await self._writer.put_entries([job_entry(row["id"], left)])

    async def _tell_job_again(self, identity: UUID, job: JobEntry) -> JobEntry:
        """Merge what the remaining events tell of a job into what is left of it."""
        which = LOG, identity, job.namespace, job.name, self._upto
        rows = await self._connection.fetch(self._erasing.of_job, *which, timeout=JOB_TIMEOUT_S)
        positions = [row["position"] for row in rows]
        for start in range(0, len(positions), _BATCH_EVENTS):
            told = (await self._replay(positions[start : start + _BATCH_EVENTS])).jobs.get(identity)
            job = job if told is None else merge_job_entries(job, told)
        return job


def _is_told_by(content: VersionContent, stamps: Iterable[Stamp]) -> bool:
    return any(content.at == stamp.at and content.digest in (stamp.digest, stamp.fact) for stamp in stamps)


def _only(changes: LineageChanges, ids: set[UUID]) -> LineageChanges:
    """Return what is changed of some datasets, and nothing else."""

    def of(part: Mapping[Any, Any]) -> dict[Any, Any]:
        return {key: value for key, value in part.items() if (key[0] if isinstance(key, tuple) else key) in ids}

    return (
        PageProjection()
        .changes()
        ._replace(
            datasets=of(changes.datasets),
            versions=of(changes.versions),
            links=of(changes.links),
            mappings=of(changes.mappings),
        )
    )
