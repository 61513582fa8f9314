"""Decodes OpenLineage events into drafts.

An event is a RunEvent, JobEvent or DatasetEvent, by its schemaURL or else by its content (OpenLineage 2-0-2). It is a
fact: it is never refused because of events recorded before it, and its bytes are kept.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import NamedTuple, NoReturn
from uuid import UUID

import msgspec

from service.domain import timestamps
from service.domain.binding import Binding
from service.domain.draft import Draft
from service.domain.event import FACT_BYTES, Kind, RunState, Subject
from service.domain.ids import job_id, stream_of
from service.domain.payload import EMPTY_PAYLOAD
from service.errors import Invalid, Malformed, OutsideNamespaces
from service.payloads import raw_json
from service.payloads.contents import count_unreadable_facets, parent_run
from service.payloads.event_slices import LeftOut, count_unusable, event_from_slices
from service.payloads.openlineage_errors import find_errors
from service.payloads.raw_json import MAX_DEPTH, too_deep
from service.payloads.run_ids import run_uuid
from service.payloads.schemas import OpenLineageDataset, OpenLineageEvent, decode_event

_STATES = {
    "START": RunState.RUNNING,
    "RUNNING": RunState.RUNNING,
    "COMPLETE": RunState.COMPLETED,
    "FAIL": RunState.FAILED,
    "ABORT": RunState.ABORTED,
}

_SUBJECTS = {"RunEvent": Subject.RUN, "JobEvent": Subject.JOB, "DatasetEvent": Subject.DATASET}

_REQUIRED_PARTS = {
    Subject.RUN: frozenset({"run", "job"}),
    Subject.JOB: frozenset({"job"}),
    Subject.DATASET: frozenset({"dataset"}),
}


class Origin(NamedTuple):
    """The source of events (`openlineage` or `import`), the name of the API key, and its binding (None: for all)."""

    source: str
    actor: str | None = None
    binding: Binding | None = None


class _DecodedEvent(NamedTuple):
    """A valid event, its text, its subject and its parsed time."""

    event: OpenLineageEvent
    text: str
    subject: Subject
    at: datetime


def read_lineage_event(body: bytes, origin: Origin, now: datetime, left_out: LeftOut | None = None) -> Draft:
    """Return the draft of an event, and add its parts that cannot be used to `left_out`.

    Raises Malformed, or Invalid with an error for every invalid field that the event is recorded by; OutsideNamespaces
    for an event of a namespace that the API key is not bound to.
    """
    decoded = _decode(body, now, left_out)
    draft = _draft(decoded, body, origin)
    run = decoded.event.run
    if left_out is not None and run is not None and run.facets:
        count_unreadable_facets(run.facets, draft.parent_run, left_out)
    return draft


def _decode(body: bytes, now: datetime, left_out: LeftOut | None) -> _DecodedEvent:
    text = _text(body)
    try:
        event = decode_event(body) if "\\u0000" not in text else _decode_by_slices(text, now, left_out)
    except msgspec.DecodeError:
        event = _decode_by_slices(text, now, left_out)
    else:
        if left_out is not None and (event.inputs or event.outputs):
            count_unusable(event, left_out)
    subject = _subject(event)
    try:
        at = timestamps.parse(event.eventTime)
    except ValueError:
        _raise_invalid(text, now)
    if timestamps.is_too_far_ahead(at, now) or not _has_required_parts(event, subject):
        _raise_invalid(text, now)
    return _DecodedEvent(event, text, subject, at)


def _text(body: bytes) -> str:
    if too_deep(body):
        raise Malformed(f"the event is nested deeper than {MAX_DEPTH} levels")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"the event is not UTF-8: {error.reason} at byte {error.start}") from None


def _decode_by_slices(text: str, now: datetime, left_out: LeftOut | None) -> OpenLineageEvent:
    """Decode an event that msgspec refuses. It is recorded where all is valid that it is recorded by."""
    _raise_if_invalid(text, now)
    try:
        return event_from_slices(text, left_out)
    except ValueError as error:
        raise Invalid(f"the event cannot be read: {error}") from None


def _raise_if_invalid(text: str, now: datetime) -> None:
    """Raise Malformed or Invalid with all errors of the event, if it has any."""
    try:
        top = raw_json.members(text)
    except ValueError as error:
        raise Malformed(_not_an_event(text, error)) from None
    subject = _subject_of(_url(top.get("schemaURL")), {name for name, raw in top.items() if raw != "null"})
    errors = find_errors(text, _REQUIRED_PARTS[subject], now)
    if errors:
        raise Invalid("; ".join(f"{error.field}: {error.message}" for error in errors), tuple(errors))


def _raise_invalid(text: str, now: datetime) -> NoReturn:
    _raise_if_invalid(text, now)
    raise Invalid("the event's kind and its content do not agree")


def _not_an_event(text: str, error: ValueError) -> str:
    try:
        raw_json.value(text)
    except ValueError:
        return f"the event is not JSON: {error}"
    return "an event is a JSON object"


def _url(raw: str | None) -> str | None:
    value = raw_json.value(raw) if raw and raw[0] == '"' else None
    return value if isinstance(value, str) else None


def _subject(event: OpenLineageEvent) -> Subject:
    url = event.schemaURL
    if url is not None and url.endswith("#/$defs/RunEvent"):  # nearly all events
        return Subject.RUN
    names = ("eventType", "run", "job", "dataset")
    return _subject_of(url, {name for name in names if getattr(event, name) is not None})


def _subject_of(schema_url: str | None, names: set[str]) -> Subject:
    subject = _SUBJECTS.get((schema_url or "").rpartition("/")[2])
    if subject is not None:
        return subject
    if names & {"run", "eventType"}:
        return Subject.RUN
    if "job" in names:
        return Subject.JOB
    return Subject.DATASET if "dataset" in names else Subject.RUN


def _has_required_parts(event: OpenLineageEvent, subject: Subject) -> bool:
    if subject is Subject.RUN:
        return event.run is not None and event.job is not None
    if event.run is not None:
        return False
    dataset = event.dataset
    return event.job is not None if subject is Subject.JOB else bool(dataset and dataset.namespace and dataset.name)


def _draft(decoded: _DecodedEvent, body: bytes, origin: Origin) -> Draft:
    event, text, subject, at = decoded
    digest = sha256(body).digest()
    state = None
    parent = None
    namespace, job, stream = _names(event, subject)
    if origin.binding is not None and not origin.binding.allows(namespace):
        raise OutsideNamespaces(f"API key {origin.actor} is bound to {origin.binding}; the event has another namespace")
    if subject is Subject.RUN:
        state = _STATES.get(event.eventType or "")
        parent = parent_run(event)
    return Draft(
        subject,
        stream,
        Kind.FACTS if state is None else Kind.TRANSITION,
        state,
        at,
        namespace,
        job,
        parent,
        origin.source,
        origin.actor,
        digest[:FACT_BYTES],
        None,
        digest,
        text,
        EMPTY_PAYLOAD,  # decoded only where it is needed
    )


def _names(event: OpenLineageEvent, subject: Subject) -> tuple[str, str | None, UUID]:
    """Return the columns `namespace` and `job`, and the stream id.

    A DatasetEvent has the namespace of its dataset, so that filters find it. This creates no namespace of jobs: the
    projector handles events of runs, jobs and namespaces only.
    """
    if subject is Subject.DATASET:
        dataset = event.dataset or _NO_DATASET
        return dataset.namespace, None, stream_of(dataset.namespace, dataset.name)
    job = event.job
    assert job is not None  # noqa: S101  by _has_required_parts
    if event.run is not None and subject is Subject.RUN:
        return job.namespace, job.name, run_uuid(event.run.runId)
    return job.namespace, job.name, job_id(job.namespace, job.name)


_NO_DATASET = OpenLineageDataset("", "")
