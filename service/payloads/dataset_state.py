"""What a dataset is now, by its registers: of its latest definition and the latest event that tells each facet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from service.domain.dataset import DEFAULT_SOURCE, DatasetRegisters
from service.domain.dataset_definitions import DatasetField
from service.domain.dataset_versions import DB_TABLE
from service.domain.registers import StampedFacet
from service.payloads.dataset_facets import description_of, fields_of, load_json


class DatasetState(NamedTuple):
    """What views show of a dataset. `lifecycle`: the latest change; empty where events tell none, None for PUTs."""

    type: str
    physical_name: str
    source: str
    fields: tuple[DatasetField, ...]
    description: str | None
    lifecycle: str | None
    schema_location: str | None
    created_at: datetime


ReadSchema = Callable[[bytes], tuple[DatasetField, ...]]
"""Returns the fields of a `schema` facet."""


def state_of(dataset: DatasetRegisters, read_schema: ReadSchema = fields_of) -> DatasetState:
    """Return the state of a dataset: of a definition and a facet that tell the same, the later one counts.

    `read_schema`: for many datasets, of which many have the same schema, one that remembers what it has read.
    """
    definition, facets = dataset.definition, dataset.known_facets
    since = None if definition is None else definition.at
    schema = _later(facets, "schema", since)
    source = _text_of(_later(facets, "dataSource", since), "name")
    described = dataset.description
    documentation = _later(facets, "documentation", None if described is None else described.at)
    lifecycle = _text_of(facets.get("lifecycleStateChange"), "lifecycleStateChange")
    told = described.text if described is not None else None
    return DatasetState(
        DB_TABLE if definition is None else definition.type,
        dataset.name if definition is None else definition.physical_name,
        source or (DEFAULT_SOURCE if definition is None else definition.source),
        (() if definition is None else definition.fields) if schema is None else read_schema(schema.value or b"{}"),
        told if documentation is None else description_of(documentation.value or b"{}"),
        lifecycle or ("" if definition is None else None),
        None if definition is None else definition.schema_location,
        dataset.updated_at if dataset.first_seen is None else dataset.first_seen.at,
    )


def _later(facets: Mapping[str, StampedFacet], name: str, since: datetime | None) -> StampedFacet | None:
    """Return a facet that is told, or deleted, at a time or later."""
    facet = facets.get(name)
    return None if facet is None or (since is not None and facet.at < since) else facet


def _text_of(facet: StampedFacet | None, name: str) -> str | None:
    value = load_json(facet.value) if facet is not None and facet.value else None
    text = value.get(name) if isinstance(value, dict) else None
    return text if isinstance(text, str) and text else None
