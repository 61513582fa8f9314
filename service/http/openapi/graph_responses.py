"""The types of answers with graphs, for /openapi.json only, as responses.py."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from service.http.openapi.responses import AsOf, JobId, Run, State
from service.payloads.schemas import DatasetId

# ruff: noqa: N815  the names of JSON fields


class Edge(Struct, forbid_unknown_fields=True):
    """An edge, from node to node."""

    origin: str
    destination: str


class GraphField(Struct, forbid_unknown_fields=True):
    """A field of a dataset."""

    name: str
    type: str | None
    tags: list[str]
    description: str | None


class GraphJob(Struct, forbid_unknown_fields=True):
    """A job of a graph, with what it reads and writes, and its newest run."""

    id: JobId
    type: Literal["BATCH", "STREAM", "SERVICE"]
    name: str
    simpleName: str
    parentJobName: str | None
    parentJobUuid: UUID | None
    currentRunUuid: UUID | None
    createdAt: datetime
    updatedAt: datetime
    namespace: str
    inputs: list[DatasetId]
    outputs: list[DatasetId]
    location: str | None
    description: str | None
    latestRun: Run | None


class GraphDataset(Struct, forbid_unknown_fields=True):
    """A dataset of a graph."""

    id: DatasetId
    type: Literal["DB_TABLE", "STREAM"]
    name: str
    physicalName: str
    createdAt: datetime
    updatedAt: datetime
    namespace: str
    sourceName: str
    fields: list[GraphField]
    tags: list[str]
    lastModifiedAt: datetime | None
    description: str | None
    lastLifecycleState: str | None


class JobNode(Struct, forbid_unknown_fields=True, tag_field="type", tag="JOB"):
    """A job, with the edges that end at it and those that begin there."""

    id: str
    data: GraphJob
    inEdges: list[Edge]
    outEdges: list[Edge]


class DatasetNode(Struct, forbid_unknown_fields=True, tag_field="type", tag="DATASET"):
    """A dataset, with the edges that end at it and those that begin there."""

    id: str
    data: GraphDataset
    inEdges: list[Edge]
    outEdges: list[Edge]


class LineageGraph(Struct, forbid_unknown_fields=True):
    """A graph. `truncatedAt`: the nodes that may have neighbours which are left out; `asOf`: what was known then."""

    graph: list[JobNode | DatasetNode]
    truncated: Literal[True] | UnsetType = UNSET
    truncatedAt: list[str] | UnsetType = UNSET
    asOf: AsOf | UnsetType = UNSET


class Transformation(Struct, forbid_unknown_fields=True):
    """How an input column takes part."""

    type: str | None
    subtype: str | None
    description: str | None
    masking: bool | None


class InputColumn(Struct, forbid_unknown_fields=True):
    """A column that another one is made of; `transformations` where the event tells them."""

    namespace: str
    dataset: str
    datasetVersion: UUID
    field: str
    transformationDescription: str | None
    transformationType: str | None
    transformations: list[Transformation] | UnsetType = UNSET


class Column(Struct, forbid_unknown_fields=True):
    """A field of a dataset; `fieldType` is empty where it is not made of others, or not known."""

    namespace: str
    dataset: str
    datasetVersion: UUID
    field: str
    fieldType: str
    transformationDescription: str | None
    transformationType: str | None
    inputFields: list[InputColumn]


class ColumnNode(Struct, forbid_unknown_fields=True):
    """A column with its edges; of `inEdges`, `destination` is what it is made of."""

    id: str
    type: Literal["DATASET_FIELD"]
    data: Column
    inEdges: list[Edge]
    outEdges: list[Edge]


class ColumnGraph(Struct, forbid_unknown_fields=True):
    """A graph of columns. `truncatedAt`: those that may have neighbours which are left out."""

    graph: list[ColumnNode]
    truncated: Literal[True] | UnsetType = UNSET
    truncatedAt: list[str] | UnsetType = UNSET
    asOf: AsOf | UnsetType = UNSET


class RunOfLineage(Struct, forbid_unknown_fields=True):
    """A run."""

    id: UUID
    start: datetime | None
    end: datetime | None
    status: State


class JobOfRun(Struct, forbid_unknown_fields=True):
    """The job of a run, and its version: of what the run read and wrote."""

    namespace: str
    name: str
    version: UUID | None


class InputOfRun(Struct, forbid_unknown_fields=True):
    """A version of a dataset that a run read, and the run that wrote it."""

    namespace: str
    name: str
    version: UUID
    producedByRunId: UUID | None


class LineageRun(Struct, forbid_unknown_fields=True):
    """A run with what it read."""

    job: JobOfRun | None
    run: RunOfLineage
    inputs: list[InputOfRun]


class RunLineage(Struct, forbid_unknown_fields=True):
    """Runs, the nearest first. `truncatedAt`: those that have neighbours which are left out."""

    runs: list[LineageRun]
    truncated: Literal[True] | UnsetType = UNSET
    truncatedAt: list[UUID] | UnsetType = UNSET
