"""Reads the job that a run names as the one of its parent run: OpenLineage's facet `parent`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from service.domain.event import JobName
from service.domain.registers import StampedFacet

_FACETS = ("parent", "parentRun")
"""Names of the facet; the second is that of older producers, and of Prefect."""


class _Job(Struct):
    namespace: str
    name: str


class _Parent(Struct):
    job: _Job


_decode = msgspec.json.Decoder(_Parent).decode


def parent_job(facets: Mapping[str, StampedFacet]) -> JobName | None:
    """Return the job of the parent run; None where the facets of a run tell none, or not in a form that can be read."""
    for name in _FACETS:
        if (facet := facets.get(name)) is not None and facet.value:
            try:
                job = _decode(facet.value).job
            except (msgspec.DecodeError, RecursionError):
                continue
            if job.namespace and job.name:
                return JobName(job.namespace, job.name)
    return None
