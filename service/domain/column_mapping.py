"""Which columns of its inputs the columns of a dataset are made of: OpenLineage's facet `columnLineage`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from service.domain.event import DatasetName, Event
from service.domain.registers import phase_of


class Transformation(NamedTuple):
    """How an input column takes part. `type`: DIRECT or INDIRECT, `subtype`: such as IDENTITY, FILTER, JOIN."""

    type: str | None = None
    subtype: str | None = None
    description: str | None = None
    masking: bool | None = None


class InputColumn(NamedTuple):
    """A column of an input dataset."""

    namespace: str
    name: str
    field: str
    transformations: tuple[Transformation, ...] = ()


class MappedColumn(NamedTuple):
    """What a column is made of. The texts are of OpenLineage before 1-1-0, which has no transformations of inputs."""

    inputs: tuple[InputColumn, ...] = ()
    transformation_type: str | None = None
    transformation_description: str | None = None


class MappedColumns(NamedTuple):
    """A whole mapping. `dataset`: the columns that all columns depend on, such as those of a filter."""

    fields: Mapping[str, MappedColumn] = {}
    dataset: tuple[InputColumn, ...] = ()


class ColumnMapping(NamedTuple):
    """The mapping of a dataset by a job, of the latest event that tells one; the later (time, phase, digest) wins.

    An event without a mapping takes nothing away, an empty mapping replaces the one before.
    """

    at: datetime
    phase: int
    digest: bytes
    position: int
    columns: MappedColumns

    def inputs(self) -> set[DatasetName]:
        """Return the datasets whose columns take part."""
        columns = [*self.columns.dataset]
        for mapped in self.columns.fields.values():
            columns += mapped.inputs
        return {DatasetName(column.namespace, column.name) for column in columns}


def column_mapping_of(event: Event, columns: MappedColumns) -> ColumnMapping:
    """Return the mapping that an event tells."""
    digest = event.payload_digest or event.fact
    return ColumnMapping(event.transitioned_at, phase_of(event), digest, event.position, columns)


def merge_mappings(a: ColumnMapping, b: ColumnMapping) -> ColumnMapping:
    """Return the later mapping; of one event that is recorded twice, the first record."""
    if a[:3] == b[:3]:
        return a if a.position <= b.position else b
    return a if a[:3] > b[:3] else b
