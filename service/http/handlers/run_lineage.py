"""The lineage of runs: which runs wrote what a run read, and which read what it wrote."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from service.auth.keys import Scope
from service.http.behind import BEHIND_HEADER, events_behind, looking_in
from service.http.fast_path import json_response
from service.http.node_parameters import depth
from service.http.openapi import graph_responses
from service.http.parameters import STALE, integer, run_reference
from service.http.paths import BASE
from service.http.permissions import binding_of
from service.http.resources import RESOURCES
from service.http.route import Handler, Reach, Route, Tag, parameters_of
from service.http.streaming import CLIENT_CLOSED_REQUEST, while_connected
from service.lineage.run_graph import MAX_RUNS, LineageRun
from service.not_found import RunNotFound
from service.payloads.json_writer import dump

_RUN = run_reference("runId", "The id of a run: a UUID, or the `runId` of its OpenLineage events.", required=True)
_DEPTH = depth("How many steps from run to run; 0: the run alone, with what it read.")
_LIMIT = integer("limit", "The maximum number of runs. The nearest come first.", 1, MAX_RUNS, MAX_RUNS)


async def read_upstream(request: web.Request) -> web.Response:
    """Read which runs wrote what a run read, which wrote what those read, and so on."""
    return await _read(request, downstream=False)


async def read_downstream(request: web.Request) -> web.Response:
    """Read which runs read what a run wrote, which read what those wrote, and so on."""
    return await _read(request, downstream=True)


async def _read(request: web.Request, *, downstream: bool) -> web.Response:
    parameters = parameters_of(request)
    run, bounds = parameters[_RUN], (parameters[_DEPTH], parameters[_LIMIT])
    assert run is not None  # noqa: S101  the parameter is required
    behind = await events_behind(request)
    runs, binding = request.app[RESOURCES].graphs.runs, binding_of(request)
    result = await while_connected(request, runs.read(run, *bounds, binding, downstream=downstream))
    if result is None:
        return web.Response(status=CLIENT_CLOSED_REQUEST)
    if not result.runs:
        with looking_in(behind):
            raise RunNotFound(request.query[_RUN.name])
    view: dict[str, Any] = {"runs": [_run_view(each) for each in result.runs]}
    if result.cut:
        view |= {"truncated": True, "truncatedAt": [str(id_) for id_ in result.cut]}
    return json_response(request, dump(view), behind=behind)


def _run_view(run: LineageRun) -> dict[str, Any]:
    registers, job = run.registers, run.registers.job
    ended = registers.ended
    return {
        "job": {
            "namespace": job.namespace,
            "name": job.name,
            "version": str(run.job_version) if run.job_version else None,
        }
        if job
        else None,
        "run": {
            "id": str(run.id),
            "start": registers.started_at,
            "end": ended.at if ended else None,
            "status": registers.state,
        },
        "inputs": [
            {
                **each.dataset._asdict(),
                "version": str(each.version),
                "producedByRunId": each.producer and str(each.producer),
            }
            for each in run.inputs
        ],
    }


def _route(name: str, handler: Handler, summary: str, description: str) -> Route:
    return Route(
        method="GET",
        path=f"{BASE}/runlineage/{name}",
        handler=handler,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.LINEAGE,
        summary=summary,
        description=f"{description} What a run read was written by the run that wrote it last before, by the times of "
        "events. `truncated` where runs are left out; `truncatedAt`: the runs whose neighbours these are.",
        parameters=(_RUN, _DEPTH, _LIMIT, STALE),
        answers={200: graph_responses.RunLineage},
        headers={200: BEHIND_HEADER},
        errors=(RunNotFound,),
    )


ROUTES = (
    _route(
        "upstream",
        read_upstream,
        "Read which runs wrote what a run read",
        "The run, the runs that wrote what it read, those that wrote what these read, and so on, the nearest first.",
    ),
    _route(
        "downstream",
        read_downstream,
        "Read which runs read what a run wrote",
        "The run, the runs that read what it wrote, those that read what these wrote, and so on, the nearest first.",
    ),
)
