"""What a job and a namespace are: registers like a run's, merged over what defined them and what named them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from service.domain.event import NO_CONTENT, Content, Event, Kind
from service.domain.registers import EPOCH, FirstSeen, StampedDatasets, StampedFacet, _first, latest, merge_facets


class JobDefinition(NamedTuple):
    """What a PUT of a job says, the latest standing."""

    at: datetime
    digest: bytes
    type: str
    location: str | None
    description: str | None


class JobRegisters(NamedTuple):
    """A job, as its own events and its runs' make it.

    `position` is the last event that concerned it, `own_position` the last of its own stream; a job is hidden when its
    last deletion is later than the last event that mentioned it.
    """

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

    @property
    def hidden(self) -> bool:
        """Deleted, and not heard of since."""
        return self.deleted > self.seen


def job_registers_of(
    event: Event, content: Content = NO_CONTENT, definition: JobDefinition | None = None
) -> JobRegisters:
    """Return what one event, the job's own or one of its runs', says of the job."""
    at = event.transitioned_at
    digest = event.payload_digest or event.fact
    own = event.subject == "job"
    deleted = event.kind == Kind.DELETED
    takes_away = deleted or event.kind == Kind.ERASED
    # Positional, as in service/domain.py: the fold makes one for every event that came with a payload.
    return JobRegisters(
        event.namespace or "",
        event.job or "",
        event.position,
        event.position if own else 0,
        0 if takes_away else event.position,
        event.position if deleted else 0,
        event.recorded_at,
        None if takes_away else FirstSeen(event.kind != Kind.DEFINED, at),
        definition,
        StampedDatasets(at, digest, content.inputs) if content.inputs is not None else None,
        StampedDatasets(at, digest, content.outputs) if content.outputs is not None else None,
        {k: StampedFacet(at, digest, v) for k, v in content.job_facets.items()} if content.job_facets else {},
    )


def merge_jobs(a: JobRegisters, b: JobRegisters) -> JobRegisters:
    """Merge two parts of a job's history; the order and overlap of the parts do not matter."""
    return JobRegisters(
        a.namespace,
        a.name,
        max(a.position, b.position),
        max(a.own_position, b.own_position),
        max(a.seen, b.seen),
        max(a.deleted, b.deleted),
        max(a.updated_at, b.updated_at),
        _first(a.first_seen, b.first_seen),
        latest(a.definition, b.definition),
        latest(a.inputs, b.inputs),
        latest(a.outputs, b.outputs),
        merge_facets(a.facets, b.facets),
    )
