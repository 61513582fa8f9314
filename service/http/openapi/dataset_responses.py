"""The types of answers about datasets, sources and tags, for /openapi.json only; see responses.py."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from service.http.openapi.responses import AsOf, Run
from service.http.openapi.version_responses import VersionOfJob
from service.payloads.schemas import DatasetId

# ruff: noqa: N815  the names of JSON fields


class Source(Struct, forbid_unknown_fields=True):
    """A source of datasets; passwords in its URL are not shown."""

    type: str
    name: str
    createdAt: datetime
    updatedAt: datetime
    connectionUrl: str
    description: str | None


class Tag(Struct, forbid_unknown_fields=True):
    """A tag."""

    name: str
    description: str | None


class Sources(Struct, forbid_unknown_fields=True):
    """Sources by name."""

    sources: list[Source]


class Tags(Struct, forbid_unknown_fields=True):
    """Tags by name."""

    tags: list[Tag]


class Field(Struct, forbid_unknown_fields=True):
    """A field of a dataset."""

    name: str
    type: str | None
    tags: list[str]
    description: str | None


class InputField(Struct, forbid_unknown_fields=True):
    """A column that another one is made of."""

    namespace: str
    dataset: str
    field: str
    transformationDescription: str | None
    transformationType: str | None


class MappedField(Struct, forbid_unknown_fields=True):
    """What a column is made of."""

    name: str
    inputFields: list[InputField]
    transformationDescription: str | None
    transformationType: str | None


class Dataset(Struct, forbid_unknown_fields=True):
    """A dataset: of its latest definition and the latest event that tells each facet.

    `deleted`: it was dropped, and not written since. `schemaLocation`: of type STREAM.
    `columnLineageTruncated`: its columns are made of more than 20,000 others, or these have too much text; some are
    left out of `columnLineage`.
    """

    id: DatasetId
    type: Literal["DB_TABLE", "STREAM"]
    name: str
    physicalName: str
    createdAt: datetime
    updatedAt: datetime
    namespace: str
    sourceName: str
    fields: list[Field]
    tags: list[str]
    lastModifiedAt: None
    lastLifecycleState: str | None
    description: str | None
    currentVersion: UUID
    columnLineage: list[MappedField] | None
    facets: dict[str, Any]
    deleted: bool
    schemaLocation: str | UnsetType | None = UNSET
    columnLineageTruncated: bool | UnsetType = UNSET
    facetsOmitted: int | UnsetType = UNSET
    asOf: AsOf | UnsetType = UNSET


class Datasets(Struct, forbid_unknown_fields=True):
    """Datasets by name."""

    totalCount: int
    datasets: list[Dataset]


class DatasetVersion(Struct, forbid_unknown_fields=True):
    """A version of a dataset, with the facets of the event that told it first."""

    id: DatasetId
    type: Literal["DB_TABLE", "STREAM"]
    name: str
    physicalName: str
    createdAt: datetime
    version: UUID
    namespace: str
    sourceName: str
    fields: list[Field]
    tags: list[str]
    lifecycleState: str | None
    description: str | None
    currentSchemaVersion: UUID
    createdByRun: Run | None
    facets: dict[str, Any]
    schemaLocation: str | UnsetType | None = UNSET


class DatasetVersions(Struct, forbid_unknown_fields=True):
    """Versions of a dataset, newest first."""

    versions: list[DatasetVersion]
    totalCount: int
    asOf: AsOf | UnsetType = UNSET


class JobVersion(Struct, forbid_unknown_fields=True):
    """A version of a job, with the latest run that has it."""

    id: VersionOfJob
    name: str
    createdAt: datetime
    version: UUID
    namespace: str
    location: str | None
    inputs: list[DatasetId]
    outputs: list[DatasetId]
    latestRun: Run | None


class JobVersions(Struct, forbid_unknown_fields=True):
    """Versions of a job, newest first."""

    versions: list[JobVersion]
