"""Finds runs across jobs."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from service.auth.keys import Scope
from service.catalog.run_search import Order, RunCursor, RunFilters, RunOrder, order_of
from service.errors import Malformed
from service.http import views
from service.http.event_parameters import START, check_order
from service.http.fast_path import json_response
from service.http.job_reads import lineage_of_runs
from service.http.long_lists import list_fragment
from service.http.openapi import responses
from service.http.parameters import ORDER, PAGE_LIMIT, STALE, Parameter, optional_boolean, run_states, text, time
from service.http.paths import BASE
from service.http.permissions import binding_of
from service.http.request_values import wait_unless_stale
from service.http.resources import RESOURCES
from service.http.route import Reach, RequestParameters, Route, Tag, parameters_of
from service.ledger import cursors
from service.ledger.cursors import RowCursor
from service.payloads.json_writer import dump

_STATE = run_states("state", "Only runs in one of these states.")
_NAMESPACE = text("namespace", "Only runs whose own job is in this namespace.")
_JOB = text("job", "Only runs whose own job has this name.")
_STARTED_BEFORE = time("startedBefore", "Only runs that started before this time.")
_STARTED_AFTER = time("startedAfter", "Only runs that started at this time or later.")
_RUNNING_AT = time("runningAt", "Only runs that were running at this time.")
_UPDATED_BEFORE = time("updatedBefore", "Only runs whose last event was recorded before this time.")
_UPDATED_AFTER = time("updatedAfter", "Only runs whose last event was recorded at this time or later.")
_ENDED_BEFORE = time("endedBefore", "Only runs that ended before this time.")
_ENDED_AFTER = time("endedAfter", "Only runs that ended at this time or later.")
_CONTRADICTED = optional_boolean(
    "contradicted", "`true`: only runs of which ends in several states were reported; `false`: only others."
)
_RESTARTED = optional_boolean(
    "restarted", "`true`: only runs that were reported as started again after their end; `false`: only others."
)
_INFERRED = optional_boolean(
    "inferred", "`true`: only runs whose end was not reported, but inferred from their silence; `false`: only others."
)


def _decode_cursor(texts: Sequence[str]) -> RunCursor | None:
    return None if texts[0] in ("", START) else cursors.decode_any(texts[0])


_CURSOR: Parameter[RunCursor | None] = Parameter(
    name="cursor",
    description="`next` of the page before, or `start`.",
    schema={"type": "string", **cursors.RUNS_JSON_SCHEMA, "default": START},
    decode=_decode_cursor,
    default=None,
)


async def search(request: web.Request) -> web.Response:
    """Find runs by filters, in the order of the time that the filters bound."""
    parameters = parameters_of(request)
    filters, limit, after = _filters(parameters), parameters[PAGE_LIMIT], parameters[_CURSOR]
    order = Order(parameters[ORDER])
    _check_list(filters, after, order)
    await wait_unless_stale(request)
    page, following = await request.app[RESOURCES].run_search.runs(filters, after, limit, order, binding_of(request))
    lineage = await lineage_of_runs(request, [(run.id, run.registers) for run in page])
    run_views = await list_fragment(
        (views.run_view(str(run.id), run.registers, lineage.get(run.id)) for run in page), max_bytes=None
    )
    cursor = None if following is None else _encode_cursor(following)
    return json_response(request, dump({"runs": run_views, "next": cursor}))


def _encode_cursor(cursor: RunCursor) -> str:
    return cursors.encode_row(cursor) if isinstance(cursor, RowCursor) else cursors.encode_position(cursor)


def _check_list(filters: RunFilters, after: RunCursor | None, order: Order) -> None:
    """Raise Malformed for a cursor of a list in another order, and for an order that no index has."""
    if after is not None and isinstance(after, RowCursor) is (order_of(filters) is RunOrder.UPDATE):
        raise Malformed("the cursor is of a list with other filters")
    if filters.running_at is not None and order is Order.ASC:
        raise Malformed("runs that were running at a time are found newest first: order must be desc with runningAt")


def _filters(parameters: RequestParameters) -> RunFilters:
    bounds = (
        (_STARTED_BEFORE, _STARTED_AFTER),
        (_UPDATED_BEFORE, _UPDATED_AFTER),
        (_ENDED_BEFORE, _ENDED_AFTER),
    )
    for before, after in bounds:
        check_order(after.name, parameters[after], before.name, parameters[before])
    started, updated, ended = ((parameters[before], parameters[after]) for before, after in bounds)
    names = parameters[_STATE], parameters[_NAMESPACE], parameters[_JOB]
    marks = parameters[_CONTRADICTED], parameters[_RESTARTED], parameters[_INFERRED]
    return RunFilters(*names, *started, parameters[_RUNNING_AT], *updated, *ended, *marks)


ROUTES = (
    Route(
        method="GET",
        path=f"{BASE}/runs",
        handler=search,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.RUNS,
        summary="Find runs across jobs",
        description="Newest first, by start, or by creation where a run has not started. With `endedBefore` or "
        "`endedAfter` by end, else with `updatedBefore` or `updatedAfter` by the recording of the last event.",
        parameters=(
            _STATE,
            _NAMESPACE,
            _JOB,
            _STARTED_BEFORE,
            _STARTED_AFTER,
            _RUNNING_AT,
            _UPDATED_BEFORE,
            _UPDATED_AFTER,
            _ENDED_BEFORE,
            _ENDED_AFTER,
            _CONTRADICTED,
            _RESTARTED,
            _INFERRED,
            ORDER,
            PAGE_LIMIT,
            _CURSOR,
            STALE,
        ),
        answers={200: responses.FoundPage},
    ),
)
