"""A run as it is or as it was, and its history event by event."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import hdrs, web

from service.audit.event_lines import EventLine, EventLinePage, PositionRange
from service.audit.event_text import next_cursor
from service.audit.filters import EventFilters
from service.audit.run_history import HistoryVerdict, PastRun
from service.auth.keys import Scope
from service.errors import RunNotFound
from service.http import views
from service.http.event_parameters import CURSOR, position_after
from service.http.fast_path import json_response
from service.http.openapi import responses
from service.http.parameters import optional_integer, time
from service.http.paths import RUN
from service.http.request_values import run_id, run_not_found
from service.http.resources import RESOURCES
from service.http.route import Route, Tag, parameters_of
from service.http.streaming import streaming, write
from service.ledger.events import LOG
from service.payloads.json_writer import dump

_NO_LIMIT = 2**31 - 1

_KNOWN_AT = time("knownAt", "As it was known then: by the events recorded up to this time.")
_VALID_AT = time("validAt", "As it was then, by what is known now: by transitions up to this time.")
_LIMIT = optional_integer("limit", "The maximum number of events; else all.", 1, _NO_LIMIT)


async def read(request: web.Request) -> web.Response:
    """Read a run, as it is or as it was."""
    text, run = run_id(request)
    if request.query_string:
        parameters = parameters_of(request)
        known_at, valid_at = parameters[_KNOWN_AT], parameters[_VALID_AT]
        past = await request.app[RESOURCES].history.run_at(run, known_at, valid_at)
        if past is None:
            raise run_not_found(request)
        return json_response(request, dump(views.run_view(text, past.run) | {"asOf": _as_of_view(past)}))
    registers = await request.app[RESOURCES].reader.read(run)
    if registers is None:
        raise run_not_found(request)
    return json_response(request, dump(views.run_view(text, registers)))


def _as_of_view(past: PastRun) -> dict[str, object]:
    """Return the ledger's head that was known, and the files of archived payloads that the answer leaves out."""
    view: dict[str, object] = {
        "log": LOG,
        "position": past.known.position,
        "recordedAt": past.known.recorded_at if past.known.position else None,
    }
    return view | {"archived": views.archived_view(past.archived)} if past.archived else view


async def events(request: web.Request) -> web.StreamResponse:
    """Read the events of a run, oldest first: all, unless limit or cursor are given."""
    text, run = run_id(request)
    parameters = parameters_of(request)
    limit, cursor = parameters[_LIMIT] or _NO_LIMIT, parameters[CURSOR]
    ledger = request.app[RESOURCES].ledger
    head = await ledger.head()
    after = position_after(cursor, head)
    verdicts = await request.app[RESOURCES].history.verdicts(run, head.position)
    if not verdicts:
        raise run_not_found(request)
    if request.method == hdrs.METH_HEAD:
        return web.Response(headers={hdrs.CONTENT_TYPE: "application/json"})
    response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "application/json"})
    await response.prepare(request)
    with streaming(request):
        await write(response, b'{"runId":%b,"events":[' % dump(text))
        pages = ledger.pages(EventFilters(run=run), PositionRange(after, head.position))
        last = await _write_events(response, pages, verdicts, limit)
        more = 0 < last < max(verdicts)
        await write(response, b'],"next":%b}\n' % (dump(next_cursor(last)) if more else b"null"))
        await response.write_eof()
    return response


async def _write_events(
    response: web.StreamResponse, pages: AsyncGenerator[EventLinePage], verdicts: dict[int, HistoryVerdict], limit: int
) -> int:
    """Write up to `limit` events; return the position of the last one, 0 where there was none."""
    last = written = 0
    async with aclosing(pages) as reading:
        async for page in reading:
            lines = page.lines[: limit - written]
            if not lines:
                break
            separator = b"," if written else b""
            await write(response, separator + b",".join([_event_json(line, verdicts[line.position]) for line in lines]))
            written += len(lines)
            last = lines[-1].position
    return last


def _event_json(line: EventLine, history: HistoryVerdict) -> bytes:
    """Return an event with its verdict."""
    verdict = history.verdict
    view = {
        "effect": verdict.effect,
        "late": verdict.late,
        "changed": verdict.changed,
        "supersededBy": verdict.superseded_by,
        "reason": verdict.reason,
        "attempt": verdict.attempt,
        "incomplete": history.incomplete,
    }
    return b'%b,"verdict":%b}' % (line.text[:-1], dump(view))


ROUTES = (
    Route(
        method="GET",
        path=RUN,
        handler=read,
        scope=Scope.READ,
        tag=Tag.RUNS,
        summary="Read a run, as it is or as it was",
        description="With `knownAt` or `validAt` the answer has `asOf`; `asOf.archived` names the files of payloads "
        "that belong to the answer but are not in the database.",
        parameters=(_KNOWN_AT, _VALID_AT),
        answers={200: responses.Run},
        errors=(RunNotFound,),
    ),
    Route(
        method="GET",
        path=f"{RUN}/events",
        handler=events,
        scope=Scope.READ,
        tag=Tag.LEDGER,
        summary="Read a run's history",
        description="Oldest first, every event whole, with its effect on the run, and the attempt that it belongs to.",
        parameters=(_LIMIT, CURSOR),
        answers={200: responses.History},
        errors=(RunNotFound,),
        long_lasting=True,
    ),
)
