"""An event to append."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from service.domain.event import DatasetName, Event, Subject, make_tuple
from service.domain.ids import dataset_id, job_id, namespace_id, source_id, tag_id
from service.domain.payload import PayloadContent


class Target(NamedTuple):
    """The stream of a thing with a name, and the columns that its events have."""

    subject: Subject
    stream: UUID
    namespace: str | None = None
    job: str | None = None


def namespace_target(namespace: str) -> Target:
    """Return the target of commands on a namespace."""
    return Target(Subject.NAMESPACE, namespace_id(namespace), namespace)


def job_target(namespace: str, job: str) -> Target:
    """Return the target of commands on a job."""
    return Target(Subject.JOB, job_id(namespace, job), namespace, job)


def dataset_target(dataset: DatasetName) -> Target:
    """Return the target of commands on a dataset; their payloads have its name."""
    return Target(Subject.DATASET, dataset_id(*dataset), dataset.namespace)


def source_target(name: str) -> Target:
    """Return the target of commands on a source, which belongs to no namespace."""
    return Target(Subject.SOURCE, source_id(name))


def tag_target(name: str) -> Target:
    """Return the target of commands on a tag, which belongs to no namespace."""
    return Target(Subject.TAG, tag_id(name))


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
