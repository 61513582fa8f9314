"""Runs: created, started, ended, read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from uuid import UUID

from aiohttp import web

from service.domain import timestamps
from service.domain.decisions import Create, Decision, Transition
from service.domain.event import RunState, Subject
from service.domain.ids import job_id, uuid7, uuid_of_key
from service.domain.run import RunRegisters
from service.errors import Conflict, JobNotFound, KeyReused, Malformed, NamespaceNotFound, RunfoldError, RunNotFound
from service.http import parameters, views
from service.http.fast_path import json_response
from service.http.json_bodies import read_create_run, read_look_up
from service.http.parameters import caller, json_body, name, reported_time, run_id, slice_of, states, wait_unless_stale
from service.http.paths import BASE
from service.http.resources import RESOURCES, Resources
from service.ledger import drafts
from service.ledger.batch import AppendResult
from service.ledger.drafts import Caller, created_register
from service.payloads.json_writer import dump
from service.payloads.run_ids import parse_uuid

Handler = Callable[[web.Request], Awaitable[web.Response]]


def transition_to(state: RunState) -> Handler:
    """Return the handler that records a transition and answers with the run as its history makes it."""

    async def handle(request: web.Request) -> web.Response:
        resources = request.app[RESOURCES]
        text, identity = run_id(request)
        if request.query_string:
            parameters.only(request, ("at",))  # a misspelt time would be recorded as now, for ever
        at, explicit = reported_time(request)
        draft = drafts.transition(identity, state, at, explicit=explicit, caller=caller(request))
        command = Transition(state, at, draft.request_digest)
        result = await resources.appender.command(draft, command)
        return json_response(request, _transitioned(text, command, result))

    return handle


def _transitioned(run: str, command: Transition, result: AppendResult) -> bytes:
    decision = result.decision
    if decision is Decision.UNKNOWN:
        raise RunNotFound(run)
    if decision is Decision.KEY_REUSED:
        raise KeyReused(f"run '{run}' has this Idempotency-Key with another state or time")
    view = dump(views.run_view(run, result.registers))
    if decision is Decision.CONFLICT:
        raise Conflict(_refusal(run, result.registers, command), view)
    return view


def _refusal(run: str, registers: RunRegisters, command: Transition) -> str:
    ended = registers.terminal
    end = f"Run '{run}' {ended.state} at {ended.at.isoformat()}" if ended else f"Run '{run}' has ended"
    return f"{end}; it cannot be {command.state} at {command.at.isoformat()}."


async def create(request: web.Request) -> web.Response:
    """POST /namespaces/{ns}/jobs/{job}/runs."""
    resources = request.app[RESOURCES]
    names = name(request, "namespace"), name(request, "job")
    body = await json_body(request)
    wanted, content = read_create_run(body)
    who = caller(request)
    identity = _identity(wanted.id, names, who)
    draft = drafts.new_run(identity, names, timestamps.now(), body, content, who)
    command = Create(created_register(draft), draft.request_digest)
    made_here = wanted.id is None and who.key is None
    result = await resources.appender.command_below(draft, command, (Subject.JOB, job_id(*names)), new_stream=made_here)
    if result.decision is Decision.PARENT_UNKNOWN:
        raise await _not_found(resources, *names)
    return _created(request, str(identity), result)


def _identity(given: str | None, names: tuple[str, str], who: Caller) -> UUID:
    if given is None:
        return uuid7() if who.key is None else uuid_of_key(who.actor or "", *names, who.key)
    found = parse_uuid(given)
    if found is None:
        raise Malformed(f"id {given[:64]!r} is not a UUID")
    return found


async def _not_found(resources: Resources, namespace: str, job: str) -> RunfoldError:
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
    path = f"{BASE}/jobs/runs/{run}"
    host = request.host
    return f"{request.scheme}://{host}{path}" if host.isascii() and host.isprintable() else path


async def facets(request: web.Request) -> web.Response:
    """GET /jobs/runs/{id}/facets?type=run|job."""
    text, identity = run_id(request)
    kind = request.query.get("type", "").lower()
    if kind not in ("run", "job"):
        raise Malformed("parameter type must be one of run, job")
    run = await request.app[RESOURCES].reader.read(identity)
    if run is None:
        raise RunNotFound(text)
    found = run.run_facets if kind == "run" else run.job_facets
    return json_response(request, dump({"runId": text, "facets": views.facets_view(found)}))


async def list_of_job(request: web.Request) -> web.Response:
    """GET /namespaces/{ns}/jobs/{job}/runs."""
    resources = request.app[RESOURCES]
    names = name(request, "namespace"), name(request, "job")
    wanted, part = states(request, "state"), slice_of(request)
    await wait_unless_stale(request)
    if await resources.queries.job(*names) is None:
        raise JobNotFound(names[1])
    runs, total = await resources.queries.runs_of_job(*names, wanted, part)
    return json_response(request, dump(views.runs_view(runs, total)))


async def look_up(request: web.Request) -> web.Response:
    """POST /runs/lookup: many runs at once."""
    reader = request.app[RESOURCES].reader
    wanted = read_look_up(await json_body(request)).ids
    waiting = {text: reader.read(identity) if (identity := parse_uuid(text)) else None for text in wanted}
    found = {text: await waiter if waiter is not None else None for text, waiter in waiting.items()}
    by_id = {text: views.run_view(text, run) if run is not None else None for text, run in found.items()}
    return json_response(request, dump({"runs": by_id}))
