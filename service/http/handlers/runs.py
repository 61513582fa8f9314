"""Runs: created, listed, looked up."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from uuid import UUID

from aiohttp import web
from orjson import Fragment

from service.auth.keys import Scope
from service.catalog.queries import PAGE_BYTES
from service.domain import timestamps
from service.domain.decisions import Create, Decision
from service.domain.event import Subject
from service.domain.ids import job_id, uuid7, uuid_of_key
from service.errors import Conflict, Invalid, JobNotFound, KeyReused, Malformed, NamespaceNotFound, RunfoldError
from service.http import views
from service.http.fast_path import json_response
from service.http.json_bodies import read_create_run, read_look_up
from service.http.openapi import responses
from service.http.parameters import IDEMPOTENCY_KEY, LIMIT, OFFSET, STALE, run_states
from service.http.paths import BASE, JOB, RUN
from service.http.request_values import json_body, keyed_caller, name, slice_of, wait_unless_stale
from service.http.resources import RESOURCES, Resources
from service.http.route import Body, Route, Tag, parameters_of
from service.ledger import drafts
from service.ledger.batch import AppendResult
from service.ledger.drafts import Caller, created_register
from service.payloads.json_writer import dump
from service.payloads.run_ids import parse_uuid
from service.payloads.schemas import CreateRun, LookUpRuns

_RUN_PREFIX = RUN.removesuffix("{id}")

_FIRST_LOOK_UPS = 100
_MAX_LOOK_UPS = 1_000
"""Runs that are looked up at once: first, before their size is known, and at most."""

_STATE = run_states("state", "Only runs in one of these states.")


async def create(request: web.Request) -> web.Response:
    """Record the creation of a run; a creation that is repeated is answered 200."""
    resources = request.app[RESOURCES]
    names = name(request, "namespace"), name(request, "job")
    body = await json_body(request)
    fields, content = read_create_run(body)
    who = keyed_caller(request)
    run_id = _run_id(fields.id, names, who)
    draft = drafts.new_run(run_id, names, timestamps.now(), body, content, who)
    command = Create(created_register(draft), draft.request_digest)
    generated = fields.id is None and who.key is None
    result = await resources.appender.command_below(draft, command, (Subject.JOB, job_id(*names)), new_stream=generated)
    if result.decision is Decision.PARENT_UNKNOWN:
        raise await _parent_error(resources, *names)
    return _created(request, str(run_id), result)


def _run_id(given: str | None, names: tuple[str, str], who: Caller) -> UUID:
    """Return the id that the caller chose, or that follows from the Idempotency-Key, or a new one."""
    if given is None:
        return uuid7() if who.key is None else uuid_of_key(who.actor or "", *names, who.key)
    run_id = parse_uuid(given)
    if run_id is None:
        raise Malformed(f"id {given[:64]!r} is not a UUID")
    return run_id


async def _parent_error(resources: Resources, namespace: str, job: str) -> RunfoldError:
    """Return the error for a run whose job is not known."""
    if await resources.queries.namespace(namespace) is None:
        return NamespaceNotFound(namespace)
    return JobNotFound(job)


def _created(request: web.Request, run: str, result: AppendResult) -> web.Response:
    if result.decision is Decision.KEY_REUSED:
        raise KeyReused(f"run '{run}' has this Idempotency-Key with other content")
    view = dump(views.run_view(run, result.registers))
    if result.decision is Decision.CONFLICT:
        raise Conflict(f"Run '{run}' exists already, with another job or content.", view)
    status = HTTPStatus.CREATED if result.decision is Decision.APPEND else HTTPStatus.OK
    return json_response(request, view, status, location=_location(request, run))


def _location(request: web.Request, run: str) -> str:
    """Return the run's URL, or its path where the Host header cannot be repeated in a header."""
    path = f"{_RUN_PREFIX}{run}"
    host = request.host
    return f"{request.scheme}://{host}{path}" if host.isascii() and host.isprintable() else path


async def list_of_job(request: web.Request) -> web.Response:
    """List the runs of a job."""
    resources = request.app[RESOURCES]
    names = name(request, "namespace"), name(request, "job")
    states, page = parameters_of(request)[_STATE], slice_of(request)
    await wait_unless_stale(request)
    if await resources.queries.job(*names) is None:
        raise JobNotFound(names[1])
    runs, total = await resources.queries.runs_of_job(*names, states, page)
    return json_response(request, dump(views.runs_view(runs, total)))


async def look_up(request: web.Request) -> web.Response:
    """Read many runs at once."""
    reader = request.app[RESOURCES].reader
    ids = list(dict.fromkeys(read_look_up(await json_body(request)).ids))
    found: dict[str, Fragment | None] = {}
    size, count = 0, _FIRST_LOOK_UPS
    while len(found) < len(ids) and size < PAGE_BYTES:
        texts = ids[len(found) : len(found) + count]
        reads = [(text, reader.read(run_id)) for text in texts if (run_id := parse_uuid(text))]
        runs = dict(zip((text for text, _ in reads), await asyncio.gather(*(read for _, read in reads)), strict=True))
        for text in texts:
            run = runs.get(text)
            view = dump(views.run_view(text, run)) if run is not None else b""
            found[text] = Fragment(view) if view else None
            size += len(view)
        mean_size = size // len(found) + 1
        count = max(1, min(_MAX_LOOK_UPS, PAGE_BYTES // mean_size))
    answer: dict[str, object] = {"runs": found}
    if len(found) < len(ids):
        answer["omitted"] = ids[len(found) :]
    return json_response(request, dump(answer))


ROUTES = (
    Route(
        method="POST",
        path=f"{JOB}/runs",
        handler=create,
        scope=Scope.WRITE,
        tag=Tag.RUNS,
        summary="Create a run",
        description="Without an id, the run gets a new one (UUIDv7). The same id with the same content again: 200. "
        "The nominal times are plans, and may lie any time ahead.",
        parameters=(IDEMPOTENCY_KEY,),
        body=Body(CreateRun, required=False),
        answers={201: responses.Run, 200: responses.Run},
        headers={201: {"Location": "The URL of the run."}, 200: {"Location": "The URL of the run."}},
        errors=(NamespaceNotFound, JobNotFound, Conflict, Invalid),
    ),
    Route(
        method="GET",
        path=f"{JOB}/runs",
        handler=list_of_job,
        scope=Scope.READ,
        tag=Tag.RUNS,
        summary="List a job's runs, newest first",
        parameters=(_STATE, LIMIT, OFFSET, STALE),
        answers={200: responses.Runs},
        errors=(JobNotFound,),
    ),
    Route(
        method="POST",
        path=f"{BASE}/runs/lookup",
        handler=look_up,
        scope=Scope.READ,  # it records nothing
        tag=Tag.RUNS,
        summary="Look up many runs at once",
        description="Up to 10,000 ids; null for an id that is not known. Where the runs take more than some 8 MiB, the "
        "answer has the first ones, and `omitted` lists the ids to send again.",
        body=Body(LookUpRuns),
        answers={200: responses.FoundRuns},
        errors=(Invalid,),
    ),
)
