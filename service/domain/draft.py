"""An event to append."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from service.domain.event import Event, Subject, make_tuple
from service.domain.payload import PayloadContent


class Draft(NamedTuple):
    """An event to append: every column of its row that the sender knows.

    `payload` is JSON text. `decoded` is its content where the sender has read it anyway, as for commands of the API;
    EMPTY_PAYLOAD for OpenLineage events, whose content is decoded only where it is needed.
    """

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
        """Return this draft with another namespace and job."""
        return make_tuple(Draft, (*self[:5], namespace, job, *self[7:]))

    def at(self, position: int, recorded_at: datetime) -> Event:
        """Return the event that this draft is once it is recorded."""
        return make_tuple(Event, (position, *self[:5], recorded_at, *self[5:13]))
