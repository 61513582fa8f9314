"""Writes the changes of a page to the tables of datasets and lineage, within a transaction that has locked the cursor.

Rows are read and written by arrays, so a page takes the same number of statements however many events it has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from service.catalog.batches import Pauses, as_columns, in_slices
from service.domain.column_mapping import ColumnMapping, merge_mappings
from service.domain.dataset import DatasetRegisters, claim_of, merge_aliases, merge_datasets
from service.domain.dataset_versions import ToldVersion
from service.domain.ids import dataset_id, job_id, namespace_id
from service.domain.job_entry import merge_job_entries
from service.domain.run_datasets import RunDatasets, merge_run_datasets
from service.domain.sources_and_tags import SourceRegisters, TagRegisters, merge_sources, merge_tag_registers
from service.ledger.events import LOG
from service.lineage.changes import Edge, LineageChanges, RunKey, edges_of
from service.lineage.primary_names import Primaries, find_primaries
from service.lineage.search_entries import SearchEntry, dataset_entry, has_same_words, job_entry
from service.lineage.statements import LineageStatements
from service.lineage.stored import (
    pack,
    unpack_dataset,
    unpack_job_entry,
    unpack_mapping,
    unpack_run_datasets,
    unpack_source,
    unpack_tag,
)

K = TypeVar("K")
V = TypeVar("V")
R = TypeVar("R", bound=tuple[Any, ...])
Edges = Mapping[Edge, datetime]
"""Edges, each with the earliest time of an event that tells it."""


class TooLarge(Exception):
    """The rows that a page changes have too many bytes of registers; nothing is written."""


class Changed(NamedTuple):
    """The names of datasets that a page changes, before and after, and their former primary names."""

    before: Mapping[UUID, DatasetRegisters]
    after: Mapping[UUID, DatasetRegisters]
    former: Mapping[UUID, UUID]


class LineageWriter:
    """Merges the changes of a page into the rows."""

    def __init__(self, connection: Any, statements: LineageStatements, max_bytes: int) -> None:  # noqa: ANN401
        """Take the connection of the transaction. `max_bytes`: of registers of one kind that may be read."""
        self._connection = connection
        self._statements = statements
        self._max_bytes = max_bytes
        self._pauses = Pauses()

    async def write(self, changes: LineageChanges, upto: int) -> None:
        """Write what a page changes; `upto`: its last position. Raises TooLarge."""
        before, after = await self.write_runs(changes.runs)
        await self._write_edges(changes.edges, before, after)
        await self.write_parts(changes)
        await self._write_sources(changes.sources)
        await self._write_tags(changes.tags)
        await self._write_jobs(changes)
        await self._execute(self._statements.put_events, _in_order(changes.events))
        counts = changes.type_counts.columns()
        if counts[0]:
            await self._connection.execute(self._statements.count_types, LOG, *counts, upto)

    async def write_parts(self, changes: LineageChanges) -> None:
        """Write what is changed of datasets themselves."""
        await self._write_datasets(changes)
        await self._write_versions(changes.versions)
        await self._write_mappings(changes.mappings)

    async def write_runs(
        self, runs: Mapping[RunKey, RunDatasets]
    ) -> tuple[Mapping[RunKey, RunDatasets], Mapping[RunKey, RunDatasets]]:
        """Write what runs read and write; return these as they were before and as they are now."""
        keys = {(key.run, job_id(*key.job)): key for key in runs}
        before: dict[RunKey, RunDatasets] = {}
        for row in await self._fetch(self._statements.runs, *as_columns(list(keys), 2)):
            await self._pauses.pause()
            before[keys[row["run_id"], row["job_id"]]] = unpack_run_datasets(row["registers"])
        after = await self._merge(before, runs, merge_run_datasets)
        rows = []
        for key, run in after.items():
            await self._pauses.pause()
            row = (key.run, job_id(*key.job), run.started_at, run.position, run.first_position)
            rows.append((*row, run.job_version(key.job), key.is_run, pack(run)))
        for part in in_slices(_in_order(rows), -1):
            await self._execute(self._statements.put_runs, part)
        return before, after

    async def write_edges_of(self, jobs: Collection[UUID], edges: Edges) -> None:
        """Write edges of jobs, and let those be current that the latest run of each names."""
        latest = {}
        rows = await self._rows(self._statements.latest_runs, list(jobs))
        keys = [(row["run_id"], row["job_id"]) for row in rows]
        for row in await self._fetch(self._statements.runs, *as_columns(keys, 2)):
            latest[row["job_id"]] = unpack_run_datasets(row["registers"])
        await self._put_edges(edges, {job: latest.get(job) for job in jobs})

    async def _write_edges(
        self, edges: Edges, before: Mapping[RunKey, RunDatasets], after: Mapping[RunKey, RunDatasets]
    ) -> None:
        """Write the edges that a page names, and let those be current that the latest run of each job names."""
        await self._put_edges(edges, await self._latest_runs(before, after))

    async def _put_edges(self, edges: Edges, latest: Mapping[UUID, RunDatasets | None]) -> None:
        """Write edges; those of the jobs in `latest` are current that this run names (None: there is none)."""
        current: set[Edge] = set()
        for job, run in latest.items():
            current |= edges_of(job, run) if run is not None else set()
        if latest:
            await self._connection.execute(self._statements.unset_edges, list(latest), *as_columns(list(current), 3))
        rows = _in_order([(*edge, edge in current, first_at) for edge, first_at in edges.items()])
        await self._execute(self._statements.put_edges, rows)
        await self._execute(self._statements.set_edges, list(current - edges.keys()))

    async def _latest_runs(
        self, before: Mapping[RunKey, RunDatasets], after: Mapping[RunKey, RunDatasets]
    ) -> dict[UUID, RunDatasets]:
        """Return, by job, the latest run where it is another one or names other datasets than before the page."""
        by_job = {(job_id(*key.job), key.run): run for key, run in after.items()}
        moved = {job_id(*key.job) for key, run in before.items() if run.started_at != after[key].started_at}
        rows = await self._rows(self._statements.latest_runs, list({job for job, _ in by_job}))
        latest, unread = {}, []
        for row in rows:
            key = row["job_id"], row["run_id"]
            if key in by_job:
                latest[row["job_id"]] = by_job[key]
            elif row["job_id"] in moved:  # a run that was the latest may have begun earlier than another one
                unread.append((row["run_id"], row["job_id"]))
        for row in await self._fetch(self._statements.runs, *as_columns(unread, 2)):
            latest[row["job_id"]] = unpack_run_datasets(row["registers"])
        return latest

    async def _write_datasets(self, changes: LineageChanges) -> None:
        before: dict[UUID, DatasetRegisters] = {}
        former: dict[UUID, UUID] = {}
        await self._read_datasets(list(changes.datasets), before, former)
        await self._read_datasets(list(set(former.values()) - before.keys()), before, former)
        after = await self._merge(before, changes.datasets, merge_datasets)
        names = {**before, **after}
        primaries = await self._find_primaries(names, former, changes.links)
        rows = []
        for name, registers in after.items():
            await self._pauses.pause()
            rows.append(
                (
                    name,
                    namespace_id(registers.namespace),
                    registers.namespace,
                    registers.name,
                    registers.position,
                    primaries.primary[name],
                    registers.hidden,
                    registers.seen,
                    registers.deleted,
                    registers.updated_at,
                    pack(registers),
                )
            )
        for part in in_slices(_in_order(rows), -1):
            await self._execute(self._statements.put_datasets, part)
        await self._execute(self._statements.put_namespaces, _namespaces_of(after.values()))
        links = [(*pair, *link) for pair, link in changes.links.items()]
        await self._execute(self._statements.put_links, links)
        await self._execute(self._statements.move_primaries, list(primaries.moved.items()))
        await self.write_entries(Changed(before, after, former), primaries)

    async def write_entries(self, changed: Changed, primaries: Primaries) -> None:
        """Write what searches find of datasets."""
        touched, entries = [], []
        for name, registers in changed.after.items():
            await self._pauses.pause()
            if primaries.primary[name] in primaries.shared:
                continue
            known = changed.before.get(name)
            if known is not None and has_same_words(known, registers):
                touched.append((name, registers.updated_at, registers.seen))
            else:
                entries.append(dataset_entry(name, registers))
        await self._execute(self._statements.touch_entries, _in_order(touched))
        if primaries.shared:
            await self._connection.execute(self._statements.settle_names, list(primaries.shared))
            shared, aliases = await self._shared_entries(list(primaries.shared))
            entries += shared
            await self._connection.execute(self._statements.drop_entries, aliases)
        await self.put_entries(entries)

    async def _shared_entries(self, shared: list[UUID]) -> tuple[list[SearchEntry], list[UUID]]:
        """Return the entries of datasets that have several names, and the names that are not the primary ones."""
        names: dict[UUID, dict[UUID, DatasetRegisters]] = {}
        for row in await self._rows(self._statements.names_of_datasets, shared):
            await self._pauses.pause()
            names.setdefault(row["primary_id"], {})[row["id"]] = unpack_dataset(row["registers"])
        entries, aliases = [], []
        for primary, members in names.items():
            others = [registers for name, registers in members.items() if name != primary]
            dataset = merge_aliases(members[primary], others)
            texts = [text for other in others for text in (other.name, other.namespace)]
            entries.append(dataset_entry(primary, dataset, texts))
            aliases += [name for name in members if name != primary]
        return entries, aliases

    async def _find_primaries(
        self, names: Mapping[UUID, DatasetRegisters], former: Mapping[UUID, UUID], links: Iterable[tuple[UUID, UUID]]
    ) -> Primaries:
        """Return the primary names; nearly all datasets have one name."""
        links = list(links)
        linked = {name for pair in links for name in pair}
        several = {
            name
            for name, registers in names.items()
            if registers.has_links or name in linked or former.get(name, name) != name
        }
        several |= {former[name] for name in several if name in former}
        claims = {name: claim_of(names[name]) for name in several}
        found = find_primaries(claims, {name: former[name] for name in several if name in former}, links)
        return found._replace(primary={name: name for name in names} | found.primary)

    async def _read_datasets(
        self, ids: list[UUID], found: dict[UUID, DatasetRegisters], primaries: dict[UUID, UUID]
    ) -> None:
        for row in await self._fetch(self._statements.datasets, ids):
            await self._pauses.pause()
            found[row["id"]] = unpack_dataset(row["registers"])
            primaries[row["id"]] = row["primary_id"]

    async def _write_versions(self, versions: Mapping[tuple[UUID, UUID], ToldVersion]) -> None:
        changed = dict(versions)
        for row in await self._rows(self._statements.versions, *as_columns(list(changed), 2)):
            key = row["dataset_id"], row["version"]
            told = changed[key]
            if told.created_at > row["created_at"] and told.position > row["position"]:
                del changed[key]
        rows = []
        for key, told in changed.items():
            await self._pauses.pause()
            rows.append((*key, told.created_at, told.position, pack(told.content)))
        for part in in_slices(rows, -1):
            await self._execute(self._statements.put_versions, part)

    async def _write_mappings(self, mappings: Mapping[tuple[UUID, UUID], ColumnMapping]) -> None:
        before = {}
        for row in await self._fetch(self._statements.mappings, *as_columns(list(mappings), 2)):
            before[row["dataset_id"], row["job_id"]] = unpack_mapping(row["registers"])
        after = await self._merge(before, mappings, merge_mappings)
        rows, others, inputs = [], [], []
        for key, mapping in after.items():
            await self._pauses.pause()
            known = before.get(key)
            if known == mapping:
                continue
            rows.append((*key, mapping.position, pack(mapping)))
            if known is None or known.columns != mapping.columns:
                others.append(key)
                inputs += [(dataset_id(*name), *key) for name in mapping.inputs()]
        for part in in_slices(rows, -1):
            await self._execute(self._statements.put_mappings, part)
        await self._execute(self._statements.drop_inputs, others)
        await self._execute(self._statements.put_inputs, inputs)

    async def _write_sources(self, sources: Mapping[UUID, SourceRegisters]) -> None:
        before = await self._read(self._statements.sources, sources, unpack_source)
        after = await self._merge(before, sources, merge_sources)
        rows = [(key, source.name, source.position, _created_at(source), pack(source)) for key, source in after.items()]
        await self._execute(self._statements.put_sources, rows)

    async def _write_tags(self, tags: Mapping[UUID, TagRegisters]) -> None:
        before = await self._read(self._statements.tags, tags, unpack_tag)
        after = await self._merge(before, tags, merge_tag_registers)
        rows = [(key, tag.name, tag.position, pack(tag)) for key, tag in after.items()]
        await self._execute(self._statements.put_tags, rows)

    async def _write_jobs(self, changes: LineageChanges) -> None:
        before = await self._read(self._statements.job_entries, changes.jobs, unpack_job_entry)
        entries = []
        for key, job in (await self._merge(before, changes.jobs, merge_job_entries)).items():
            await self._pauses.pause()
            entries.append(job_entry(key, job))
        await self.put_entries(entries)

    async def rewrite_entries(self, names: Mapping[UUID, DatasetRegisters], primaries: Primaries) -> None:
        """Write what searches find of datasets whose primary names are found again."""
        others = [name for name in names if primaries.primary[name] != name]
        own = {name: registers for name, registers in names.items() if primaries.primary[name] == name}
        await self._rows(self._statements.drop_entries, others)
        await self.write_entries(Changed({}, own, {}), primaries)

    async def put_entries(self, entries: list[SearchEntry]) -> None:
        """Write what searches find."""
        await self._execute(self._statements.put_entries, _in_order(entries))

    async def _read(self, statement: str, ids: Collection[UUID], unpack: Callable[[bytes], V]) -> dict[UUID, V]:
        return {row["id"]: unpack(row["registers"]) for row in await self._fetch(statement, list(ids))}

    async def _fetch(self, statement: str, *keys: Any) -> list[Any]:  # noqa: ANN401
        """Return rows by their keys. Raises TooLarge where they have too many bytes of registers."""
        rows = await self._rows(statement, *keys, self._max_bytes) if keys[0] else []
        if any(row["registers"] is None for row in rows):
            raise TooLarge
        return rows

    async def _rows(self, statement: str, *arguments: Any) -> list[Any]:  # noqa: ANN401
        """Return the rows of a statement whose first argument has the keys; without any, it is not sent."""
        rows: list[Any] = await self._connection.fetch(statement, *arguments) if arguments[0] else []
        return rows

    async def _execute(self, statement: str, rows: list[Any]) -> None:
        if rows:
            await self._connection.execute(statement, *as_columns(rows, len(rows[0])))

    async def _merge(self, before: Mapping[K, V], changes: Mapping[K, V], merge: Callable[[V, V], V]) -> dict[K, V]:
        merged = {}
        for key, change in changes.items():
            await self._pauses.pause()
            merged[key] = merge(before[key], change) if key in before else change
        return merged


def _namespaces_of(datasets: Iterable[DatasetRegisters]) -> list[tuple[Any, ...]]:
    """Return the rows of the namespaces of datasets."""
    found: dict[str, tuple[int, Any, Any]] = {}
    for dataset in datasets:
        created = dataset.updated_at if dataset.first_seen is None else dataset.first_seen.at
        position, first, last = found.get(dataset.namespace, (0, created, dataset.updated_at))
        found[dataset.namespace] = (
            max(position, dataset.seen),
            min(first, created),
            max(last, dataset.updated_at),
        )
    return [(namespace_id(name), name, *row) for name, row in sorted(found.items())]


def _in_order(rows: Iterable[R]) -> list[R]:
    """Return rows in the order of their first column, in which they are in an index."""
    return sorted(rows, key=_first)


def _first(row: tuple[Any, ...]) -> int:
    identity: UUID = row[0]
    return identity.int


def _created_at(source: SourceRegisters) -> Any:  # noqa: ANN401
    return source.updated_at if source.first_seen is None else source.first_seen.at
