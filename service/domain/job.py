"""The state of a job: registers that are merged from its own events and those of its runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from service.domain.event import NO_CONTENT, Content, Event, Kind, make_tuple
from service.domain.registers import (
    EPOCH,
    FirstSeen,
    StampedDatasets,
    StampedFacet,
    latest,
    merge_facets,
    merge_names,
    name_registers_of,
    phase_of,
    stamped_facets,
)
from service.domain.silence import SilentAfter, StampedSilentAfter, latest_setting
from service.domain.tags import StampedTag, TagChange, merge_tags, stamped_tags


class JobDefinition(NamedTuple):
    """The content of a PUT of a job; the latest wins."""

    at: datetime
    digest: bytes
    type: str
    location: str | None
    description: str | None


class JobRegisters(NamedTuple):
    """The state of a job. The fields from `position` to `definition` are those of registers.NameRegisters."""

    namespace: str
    name: str
    position: int = 0
    own_position: int = 0
    seen: int = 0
    deleted: int = 0
    updated_at: datetime = EPOCH
    first_seen: FirstSeen | None = None
    definition: JobDefinition | None = None
    inputs: StampedDatasets | None = None
    outputs: StampedDatasets | None = None
    facets: Mapping[str, StampedFacet] = {}
    silent_after: StampedSilentAfter | None = None
    tags: Mapping[str, StampedTag] = {}

    @property
    def hidden(self) -> bool:
        """Whether the job was deleted and not mentioned since."""
        return self.deleted > self.seen


_TAG_CHANGES = (Kind.TAGGED, Kind.UNTAGGED)
"""Kinds of events after which a job is not shown as updated, as in Marquez."""


def job_registers_of(
    event: Event,
    content: Content = NO_CONTENT,
    definition: JobDefinition | None = None,
    silent_after: SilentAfter | None = None,
    tags: tuple[TagChange, ...] = (),
) -> JobRegisters:
    """Return the job's registers of one event: the job's own or one of its runs'."""
    at, digest, phase = event.transitioned_at, event.payload_digest or event.fact, phase_of(event)
    own = event.subject == "job"
    updated_at = EPOCH if own and event.kind in _TAG_CHANGES else event.recorded_at
    # make_tuple: the projector needs these registers for every event that has a payload.
    registers = (
        event.namespace or "",
        event.job or "",
        *name_registers_of(event, own=own, updated_at=updated_at, definition=definition),
        StampedDatasets(at, digest, content.inputs, phase) if content.inputs is not None else None,
        StampedDatasets(at, digest, content.outputs, phase) if content.outputs is not None else None,
        stamped_facets(at, digest, content.job_facets, phase) if content.job_facets else {},
        StampedSilentAfter(at, event.fact, event.position, silent_after.seconds) if own and silent_after else None,
        stamped_tags(event.position, tags) if tags else {},
    )
    return make_tuple(JobRegisters, registers)


def merge_jobs(a: JobRegisters, b: JobRegisters) -> JobRegisters:
    """Merge two parts of a job's history; the order and overlap of the parts do not matter."""
    merged = (
        a.namespace,
        a.name,
        *merge_names(a[2:9], b[2:9]),
        latest(a.inputs, b.inputs),
        latest(a.outputs, b.outputs),
        merge_facets(a.facets, b.facets),
        latest_setting(a.silent_after, b.silent_after),
        merge_tags(a.tags, b.tags),
    )
    return make_tuple(JobRegisters, merged)
