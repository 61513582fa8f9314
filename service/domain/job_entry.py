"""What a search finds a job by: registers that are merged from its own events and those of its runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from service.domain.event import Event, Kind, Subject, make_tuple
from service.domain.registers import EPOCH, NO_MENTION, StampedText, latest, phase_of
from service.domain.tags import StampedTag, TagChange, merge_tags, stamped_tags


class JobEntry(NamedTuple):
    """A job. `created_at`: the earliest time of an event that names it. `seen`, `deleted`: as in NameRegisters.

    `description`: of the latest definition or `documentation` facet.
    """

    namespace: str
    name: str
    created_at: datetime
    updated_at: datetime = EPOCH
    seen: int = 0
    deleted: int = 0
    description: StampedText | None = None
    tags: Mapping[str, StampedTag] = {}

    @property
    def hidden(self) -> bool:
        """Whether the job was deleted and not mentioned since."""
        return self.deleted > self.seen


def job_entry_of(event: Event, description: StampedText | None = None, tags: tuple[TagChange, ...] = ()) -> JobEntry:
    """Return what an event tells: one of the job itself, or of its runs."""
    own = event.subject == Subject.JOB
    deleted = own and event.kind == Kind.DELETED
    return make_tuple(
        JobEntry,
        (
            event.namespace or "",
            event.job or "",
            event.transitioned_at,
            event.recorded_at,
            0 if deleted or event.kind in NO_MENTION else event.position,
            event.position if deleted else 0,
            description,
            stamped_tags(event.position, tags) if tags else {},
        ),
    )


def told_description(event: Event, text: str | None) -> StampedText:
    """Return the description that an event tells."""
    return StampedText(event.transitioned_at, event.payload_digest or event.fact, text, phase_of(event))


def merge_job_entries(a: JobEntry, b: JobEntry) -> JobEntry:
    """Merge two parts of a job's history; the order and overlap of the parts do not matter."""
    return JobEntry(
        a.namespace,
        a.name,
        min(a.created_at, b.created_at),
        max(a.updated_at, b.updated_at),
        max(a.seen, b.seen),
        max(a.deleted, b.deleted),
        latest(a.description, b.description),
        merge_tags(a.tags, b.tags),
    )
