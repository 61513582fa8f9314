"""Versions of datasets and jobs: what is different has another version, whoever ran.

Versions are UUIDs made of their content, as Marquez makes them, but without the id of the run: ten runs that write one
schema make one version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import md5
from typing import NamedTuple
from uuid import UUID

from service.domain.dataset import DEFAULT_SOURCE, DatasetFacts
from service.domain.dataset_definitions import DatasetDefinition, DatasetField
from service.domain.event import DatasetName, Event, JobName
from service.domain.registers import phase_of

DB_TABLE, STREAM = "DB_TABLE", "STREAM"
"""The types of datasets."""


class VersionContent(NamedTuple):
    """What a version of a dataset is, as the earliest event tells it that tells this version.

    `lifecycle_state`: None for a definition, empty where an event tells none. `schema_version`: of the fields alone.
    `facets`: of that event.
    """

    at: datetime
    phase: int
    digest: bytes
    type: str
    source: str
    physical_name: str
    fields: tuple[DatasetField, ...]
    schema_version: UUID
    lifecycle_state: str | None = None
    description: str | None = None
    schema_location: str | None = None
    facets: Mapping[str, bytes] = {}


class DatasetVersion(NamedTuple):
    """A version: its id, the earliest time of an event that tells it, the first position that does, its content."""

    id: UUID
    created_at: datetime
    position: int
    content: VersionContent


def content_uuid(*parts: str | None) -> UUID:
    """Return the UUID of a content: the MD5 of its parts (Java's nameUUIDFromBytes). None is skipped."""
    text = ":".join([part for part in parts if part is not None])
    return UUID(bytes=md5(text.encode(), usedforsecurity=False).digest(), version=3)


def dataset_version_id(
    dataset: DatasetName,
    fields: Iterable[DatasetField],
    *,
    source: str = DEFAULT_SOURCE,
    physical_name: str | None = None,
    schema_location: str | None = None,
    lifecycle_state: str | None = "",
) -> UUID:
    """Return the id of a version; by default that of a dataset of which events tell nothing but its name."""
    parts = sorted({":".join([part for part in _parts_of(field) if part is not None]) for field in fields})
    physical_name = dataset.name if physical_name is None else physical_name
    return content_uuid(
        dataset.namespace, source, dataset.name, physical_name, schema_location, ":".join(parts), lifecycle_state
    )


def _parts_of(field: DatasetField) -> tuple[str | None, ...]:
    return field.name, None if field.type is None else field.type.upper(), field.description


def schema_version_id(dataset: DatasetName, fields: Iterable[DatasetField]) -> UUID:
    """Return the id of a schema: of the names and types of its fields."""
    parts = {field.name if field.type is None else f"{field.name}:{field.type}" for field in fields}
    return content_uuid(dataset.namespace, dataset.name, ":".join(sorted(parts)))


def job_version_id(
    job: JobName, inputs: Iterable[DatasetName], outputs: Iterable[DatasetName], location: str | None
) -> UUID:
    """Return the id of a version of a job."""
    return content_uuid(job.namespace, job.name, _names(inputs), _names(outputs), location)


def _names(datasets: Iterable[DatasetName]) -> str:
    return ":".join([f"{dataset.namespace}:{dataset.name}" for dataset in sorted(datasets)])


def version_told_by(dataset: DatasetName, facts: DatasetFacts) -> UUID | None:
    """Return the id of the version that the facets of an event tell; None where they tell no schema."""
    if facts.fields is None:
        return None
    source = DEFAULT_SOURCE if facts.source is None else facts.source
    return dataset_version_id(dataset, facts.fields, source=source, lifecycle_state=facts.lifecycle or "")


def told_content(event: Event, dataset: DatasetName, facts: DatasetFacts) -> VersionContent:
    """Return the content of the version that an event tells of a dataset; it tells one (version_told_by)."""
    fields = facts.fields or ()
    return VersionContent(
        event.transitioned_at,
        phase_of(event),
        event.payload_digest or event.fact,
        DB_TABLE,
        DEFAULT_SOURCE if facts.source is None else facts.source,
        dataset.name,
        fields,
        schema_version_id(dataset, fields),
        facts.lifecycle or "",
        facts.description,
        facets={name: facet for name, facet in facts.facets.items() if facet is not None},
    )


def version_defined_by(dataset: DatasetName, definition: DatasetDefinition) -> UUID:
    """Return the id of the version that a PUT defines."""
    return dataset_version_id(
        dataset,
        definition.fields,
        source=definition.source,
        physical_name=definition.physical_name,
        schema_location=definition.schema_location,
        lifecycle_state=None,
    )


def defined_content(dataset: DatasetName, definition: DatasetDefinition) -> VersionContent:
    """Return the content of the version that a PUT defines."""
    return VersionContent(
        definition.at,
        0,
        definition.digest,
        definition.type,
        definition.source,
        definition.physical_name,
        definition.fields,
        schema_version_id(dataset, definition.fields),
        description=definition.description,
        schema_location=definition.schema_location,
    )


class ToldVersion(NamedTuple):
    """A version that events tell. Most events tell one that is known, so its content is only made where it is read.

    `stamp`: (time, phase, digest) of the earliest event that tells it, which is `event`; `told`: what that one tells.
    """

    created_at: datetime
    position: int
    stamp: tuple[datetime, int, bytes]
    dataset: DatasetName
    event: Event
    told: DatasetFacts | DatasetDefinition

    @property
    def content(self) -> VersionContent:
        """What the version is."""
        if isinstance(self.told, DatasetDefinition):
            return defined_content(self.dataset, self.told)
        return told_content(self.event, self.dataset, self.told)


def merge_versions(a: ToldVersion, b: ToldVersion) -> ToldVersion:
    """Merge two parts of what is known of one version."""
    earliest = a if a.stamp <= b.stamp else b
    return earliest._replace(created_at=min(a.created_at, b.created_at), position=min(a.position, b.position))
