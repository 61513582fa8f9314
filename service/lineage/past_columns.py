"""Reads column mappings as they were: as they were known at a position of the ledger, or as they stood at a time.

No table has the mappings that were replaced. They are in the payloads of events, of which the last ones before the
moment are read: for each job that wrote a dataset then, the latest that tells a mapping.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from service.catalog.batches import Pauses
from service.database.connections import Connections
from service.database.statements import load
from service.domain.binding import Binding
from service.domain.column_mapping import ColumnMapping, MappedColumns, column_mapping_of
from service.domain.event import DatasetName, Event, Subject
from service.domain.ids import dataset_id, job_id
from service.ledger.events import LOG
from service.ledger.rows import event_of
from service.lineage.changes import NO_JOB
from service.lineage.column_names import resolve
from service.lineage.columns import DatasetMapping, resolve_mapping
from service.lineage.graph import GraphQuery
from service.lineage.graph_statements import Parts
from service.lineage.past_graph import MAX_S, PastMoment, PastReading
from service.lineage.walk import Direction, Node
from service.payloads.lineage_contents import LineageContent, ToldDataset, read_lineage

EVENTS_OF_DATASET = 64
"""Events of a dataset that are looked at: those that tell something of it last before the moment."""

_MAX_EVENTS = 20_000
"""Most events of all datasets of a level."""

_PAYLOADS_AT_ONCE = 4
"""Events of a dataset and job whose payloads are read at once: the last ones mostly tell the mapping."""

MAX_BYTES = 16 * 1024 * 1024
"""Characters of payloads that a graph is made of at most."""

_MAX_DATASETS = 1_000
"""Most datasets that may be made of those of a level."""

_NO_COLUMNS = MappedColumns()
_OPENLINEAGE = frozenset({"openlineage", "import"})

_TELLINGS = {bound: load("past_tellings", names=Parts(bound).names("w.id")) for bound in (False, True)}
_OUTPUTS = {bound: load("outputs_of_columns", names=Parts(bound).names("w.id")) for bound in (False, True)}
_PAYLOADS = load("lineage_payloads")

_Writer = tuple[UUID, UUID]
"""The id of a dataset, and that of a job that writes it; NO_JOB where DatasetEvents tell of it."""


class _Telling(NamedTuple):
    """An event that tells something of a dataset, and the name that it has for it."""

    event: Event
    name: UUID


class PastMappings:
    """Reads the mappings of a moment for one graph: up to MAX_BYTES of payloads, and for at most MAX_S seconds."""

    def __init__(self, connections: Connections, moment: PastMoment, binding: Binding | None) -> None:
        """Take the connections to read with, the moment, and the binding of the API key."""
        self._connections = connections
        self._moment = moment
        self._binding = binding
        self._reading = PastReading(connections, GraphQuery(0, 1, Direction.UP), moment, binding)
        self._contents: dict[int, LineageContent | None] = {}
        """What events tell, by their positions; None where the payload was archived."""
        self._left = MAX_BYTES
        self._ends_at = asyncio.get_running_loop().time() + MAX_S
        self._pauses = Pauses()
        self.is_cut = False
        """Whether mappings are left out, because there are too many of them, or because they take too long to read."""
        self.unknown: set[DatasetName] = set()
        """The datasets whose mappings may have been others: payloads that may have told them are not there."""
        self._unknown: set[UUID] = set()

    async def mappings_of(self, datasets: Iterable[DatasetName]) -> list[DatasetMapping]:
        """Return the mappings that make columns of datasets."""
        return await self._mappings_of({dataset_id(*name) for name in datasets})

    async def mappings_from(self, datasets: Iterable[DatasetName]) -> list[DatasetMapping]:
        """Return the mappings that may take columns of datasets: of what was written by jobs that had read these.

        So a mapping is not found, from a dataset that no event has among the inputs of the job, once it was replaced.
        """
        ids = [dataset_id(*name) for name in datasets]
        made = dict.fromkeys(await self._reading.outputs_of_readers(ids))
        rows = await self._connections.fetch(_OUTPUTS[self._binding is not None], ids, _MAX_DATASETS)
        names = await resolve(self._connections, (), [row["id"] for row in rows], self._binding, self._moment.position)
        made |= dict.fromkeys(dataset_id(*name) for name in names.by_id.values())
        self.is_cut |= self._reading.is_cut or len(made) > _MAX_DATASETS
        return await self._mappings_of(set(list(made)[:_MAX_DATASETS]))

    async def _mappings_of(self, ids: set[UUID]) -> list[DatasetMapping]:
        self.is_cut |= asyncio.get_running_loop().time() >= self._ends_at
        if not ids or self.is_cut:
            return []
        jobs = await self._reading.neighbours([Node(id_, is_job=False) for id_ in ids])
        writers = {(id_, job.id) for job in jobs for id_ in self._reading.edges[job.id].outputs if id_ in ids}
        self.is_cut |= self._reading.is_cut
        found = await self._find(writers | {(id_, NO_JOB) for id_ in ids})
        inputs = {name for _, mapping in found for name in mapping.inputs()}
        names = await resolve(self._connections, inputs, ids, self._binding, self._moment.position)
        self.unknown |= {names.by_id[id_] for id_ in self._unknown if id_ in names.by_id}
        return [
            await resolve_mapping(names.by_id[id_], mapping.columns, names.by_name, self._pauses)
            for id_, mapping in found
            if id_ in names.by_id
        ]

    async def _find(self, writers: Collection[_Writer]) -> list[tuple[UUID, ColumnMapping]]:
        """Return the latest mapping that each of some jobs had told of a dataset, of those that had told one."""
        ids = list({id_ for id_, _ in writers})
        where = (LOG, ids, self._moment.bound, self._moment.position, EVENTS_OF_DATASET, _MAX_EVENTS)
        rows = await self._connections.fetch(_TELLINGS[self._binding is not None], *where)
        self.is_cut |= len(rows) >= _MAX_EVENTS
        left: dict[_Writer, list[_Telling]] = {}
        for row in rows:
            event = event_of(row)
            writer = (row["id"], NO_JOB if event.subject == Subject.DATASET else _job_of(event))
            if writer in writers and event.source in _OPENLINEAGE:
                left.setdefault(writer, []).append(_Telling(event, row["name_id"]))
        for tellings in left.values():
            tellings.sort(key=lambda telling: _stamp(telling.event), reverse=True)
        found: dict[_Writer, ColumnMapping] = {}
        while left and not self.is_cut:
            part = {writer: tellings[:_PAYLOADS_AT_ONCE] for writer, tellings in left.items()}
            await self._read_payloads(each.event.position for tellings in part.values() for each in tellings)
            for writer, tellings in part.items():
                mapping = self._latest(writer[0], tellings)
                left[writer] = [] if mapping is not None else left[writer][_PAYLOADS_AT_ONCE:]
                if mapping is not None:
                    found[writer] = mapping
            left = {writer: tellings for writer, tellings in left.items() if tellings}
        return [(id_, found[id_, job]) for id_, job in sorted(found)]

    async def _read_payloads(self, positions: Iterable[int]) -> None:
        wanted = [position for position in dict.fromkeys(positions) if position not in self._contents]
        if not wanted:
            return
        rows = await self._connections.fetch(_PAYLOADS, LOG, wanted, max(1, self._left))
        for row in rows:
            body = row["body"]
            self._left -= len(body or "")
            self._contents[row["position"]] = None if body is None else read_lineage(body, row["position"])
            await self._pauses.pause()
        self.is_cut |= self._left <= 0 or len(rows) < len(wanted)

    def _latest(self, dataset: UUID, tellings: Iterable[_Telling]) -> ColumnMapping | None:
        """Return the first mapping of some events, of which the latest comes first; None where none tells one."""
        for event, name in tellings:
            if event.position not in self._contents:
                continue  # there was no space for it
            content = self._contents[event.position]
            if content is None:
                self._unknown.add(dataset)
            elif (columns := _mapping_in(content, name)) is not None:
                return column_mapping_of(event, columns)
        return None


def _job_of(event: Event) -> UUID:
    return job_id(event.namespace or "", event.job or "")


def _stamp(event: Event) -> tuple[datetime, int, bytes]:
    """Return what the register of a mapping compares: the later one wins."""
    return column_mapping_of(event, _NO_COLUMNS)[:3]


def _mapping_in(content: LineageContent, name: UUID) -> MappedColumns | None:
    """Return the mapping that an event tells of a dataset, by the name that it has for it."""
    told: list[ToldDataset] = [*content.outputs, *([content.dataset] if content.dataset is not None else [])]
    mappings = (each.facts.mapping for each in told if dataset_id(*each.name) == name)
    return next((mapping for mapping in mappings if mapping is not None), None)
