"""Finds runs across jobs."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from service.auth.keys import Scope
from service.catalog.queries import RunFilters
from service.http import views
from service.http.event_parameters import START, check_order
from service.http.fast_path import json_response
from service.http.openapi import responses
from service.http.parameters import PAGE_LIMIT, STALE, Parameter, run_states, text, time
from service.http.paths import BASE
from service.http.request_values import wait_unless_stale
from service.http.resources import RESOURCES
from service.http.route import RequestParameters, Route, Tag, parameters_of
from service.ledger import cursors
from service.ledger.cursors import RowCursor
from service.payloads.json_writer import dump

_STATE = run_states("state", "Only runs in one of these states.")
_NAMESPACE = text("namespace", "Only runs of this namespace.")
_JOB = text("job", "Only runs of jobs of this name.")
_STARTED_BEFORE = time("startedBefore", "Only runs that started before this time.")
_STARTED_AFTER = time("startedAfter", "Only runs that started at this time or later.")
_RUNNING_AT = time("runningAt", "Only runs that were running at this time.")


def _decode_cursor(texts: Sequence[str]) -> RowCursor | None:
    return None if texts[0] in ("", START) else cursors.decode_row(texts[0])


_CURSOR: Parameter[RowCursor | None] = Parameter(
    name="cursor",
    description="`next` of the page before, or `start`.",
    schema={"type": "string", "default": START},
    decode=_decode_cursor,
    default=None,
)


async def search(request: web.Request) -> web.Response:
    """Find runs: newest first by start, or by creation where a run has not started."""
    parameters = parameters_of(request)
    filters, limit, after = _filters(parameters), parameters[PAGE_LIMIT], parameters[_CURSOR]
    await wait_unless_stale(request)
    page, more = await request.app[RESOURCES].run_search.runs(filters, after, limit)
    run_views = [views.run_view(str(run.id), run.registers) | {"job": views.job_of(run.registers)} for run in page]
    following = cursors.encode_row(page[-1].row) if more else None
    return json_response(request, dump({"runs": run_views, "next": following}))


def _filters(parameters: RequestParameters) -> RunFilters:
    before, after = parameters[_STARTED_BEFORE], parameters[_STARTED_AFTER]
    check_order("startedAfter", after, "startedBefore", before)
    return RunFilters(
        parameters[_STATE], parameters[_NAMESPACE], parameters[_JOB], before, after, parameters[_RUNNING_AT]
    )


ROUTES = (
    Route(
        method="GET",
        path=f"{BASE}/runs",
        handler=search,
        scope=Scope.READ,
        tag=Tag.RUNS,
        summary="Find runs across jobs",
        description="Newest first by start, or by creation where a run has not started.",
        parameters=(
            _STATE,
            _NAMESPACE,
            _JOB,
            _STARTED_BEFORE,
            _STARTED_AFTER,
            _RUNNING_AT,
            PAGE_LIMIT,
            _CURSOR,
            STALE,
        ),
        answers={200: responses.FoundPage},
    ),
)
