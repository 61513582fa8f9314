"""Removes an erased payload's part from registers. Pure.

Values that the erased ones had replaced are merged in again from the remaining events by
service/ledger/erasure_replay.py; merging what the registers hold already changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, TypeVar

from service.domain.job import JobDefinition, JobRegisters
from service.domain.namespace import NamespaceDefinition, NamespaceRegisters
from service.domain.registers import StampedDatasets, StampedFacet, StampedNominal, count_omitted, facet_size
from service.domain.run import RunRegisters
from service.domain.silence import StampedSilentAfter
from service.domain.tags import MAX_TAGS, Tags

D = TypeVar("D", JobDefinition, NamespaceDefinition, StampedSilentAfter)
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


def namespace_without(namespace: NamespaceRegisters, stamp: Stamp) -> NamespaceRegisters:
    """Return a namespace's registers without the values of an event's payload."""
    return namespace._replace(
        definition=_unless_defined_by(namespace.definition, stamp),
        silent_after=_unless_defined_by(namespace.silent_after, stamp),
    )


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
