"""The history of a job, and of a dataset: the events of its own, which define, delete, tag and describe it."""

from __future__ import annotations

from uuid import UUID

from aiohttp import web

from service.audit.event_lines import PositionRange
from service.audit.event_text import next_cursor
from service.auth.keys import Scope
from service.domain.event import Subject
from service.domain.ids import dataset_id, job_id
from service.http import definitions
from service.http.dataset_reads import dataset_name, find_dataset, wait_until_current
from service.http.event_parameters import CURSOR, position_after
from service.http.fast_path import json_response
from service.http.openapi import responses
from service.http.parameters import PAGE_LIMIT
from service.http.paths import DATASET, JOB
from service.http.permissions import binding_of, check_read
from service.http.request_values import name
from service.http.resources import RESOURCES
from service.http.route import Reach, Route, Tag, parameters_of
from service.not_found import DatasetNotFound, JobNotFound, NamespaceNotFound
from service.payloads.json_writer import dump


async def events_of_job(request: web.Request) -> web.Response:
    """Read the events of a job itself."""
    names, binding = (name(request, "namespace"), name(request, "job")), binding_of(request)
    check_read(binding, names[0])
    answer = await _events(request, Subject.JOB, job_id(*names))
    if answer is None:
        await request.app[RESOURCES].catalog.wait_until_current()
        await definitions.find_job(request.app[RESOURCES], *names, binding)
    return answer or _page(request, b"", None)


async def events_of_dataset(request: web.Request) -> web.Response:
    """Read the events of a dataset itself."""
    dataset, binding = dataset_name(request), binding_of(request)
    check_read(binding, dataset.namespace)
    answer = await _events(request, Subject.DATASET, dataset_id(*dataset))
    if answer is None:
        await wait_until_current(request.app[RESOURCES])
        await find_dataset(request.app[RESOURCES], dataset, binding)
    return answer or _page(request, b"", None)


async def _events(request: web.Request, subject: Subject, stream: UUID) -> web.Response | None:
    """Answer with a page of a stream; None where it has no events at all after the cursor."""
    parameters, ledger = parameters_of(request), request.app[RESOURCES].ledger
    limit, cursor = parameters[PAGE_LIMIT], parameters[CURSOR]
    head = await ledger.head()
    span = PositionRange(position_after(cursor, head), head.position)
    page = await ledger.page_of_stream(subject, stream, span, limit)
    if not page.lines:
        return None
    return _page(request, b",".join([line.text for line in page.lines]), None if page.done else page.lines[-1].position)


def _page(request: web.Request, events: bytes, last: int | None) -> web.Response:
    following = b"null" if last is None else dump(next_cursor(last))
    return json_response(request, b'{"events":[%b],"next":%b}' % (events, following))


def _description(of_what: str) -> str:
    return (
        f"Oldest first, every event whole: who defined, deleted or tagged the {of_what}, and its own OpenLineage "
        "events. Also of a deleted one. Events of runs are not among them."
    )


ROUTES = (
    Route(
        method="GET",
        path=f"{JOB}/events",
        handler=events_of_job,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.LEDGER,
        summary="Read a job's own history",
        description=_description("job"),
        parameters=(PAGE_LIMIT, CURSOR),
        answers={200: responses.EventPage},
        errors=(NamespaceNotFound, JobNotFound),
    ),
    Route(
        method="GET",
        path=f"{DATASET}/events",
        handler=events_of_dataset,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.LEDGER,
        summary="Read a dataset's own history",
        description=_description("dataset"),
        parameters=(PAGE_LIMIT, CURSOR),
        answers={200: responses.EventPage},
        errors=(NamespaceNotFound, DatasetNotFound),
    ),
)
