"""An event to be appended."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from service.domain.event import Event, Subject, make_tuple
from service.domain.payload import PayloadContent


class Draft(NamedTuple):
    """An event to be appended: all of a row that its sender knows. `payload` is JSON text."""

    subject: Subject
    stream: UUID
    kind: str
    state: str | None
    transitioned_at: datetime
    namespace: str | None
    job: str | None
    parent_run: UUID | None
    source: str
    actor: str | None
    fact: bytes
    request_digest: bytes | None
    payload_digest: bytes | None
    payload: str | None
    decoded: PayloadContent

    def of_job(self, namespace: str, job: str) -> Draft:
        """Return the same, filed under a job."""
        return make_tuple(Draft, (*self[:5], namespace, job, *self[7:]))

    def at(self, position: int, recorded_at: datetime) -> Event:
        """Return the event this became."""
        return make_tuple(Event, (position, *self[:5], recorded_at, *self[5:13]))
