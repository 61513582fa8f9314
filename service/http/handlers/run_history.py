"""A run's whole history, event by event, and the run as it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from functools import reduce
from typing import NamedTuple
from uuid import UUID

from aiohttp import hdrs, web

from service.audit.event_text import next_cursor
from service.audit.filters import Filters
from service.audit.ledger_reader import Audit, Head, Line, Page, Span
from service.domain.bitemporal import ValidAt
from service.domain.event_verdicts import Judgement, Judging
from service.domain.run import Kind, RunRegisters, RunState, merge, registers_of
from service.errors import RunNotFound
from service.http import asked, views
from service.http.fast_path import answer
from service.http.parameters import archived_view, integer, run_id
from service.http.resources import RESOURCES, Resources
from service.http.streaming import begun, write
from service.ledger.archive_records import Where
from service.ledger.events import LOG

_NO_LIMIT = 2**31 - 1
_PIECE = 200
"""Events folded before others on the loop get their turn."""


class _Verdict(NamedTuple):
    """What became of an event; `incomplete`: what its payload said is not in that, it is archived."""

    judgement: Judgement
    incomplete: bool


async def events(request: web.Request) -> web.StreamResponse:
    """GET /jobs/runs/{id}/events: oldest first, whole unless limit or cursor say otherwise, written as it is read."""
    asked.only(request, ("limit", "cursor"))
    text, run = run_id(request)
    limit = integer(request, "limit", _NO_LIMIT, 1, _NO_LIMIT)
    audit = request.app[RESOURCES].audit
    head = await audit.head()
    after = asked.cursor(asked.one(request, "cursor") or asked.START, head)
    verdicts = await _judged(request.app[RESOURCES], run, head.position)
    if not verdicts:
        raise RunNotFound(text)
    if request.method == hdrs.METH_HEAD:
        return web.Response(headers={"Content-Type": "application/json"})
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    with begun(request):
        await write(response, b'{"runId":%b,"events":[' % views.dump(text))
        last = await _write(response, audit.pages(Filters(run=run), Span(after, head.position)), verdicts, limit)
        more = last < max(verdicts) and last > 0
        await write(response, b'],"next":%b}' % (views.dump(next_cursor(last)) if more else b"null"))
        await response.write_eof()
    return response


async def _judged(resources: Resources, run: UUID, upto: int) -> dict[int, _Verdict]:
    judging = Judging()
    positions, missing = [], []
    async with aclosing(resources.audit.history(run, upto)) as history:
        async for told in history:
            judging.add(told.event, told.content)
            positions.append(told.event.position)
            if told.missing:
                missing.append(told.event.position)
            if len(positions) % _PIECE == 0:
                await asyncio.sleep(0)
    archived = {position for some in (await resources.lineage.archived(missing)).values() for position in some}
    return {
        position: _Verdict(judgement, position in archived)
        for position, judgement in zip(positions, judging.judgements(), strict=True)
    }


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
    return b'%b,"verdict":%b}' % (line.text[:-1], views.dump(view))


async def as_it_was(request: web.Request) -> web.Response:
    """GET /jobs/runs/{id}?knownAt=&validAt=."""
    text, run = run_id(request)
    known_at, valid_at = asked.time(request, "knownAt"), asked.time(request, "validAt")
    resources = request.app[RESOURCES]
    as_of = await resources.audit.known_at(known_at)
    if valid_at is None:
        found, missing = await _known(resources.audit, run, as_of.position)
    else:
        found, missing = await _valid(resources.audit, run, as_of.position, valid_at)
    if found is None:
        raise RunNotFound(text)
    files = await resources.lineage.archived(missing)
    return answer(request, views.dump(views.run_view(text, found) | {"asOf": _as_of(as_of, files)}))


def _as_of(head: Head, files: dict[Where, list[int]]) -> dict[str, object]:
    """Tell what was counted; and where that lies which could not be, for it left the database."""
    view: dict[str, object] = {
        "log": LOG,
        "position": head.position,
        "recordedAt": head.recorded_at if head.position else None,
    }
    return view | {"archived": archived_view(files)} if files else view


async def _known(audit: Audit, run: UUID, position: int) -> tuple[RunRegisters | None, list[int]]:
    """Fold what the ledger told up to a position, on top of what the catalog has folded of that.

    Where a payload was erased and that is not folded yet, the catalog may still have what it said: then all is folded
    from the ledger. Returns the positions whose payloads were missing, too.
    """
    standing, folded = await audit.folded(run, position)
    if standing is not None and await _erased(audit, run, folded):
        standing = None
    parts, missing = [standing] if standing else [], []
    async with aclosing(audit.history(run, position, standing.position if standing else 0)) as history:
        async for told in history:
            parts.append(registers_of(told.event, told.content))
            if told.missing:
                missing.append(told.event.position)
            if len(parts) >= _PIECE:
                parts = [reduce(merge, parts)]
                await asyncio.sleep(0)
    return (reduce(merge, parts) if parts else None), missing


async def _erased(audit: Audit, run: UUID, after: int) -> bool:
    erasures = Span(after, (await audit.head()).position)
    return await audit.count(Filters(run=run, kinds=(Kind.ERASED,)), erasures) > 0


async def _valid(audit: Audit, run: UUID, position: int, at: datetime) -> tuple[RunRegisters | None, list[int]]:
    folding = ValidAt(at)
    count, missing = 0, []
    async with aclosing(audit.history(run, position)) as history:
        async for told in history:
            folding.add(told.event, told.content)
            count += 1
            if told.missing and (told.event.transitioned_at <= at or told.event.state == RunState.NEW):
                missing.append(told.event.position)
            if count % _PIECE == 0:
                await asyncio.sleep(0)
    return folding.run(), missing


async def read(request: web.Request) -> web.Response:
    """GET /jobs/runs/{id}: as it is, or as it was."""
    if request.query_string:
        asked.only(request, ("knownAt", "validAt"))
        return await as_it_was(request)
    text, identity = run_id(request)
    run = await request.app[RESOURCES].reader.read(identity)
    if run is None:
        raise RunNotFound(text)
    return answer(request, views.dump(views.run_view(text, run)))
