"""Reads OpenLineage events: bytes in, what is to be appended out.

RunEvent, JobEvent or DatasetEvent: the schemaURL says which, where it does not, the content does (OpenLineage 2-0-2).
An event is a fact: it is never refused for what was recorded before it, and it is kept to the byte.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import NamedTuple, NoReturn
from uuid import UUID

import msgspec

from service.domain import timestamps
from service.domain.draft import Draft
from service.domain.event import Kind, RunState, Subject
from service.domain.ids import job_id, stream_of
from service.domain.payload import EMPTY_PAYLOAD
from service.errors import Invalid, Malformed
from service.payloads import raw_json
from service.payloads.contents import event_from_slices, parent_run
from service.payloads.openlineage_errors import find_errors
from service.payloads.raw_json import MAX_DEPTH, too_deep
from service.payloads.run_ids import run_uuid
from service.payloads.schemas import OpenLineageDataset, OpenLineageEvent, decode_event

_FACT_BYTES = 16

_STATES = {
    "START": RunState.RUNNING,
    "RUNNING": RunState.RUNNING,
    "COMPLETE": RunState.COMPLETED,
    "FAIL": RunState.FAILED,
    "ABORT": RunState.ABORTED,
}

_DEFINITIONS = {"RunEvent": Subject.RUN, "JobEvent": Subject.JOB, "DatasetEvent": Subject.DATASET}

_NEEDED = {
    Subject.RUN: frozenset({"run", "job"}),
    Subject.JOB: frozenset({"job"}),
    Subject.DATASET: frozenset({"dataset"}),
}


class Origin(NamedTuple):
    """By which way events come (`openlineage` or `import`), and the API key's name."""

    source: str
    actor: str | None = None


class _Reading(NamedTuple):
    """An event as read, with what was found out on the way."""

    event: OpenLineageEvent
    text: str
    subject: Subject
    at: datetime


def read_lineage_event(body: bytes, origin: Origin, now: datetime) -> Draft:
    """Read an event that is to be appended. Raises Malformed or Invalid, naming every field that is wrong."""
    return _draft(_read(body, now), body, origin)


def _read(body: bytes, now: datetime) -> _Reading:
    text = _decoded(body)
    try:
        event = decode_event(body)
    except msgspec.DecodeError:
        event = _read_carefully(text, now)
    subject = _subject(event)
    try:
        at = timestamps.parse(event.eventTime)
    except ValueError:
        _refuse(text, now)
    if timestamps.is_too_far_ahead(at, now) or not _is_whole(event, subject):
        _refuse(text, now)
    if "\\u0000" in text:
        _refuse_unless_sound(text, now)
    return _Reading(event, text, subject, at)


def _decoded(body: bytes) -> str:
    if too_deep(body):
        raise Malformed(f"the event is nested deeper than {MAX_DEPTH} levels")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"the event is not UTF-8: {error.reason} at byte {error.start}") from None


def _read_carefully(text: str, now: datetime) -> OpenLineageEvent:
    """Read what msgspec refuses: valid JSON with half a surrogate pair in it, which is recorded, or a bad event."""
    _refuse_unless_sound(text, now)
    try:
        return event_from_slices(text)
    except ValueError as error:
        raise Invalid(f"the event cannot be read: {error}") from None


def _refuse_unless_sound(text: str, now: datetime) -> None:
    """Name everything that is wrong, if anything is."""
    try:
        top = raw_json.members(text)
    except ValueError as error:
        raise Malformed(_not_an_event(text, error)) from None
    subject = _subject_of(_url(top.get("schemaURL")), {name for name, raw in top.items() if raw != "null"})
    found = find_errors(text, _NEEDED[subject], now)
    if found:
        raise Invalid("; ".join(f"{one.field}: {one.message}" for one in found), tuple(found))


def _refuse(text: str, now: datetime) -> NoReturn:
    _refuse_unless_sound(text, now)
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
    if url is not None and url.endswith("#/$defs/RunEvent"):  # nearly all are
        return Subject.RUN
    names = ("eventType", "run", "job", "dataset")
    return _subject_of(url, {name for name in names if getattr(event, name) is not None})


def _subject_of(schema_url: str | None, names: set[str]) -> Subject:
    named = _DEFINITIONS.get((schema_url or "").rpartition("/")[2])
    if named is not None:
        return named
    if names & {"run", "eventType"}:
        return Subject.RUN
    if "job" in names:
        return Subject.JOB
    return Subject.DATASET if "dataset" in names else Subject.RUN


def _is_whole(event: OpenLineageEvent, subject: Subject) -> bool:
    if subject is Subject.RUN:
        return event.run is not None and event.job is not None
    return (event.job if subject is Subject.JOB else event.dataset) is not None


def _draft(reading: _Reading, body: bytes, origin: Origin) -> Draft:
    event, text, subject, at = reading
    digest = sha256(body).digest()
    state = None
    parent = None
    namespace, job, stream = _names(event, subject)
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
        *origin,
        digest[:_FACT_BYTES],
        None,
        digest,
        text,
        EMPTY_PAYLOAD,  # whoever needs it reads the payload
    )


def _names(event: OpenLineageEvent, subject: Subject) -> tuple[str, str | None, UUID]:
    """Return the columns namespace and job, and the stream.

    A DatasetEvent has its dataset's namespace in the column, to be found by it. No namespace of jobs comes into being
    by that: the catalog folds runs, jobs and namespaces only.
    """
    if subject is Subject.DATASET:
        dataset = event.dataset or _NO_DATASET
        return dataset.namespace, None, stream_of(dataset.namespace, dataset.name)
    job = event.job
    assert job is not None  # noqa: S101  _is_whole said so
    if event.run is not None and subject is Subject.RUN:
        return job.namespace, job.name, run_uuid(event.run.runId)
    return job.namespace, job.name, job_id(job.namespace, job.name)


_NO_DATASET = OpenLineageDataset("", "")
