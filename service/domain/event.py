"""An event of the ledger, and what its payload can say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

make_tuple = tuple.__new__
"""make(T, (a, b)) is T(a, b) for a named tuple T, at half the cost: for what is made for every event.

It fills in no defaults and counts nothing: the tuple must have all of the fields.
"""


MONITOR = "monitor"
"""The source of ends that nobody reported: they yield to whatever is reported."""


SOURCES = ("api", "openlineage", "import", MONITOR)
"""By which way an event came."""


class RunState(StrEnum):
    """Marquez's run states."""

    NEW = "NEW"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    ABORTED = "ABORTED"


class Subject(StrEnum):
    """What an event is about."""

    RUN = "run"
    JOB = "job"
    NAMESPACE = "namespace"
    DATASET = "dataset"
    KEY = "key"
    LEDGER = "ledger"


class Kind(StrEnum):
    """What an event does to its subject."""

    TRANSITION = "transition"
    FACTS = "facts"
    DEFINED = "defined"
    DELETED = "deleted"
    CREATED = "created"
    REVOKED = "revoked"
    ARCHIVED = "archived"
    RESTORED = "restored"
    ERASED = "erased"


class DatasetName(NamedTuple):
    """A dataset as OpenLineage names it."""

    namespace: str
    name: str


class Content(NamedTuple):
    """What an event's payload says, apart from its transition. JSON values stay the bytes they came as.

    A facet whose value is None was deleted (`_deleted: true`).
    """

    args: bytes = b""
    nominal_start: datetime | None = None
    nominal_end: datetime | None = None
    run_facets: Mapping[str, bytes | None] = {}
    job_facets: Mapping[str, bytes | None] = {}
    inputs: tuple[DatasetName, ...] | None = None
    outputs: tuple[DatasetName, ...] | None = None
    facet_nominal: tuple[datetime | None, datetime | None] | None = None


NO_CONTENT = Content()


class Event(NamedTuple):
    """A row of the ledger, without its payload's bytes."""

    position: int
    subject: str
    stream: UUID
    kind: str
    state: str | None
    transitioned_at: datetime
    recorded_at: datetime
    namespace: str | None
    job: str | None
    parent_run: UUID | None
    source: str
    actor: str | None
    fact: bytes
    request_digest: bytes | None
    payload_digest: bytes | None
