"""A run as it is or as it was, and its history event by event."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple
from uuid import UUID

from aiohttp import hdrs, web

from service.audit.event_lines import PAGE_BYTES, EventLine, PositionRange, TextFormat
from service.audit.event_text import next_cursor
from service.audit.filters import EventFilters
from service.audit.ledger_reader import LedgerReader
from service.audit.run_history import PastRun
from service.audit.run_verdicts import HistoryVerdict, RunVerdicts
from service.auth.keys import Scope
from service.domain.run import NO_DATASETS
from service.http import views
from service.http.event_parameters import CURSOR, WITHOUT_PAYLOADS, position_after
from service.http.fast_path import json_response
from service.http.job_reads import lineage_of_run
from service.http.openapi import responses
from service.http.parameters import optional_integer, time
from service.http.paths import RUN
from service.http.permissions import binding_of, visible
from service.http.request_values import run_id, run_not_found
from service.http.resources import RESOURCES
from service.http.route import Reach, Route, Tag, parameters_of
from service.http.streaming import streaming, write
from service.ledger.events import LOG, Head
from service.lineage.run_lineage import Moment
from service.not_found import RunNotFound
from service.payloads.json_writer import dump

_NO_LIMIT = 2**31 - 1

_PAGE_EVENTS = 250
"""Events that are read and judged at once."""

_KNOWN_AT = time("knownAt", "As it was known then: by the events recorded up to this time.")
_VALID_AT = time("validAt", "As it was then, by what is known now: by transitions up to this time.")
_LIMIT = optional_integer(
    "limit", "The maximum number of events, fewer where payloads are large; else all.", 1, _NO_LIMIT
)


async def read(request: web.Request) -> web.Response:
    """Read a run, as it is or as it was."""
    text, run = run_id(request)
    binding = binding_of(request)
    if request.query_string:
        parameters = parameters_of(request)
        known_at, valid_at = parameters[_KNOWN_AT], parameters[_VALID_AT]
        past = await request.app[RESOURCES].history.run_at(run, known_at, valid_at)
        if past is None or not await _may_see(request, run):
            raise run_not_found(request)
        known = past.known if binding is None else await _last_of_run(request, run, past.known)
        moment = Moment(valid_at, known.position)
        lineage, as_of = await lineage_of_run(request, run, past.run, moment), {"asOf": _as_of_view(past, known)}
        return json_response(request, await views.run_json(text, past.run, lineage, as_of))
    registers = visible(binding, await request.app[RESOURCES].reader.read(run))
    if registers is None:
        raise run_not_found(request)
    if registers.datasets_position == NO_DATASETS:
        return json_response(request, dump(views.run_view(text, registers)))
    lineage = await lineage_of_run(request, run, registers)
    return json_response(request, await views.run_json(text, registers, lineage))


async def _may_see(request: web.Request, run: UUID) -> bool:
    """Tell whether the API key may see a run, as it is now and with all that was read of it before."""
    binding = binding_of(request)
    return binding is None or visible(binding, await request.app[RESOURCES].reader.read(run)) is not None


async def _last_of_run(request: web.Request, run: UUID, known: Head) -> Head:
    """Return the place of a run's last event up to a ledger head."""
    (last,) = await request.app[RESOURCES].ledger.last_of_run(run, known.position)
    return Head(last.position, b"", last.recorded_at)


def _as_of_view(past: PastRun, known: Head) -> dict[str, object]:
    """Return the ledger's head that was known, and the files of archived payloads that the answer leaves out.

    Bound API keys get the run's last event in place of the head: heads would tell when others recorded something.
    """
    view: dict[str, object] = {
        "log": LOG,
        "position": known.position,
        "recordedAt": known.recorded_at if known.position else None,
    }
    return view | {"archived": views.archived_view(past.archived)} if past.archived else view


async def events(request: web.Request) -> web.StreamResponse:
    """Read the events of a run, oldest first: all, unless a limit or a cursor is given."""
    text, run = run_id(request)
    parameters = parameters_of(request)
    limit, cursor = parameters[_LIMIT], parameters[CURSOR]
    form = TextFormat.OUTLINE if parameters[WITHOUT_PAYLOADS] else TextFormat.JSON
    ledger = request.app[RESOURCES].ledger
    head = await ledger.head()
    span = PositionRange(position_after(cursor, head), head.position)
    last = await ledger.last_of_run(run, head.position)
    if not last or not await _may_see(request, run):
        raise run_not_found(request)
    if request.method == hdrs.METH_HEAD:
        return web.Response(headers={hdrs.CONTENT_TYPE: "application/json"})
    verdicts = RunVerdicts(request.app[RESOURCES].history, run, last[0].position)
    response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "application/json"})
    async with aclosing(_judged(verdicts, _Events(ledger, run, form), span, limit)) as pages:
        page = await anext(pages)  # before the answer begins, so that an unavailable database is a 503
        await response.prepare(request)
        with streaming(request):
            await write(response, b'{"runId":%b,"events":[%b' % (dump(text), page.text))
            async for page in pages:
                await write(response, b",%b" % page.text)
            more = 0 < page.last < last[0].position
            await write(response, b'],"next":%b}\n' % (dump(next_cursor(page.last)) if more else b"null"))
            await response.write_eof()
    return response


class _JudgedPage(NamedTuple):
    """Events of a run with their verdicts as JSON, and the position of the last one; 0 where there is none."""

    text: bytes
    last: int


class _Events(NamedTuple):
    """The events of a run in a form."""

    ledger: LedgerReader
    run: UUID
    form: TextFormat


async def _judged(
    verdicts: RunVerdicts, events: _Events, span: PositionRange, limit: int | None
) -> AsyncGenerator[_JudgedPage]:
    """Yield the events of a run in a span, with their verdicts: pages with events, or one without.

    They are the first `limit` of them, and fewer where their payloads exceed PAGE_BYTES; None: all.
    """
    left, size = limit or _NO_LIMIT, 0
    while True:
        page = await events.ledger.page(EventFilters(run=events.run), span, min(left, _PAGE_EVENTS), events.form)
        if page.lines:
            last = page.lines[-1].position
            by_position = await verdicts.judge(span.after, last)
            yield _JudgedPage(b",".join([_event_json(line, by_position[line.position]) for line in page.lines]), last)
        elif not size:
            yield _JudgedPage(b"", 0)
        left -= len(page.lines)
        size += sum(len(line.text) for line in page.lines)
        if page.done or not left or not page.lines or (limit is not None and size >= PAGE_BYTES):
            return
        span = page.rest


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
        reach=Reach.WITHIN,
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
        reach=Reach.WITHIN,
        tag=Tag.LEDGER,
        summary="Read a run's history",
        description="Oldest first, every event with its effect on the run, and the attempt that it belongs to.",
        parameters=(_LIMIT, WITHOUT_PAYLOADS, CURSOR),
        answers={200: responses.History},
        errors=(RunNotFound,),
        long_lasting=True,
    ),
)
