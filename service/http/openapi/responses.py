"""What is answered, as types, for /openapi.json. They write nothing; wire.py does.

tests/integration/http/test_openapi.py holds real answers against them.
"""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from service.payloads.schemas import DatasetId

# ruff: noqa: N815  the wire's names

State = Literal["NEW", "RUNNING", "COMPLETED", "FAILED", "ABORTED"]


class Archived(Struct, forbid_unknown_fields=True):
    """A file with payloads that left the database, and the positions of those that the answer had to do without."""

    file: str
    sha256: str
    positions: list[int]


class AsOf(Struct, forbid_unknown_fields=True):
    """What `knownAt` came to: the last position of the log that counted; `archived`: what of that could not be read."""

    log: int
    position: int
    recordedAt: datetime | None
    archived: list[Archived] | UnsetType = UNSET


class JobId(Struct, forbid_unknown_fields=True):
    """A job's name."""

    namespace: str
    name: str


class Run(Struct, forbid_unknown_fields=True):
    """A run as its history makes it."""

    id: str
    createdAt: datetime
    updatedAt: datetime
    nominalStartTime: datetime | None
    nominalEndTime: datetime | None
    state: State
    startedAt: datetime | None
    endedAt: datetime | None
    durationMs: int | None
    args: dict[str, str]
    jobVersion: None
    inputDatasetVersions: list[Any]
    outputDatasetVersions: list[Any]
    facets: dict[str, Any]
    asOf: AsOf | UnsetType = UNSET
    job: JobId | UnsetType = UNSET


class Runs(Struct, forbid_unknown_fields=True):
    """Runs of a job, newest first."""

    runs: list[Run]
    totalCount: int


class Facets(Struct, forbid_unknown_fields=True):
    """The facets that stand, verbatim."""

    runId: UUID
    facets: dict[str, Any]


class FoundRuns(Struct, forbid_unknown_fields=True):
    """Each id that was asked for, with its run or null."""

    runs: dict[str, Run | None]


class Namespace(Struct, forbid_unknown_fields=True):
    """A namespace."""

    name: str
    createdAt: datetime
    updatedAt: datetime
    ownerName: str
    description: str | None
    isHidden: bool


class Namespaces(Struct, forbid_unknown_fields=True):
    """Namespaces by name."""

    namespaces: list[Namespace]


class Job(Struct, forbid_unknown_fields=True):
    """A job with its newest runs."""

    id: JobId
    type: Literal["BATCH", "STREAM", "SERVICE"]
    name: str
    simpleName: str
    parentJobName: None
    parentJobUuid: None
    createdAt: datetime
    updatedAt: datetime
    namespace: str
    inputs: list[DatasetId]
    outputs: list[DatasetId]
    location: str | None
    description: str | None
    latestRun: Run | None
    latestRuns: list[Run] | None
    facets: dict[str, Any]
    currentVersion: None
    labels: list[Any]
    tags: list[Any]


class Jobs(Struct, forbid_unknown_fields=True):
    """Jobs, last heard of first."""

    totalCount: int
    jobs: list[Job]


class BatchSummary(Struct, forbid_unknown_fields=True):
    """How many events came and what became of them."""

    received: int
    successful: int
    failed: int
    retriable: int
    non_retriable: int


class FailedEvent(Struct, forbid_unknown_fields=True):
    """An event that was not recorded; `line` where lines were sent."""

    index: int
    reason: str
    retriable: bool
    line: int | UnsetType = UNSET


class BatchResult(Struct, forbid_unknown_fields=True):
    """A batch of which some was not recorded."""

    status: Literal["partial_success"]
    summary: BatchSummary
    failed_events: list[FailedEvent]


class LineageEvents(Struct, forbid_unknown_fields=True):
    """OpenLineage events as they were sent, by eventTime; `archived` where some of the page are left out."""

    events: list[Any]
    totalCount: int
    archived: list[Archived] | UnsetType = UNSET


class InvalidField(Struct, forbid_unknown_fields=True):
    """One thing that is wrong, and where."""

    field: str
    message: str


class Problem(Struct, forbid_unknown_fields=True):
    """RFC 9457, with Marquez's `code` and `message` beside it; `run` with a conflict.

    `summary` and `failed_events` with a batch that broke off: what became of the events that came before.
    """

    type: str
    title: str
    status: int
    detail: str
    code: int
    message: str
    errors: list[InvalidField] | UnsetType = UNSET
    run: Run | UnsetType = UNSET
    summary: BatchSummary | UnsetType = UNSET
    failed_events: list[FailedEvent] | UnsetType = UNSET


class Alive(Struct, forbid_unknown_fields=True):
    """The process answers."""

    status: Literal["alive"]


class Readiness(Struct, forbid_unknown_fields=True):
    """The service takes work."""

    status: Literal["ready"]
    checks: dict[str, str]


class FoundPage(Struct, forbid_unknown_fields=True):
    """Runs, newest first; `next` is the cursor of the page after this one."""

    runs: list[Run]
    next: str | None


class PayloadArchived(Struct, forbid_unknown_fields=True):
    """The file that has a payload which left the database."""

    file: str
    sha256: str


class LedgerEvent(Struct, forbid_unknown_fields=True, kw_only=True):
    """An event of the ledger, whole; `payload` is null where it was archived or erased."""

    log: int
    position: int
    subject: Literal["run", "job", "namespace", "dataset", "key", "ledger"]
    id: UUID
    kind: str
    state: State | None
    transitionedAt: datetime
    recordedAt: datetime
    namespace: str | None
    job: str | None
    parentRun: UUID | None
    source: str
    actor: str | None
    fact: str
    requestDigest: str | None
    payloadDigest: str | None
    hash: str
    payload: Any
    payloadArchived: PayloadArchived | UnsetType = UNSET


class EventPage(Struct, forbid_unknown_fields=True):
    """Events by position; `next` is the cursor of the page after this one."""

    events: list[LedgerEvent]
    next: str | None


class Verdict(Struct, forbid_unknown_fields=True):
    """What an event did to its run; `incomplete` where what its payload said is archived, and not judged."""

    effect: str
    late: bool
    changed: list[str]
    supersededBy: int | None
    reason: str | None
    incomplete: bool


class HistoryEvent(LedgerEvent, forbid_unknown_fields=True, kw_only=True):
    """An event of a run, and what it did to it."""

    verdict: Verdict


class History(Struct, forbid_unknown_fields=True):
    """A run's events, oldest first."""

    runId: UUID
    events: list[HistoryEvent]
    next: str | None


class Count(Struct, forbid_unknown_fields=True):
    """How many events there are."""

    count: int


class LedgerHead(Struct, forbid_unknown_fields=True):
    """Where a log ends."""

    log: int
    position: int
    hash: str
    recordedAt: datetime | None


class VerifiedHead(Struct, forbid_unknown_fields=True):
    """Where the log ended when its chain was verified."""

    log: int
    position: int
    hash: str


class Verification(Struct, forbid_unknown_fields=True, rename={"first": "from", "last": "to"}):
    """Whether the chain holds between two positions, or where it breaks first."""

    ok: bool
    first: int
    last: int
    head: VerifiedHead
    brokenAt: int | UnsetType = UNSET
    reason: str | UnsetType = UNSET
