"""An event of the ledger, and the content of its payload."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from service.domain.silence import Silence

make_tuple = tuple.__new__
"""make_tuple(T, (a, b)) is T(a, b) for a named tuple T, at half the cost: for tuples that are made for every event.

It fills in no defaults and does not check the length: the tuple must have all fields.
"""

API = "api"
"""The source of commands: of the run API, and of definitions of jobs and namespaces."""

MONITOR = "monitor"
"""The source of ends that were inferred, not reported: a reported end always takes precedence."""

CLI = "cli"
"""The source of records that a command of `runfold` makes: keys, archives, erasures. Until 0.1 they had `api`."""

SOURCES = (API, "openlineage", "import", MONITOR, CLI)
"""How an event reached the service."""


FACT_BYTES = 16
"""Length of a fact: the first bytes of a SHA-256 over what makes an event this fact and no other."""


class RunState(StrEnum):
    """Marquez's run states."""

    NEW = "NEW"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    ABORTED = "ABORTED"


class Subject(StrEnum):
    """The type of the aggregate that an event belongs to."""

    RUN = "run"
    JOB = "job"
    NAMESPACE = "namespace"
    DATASET = "dataset"
    SOURCE = "source"
    TAG = "tag"
    KEY = "key"
    LEDGER = "ledger"


KEPT_SUBJECTS = (Subject.KEY, Subject.LEDGER)
"""Subjects whose payloads the service itself needs: they are neither archived nor erased."""


class Kind(StrEnum):
    """What an event does to its subject."""

    TRANSITION = "transition"
    FACTS = "facts"
    DEFINED = "defined"
    DELETED = "deleted"
    TAGGED = "tagged"
    UNTAGGED = "untagged"
    CREATED = "created"
    REVOKED = "revoked"
    ARCHIVED = "archived"
    RESTORED = "restored"
    ERASED = "erased"


class DatasetName(NamedTuple):
    """The name of a dataset, as in OpenLineage."""

    namespace: str
    name: str


class JobName(NamedTuple):
    """The name of a job."""

    namespace: str
    name: str


class Content(NamedTuple):
    """The content of an event's payload, apart from its transition. JSON values are the bytes that were received.

    A facet whose value is None is deleted (`_deleted: true`, OpenLineage). `inputs` and `outputs` are None where the
    payload names none, `facet_nominal` is (start, end) of the `nominalTime` facet. `starts`: an OpenLineage event is a
    START; the ledger's row has the state RUNNING for heartbeats, too. `silence`: what an inferred end is inferred from.
    """

    args: bytes = b""
    nominal_start: datetime | None = None
    nominal_end: datetime | None = None
    run_facets: Mapping[str, bytes | None] = {}
    job_facets: Mapping[str, bytes | None] = {}
    inputs: tuple[DatasetName, ...] | None = None
    outputs: tuple[DatasetName, ...] | None = None
    facet_nominal: tuple[datetime | None, datetime | None] | None = None
    starts: bool = False
    silence: Silence | None = None


NO_CONTENT = Content()


class Event(NamedTuple):
    """A row of the ledger, without its payload's bytes. service/ledger/rows.py reads it from a row.

    The columns: alembic/sql/0001_ledger.up.sql.
    """

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
