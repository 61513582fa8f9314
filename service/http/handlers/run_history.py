"""A run's whole history, event by event, and the run as it was."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import hdrs, web

from service.audit.event_text import next_cursor
from service.audit.filters import EventFilters
from service.audit.ledger_reader import EventLine, EventLinePage, PositionRange
from service.audit.run_history import HistoryVerdict, PastRun
from service.errors import RunNotFound
from service.http import parameters, views
from service.http.fast_path import json_response
from service.http.parameters import archived_view, integer, run_id
from service.http.resources import RESOURCES
from service.http.streaming import streaming, write
from service.ledger.events import LOG
from service.payloads.json_writer import dump

_NO_LIMIT = 2**31 - 1


async def events(request: web.Request) -> web.StreamResponse:
    """GET /jobs/runs/{id}/events: oldest first, whole unless limit or cursor say otherwise, written as it is read."""
    parameters.only(request, ("limit", "cursor"))
    text, run = run_id(request)
    limit = integer(request, "limit", _NO_LIMIT, 1, _NO_LIMIT)
    audit = request.app[RESOURCES].ledger
    head = await audit.head()
    after = parameters.cursor(parameters.one(request, "cursor") or parameters.START, head)
    verdicts = await request.app[RESOURCES].history.verdicts(run, head.position)
    if not verdicts:
        raise RunNotFound(text)
    if request.method == hdrs.METH_HEAD:
        return web.Response(headers={"Content-Type": "application/json"})
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    with streaming(request):
        await write(response, b'{"runId":%b,"events":[' % dump(text))
        last = await _write(
            response, audit.pages(EventFilters(run=run), PositionRange(after, head.position)), verdicts, limit
        )
        more = last < max(verdicts) and last > 0
        await write(response, b'],"next":%b}' % (dump(next_cursor(last)) if more else b"null"))
        await response.write_eof()
    return response


async def _write(
    response: web.StreamResponse, pages: AsyncGenerator[EventLinePage], verdicts: dict[int, HistoryVerdict], limit: int
) -> int:
    """Write up to `limit` events; return the position of the last, 0 where there was none."""
    last = written = 0
    async with aclosing(pages) as reading:
        async for page in reading:
            lines = page.lines[: limit - written]
            if not lines:
                break
            separator = b"," if written else b""
            await write(response, separator + b",".join([_told(line, verdicts[line.position]) for line in lines]))
            written += len(lines)
            last = lines[-1].position
    return last


def _told(line: EventLine, verdict: HistoryVerdict) -> bytes:
    found = verdict.verdict
    view = {
        "effect": found.effect,
        "late": found.late,
        "changed": found.changed,
        "supersededBy": found.superseded_by,
        "reason": found.reason,
        "incomplete": verdict.incomplete,
    }
    return b'%b,"verdict":%b}' % (line.text[:-1], dump(view))


async def _read_past(request: web.Request) -> web.Response:
    """GET /jobs/runs/{id}?knownAt=&validAt=."""
    text, run = run_id(request)
    past = await request.app[RESOURCES].history.run_at(
        run, parameters.time(request, "knownAt"), parameters.time(request, "validAt")
    )
    if past is None:
        raise RunNotFound(text)
    return json_response(request, dump(views.run_view(text, past.run) | {"asOf": _as_of(past)}))


def _as_of(past: PastRun) -> dict[str, object]:
    """Return up to where the ledger was counted, and the files of archived payloads that were not."""
    view: dict[str, object] = {
        "log": LOG,
        "position": past.known.position,
        "recordedAt": past.known.recorded_at if past.known.position else None,
    }
    return view | {"archived": archived_view(past.archived)} if past.archived else view


async def read(request: web.Request) -> web.Response:
    """GET /jobs/runs/{id}: as it is, or as it was."""
    if request.query_string:
        parameters.only(request, ("knownAt", "validAt"))
        return await _read_past(request)
    text, identity = run_id(request)
    run = await request.app[RESOURCES].reader.read(identity)
    if run is None:
        raise RunNotFound(text)
    return json_response(request, dump(views.run_view(text, run)))
