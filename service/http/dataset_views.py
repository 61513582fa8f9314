"""Returns the JSON values that the API shows for datasets, sources and tags, as Marquez does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain
from typing import Any

from orjson import Fragment

from service.domain.binding import Binding
from service.domain.column_mapping import ColumnMapping, InputColumn, MappedColumn
from service.domain.dataset import DatasetRegisters
from service.domain.dataset_definitions import DatasetField
from service.domain.dataset_versions import STREAM, VersionContent
from service.domain.sources_and_tags import SourceRegisters, TagRegisters
from service.domain.tags import present
from service.http.views import facets_view, omitted_view
from service.lineage.datasets import DatasetItem, VersionItem
from service.lineage.past_datasets import PastDataset
from service.payloads.dataset_facets import load_json
from service.payloads.dataset_state import state_of

_SCHEME = re.compile("(?:jdbc:)?([A-Za-z][A-Za-z0-9+.-]*):")

_UNKNOWN_TYPE = "UNKNOWN"
"""The type of a source that only facets name, without a URL that tells more."""

_MAX_INPUTS = 20_000
"""Most input columns of a dataset's columns: a mapping may have columns on which each of thousands depends."""

_MAX_INPUT_TEXT = 4 * 1024 * 1024
"""Characters of them after which no more are shown: one description may be that of thousands."""


def source_view(source: SourceRegisters) -> dict[str, Any]:
    """Return a source; its URL has no password."""
    definition, url = source.definition, source.connection_url
    created = source.first_seen.at if source.first_seen else source.updated_at
    return {
        "type": definition.type if definition else _type_of(url),
        "name": source.name,
        "createdAt": created,
        "updatedAt": max(created, source.updated_at),
        "connectionUrl": url or "",
        "description": definition.description if definition else None,
    }


def _type_of(url: str | None) -> str:
    """Return the type that the scheme of a URL tells."""
    found = _SCHEME.match(url or "")
    return found[1].upper() if found else _UNKNOWN_TYPE


def tag_view(tag: TagRegisters) -> dict[str, str | None]:
    """Return a tag."""
    return {"name": tag.name, "description": tag.description.text if tag.description else None}


def dataset_view(item: DatasetItem, binding: Binding | None) -> dict[str, Any]:
    """Return a dataset; of its column mapping, what is within the binding of an API key."""
    dataset = item.registers
    state = state_of(dataset)
    facets = {
        name: facet
        for name, facet in dataset.known_facets.items()
        if facet.value is None or _names_only(facet.value, binding)
    }
    view = {
        "id": {"namespace": dataset.namespace, "name": dataset.name},
        "type": state.type,
        "name": dataset.name,
        "physicalName": state.physical_name,
        "createdAt": state.created_at,
        "updatedAt": max(state.created_at, dataset.updated_at),
        "namespace": dataset.namespace,
        "sourceName": state.source,
        "fields": fields_view(state.fields, dataset),
        "tags": present(dataset.tags),
        "lastModifiedAt": None,
        "lastLifecycleState": state.lifecycle,
        "description": state.description,
        "currentVersion": str(item.version),
        **_columns_view(item.mappings, binding),
        "facets": facets_view(facets),
        "deleted": dataset.is_dropped,
    }
    if state.type == STREAM:
        view["schemaLocation"] = state.schema_location
    return view | omitted_view(facets)


def past_dataset_view(item: DatasetItem, past: PastDataset, binding: Binding | None) -> dict[str, Any]:
    """Return a dataset as it was at a moment."""
    content = past.content
    view = dataset_view(DatasetItem(past.registers, item.ids, past.version), binding) | {
        "type": content.type,
        "physicalName": content.physical_name,
        "sourceName": content.source,
        "fields": fields_view(content.fields, past.registers._replace(field_tags={})),
        "tags": [],
    }
    view.pop("schemaLocation", None)
    return view | ({"schemaLocation": content.schema_location} if content.type == STREAM else {})


def version_view(
    item: DatasetItem, found: VersionItem, run: Fragment | None, binding: Binding | None
) -> dict[str, Any]:
    """Return a version of a dataset; its tags and those of its fields are the current ones. `run`: which created it."""
    version, content, dataset = found.version, found.version.content, item.registers
    view = {
        "id": {"namespace": dataset.namespace, "name": dataset.name},
        "type": content.type,
        "name": dataset.name,
        "physicalName": content.physical_name,
        "createdAt": version.created_at,
        "version": str(version.id),
        "namespace": dataset.namespace,
        "sourceName": content.source,
        "fields": fields_view(content.fields, dataset),
        "tags": present(dataset.tags),
        "lifecycleState": content.lifecycle_state,
        "description": content.description,
        "currentSchemaVersion": content.schema_version,
        "createdByRun": run,
        "facets": _facets_of_version(content, binding),
    }
    return view | ({"schemaLocation": content.schema_location} if content.type == STREAM else {})


def _facets_of_version(content: VersionContent, binding: Binding | None) -> dict[str, Fragment]:
    return {name: Fragment(facet) for name, facet in sorted(content.facets.items()) if _names_only(facet, binding)}


def _names_only(facet: bytes, binding: Binding | None) -> bool:
    """Return whether the datasets that a facet names, as a mapping of columns does, are within a binding.

    Events of other namespaces may tell facets of a dataset.
    """
    if binding is None:
        return True
    values = [load_json(facet)]
    while values:
        value = values.pop()
        if isinstance(value, dict):
            namespace = value.get("namespace")
            if isinstance(namespace, str) and not binding.allows(namespace):
                return False
            values += value.values()
        elif isinstance(value, list):
            values += value
    return True


def fields_view(fields: Iterable[DatasetField], dataset: DatasetRegisters) -> list[dict[str, Any]]:
    """Return fields, with the tags that those of the dataset have now."""
    return [
        {
            "name": field.name,
            "type": field.type,
            "tags": present(dataset.field_tags.get(field.name, {})),
            "description": field.description,
        }
        for field in fields
    ]


def _columns_view(mappings: Iterable[ColumnMapping], binding: Binding | None) -> dict[str, Any]:
    """Return what each column is made of, by the latest mapping of each job that writes the dataset.

    With the member `columnLineageTruncated` where inputs are left out: GET /column-lineage has more of them.
    """
    columns: dict[str, dict[str, Any]] = {}
    seen: set[tuple[str | None, ...]] = set()
    inputs_left, text_left = _MAX_INPUTS, _MAX_INPUT_TEXT
    is_cut = False
    for mapping in sorted(mappings, key=lambda each: each[:3], reverse=True):
        for name, mapped in mapping.columns.fields.items():
            column = columns.setdefault(
                name,
                {
                    "name": name,
                    "inputFields": [],
                    "transformationDescription": mapped.transformation_description,
                    "transformationType": mapped.transformation_type,
                },
            )
            for each in chain(mapped.inputs, mapping.columns.dataset):
                if inputs_left <= 0 or text_left <= 0:
                    is_cut = True
                    break
                shown = _input_view(each, mapped)
                key = (name, *shown.values())
                inputs_left -= 1
                if (binding is None or binding.allows(each.namespace)) and key not in seen:
                    seen.add(key)
                    text_left -= sum(len(text) for text in shown.values() if text)
                    column["inputFields"].append(shown)
    view: dict[str, Any] = {"columnLineage": [columns[name] for name in sorted(columns)] or None}
    return view | {"columnLineageTruncated": True} if is_cut else view


def _input_view(column: InputColumn, mapped: MappedColumn) -> dict[str, str | None]:
    first = column.transformations[0] if column.transformations else None
    return {
        "namespace": column.namespace,
        "dataset": column.name,
        "field": column.field,
        "transformationDescription": first.description if first else mapped.transformation_description,
        "transformationType": (first.subtype or first.type) if first else mapped.transformation_type,
    }
