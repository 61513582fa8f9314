"""Runs across jobs."""

from __future__ import annotations

from aiohttp import web

from service import cursors, wire
from service.handlers import asked
from service.handlers.requests import fresh, integer, states
from service.ready import answer
from service.resources import RESOURCES
from service.searches import PARAMETERS, RunFilters


async def runs(request: web.Request) -> web.Response:
    """GET /runs: newest first, by start, or by creation where a run has not started."""
    asked.only(request, (*PARAMETERS, "limit", "cursor", "stale"))
    wanted = _filters(request)
    limit = integer(request, "limit", 100, 1, asked.MOST)
    given = asked.one(request, "cursor")
    after = cursors.to_row(given) if given and given != asked.START else None
    await fresh(request)
    found = await request.app[RESOURCES].searches.runs(wanted, after, limit + 1)
    shown = found[:limit]
    views = [wire.run_view(str(run.id), run.registers) | {"job": wire.job_of(run.registers)} for run in shown]
    return answer(request, wire.dump({"runs": views, "next": cursors.of_row(shown[-1].row) if found[limit:] else None}))


def _filters(request: web.Request) -> RunFilters:
    before, after = asked.time(request, "startedBefore"), asked.time(request, "startedAfter")
    asked.in_order("startedAfter", after, "startedBefore", before)
    given = states(request, "state")
    return RunFilters(
        tuple(dict.fromkeys(given)) if given else None,
        asked.text(request, "namespace"),
        asked.text(request, "job"),
        before,
        after,
        asked.time(request, "runningAt"),
    )
