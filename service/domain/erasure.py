"""Removes an erased payload's part from registers. Pure.

Values that the erased ones had replaced are merged in again from the remaining events by
service/ledger/erasure_replay.py; merging what the registers hold already changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, TypeVar

from service.domain.dataset import DatasetRegisters
from service.domain.dataset_definitions import DatasetDefinition, SourceDefinition, TagDefinition
from service.domain.job import JobDefinition, JobRegisters
from service.domain.job_entry import JobEntry
from service.domain.namespace import NamespaceDefinition, NamespaceRegisters
from service.domain.registers import (
    StampedDatasets,
    StampedFacet,
    StampedNominal,
    StampedText,
    count_omitted,
    facet_size,
)
from service.domain.run import NO_DATASETS, RunRegisters
from service.domain.silence import StampedSilentAfter
from service.domain.sources_and_tags import SourceRegisters, TagRegisters
from service.domain.tags import MAX_FIELD_TAGS, MAX_TAGS, FieldTags, Tags, count_field_tags

D = TypeVar(
    "D",
    JobDefinition,
    NamespaceDefinition,
    DatasetDefinition,
    SourceDefinition,
    TagDefinition,
    StampedSilentAfter,
)
V = TypeVar("V", StampedDatasets, StampedNominal)


class Stamp(NamedTuple):
    """How registers identify the event a value comes from: its time, its payload's digest, its fact, its position."""

    at: datetime
    digest: bytes
    fact: bytes
    position: int


def run_without(run: RunRegisters, stamp: Stamp) -> RunRegisters:
    """Return a run's registers without the values of an event's payload."""
    created = run.created
    if created is not None and created.fact == stamp.fact and created.at == stamp.at:
        created = created._replace(args=b"", nominal_start=None, nominal_end=None)
    return run._replace(
        created=created,
        nominal=_unless_stamped(run.nominal, stamp),
        run_facets=_facets_without(run.run_facets, stamp),
        job_facets=_facets_without(run.job_facets, stamp),
        latest_start=None if run.latest_start == stamp.at else run.latest_start,
        silence=None if run.silence is not None and run.silence.silence.ended_at == stamp.at else run.silence,
        datasets_position=NO_DATASETS if run.datasets_position == stamp.position else run.datasets_position,
    )


def job_without(job: JobRegisters, stamp: Stamp) -> JobRegisters:
    """Return a job's registers without the values of an event's payload."""
    return job._replace(
        definition=_unless_defined_by(job.definition, stamp),
        inputs=_unless_stamped(job.inputs, stamp),
        outputs=_unless_stamped(job.outputs, stamp),
        facets=_facets_without(job.facets, stamp),
        silent_after=_unless_defined_by(job.silent_after, stamp),
        tags=tags_without(job.tags, stamp),
    )


def job_entry_without(job: JobEntry, stamp: Stamp) -> JobEntry:
    """Return what a search finds a job by, without the values of an event's payload."""
    return job._replace(description=_unless_told_by(job.description, stamp), tags=tags_without(job.tags, stamp))


def namespace_without(namespace: NamespaceRegisters, stamp: Stamp) -> NamespaceRegisters:
    """Return a namespace's registers without the values of an event's payload."""
    return namespace._replace(
        definition=_unless_defined_by(namespace.definition, stamp),
        silent_after=_unless_defined_by(namespace.silent_after, stamp),
    )


def dataset_without(dataset: DatasetRegisters, stamp: Stamp) -> DatasetRegisters:
    """Return a dataset's registers without the values of an event's payload."""
    return dataset._replace(
        definition=_unless_defined_by(dataset.definition, stamp),
        facets=_facets_without(dataset.facets, stamp),
        read_facets=_facets_without(dataset.read_facets, stamp),
        description=_unless_told_by(dataset.description, stamp),
        tags=tags_without(dataset.tags, stamp),
        field_tags=_field_tags_without(dataset.field_tags, stamp),
    )


def source_without(source: SourceRegisters, stamp: Stamp) -> SourceRegisters:
    """Return a source's registers without the values of an event's payload."""
    definition = _unless_defined_by(source.definition, stamp)
    return source._replace(definition=definition, told_url=_unless_told_by(source.told_url, stamp))


def tag_without(tag: TagRegisters, stamp: Stamp) -> TagRegisters:
    """Return a tag's registers without the values of an event's payload."""
    definition = _unless_defined_by(tag.definition, stamp)
    return tag._replace(definition=definition, description=_unless_told_by(tag.description, stamp))


def _unless_told_by(text: StampedText | None, stamp: Stamp) -> StampedText | None:
    """A text of a definition is identified by the event's fact, one of a facet by its payload's digest."""
    if text is None or text.at != stamp.at or text.digest not in (stamp.fact, stamp.digest):
        return text
    return None


def _field_tags_without(tags: FieldTags, stamp: Stamp) -> FieldTags:
    if count_field_tags(tags) >= MAX_FIELD_TAGS:
        return {}
    remaining = {
        field: {tag: change for tag, change in changes.items() if change.position != stamp.position}
        for field, changes in tags.items()
    }
    return {field: changes for field, changes in remaining.items() if changes}


def tags_without(tags: Tags, stamp: Stamp) -> Tags:
    """Return tags without the changes of an event; all are merged again where some may have been left out."""
    if len(tags) >= MAX_TAGS:
        return {}
    return {tag: change for tag, change in tags.items() if change.position != stamp.position}


def _unless_stamped(value: V | None, stamp: Stamp) -> V | None:
    return None if value is not None and value[:2] == stamp[:2] else value


def _unless_defined_by(definition: D | None, stamp: Stamp) -> D | None:
    """A definition is identified by its event's fact: the digest of what it defines, not of the bytes sent."""
    if definition is None or definition.at != stamp.at or definition.digest != stamp.fact:
        return definition
    return None


def _facets_without(facets: Mapping[str, StampedFacet], stamp: Stamp) -> Mapping[str, StampedFacet]:
    """Where facets are left out, whether they fit may change with the erasure: then all of them are merged again.

    So they are where one was larger in another report, which may be the erased one.
    """
    if count_omitted(facets) or any(facet.size > facet_size(name, facet.value) for name, facet in facets.items()):
        return {}
    return {name: facet for name, facet in facets.items() if facet[:2] != stamp[:2]}
