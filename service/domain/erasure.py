"""What an erased payload leaves behind: registers without what came from it. Pure.

Whatever stood behind it is merged in again from the events that are left (service/refold.py); merging what is there
already changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, TypeVar

from service.domain.job import JobDefinition, JobRegisters
from service.domain.namespace import NamespaceDefinition, NamespaceRegisters
from service.domain.registers import StampedDatasets, StampedFacet, StampedNominal
from service.domain.run import RunRegisters

D = TypeVar("D", JobDefinition, NamespaceDefinition)
V = TypeVar("V", StampedDatasets, StampedNominal)


class Stamp(NamedTuple):
    """How registers name the event they came from: its time, its payload's digest, its fact."""

    at: datetime
    digest: bytes
    fact: bytes


def run_without(run: RunRegisters, stamp: Stamp) -> RunRegisters:
    """Return a run's registers without what an event's payload said."""
    created = run.created
    if created is not None and created.fact == stamp.fact and created.at == stamp.at:
        created = created._replace(args=b"", nominal_start=None, nominal_end=None)
    return run._replace(
        created=created,
        nominal=_unless(run.nominal, stamp),
        run_facets=_others(run.run_facets, stamp),
        job_facets=_others(run.job_facets, stamp),
    )


def job_without(job: JobRegisters, stamp: Stamp) -> JobRegisters:
    """Return a job's registers without what an event's payload said."""
    return job._replace(
        definition=_unless_defined_by(job.definition, stamp),
        inputs=_unless(job.inputs, stamp),
        outputs=_unless(job.outputs, stamp),
        facets=_others(job.facets, stamp),
    )


def namespace_without(namespace: NamespaceRegisters, stamp: Stamp) -> NamespaceRegisters:
    """Return a namespace's registers without what an event's payload said."""
    return namespace._replace(definition=_unless_defined_by(namespace.definition, stamp))


def _unless(value: V | None, stamp: Stamp) -> V | None:
    return None if value is not None and value[:2] == stamp[:2] else value


def _unless_defined_by(definition: D | None, stamp: Stamp) -> D | None:
    """A definition goes by its event's fact: the digest of what was defined, whatever bytes said so."""
    if definition is None or definition.at != stamp.at or definition.digest != stamp.fact:
        return definition
    return None


def _others(facets: Mapping[str, StampedFacet], stamp: Stamp) -> Mapping[str, StampedFacet]:
    return {name: facet for name, facet in facets.items() if facet[:2] != stamp[:2]}
