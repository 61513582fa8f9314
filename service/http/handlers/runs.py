"""Runs: created, listed, looked up."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aiohttp import web
from orjson import Fragment

from service.auth.keys import Scope
from service.catalog.queries import PAGE_BYTES
from service.domain.decisions import Decision
from service.errors import Conflict, ConflictKind, Invalid, KeyReused
from service.http import views
from service.http.definitions import create_run
from service.http.fast_path import json_response
from service.http.job_reads import lineage_of_runs, view_after_command
from service.http.json_bodies import read_look_up
from service.http.long_lists import list_fragment
from service.http.openapi import responses
from service.http.parameters import IDEMPOTENCY_KEY, LIMIT, OFFSET, STALE, run_states
from service.http.paths import BASE, JOB, RUN
from service.http.permissions import binding_of, visible
from service.http.recorded import RECORDED_HEADER, recorded_position
from service.http.request_values import json_body, keyed_caller, name, slice_of, wait_unless_stale
from service.http.resources import RESOURCES
from service.http.route import Body, Reach, Route, Tag, parameters_of
from service.ledger.batch import AppendResult
from service.not_found import JobNotFound, NamespaceNotFound
from service.payloads.json_writer import dump
from service.payloads.run_ids import run_uuid
from service.payloads.schemas import CreateRun, LookUpRuns

_RUN_PREFIX = RUN.removesuffix("{id}")

_FIRST_LOOK_UPS = 100
_MAX_LOOK_UPS = 1_000
"""Runs that are looked up at once: first, before their size is known, and at most."""

_STATE = run_states("state", "Only runs in one of these states.")


async def create(request: web.Request) -> web.Response:
    """Record the creation of a run; a creation that is repeated is answered 200."""
    names = name(request, "namespace"), name(request, "job")
    body = await json_body(request)
    resources = request.app[RESOURCES]
    created = await create_run(resources, *names, body, keyed_caller(request))
    run = str(created.id)
    view = await view_after_command(request, run, created.id, created.result.registers)
    return _created(request, resources.addresses.prefix(request), run, created.result, view)


def _created(
    request: web.Request, prefix: str, run: str, result: AppendResult, run_view: dict[str, Any]
) -> web.Response:
    if result.decision is Decision.KEY_REUSED:
        raise KeyReused(f"run '{run}' has this Idempotency-Key with other content")
    view = dump(run_view)
    if result.decision is Decision.CONFLICT:
        detail = f"Run '{run}' exists already, with another job or content."
        raise Conflict(detail, view, ConflictKind.OTHER_CONTENT)
    status = HTTPStatus.CREATED if result.decision is Decision.APPEND else HTTPStatus.OK
    recorded = recorded_position(result)
    # Relative to the request's URL (RFC 9110, 10.2.2): scheme and host that clients use are known to a proxy only.
    return json_response(request, view, status, location=f"{prefix}{_RUN_PREFIX}{run}", recorded=recorded)


async def list_of_job(request: web.Request) -> web.Response:
    """List the runs of a job."""
    resources = request.app[RESOURCES]
    names = name(request, "namespace"), name(request, "job")
    states, page = parameters_of(request)[_STATE], slice_of(request)
    await wait_unless_stale(request)
    binding = binding_of(request)
    if (binding and not binding.allows(names[0])) or await resources.queries.job(*names, binding) is None:
        raise JobNotFound(names[1])
    runs, total = await resources.queries.runs_of_job(*names, states, page, binding)
    lineage = await lineage_of_runs(request, runs)
    shown = runs[: max(1, lineage.known)]
    run_views = (views.run_view(str(run_id), run, lineage.found.get(run_id)) for run_id, run in shown)
    return json_response(request, dump({"runs": await list_fragment(run_views), "totalCount": total}))


async def look_up(request: web.Request) -> web.Response:
    """Read many runs at once."""
    resources, binding = request.app[RESOURCES], binding_of(request)
    ids = list(dict.fromkeys(read_look_up(await json_body(request)).ids))
    found: dict[str, Fragment | None] = {}
    size, count = 0, _FIRST_LOOK_UPS
    while len(found) < len(ids) and size < PAGE_BYTES:
        texts = ids[len(found) : len(found) + count]
        run_ids = [run_uuid(text) for text in texts]
        runs = [visible(binding, read) for read in await resources.reader.read_all(run_ids)]
        known = [(id_, run) for id_, run in zip(run_ids, runs, strict=True) if run is not None]
        lineage = await lineage_of_runs(request, known)
        left_out = {id_ for id_, _ in known[max(1, lineage.known) :]}
        for text, run_id, run in zip(texts, run_ids, runs, strict=True):
            if run_id in left_out:
                break  # looked up again, with those behind it
            view = await views.run_json(str(run_id), run, lineage.found.get(run_id)) if run is not None else b""
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
        reach=Reach.WITHIN,
        tag=Tag.RUNS,
        summary="Create a run",
        description="The same id, or the same `Idempotency-Key`, with the same content again: 200. Without both, each "
        "request creates another run with a new id (UUIDv7): a request that is repeated after a time-out, too. "
        "The nominal times are plans, and may lie any time ahead.",
        parameters=(IDEMPOTENCY_KEY,),
        body=Body(CreateRun, required=False),
        answers={201: responses.Run, 200: responses.Run},
        headers={status: {"Location": "The path of the run."} | RECORDED_HEADER for status in (201, 200)},
        errors=(NamespaceNotFound, JobNotFound, Conflict, Invalid),
    ),
    Route(
        method="GET",
        path=f"{JOB}/runs",
        handler=list_of_job,
        scope=Scope.READ,
        reach=Reach.WITHIN,
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
        reach=Reach.WITHIN,
        tag=Tag.RUNS,
        summary="Look up many runs at once",
        description="Up to 10,000 ids, each a UUID or the `runId` of an OpenLineage event; null for an id that is not "
        "known. Where the runs take more than some 8 MiB, the answer has the first ones, and `omitted` lists the ids "
        "to send again.",
        body=Body(LookUpRuns),
        answers={200: responses.FoundRuns},
        errors=(Invalid,),
    ),
)
