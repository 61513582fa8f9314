"""Writes graphs of columns as Marquez does: a list of nodes by their ids, each with its edges.

Ids are encoded once, and nodes a few at a time, so that other requests are answered in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from service.catalog.batches import Pauses
from service.domain.column_mapping import Transformation
from service.domain.event import DatasetName
from service.domain.node_ids import field_node
from service.lineage.column_nodes import DescribedVersion
from service.lineage.columns import Column, ColumnGraph, ColumnInput, ColumnSources
from service.payloads.json_writer import dump

Versions = Mapping[tuple[DatasetName, UUID | None], DescribedVersion]


async def column_graph_json(graph: ColumnGraph, versions: Versions, members: Mapping[str, Any]) -> bytes:
    """Return the answer with a graph of columns; `versions` are those of the columns' datasets."""
    ids = {column: _id(column) for column in graph.columns}
    writer = _Writer(graph, versions, {column: orjson.dumps(id_) for column, id_ in ids.items()}, Pauses())
    nodes = [await writer.node(column) for column in sorted(ids, key=lambda column: (ids[column], column))]
    cut = b',"truncated":true,"truncatedAt":%b' % dump([_id(column) for column in graph.cut]) if graph.cut else b""
    return b'{"graph":[%b]%b%b}' % (b",".join(nodes), cut, b",%b" % dump(members)[1:-1] if members else b"")


def _id(column: Column) -> str:
    return field_node(column.dataset, column.field, column.version)


class _Writer(NamedTuple):
    """Writes nodes. `ids`: as JSON."""

    graph: ColumnGraph
    versions: Versions
    ids: Mapping[Column, bytes]
    pauses: Pauses

    async def node(self, column: Column) -> bytes:
        """Return a node as JSON."""
        id_ = self.ids[column]
        inputs = _inputs(self.graph.sources[column])
        data = dump(_data_view(column, self.graph.sources[column], self.versions, is_made=bool(inputs)))
        fields = []
        for each, sources in inputs.values():
            await self.pauses.pause()
            fields.append(dump(_input_view(each, sources, self.versions)))
        into, out_of = await self._edges(id_, inputs), await self._edges(id_, self.graph.targets[column])
        parts = id_, data[:-1], b",".join(fields), into, out_of
        return b'{"id":%b,"type":"DATASET_FIELD","data":%b,"inputFields":[%b]},"inEdges":[%b],"outEdges":[%b]}' % parts

    async def _edges(self, origin: bytes, destinations: Iterable[Column]) -> bytes:
        edges = []
        for column in sorted(destinations):
            await self.pauses.pause()
            edges.append(b'{"origin":%b,"destination":%b}' % (origin, self.ids[column]))
        return b",".join(edges)


def _data_view(
    column: Column, sources: Iterable[ColumnSources], versions: Versions, *, is_made: bool
) -> dict[str, Any]:
    version = versions[column.dataset, column.version]
    type_, description = _first_texts(sources)
    return {
        "namespace": column.dataset.namespace,
        "dataset": column.dataset.name,
        "datasetVersion": str(version.id),
        "field": column.field,
        "fieldType": (version.types.get(column.field) or "") if is_made else "",
        "transformationDescription": description,
        "transformationType": type_,
    }


def _inputs(sources: Iterable[ColumnSources]) -> dict[Column, tuple[ColumnInput, ColumnSources]]:
    """Return the inputs of a column, each once: as the first mapping has it."""
    inputs: dict[Column, tuple[ColumnInput, ColumnSources]] = {}
    for each in sources:
        for column in each.inputs:
            inputs.setdefault(column.column, (column, each))
    return inputs


def _first_texts(sources: Iterable[ColumnSources]) -> tuple[str | None, str | None]:
    """Return the type and the description of a column's transformation: the first that are told."""
    types, descriptions = [], []
    for each in sources:
        types.append(each.transformation_type)
        descriptions.append(each.transformation_description)
    for each in sources:
        for column in each.inputs:
            type_, description = _texts(column.transformations)
            types.append(type_)
            descriptions.append(description)
    return next(filter(None, types), None), next(filter(None, descriptions), None)


def _texts(transformations: Iterable[Transformation]) -> tuple[str | None, str | None]:
    given = list(transformations)
    types = (each.subtype or each.type for each in given)
    return next(filter(None, types), None), next(filter(None, (each.description for each in given)), None)


def _input_view(column: ColumnInput, sources: ColumnSources, versions: Versions) -> dict[str, Any]:
    dataset, field, version = column.column
    type_, description = _texts(column.transformations)
    view: dict[str, Any] = {
        "namespace": dataset.namespace,
        "dataset": dataset.name,
        "datasetVersion": str(versions[dataset, version].id),
        "field": field,
        "transformationDescription": description or sources.transformation_description,
        "transformationType": type_ or sources.transformation_type,
    }
    if column.transformations:
        view["transformations"] = [each._asdict() for each in column.transformations]
    return view
