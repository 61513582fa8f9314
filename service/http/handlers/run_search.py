"""Runs across jobs."""

from __future__ import annotations

from aiohttp import web

from service.audit.filters import PARAMETERS
from service.catalog.queries import RunFilters
from service.http import parameters, views
from service.http.fast_path import json_response
from service.http.parameters import integer, states, wait_unless_stale
from service.http.resources import RESOURCES
from service.ledger import cursors
from service.payloads.json_writer import dump


async def runs(request: web.Request) -> web.Response:
    """GET /runs: newest first, by start, or by creation where a run has not started."""
    parameters.only(request, (*PARAMETERS, "limit", "cursor", "stale"))
    wanted = _filters(request)
    limit = integer(request, "limit", 100, 1, parameters.MOST)
    given = parameters.one(request, "cursor")
    after = cursors.decode_row(given) if given and given != parameters.START else None
    await wait_unless_stale(request)
    found = await request.app[RESOURCES].run_search.runs(wanted, after, limit + 1)
    shown = found[:limit]
    found_views = [views.run_view(str(run.id), run.registers) | {"job": views.job_of(run.registers)} for run in shown]
    return json_response(
        request, dump({"runs": found_views, "next": cursors.encode_row(shown[-1].row) if found[limit:] else None})
    )


def _filters(request: web.Request) -> RunFilters:
    before, after = parameters.time(request, "startedBefore"), parameters.time(request, "startedAfter")
    parameters.in_order("startedAfter", after, "startedBefore", before)
    given = states(request, "state")
    return RunFilters(
        tuple(dict.fromkeys(given)) if given else None,
        parameters.text(request, "namespace"),
        parameters.text(request, "job"),
        before,
        after,
        parameters.time(request, "runningAt"),
    )
