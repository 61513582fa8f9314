"""Returns the JSON values that the API shows for graphs of columns, as Marquez does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from service.domain.column_mapping import Transformation
from service.domain.event import DatasetName
from service.domain.node_ids import field_node
from service.lineage.column_nodes import DescribedVersion
from service.lineage.columns import Column, ColumnGraph, ColumnInput, ColumnSources

Versions = Mapping[tuple[DatasetName, UUID | None], DescribedVersion]


def column_graph_view(graph: ColumnGraph, versions: Versions) -> dict[str, Any]:
    """Return a graph of columns; `versions` are those of the columns' datasets."""
    nodes = sorted((_id(column), column) for column in graph.columns)
    view: dict[str, Any] = {"graph": [_node_view(id_, column, graph, versions) for id_, column in nodes]}
    return view | {"truncated": True, "truncatedAt": [_id(column) for column in graph.cut]} if graph.cut else view


def _id(column: Column) -> str:
    return field_node(column.dataset, column.field, column.version)


def _node_view(id_: str, column: Column, graph: ColumnGraph, versions: Versions) -> dict[str, Any]:
    inputs = _inputs(graph.sources[column])
    version = versions[column.dataset, column.version]
    type_, description = _first_texts(graph.sources[column])
    return {
        "id": id_,
        "type": "DATASET_FIELD",
        "data": {
            "namespace": column.dataset.namespace,
            "dataset": column.dataset.name,
            "datasetVersion": str(version.id),
            "field": column.field,
            "fieldType": (version.types.get(column.field) or "") if inputs else "",
            "transformationDescription": description,
            "transformationType": type_,
            "inputFields": [_input_view(each, sources, versions) for each, sources in inputs.values()],
        },
        "inEdges": [{"origin": id_, "destination": _id(source)} for source in sorted(inputs)],
        "outEdges": [{"origin": id_, "destination": _id(target)} for target in sorted(graph.targets[column])],
    }


def _inputs(sources: Sequence[ColumnSources]) -> dict[Column, tuple[ColumnInput, ColumnSources]]:
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
