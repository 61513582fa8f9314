"""The types of answers, for /openapi.json only: handlers write JSON from views, which test_openapi.py validates."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from service.http.openapi.version_responses import VersionOfJob, VersionOfRun
from service.payloads.schemas import DatasetId

# ruff: noqa: N815  the names of JSON fields

State = Literal["NEW", "RUNNING", "COMPLETED", "FAILED", "ABORTED"]


class Access(Struct, forbid_unknown_fields=True):
    """What a caller may do. `namespaces`: the patterns of those that the key is bound to; null: all namespaces."""

    key: str | None
    scope: Literal["read", "write", "admin"]
    namespaces: list[str] | None


class Archived(Struct, forbid_unknown_fields=True):
    """A file of archived payloads, and the positions of those that the answer leaves out."""

    file: str
    sha256: str
    positions: list[int]


class AsOf(Struct, forbid_unknown_fields=True):
    """The last position of the log that the answer counts; `archived`: payloads up to it that could not be read."""

    log: int
    position: int
    recordedAt: datetime | None
    archived: list[Archived] | UnsetType = UNSET


class JobId(Struct, forbid_unknown_fields=True):
    """A job's name."""

    namespace: str
    name: str


class ReportedEnd(Struct, forbid_unknown_fields=True):
    """The latest report of a terminal state."""

    state: Literal["COMPLETED", "FAILED", "ABORTED"]
    endedAt: datetime


class StateReason(Struct, forbid_unknown_fields=True):
    """Why a run has ended though no end was reported; `position`: the event of source `monitor` that records it.

    No event was recorded for `silentAfterSeconds` after the last one of the run.
    """

    code: Literal["silent"]
    source: Literal["monitor"]
    position: int
    lastEventPosition: int | UnsetType = UNSET
    lastEventAt: datetime | UnsetType = UNSET
    silentAfterSeconds: int | UnsetType = UNSET


class Run(Struct, forbid_unknown_fields=True):
    """A run, as its history makes it; `facetsOmitted`: at least this many facets are in its events only.

    In lists, that counts also those that were not asked for. `datasetsOmitted`: what it read and wrote is left out of a
    list, for its size or because it was not asked for. `ends` where ends in several states
    were reported: the latest of each, the one that stands last. `restartedAt`: the latest start, where it lies after
    the end. `jobs` where its events name several. `stateReason` where the end was not reported, but inferred.
    """

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
    jobVersion: VersionOfJob | None
    inputDatasetVersions: list[VersionOfRun]
    outputDatasetVersions: list[VersionOfRun]
    facets: dict[str, Any]
    job: JobId | None
    ends: list[ReportedEnd] | UnsetType = UNSET
    restartedAt: datetime | UnsetType = UNSET
    stateReason: StateReason | UnsetType = UNSET
    jobs: list[JobId] | UnsetType = UNSET
    facetsOmitted: int | UnsetType = UNSET
    datasetsOmitted: bool | UnsetType = UNSET
    asOf: AsOf | UnsetType = UNSET


class Runs(Struct, forbid_unknown_fields=True):
    """Runs of a job, newest first."""

    runs: list[Run]
    totalCount: int


class Facets(Struct, forbid_unknown_fields=True):
    """The facets that were not deleted, as sent; `facetsOmitted`: at least this many more are in events only."""

    runId: UUID
    facets: dict[str, Any]
    facetsOmitted: int | UnsetType = UNSET


class FoundRuns(Struct, forbid_unknown_fields=True):
    """Each id of the request, with its run or null.

    `omitted` is there where the runs are too large for one answer: ids that were not looked up, to be sent again.
    """

    runs: dict[str, Run | None]
    omitted: list[str] | UnsetType = UNSET


class Namespace(Struct, forbid_unknown_fields=True):
    """A namespace."""

    name: str
    createdAt: datetime
    updatedAt: datetime
    ownerName: str
    description: str | None
    isHidden: bool
    silentAfterSeconds: int | UnsetType = UNSET


class Namespaces(Struct, forbid_unknown_fields=True):
    """Namespaces by name."""

    namespaces: list[Namespace]


class Job(Struct, forbid_unknown_fields=True):
    """A job with its newest runs; `facetsOmitted`: at least this many facets are in its events only."""

    id: JobId
    type: Literal["BATCH", "STREAM", "SERVICE"]
    name: str
    simpleName: str
    parentJobName: str | None
    parentJobUuid: UUID | None
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
    currentVersion: UUID | None
    labels: list[str]
    tags: list[str]
    silentAfterSeconds: int | UnsetType = UNSET
    facetsOmitted: int | UnsetType = UNSET


class Jobs(Struct, forbid_unknown_fields=True):
    """Jobs, latest event first."""

    totalCount: int
    jobs: list[Job]


class BatchSummary(Struct, forbid_unknown_fields=True):
    """How many events were received, and what became of them."""

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
    """A batch of which some events were not recorded."""

    status: Literal["partial_success"]
    summary: BatchSummary
    failed_events: list[FailedEvent]


class LineageEvents(Struct, forbid_unknown_fields=True):
    """OpenLineage events as they were sent, by eventTime; `archived` where some of the page are left out."""

    events: list[Any]
    totalCount: int
    archived: list[Archived] | UnsetType = UNSET


class SearchResult(Struct, forbid_unknown_fields=True):
    """A job or dataset that was found; `nodeId` is its id in the lineage graph."""

    type: Literal["JOB", "DATASET"]
    name: str
    updatedAt: datetime
    namespace: str
    nodeId: str


class SearchResults(Struct, forbid_unknown_fields=True):
    """A part of what was found, and the number of all."""

    totalCount: int
    results: list[SearchResult]


class EventTypeInterval(Struct, forbid_unknown_fields=True):
    """The number of OpenLineage events of each type in an interval, by `eventTime`."""

    startInterval: datetime
    endInterval: datetime
    start: int
    complete: int
    fail: int
    abort: int


class CountInterval(Struct, forbid_unknown_fields=True):
    """How many had been seen by the end of an interval; deleted ones count, too."""

    startInterval: datetime
    endInterval: datetime
    count: int


class InvalidField(Struct, forbid_unknown_fields=True):
    """An invalid field, and what is wrong with it."""

    field: str
    message: str


class Problem(Struct, forbid_unknown_fields=True):
    """A problem of RFC 9457, with Marquez's `code` and `message`; a conflict also has the `run`.

    A batch that broke off has `summary` and `failed_events`: what became of the events before that.
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
    """The process runs."""

    status: Literal["alive"]


class Readiness(Struct, forbid_unknown_fields=True):
    """The service takes requests."""

    status: Literal["ready"]
    checks: dict[str, str]
    warnings: list[str] | UnsetType = UNSET


class FoundPage(Struct, forbid_unknown_fields=True):
    """Runs, newest first; `next` is the cursor of the page after this one. `count` is there where it was asked for."""

    runs: list[Run]
    next: str | None
    count: int | UnsetType = UNSET


class PayloadArchived(Struct, forbid_unknown_fields=True):
    """The file of an archived payload."""

    file: str
    sha256: str


class LedgerEvent(Struct, forbid_unknown_fields=True, kw_only=True):
    """An event of the ledger; `payload` is null where it was archived or erased.

    `payloadOmitted`: it is not read, because the request was for events without payloads.
    """

    log: int
    position: int
    subject: Literal["run", "job", "namespace", "dataset", "source", "tag", "key", "ledger"]
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
    payloadOmitted: Literal[True] | UnsetType = UNSET


class EventPage(Struct, forbid_unknown_fields=True):
    """Events by position; `next` is the cursor of the page after this one."""

    events: list[LedgerEvent]
    next: str | None


class Verdict(Struct, forbid_unknown_fields=True):
    """The effect of an event on its run; `incomplete` where the verdict leaves out an archived payload.

    `attempt`: 1 until the job that the event names is reported as started again after an end.
    """

    effect: str
    late: bool
    changed: list[str]
    supersededBy: int | None
    reason: str | None
    attempt: int
    incomplete: bool


class HistoryEvent(LedgerEvent, forbid_unknown_fields=True, kw_only=True):
    """An event of a run, and its effect on the run."""

    verdict: Verdict


class History(Struct, forbid_unknown_fields=True):
    """A run's events, oldest first."""

    runId: UUID
    events: list[HistoryEvent]
    next: str | None


class Count(Struct, forbid_unknown_fields=True):
    """The number of events."""

    count: int
