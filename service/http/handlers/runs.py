"""Runs: created, listed, looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from aiohttp import web
from orjson import Fragment

from service.auth.keys import Scope
from service.catalog.queries import PAGE_BYTES
from service.catalog.run_parts import PARTS
from service.domain.decisions import Decision
from service.domain.event import JobName
from service.domain.facet_selection import FacetNames, reported_bytes, select_facets
from service.errors import Conflict, ConflictKind, Invalid, KeyReused
from service.http import views
from service.http.definitions import create_run
from service.http.facet_parameters import FACETS, facets_of
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
    parameters = parameters_of(request)
    states, facets, page = parameters[_STATE], facets_of(parameters), slice_of(request)
    await wait_unless_stale(request)
    binding = binding_of(request)
    if (binding and not binding.allows(names[0])) or await resources.queries.job(*names, binding) is None:
        raise JobNotFound(names[1])
    runs, total = await resources.queries.runs_of_job(JobName(*names), states, page, binding, facets)
    if facets is None:
        lineage = await lineage_of_runs(request, runs)
        shown = runs[: max(1, lineage.known)]
        run_views = (views.run_view(str(run_id), run, lineage.found.get(run_id)) for run_id, run in shown)
    else:
        run_views = (views.without_datasets(str(run_id), run) for run_id, run in runs)
    return json_response(request, dump({"runs": await list_fragment(run_views), "totalCount": total}))


async def look_up(request: web.Request) -> web.Response:
    """Read many runs at once."""
    facets = facets_of(parameters_of(request))
    resources, binding = request.app[RESOURCES], binding_of(request)
    ids = list(dict.fromkeys(read_look_up(await json_body(request)).ids))
    if facets is not None:
        return _found_runs(request, ids, await _look_up_selected(request, ids, facets))
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
    return _found_runs(request, ids, found)


async def _look_up_selected(request: web.Request, ids: Sequence[str], facets: FacetNames) -> dict[str, Fragment | None]:
    """Return the first of some runs, with the facets of some names: as many as a list would have."""
    reader, binding = request.app[RESOURCES].reader, binding_of(request)
    found: dict[str, Fragment | None] = {}
    kept = read = 0
    while len(found) < len(ids) and kept < PAGE_BYTES and read < PARTS * PAGE_BYTES:
        texts = ids[len(found) : len(found) + _FIRST_LOOK_UPS]
        run_ids = [run_uuid(text) for text in texts]
        for text, run_id, run in zip(texts, run_ids, await reader.read_all(run_ids), strict=True):
            if (seen := visible(binding, run)) is None:
                found[text] = None
                continue
            read += reported_bytes(seen)
            view = dump(views.without_datasets(str(run_id), select_facets(seen, facets)))
            kept += len(view)
            found[text] = Fragment(view)
    return found


def _found_runs(request: web.Request, ids: Sequence[str], found: Mapping[str, Fragment | None]) -> web.Response:
    """Answer the runs that were looked up; those that the answer has no place for are listed."""
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
        parameters=(_STATE, *FACETS, LIMIT, OFFSET, STALE),
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
        parameters=FACETS,
        body=Body(LookUpRuns),
        answers={200: responses.FoundRuns},
        errors=(Invalid,),
    ),
)
