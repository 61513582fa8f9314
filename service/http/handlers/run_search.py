"""Finds runs across jobs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from typing import Any

from aiohttp import hdrs, web

from service.auth.keys import Scope
from service.catalog.batches import Pauses
from service.catalog.run_search import FoundRun, Order, RunCursor, RunFilters, RunOrder, RunSearch, order_of
from service.domain.binding import Binding
from service.domain.facet_selection import FacetNames
from service.errors import Malformed
from service.http import views
from service.http.event_parameters import START, check_order
from service.http.facet_parameters import FACETS, facets_of
from service.http.fast_path import json_response
from service.http.job_reads import lineage_of_runs
from service.http.long_lists import list_fragment
from service.http.openapi import responses
from service.http.parameters import (
    MAX_AGE,
    MAX_PAGE_EVENTS,
    ORDER,
    STALE,
    Parameter,
    choice,
    optional_boolean,
    optional_integer,
    run_reference,
    run_states,
    text,
    time,
)
from service.http.paths import BASE
from service.http.permissions import binding_of
from service.http.request_body import NDJSON_TYPES
from service.http.request_values import wait_unless_stale
from service.http.resources import RESOURCES
from service.http.route import Reach, RequestParameters, Route, Tag, parameters_of
from service.http.run_lines import CSV_HEADER, run_as_csv
from service.http.shared_answers import Wait
from service.http.streaming import streaming, write
from service.ledger import cursors
from service.ledger.cursors import RowCursor
from service.lineage.run_lineage import LineageOfRuns
from service.payloads.json_writer import dump

_PAGE = 100
_LINES_PAGE = 500
"""Runs in a page where nothing else is asked for, and runs that are read at once for an answer of lines."""

_CSV_TYPE = "text/csv"

_LONGEST_MS = 100 * 365 * 24 * 60 * 60 * 1000

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
_PARENT = run_reference("parent", "Only runs that name this run as their parent: its id, or its `runId`.")
_MIN_DURATION = optional_integer(
    "minDurationMs", "Only runs that have ended and took at least so many milliseconds.", 0, _LONGEST_MS
)
_MAX_DURATION = optional_integer(
    "maxDurationMs", "Only runs that have ended and took at most so many milliseconds.", 0, _LONGEST_MS
)
_SORT = choice(
    "sort",
    "`start`: by start, or by creation where a run has not started; `end`: by end; `duration`: from start to end; "
    "`update`: by the recording of the last event. With `end` and `duration`, only runs that have one. Without it, by "
    "the time that the filters bound.",
    tuple(RunOrder),
    "",
)
_LIMIT = optional_integer("limit", f"The maximum number of runs; else {_PAGE}, or all as lines.", 1, MAX_PAGE_EVENTS)
_COUNT = optional_integer(
    "count",
    "Return in `count` the number of runs that match, from this page on, up to this number: a `count` that equals it "
    "means that there may be more. Not with lines.",
    1,
    MAX_PAGE_EVENTS,
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


async def search(request: web.Request) -> web.StreamResponse:
    """Find runs by filters: a page of them, or all that match as NDJSON or CSV."""
    parameters = parameters_of(request)
    filters, limit, after = _filters(parameters), parameters[_LIMIT], parameters[_CURSOR]
    order, most_counted, facets = Order(parameters[ORDER]), parameters[_COUNT], facets_of(parameters)
    _check_list(filters, after, order)
    resources, binding = request.app[RESOURCES], binding_of(request)
    runs = resources.run_search
    accepted = request.headers.get(hdrs.ACCEPT, "")
    for media_type, as_lines in ((NDJSON_TYPES[0], partial(_json_lines, request, facets)), (_CSV_TYPE, _csv_lines)):
        if media_type in accepted:
            if most_counted is not None:
                raise Malformed(f"{_COUNT.name} is for a page: lines are as many as there are")
            await wait_unless_stale(request)
            pages = _pages(runs, filters, after, limit, order, binding, facets)
            return await _stream(request, pages, media_type, as_lines)

    async def make(wait: Wait) -> bytes:
        if not parameters[STALE]:
            await wait()
        size = limit or _PAGE
        page, following, count = await runs.runs(filters, after, size, order, binding, most_counted or 0, facets)
        lineage = await _lineage(request, page, facets)
        # What the others read and wrote takes too much space: they are on the next page.
        if lineage is not None and lineage.known < len(page):
            page = page[: max(1, lineage.known)]
            following = page[-1].row
        run_views = await list_fragment(_views(page, lineage), max_bytes=None)
        cursor = None if following is None else _encode_cursor(following)
        counted = {} if most_counted is None else {"count": min(count, most_counted)}
        return dump({"runs": run_views, "next": cursor, **counted})

    question = "runs", filters, after, limit, order, most_counted, facets, parameters[STALE], binding
    return json_response(request, await resources.shared.answer(question, parameters[MAX_AGE], make))


async def _pages(
    search: RunSearch,
    filters: RunFilters,
    after: RunCursor | None,
    limit: int | None,
    order: Order,
    binding: Binding | None,
    facets: FacetNames | None,
) -> AsyncGenerator[list[FoundRun]]:
    """Yield all runs that match, or the first `limit` of them."""
    while True:
        size = _LINES_PAGE if limit is None else min(limit, _LINES_PAGE)
        page, after, _ = await search.runs(filters, after, size, order, binding, facets=facets)
        yield page
        if limit is not None:
            limit -= len(page)
        if after is None or limit == 0:
            return


async def _lineage(request: web.Request, page: Sequence[FoundRun], facets: FacetNames | None) -> LineageOfRuns | None:
    """Return what runs read and wrote; None where that is not wanted."""
    if facets is not None:
        return None
    return await lineage_of_runs(request, [(run.id, run.registers) for run in page])


def _views(page: Sequence[FoundRun], lineage: LineageOfRuns | None) -> Iterator[dict[str, Any]]:
    """Return the views of runs, each of which is made when it is asked for."""
    if lineage is None:
        return (views.without_datasets(str(run.id), run.registers) for run in page)
    return (views.run_view(str(run.id), run.registers, lineage.found.get(run.id)) for run in page)


async def _json_lines(
    request: web.Request, facets: FacetNames | None, page: Sequence[FoundRun]
) -> AsyncIterator[bytes]:
    """Yield runs as lines: some at a time, where what they read and wrote takes much space."""
    pauses = Pauses()
    while page:
        lineage = await _lineage(request, page, facets)
        known = len(page) if lineage is None else max(1, lineage.known)
        lines = []
        for view in _views(page[:known], lineage):
            lines.append(dump(view) + b"\n")
            await pauses.pause()
        yield b"".join(lines)
        page = page[known:]


async def _csv_lines(page: Sequence[FoundRun]) -> AsyncIterator[bytes]:
    yield b"".join(map(run_as_csv, page))


async def _stream(
    request: web.Request,
    found: AsyncGenerator[list[FoundRun]],
    media_type: str,
    as_lines: Callable[[Sequence[FoundRun]], AsyncIterator[bytes]],
) -> web.StreamResponse:
    """Write runs as lines."""
    headers = {hdrs.CONTENT_TYPE: media_type}
    if request.method == hdrs.METH_HEAD:
        return web.Response(headers=headers)
    response = web.StreamResponse(headers=headers)
    async with aclosing(found) as pages:
        # Before the answer begins, so that an unavailable database is a 503.
        page: list[FoundRun] | None = await anext(pages)
        await response.prepare(request)
        with streaming(request):
            if media_type == _CSV_TYPE:
                await write(response, CSV_HEADER)
            while page is not None:
                async for lines in as_lines(page):
                    await write(response, lines)
                page = await anext(pages, None)
            await response.write_eof()
    return response


def _encode_cursor(cursor: RunCursor) -> str:
    return cursors.encode_row(cursor) if isinstance(cursor, RowCursor) else cursors.encode_position(cursor)


def _check_list(filters: RunFilters, after: RunCursor | None, order: Order) -> None:
    """Raise Malformed for a cursor of a list in another order, and for an order that no index has."""
    if after is not None and isinstance(after, RowCursor) is (order_of(filters) is RunOrder.UPDATE):
        raise Malformed("the cursor is of a list with other filters")
    if filters.running_at is not None and order is Order.ASC:
        raise Malformed("runs that were running at a time are found newest first: order must be desc with runningAt")
    if filters.running_at is not None and order_of(filters) is not RunOrder.START:
        raise Malformed("runs that were running at a time are found by start: sort must be start with runningAt")


def _filters(parameters: RequestParameters) -> RunFilters:
    bounds = (
        (_STARTED_BEFORE, _STARTED_AFTER),
        (_UPDATED_BEFORE, _UPDATED_AFTER),
        (_ENDED_BEFORE, _ENDED_AFTER),
    )
    for before, after in bounds:
        check_order(after.name, parameters[after], before.name, parameters[before])
    started, updated, ended = ((parameters[before], parameters[after]) for before, after in bounds)
    least, most = parameters[_MIN_DURATION], parameters[_MAX_DURATION]
    if least is not None and most is not None and least > most:
        raise Malformed(f"{_MIN_DURATION.name} must not be greater than {_MAX_DURATION.name}")
    return RunFilters(
        parameters[_STATE],
        parameters[_NAMESPACE],
        parameters[_JOB],
        *started,
        parameters[_RUNNING_AT],
        *updated,
        *ended,
        contradicted=parameters[_CONTRADICTED],
        restarted=parameters[_RESTARTED],
        inferred=parameters[_INFERRED],
        parent=parameters[_PARENT],
        length_before=None if most is None else timedelta(milliseconds=most + 1),  # they are shown in whole ones
        length_after=None if least is None else timedelta(milliseconds=least),
        sort=RunOrder(parameters[_SORT]) if parameters[_SORT] else None,
    )


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
        "`endedAfter` by end; else with `updatedBefore` or `updatedAfter` by the recording of the last event; else "
        "with `minDurationMs` or `maxDurationMs`, unless the start is bounded, by duration; or as `sort` says. "
        "With `Accept: application/x-ndjson` or `text/csv`, all that match or the first `limit` of them, as a stream.",
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
            _PARENT,
            _MIN_DURATION,
            _MAX_DURATION,
            _SORT,
            ORDER,
            *FACETS,
            _LIMIT,
            _COUNT,
            _CURSOR,
            STALE,
            MAX_AGE,
        ),
        answers={200: responses.FoundPage},
        long_lasting=True,
    ),
)
