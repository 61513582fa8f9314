"""A run's whole history, event by event, and the run as it was."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import hdrs, web

from service.audit.event_text import next_cursor
from service.audit.filters import Filters
from service.audit.ledger_reader import Head, Line, Page, Span
from service.audit.run_history import _judged, _known, _valid, _Verdict
from service.errors import RunNotFound
from service.http import parameters, views
from service.http.fast_path import answer
from service.http.parameters import archived_view, integer, run_id
from service.http.resources import RESOURCES
from service.http.streaming import begun, write
from service.ledger.archive_records import Where
from service.ledger.events import LOG
from service.payloads.json_writer import dump

_NO_LIMIT = 2**31 - 1


async def events(request: web.Request) -> web.StreamResponse:
    """GET /jobs/runs/{id}/events: oldest first, whole unless limit or cursor say otherwise, written as it is read."""
    parameters.only(request, ("limit", "cursor"))
    text, run = run_id(request)
    limit = integer(request, "limit", _NO_LIMIT, 1, _NO_LIMIT)
    audit = request.app[RESOURCES].audit
    head = await audit.head()
    after = parameters.cursor(parameters.one(request, "cursor") or parameters.START, head)
    verdicts = await _judged(request.app[RESOURCES], run, head.position)
    if not verdicts:
        raise RunNotFound(text)
    if request.method == hdrs.METH_HEAD:
        return web.Response(headers={"Content-Type": "application/json"})
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    with begun(request):
        await write(response, b'{"runId":%b,"events":[' % dump(text))
        last = await _write(response, audit.pages(Filters(run=run), Span(after, head.position)), verdicts, limit)
        more = last < max(verdicts) and last > 0
        await write(response, b'],"next":%b}' % (dump(next_cursor(last)) if more else b"null"))
        await response.write_eof()
    return response


async def _write(
    response: web.StreamResponse, pages: AsyncGenerator[Page], verdicts: dict[int, _Verdict], limit: int
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


def _told(line: Line, verdict: _Verdict) -> bytes:
    judgement = verdict.judgement
    view = {
        "effect": judgement.effect,
        "late": judgement.late,
        "changed": judgement.changed,
        "supersededBy": judgement.superseded_by,
        "reason": judgement.reason,
        "incomplete": verdict.incomplete,
    }
    return b'%b,"verdict":%b}' % (line.text[:-1], dump(view))


async def as_it_was(request: web.Request) -> web.Response:
    """GET /jobs/runs/{id}?knownAt=&validAt=."""
    text, run = run_id(request)
    known_at, valid_at = parameters.time(request, "knownAt"), parameters.time(request, "validAt")
    resources = request.app[RESOURCES]
    as_of = await resources.audit.known_at(known_at)
    if valid_at is None:
        found, missing = await _known(resources.audit, run, as_of.position)
    else:
        found, missing = await _valid(resources.audit, run, as_of.position, valid_at)
    if found is None:
        raise RunNotFound(text)
    files = await resources.lineage.archived(missing)
    return answer(request, dump(views.run_view(text, found) | {"asOf": _as_of(as_of, files)}))


def _as_of(head: Head, files: dict[Where, list[int]]) -> dict[str, object]:
    """Tell what was counted; and where that lies which could not be, for it left the database."""
    view: dict[str, object] = {
        "log": LOG,
        "position": head.position,
        "recordedAt": head.recorded_at if head.position else None,
    }
    return view | {"archived": archived_view(files)} if files else view


async def read(request: web.Request) -> web.Response:
    """GET /jobs/runs/{id}: as it is, or as it was."""
    if request.query_string:
        parameters.only(request, ("knownAt", "validAt"))
        return await as_it_was(request)
    text, identity = run_id(request)
    run = await request.app[RESOURCES].reader.read(identity)
    if run is None:
        raise RunNotFound(text)
    return answer(request, dump(views.run_view(text, run)))
