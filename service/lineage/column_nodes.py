"""Finds the columns that the id of a node means, and reads the graph of columns as versions of datasets tell it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from service.catalog.batches import Pauses
from service.database.connections import Connections
from service.database.statements import load
from service.domain.binding import Binding
from service.domain.column_mapping import InputColumn, MappedColumns
from service.domain.dataset_versions import VersionContent, dataset_version_id
from service.domain.event import DatasetName
from service.domain.ids import dataset_id
from service.domain.node_ids import NodeKind, NodeText, Split, field_splits, split_version, splits
from service.lineage.column_graph import ColumnGraphs
from service.lineage.column_names import resolve
from service.lineage.columns import Column, ColumnGraph, DatasetMapping, resolve_mapping
from service.lineage.graph import GraphQuery, LineageGraph
from service.lineage.graph_statements import ANY_POSITION, Parts, visible
from service.lineage.past_graph import LATEST, PastGraph, PastMoment
from service.lineage.versions_at import version_contents, versions_at
from service.lineage.walk import Direction
from service.payloads.dataset_facets import read_facts
from service.payloads.dataset_state import state_of

_VersionKey = tuple[DatasetName, UUID | None]
"""A dataset, and a version of it; None: the one that is current, or was."""

_MAX_READINGS = 20
"""Most datasets that exist among the readings of one id."""

_MAX_OUTPUTS = 1_000
"""Most outputs of a job whose columns are looked at."""

_FIND = {bound: load("find_column_datasets", dataset=Parts(bound).dataset("w.id")) for bound in (False, True)}


class ColumnStart(NamedTuple):
    """The columns that an id means, and the version of their dataset; None: as it is."""

    columns: Sequence[Column]
    version: UUID | None = None


class DescribedVersion(NamedTuple):
    """The id of a version, and the types of its fields."""

    id: UUID
    types: Mapping[str, str | None]


class ColumnNodes:
    """Finds columns. Every method raises Unavailable if the database cannot be used."""

    def __init__(self, connections: Connections, graph: LineageGraph, past: PastGraph, columns: ColumnGraphs) -> None:
        """Take the connections to read with, and what reads nodes and mappings."""
        self._connections = connections
        self._graph = graph
        self._past = past
        self._columns = columns

    async def find(
        self, node: NodeText, binding: Binding | None, moment: PastMoment | None = None
    ) -> ColumnStart | None:
        """Return the columns of a job's outputs, of a dataset, or one field; None where there is no such node.

        `moment`: as it was then, without a version.
        """
        if node.kind is NodeKind.JOB:
            return await self._of_job(node, binding, moment)
        if node.kind is NodeKind.FIELD:
            start = await self._field(node.names, binding, moment)
        else:
            start = await self._dataset(node.names, binding, moment)
        names, version = split_version(node.names)
        if start is not None or version is None or moment is not None:
            return start
        find = self._field_of_version if node.kind is NodeKind.FIELD else self._version
        return await find(names, version, binding)

    async def _of_job(self, node: NodeText, binding: Binding | None, moment: PastMoment | None) -> ColumnStart | None:
        job = await self._graph.find(node, binding, _position(moment))
        if job is None:
            return None
        query = GraphQuery(0, _MAX_OUTPUTS, Direction.DOWN)
        if moment is None:
            graph = await self._graph.read(job, query, binding)
        else:
            graph = await self._past.read(job, query, moment, binding)
        outputs = {dataset.name for dataset in graph.datasets.values()}
        return ColumnStart(await self._columns.columns_of(outputs, binding, moment))

    async def _dataset(self, names: str, binding: Binding | None, moment: PastMoment | None) -> ColumnStart | None:
        for _, dataset in await self._existing(splits(names), binding, _position(moment)):
            return ColumnStart(await self._columns.columns_of([dataset], binding, moment))
        return None

    async def _version(self, names: str, version: UUID, binding: Binding | None) -> ColumnStart | None:
        for _, dataset in await self._existing(splits(names), binding):
            if (content := await self._content(dataset, version, binding)) is not None:
                fields = dict.fromkeys([*_mapping(content).fields, *(field.name for field in content.fields)])
                return ColumnStart([Column(dataset, field, version) for field in fields], version)
        return None

    async def _field(self, names: str, binding: Binding | None, moment: PastMoment | None) -> ColumnStart | None:
        existing = await self._existing(field_splits(names), binding, _position(moment))
        datasets = [dataset for _, dataset in existing]
        mapped = set(await self._columns.columns_of(datasets, binding, moment))
        known = await self._fields(datasets, binding, moment)
        for split, dataset in existing:
            column = Column(dataset, split.rest)
            if column in mapped or split.rest in known.get(dataset, ()):
                return ColumnStart([column])
        return None

    async def _field_of_version(self, names: str, version: UUID, binding: Binding | None) -> ColumnStart | None:
        for split, dataset in await self._existing(field_splits(names), binding):
            content = await self._content(dataset, version, binding)
            if content is not None and _has_field(content, split.rest):
                return ColumnStart([Column(dataset, split.rest, version)], version)
        return None

    async def _fields(
        self, datasets: Sequence[DatasetName], binding: Binding | None, moment: PastMoment | None
    ) -> Mapping[DatasetName, Collection[str]]:
        """Return the names of the fields that datasets have, or had."""
        if moment is None:
            registers = await self._graph.datasets([dataset_id(*dataset) for dataset in datasets], binding)
            found = {dataset: registers.get(dataset_id(*dataset)) for dataset in datasets}
            return {
                dataset: {field.name for field in state_of(known).fields}
                for dataset, known in found.items()
                if known is not None
            }
        keys = [(dataset, None) for dataset in datasets]
        described = await self._describe(keys, binding, moment)
        return {dataset: version.types.keys() for (dataset, _), version in described.items()}

    async def _existing(
        self, readings: Iterable[Split], binding: Binding | None, position: int = ANY_POSITION
    ) -> list[tuple[Split, DatasetName]]:
        """Return those readings whose datasets exist, with the names under which these are shown."""
        ids: dict[UUID, Split] = {}
        pauses = Pauses()
        for split in readings:
            await pauses.pause()
            if binding is None or binding.allows(split.namespace):
                ids.setdefault(dataset_id.__wrapped__(split.namespace, split.name), split)
        statement = _FIND[binding is not None]
        rows = await self._connections.fetch(statement, list(ids), _MAX_READINGS, *visible(binding, position))
        found = []
        for row in rows:
            split = ids[row["id"]]
            shown = row["shown_id"] is not None
            name = DatasetName(row["namespace"], row["name"]) if shown else DatasetName(split.namespace, split.name)
            found.append((split, name))
        return found

    async def _content(self, dataset: DatasetName, version: UUID, binding: Binding | None) -> VersionContent | None:
        key = (dataset_id(*dataset), version)
        return (await version_contents(self._connections, [key], binding)).get(key)

    async def describe(
        self, columns: Iterable[Column], binding: Binding | None, moment: PastMoment | None = None
    ) -> Mapping[_VersionKey, DescribedVersion]:
        """Return the versions of the datasets of columns: those that are current, were, or that columns have."""
        return await self._describe({(column.dataset, column.version) for column in columns}, binding, moment)

    async def _describe(
        self, wanted: Iterable[_VersionKey], binding: Binding | None, moment: PastMoment | None
    ) -> Mapping[_VersionKey, DescribedVersion]:
        at = LATEST if moment is None else moment.bound
        moments = {key: (dataset_id(*key[0]), at) for key in wanted if key[1] is None}
        told = await versions_at(self._connections, set(moments.values()), binding, _position(moment))
        ids = {key: key[1] or told.get(moments[key]) for key in wanted}
        pairs = {(dataset_id(*dataset), id_) for (dataset, _), id_ in ids.items() if id_ is not None}
        contents = await version_contents(self._connections, pairs, binding)
        described = {}
        for key, id_ in ids.items():
            content = None if id_ is None else contents.get((dataset_id(*key[0]), id_))
            types = {} if content is None else {field.name: field.type for field in content.fields}
            described[key] = DescribedVersion(id_ or dataset_version_id(key[0], ()), types)
        return described

    async def read_versions(
        self, start: Sequence[Column], depth: int, limit: int, binding: Binding | None
    ) -> ColumnGraph:
        """Return what columns of versions are made of: of the versions of their inputs that were current then."""
        graph = ColumnGraph(limit)
        level = [column for column in start if graph.add(column)]
        for _ in range(max(1, depth)):
            if not level:
                break
            level = await graph.add_sources(level, await self._mappings_of_versions(level, binding))
        return graph

    async def _mappings_of_versions(self, columns: Iterable[Column], binding: Binding | None) -> list[DatasetMapping]:
        wanted = {(dataset_id(*column.dataset), column.version): column.dataset for column in columns if column.version}
        contents = await version_contents(self._connections, list(wanted), binding)
        mappings, pauses = [], Pauses()
        for key, content in contents.items():
            columns_made = _mapping(content)
            inputs = {DatasetName(each.namespace, each.name) for each in _inputs(columns_made)}
            names = (await resolve(self._connections, inputs, (), binding)).by_name
            moments = {name: (dataset_id(*name), content.at) for name in names.values()}
            told = await versions_at(self._connections, moments.values(), binding)
            versions = {name: told.get(moment) or dataset_version_id(name, ()) for name, moment in moments.items()}
            mappings.append(await resolve_mapping(wanted[key], columns_made, names, pauses, key[1], versions))
        return mappings


def _position(moment: PastMoment | None) -> int:
    """Return the position after which deletions do not count."""
    return ANY_POSITION if moment is None else moment.position


def _mapping(content: VersionContent) -> MappedColumns:
    facet = content.facets.get("columnLineage")
    return (read_facts({"columnLineage": facet}).mapping if facet else None) or MappedColumns()


def _inputs(columns: MappedColumns) -> Iterable[InputColumn]:
    yield from columns.dataset
    for mapped in columns.fields.values():
        yield from mapped.inputs


def _has_field(content: VersionContent, field: str) -> bool:
    return field in _mapping(content).fields or any(each.name == field for each in content.fields)
