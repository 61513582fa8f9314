"""What /openapi.json says of each route beyond its path: a test holds this table against the routes of the app."""

from typing import Any, NamedTuple

from msgspec import Struct

from service.http.openapi import responses
from service.http.openapi.responses import State
from service.http.paths import BASE
from service.payloads import schemas

_NAMESPACE = f"{BASE}/namespaces/{{namespace}}"
_JOB = f"{_NAMESPACE}/jobs/{{job}}"
_RUN = f"{BASE}/jobs/runs/{{id}}"

_STATES = list(State.__args__)  # type: ignore[attr-defined]  # a Literal has its values there


class Parameter(NamedTuple):
    """A parameter of the query, or a header."""

    name: str
    description: str
    schema: dict[str, Any]
    where: str = "query"
    required: bool = False


class Operation(NamedTuple):
    """A route: what it takes, what it answers when all is well, and which errors it may answer."""

    tag: str
    summary: str
    responses: dict[int, type[Struct] | str | None]
    """By status: a type of answers.py, a media type of its own, or nothing."""
    parameters: tuple[Parameter, ...] = ()
    body: type[Struct] | None = None
    body_required: bool = True
    body_types: tuple[str, ...] = ("application/json",)
    errors: tuple[int, ...] = ()
    description: str = ""


_TIME = {"type": "string", "format": "date-time"}
_AT = Parameter("at", "When it happened, as an ISO 8601 timestamp; else now. At most 24 hours ahead.", _TIME)
_KEY = Parameter(
    "Idempotency-Key",
    "Of the caller's making; the same key with the same content records nothing again.",
    {"type": "string", "minLength": 1, "maxLength": 255},
    "header",
)
_LIMIT = Parameter("limit", "How many at most.", {"type": "integer", "minimum": 0, "maximum": 10_000, "default": 100})
_PAGE_LIMIT = Parameter(
    "limit", "How many at most.", {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100}
)
_TEXT = {"type": "string"}
_CURSOR = Parameter("cursor", "`next` of the page before; `start` is the default.", _TEXT)
_WORDS = {"type": "array", "items": _TEXT}
_FILTERS = (
    Parameter("namespace", "Only events of this namespace.", _TEXT),
    Parameter("job", "Only events of jobs of this name and of their runs.", _TEXT),
    Parameter("run", "Only events of this run.", {"type": "string", "format": "uuid"}),
    Parameter("kind", "Only events of these kinds.", _WORDS),
    Parameter("state", "Only transitions to one of these states.", {"type": "array", "items": {"enum": _STATES}}),
    Parameter("actor", "Only events that the API key of this name recorded.", _TEXT),
    Parameter("source", "Only events from these sources.", _WORDS),
)
_SINCE = Parameter("since", "Only events recorded at this time or later.", _TIME)
_UNTIL = Parameter("until", "Only events recorded before this time.", _TIME)
_OFFSET = Parameter("offset", "How many to leave out.", {"type": "integer", "minimum": 0, "default": 0})
_STALE = Parameter(
    "stale",
    "`true`: answer with what the catalog has now, rather than wait for all that was recorded before.",
    {"type": "boolean", "default": False},
)
_PAGE = (_LIMIT, _OFFSET, _STALE)


def _some_states(name: str, description: str) -> Parameter:
    return Parameter(name, description, {"type": "array", "items": {"type": "string", "enum": _STATES}})


def _transition(verb: str, state: str, why: str) -> Operation:
    return Operation(
        "Runs",
        f"{verb.capitalize()} a run",
        {200: responses.Run},
        (_AT, _KEY),
        errors=(400, 404, 409, 422),
        description=f"Records that the run is {state} and answers with the run as its history makes it. {why}",
    )


_ENDS = "An end that is reported again changes nothing (200); another end than the one reported first is a conflict."

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", f"{_JOB}/runs"): Operation(
        "Runs",
        "Create a run",
        {201: responses.Run, 200: responses.Run},
        (_KEY,),
        schemas.CreateRun,
        body_required=False,
        errors=(400, 404, 409, 413, 415, 422),
        description="The id is made (UUIDv7) where none is given. The same id and content again: 200. "
        "The nominal times are plans, and may lie any time ahead.",
    ),
    ("GET", f"{_JOB}/runs"): Operation(
        "Runs",
        "List a job's runs, newest first",
        {200: responses.Runs},
        (_some_states("state", "Only runs in one of these states."), *_PAGE),
        errors=(400, 404),
    ),
    ("GET", _RUN): Operation(
        "Runs",
        "Read a run, as it is or as it was",
        {200: responses.Run},
        (
            Parameter("knownAt", "As it was known then: by what was recorded up to this time.", _TIME),
            Parameter("validAt", "As it stood then, as is known now: by transitions up to this time.", _TIME),
        ),
        errors=(400, 404),
        description="With `knownAt` or `validAt` the answer has `asOf`; `asOf.archived` names "
        "the files of payloads that would have counted, and are not in the database.",
    ),
    ("GET", f"{BASE}/runs"): Operation(
        "Runs",
        "Find runs across jobs",
        {200: responses.FoundPage},
        (
            _some_states("state", "Only runs in one of these states."),
            Parameter("namespace", "Only runs of this namespace.", _TEXT),
            Parameter("job", "Only runs of jobs of this name.", _TEXT),
            Parameter("startedBefore", "Only runs that started before this time.", _TIME),
            Parameter("startedAfter", "Only runs that started at this time or later.", _TIME),
            Parameter("runningAt", "Only runs that were under way at this time.", _TIME),
            _PAGE_LIMIT,
            _CURSOR,
            _STALE,
        ),
        errors=(400,),
        description="Newest first, by start, or by creation where a run has not started.",
    ),
    ("GET", f"{_RUN}/events"): Operation(
        "Ledger",
        "Read a run's history",
        {200: responses.History},
        (
            Parameter("limit", "How many at most; else all.", {"type": "integer", "minimum": 1}),
            _CURSOR,
        ),
        errors=(400, 404),
        description="Oldest first, every event whole, with what it did to the run.",
    ),
    ("POST", f"{_RUN}/start"): _transition(
        "start", "RUNNING", "A start that is repeated changes nothing: the earliest stands."
    ),
    ("POST", f"{_RUN}/complete"): _transition("complete", "COMPLETED", _ENDS),
    ("POST", f"{_RUN}/fail"): _transition("fail", "FAILED", _ENDS),
    ("POST", f"{_RUN}/abort"): _transition("abort", "ABORTED", _ENDS),
    ("GET", f"{_RUN}/facets"): Operation(
        "Runs",
        "Read the facets of a run or of its job",
        {200: responses.Facets},
        (Parameter("type", "Whose facets.", {"type": "string", "enum": ["run", "job"]}, required=True),),
        errors=(400, 404),
    ),
    ("GET", f"{_RUN}/children"): Operation(
        "Runs",
        "List the runs that named this one as their parent",
        {200: responses.Runs},
        (_LIMIT, _OFFSET),
        errors=(400, 404),
    ),
    ("POST", f"{BASE}/runs/lookup"): Operation(
        "Runs",
        "Look up many runs at once",
        {200: responses.FoundRuns},
        body=schemas.LookUpRuns,
        errors=(400, 413, 415, 422),
        description="Up to 10,000 ids; null for an id that is not known.",
    ),
    ("PUT", _JOB): Operation(
        "Jobs",
        "Define a job",
        {200: responses.Job},
        body=schemas.PutJob,
        errors=(400, 404, 413, 415, 422),
        description="Defining a job as it is defined already records nothing.",
    ),
    ("GET", _JOB): Operation(
        "Jobs", "Read a job with its newest runs", {200: responses.Job}, (_STALE,), errors=(400, 404)
    ),
    ("DELETE", _JOB): Operation(
        "Jobs",
        "Delete a job",
        {200: responses.Job},
        errors=(400, 404),
        description="A mark in the ledger; nothing is removed. Answers with the job as it was.",
    ),
    ("GET", f"{_NAMESPACE}/jobs"): Operation(
        "Jobs",
        "List the jobs of a namespace",
        {200: responses.Jobs},
        (_some_states("lastRunStates", "Only jobs whose newest run is in one of these states."), *_PAGE),
        errors=(400, 404),
    ),
    ("GET", f"{BASE}/jobs"): Operation(
        "Jobs",
        "List all jobs, last heard of first",
        {200: responses.Jobs},
        (_some_states("lastRunStates", "Only jobs whose newest run is in one of these states."), *_PAGE),
        errors=(400,),
    ),
    ("PUT", _NAMESPACE): Operation(
        "Namespaces",
        "Define a namespace",
        {200: responses.Namespace},
        body=schemas.PutNamespace,
        errors=(400, 413, 415, 422),
        description="Defining a namespace as it is defined already records nothing.",
    ),
    ("GET", _NAMESPACE): Operation(
        "Namespaces",
        "Read a namespace",
        {200: responses.Namespace},
        (_STALE,),
        errors=(400, 404),
        description="A deleted one is answered too, with `isHidden`.",
    ),
    ("DELETE", _NAMESPACE): Operation(
        "Namespaces",
        "Delete a namespace",
        {200: responses.Namespace},
        errors=(400, 404),
        description="A mark in the ledger; nothing is removed. Answers with the namespace as it was.",
    ),
    ("GET", f"{BASE}/namespaces"): Operation(
        "Namespaces", "List namespaces by name", {200: responses.Namespaces}, _PAGE, errors=(400,)
    ),
    ("POST", f"{BASE}/lineage"): Operation(
        "OpenLineage",
        "Record an OpenLineage event",
        {201: None},
        body=schemas.OpenLineageEvent,
        errors=(400, 413, 415, 422),
        description="A RunEvent, JobEvent or DatasetEvent; never refused for its order. May be gzipped. "
        "`eventTime` may be at most 24 hours ahead of the server's clock; a `nominalTime` facet is a plan, and may be "
        "any time ahead.",
    ),
    ("POST", f"{BASE}/lineage/batch"): Operation(
        "OpenLineage",
        "Record many OpenLineage events",
        {204: None, 200: responses.BatchResult},
        body=schemas.OpenLineageEvent,
        body_types=("application/json", "application/x-ndjson"),
        errors=(400, 413, 415),
        description="A JSON array, or any number of lines, read as a stream. 204: all were recorded; 200: not all. "
        "A batch is no transaction: where a stream breaks off, what was complete before is recorded, and the problem "
        "says in `summary` and `failed_events` what became of it. An array is read whole before any of it is recorded.",
    ),
    ("GET", f"{BASE}/events/lineage"): Operation(
        "OpenLineage",
        "List OpenLineage events as they were sent, by eventTime",
        {200: responses.LineageEvents},
        (
            Parameter("namespace", "Only events of this namespace.", {"type": "string"}),
            Parameter("after", "Only events at this time or later.", _TIME),
            Parameter("before", "Only events before this time.", _TIME),
            Parameter("sortDirection", "By eventTime.", {"type": "string", "enum": ["desc", "asc"], "default": "desc"}),
            _LIMIT,
            _OFFSET,
        ),
        errors=(400,),
    ),
    ("GET", f"{BASE}/events"): Operation(
        "Ledger",
        "Read the ledger's events",
        {200: responses.EventPage},
        (*_FILTERS, _SINCE, _UNTIL, _PAGE_LIMIT, _CURSOR),
        errors=(400,),
        description="Oldest first. With `Accept: application/x-ndjson` or `text/csv`, all that match, as a stream.",
    ),
    ("GET", f"{BASE}/events/count"): Operation(
        "Ledger", "Count the ledger's events", {200: responses.Count}, (*_FILTERS, _SINCE, _UNTIL), errors=(400,)
    ),
    ("GET", f"{BASE}/events/stream"): Operation(
        "Ledger",
        "Follow the ledger",
        {200: "text/event-stream"},
        (
            *_FILTERS,
            Parameter(
                "cursor", "Where to begin: `now`, `start`, or an `id` of this stream.", _TEXT | {"default": "now"}
            ),
            Parameter("Last-Event-ID", "The `id` of the last event that came.", _TEXT, "header"),
        ),
        errors=(400,),
        description="Server-sent events: what is recorded, in order, nothing missed and nothing twice.",
    ),
    ("GET", f"{BASE}/ledger/head"): Operation(
        "Ledger",
        "Where does the ledger end?",
        {200: responses.LedgerHead},
        errors=(400,),
        description="A digest to keep elsewhere: no event up to it can change unnoticed.",
    ),
    ("GET", f"{BASE}/ledger/verify"): Operation(
        "Ledger",
        "Does the ledger's chain hold?",
        {200: responses.Verification},
        (
            Parameter("from", "The first position; else 199,999 before the last.", {"type": "integer", "minimum": 1}),
            Parameter("to", "The last position; else the ledger's end.", {"type": "integer", "minimum": 0}),
        ),
        errors=(400,),
    ),
    ("GET", "/livez"): Operation("Service", "Does the process answer?", {200: responses.Alive}),
    ("GET", "/readyz"): Operation(
        "Service",
        "Does the service take work?",
        {200: responses.Readiness},
        description="The database answers, its schema is current, and the queue is not full.",
    ),
    ("GET", "/metrics"): Operation(
        "Service",
        "Metrics for Prometheus",
        {200: "text/plain"},
        description="Of the process that answers: with `--workers N` each has its own. Needs a key of scope `read`.",
    ),
    ("GET", "/openapi.json"): Operation("Service", "This document", {200: "application/json"}),
    ("GET", "/docs"): Operation("Service", "This document, to be read", {200: "text/html"}),
    ("GET", "/errors/{code}"): Operation(
        "Service", "What an error means and what to do", {200: "text/html"}, errors=(404,)
    ),
    ("GET", "/"): Operation("Service", "Leads to /docs", {302: None}),
}
"""By method and path."""

BATCHES = frozenset({f"{BASE}/lineage/batch"})
"""Paths whose body is an array of what the table names."""
