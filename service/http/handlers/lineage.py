"""OpenLineage events: taken one by one, in batches, as a stream; and given back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from http import HTTPStatus
from operator import attrgetter
from typing import Any

from aiohttp import web

from service.catalog.lineage_events import EventTexts, LineageEventReader, LineageFilter
from service.domain import timestamps
from service.errors import Malformed, RunfoldError, RunNotFound, UnsupportedType
from service.http import request_body, views
from service.http.authentication import ACTOR
from service.http.fast_path import json_response
from service.http.json_bodies import read_time
from service.http.parameters import archived_view, run_id, slice_of
from service.http.resources import RESOURCES
from service.http.streaming import streaming, write
from service.ingest.ingestion import Ingestion, IngestionFailure
from service.payloads import openlineage
from service.payloads.json_writer import dump
from service.payloads.openlineage import Origin
from service.payloads.openlineage_errors import find_unstorable_characters
from service.payloads.splitters import LineSplitter, RawEvent, split_array

MAX_BATCH_BYTES = 64 * 1024 * 1024
"""A JSON array is read whole, so that a broken one records nothing. What is larger comes as a stream of lines."""

_NOTHING = EventTexts([], [])

_STREAMS = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})


def _is_json(request: web.Request) -> bool:
    content_type = request.content_type
    given = "Content-Type" in request.headers
    return not given or content_type == "application/json" or content_type.endswith("+json")


def _origin(request: web.Request) -> Origin:
    return Origin("openlineage", request[ACTOR])


async def record(request: web.Request) -> web.Response:
    """POST /lineage."""
    resources = request.app[RESOURCES]
    if not _is_json(request):
        raise UnsupportedType(f"Content-Type {request.content_type} is not read here; send application/json")
    body = await request_body.read_body(request, resources.settings.max_event_bytes)
    draft = openlineage.read_lineage_event(body.strip(b" \t\r\n"), _origin(request), timestamps.now())
    await resources.appender.fact(draft)
    return json_response(request, status=HTTPStatus.CREATED)


async def record_batch(request: web.Request) -> web.Response:
    """POST /lineage/batch: a JSON array, or lines of JSON.

    No transaction: what is complete when the body breaks off is recorded, and the error says how much that was.
    """
    resources = request.app[RESOURCES]
    ingestion = Ingestion(resources.appender.bulk, _origin(request), max_bytes=resources.settings.max_event_bytes)
    try:
        await _take(request, resources.settings.max_event_bytes, ingestion)
    except RunfoldError as error:
        error.detail += f"; of {ingestion.received} events before that, {ingestion.recorded} are recorded"
        error.extensions = {name: dump(value) for name, value in _account(ingestion).items()}
        raise
    if not ingestion.failed:
        return web.Response(status=204)
    return json_response(request, dump({"status": "partial_success"} | _account(ingestion)))


async def _take(request: web.Request, max_bytes: int, ingestion: Ingestion) -> None:
    try:
        if request.content_type in _STREAMS:
            await _take_lines(request, LineSplitter(max_bytes), ingestion)
        elif _is_json(request):
            body = await request_body.read_body(request, MAX_BATCH_BYTES)
            await ingestion.add(RawEvent(None, text) for text in split_array(body))
        else:
            raise UnsupportedType(
                f"Content-Type {request.content_type} is not read here; send application/json or application/x-ndjson"
            )
    finally:
        # Also when cancelled, by a server that notices first that its client has gone.
        await ingestion.finish()


async def _take_lines(request: web.Request, lines: LineSplitter, ingestion: Ingestion) -> None:
    async with aclosing(request_body.stream_body(request)) as pieces:
        async for piece in pieces:
            await ingestion.add(lines.feed(piece))
    await ingestion.add(lines.end())


def _account(ingestion: Ingestion) -> dict[str, Any]:
    """Tell what became of the events as OpenLineage 2-0-2 says."""
    return {
        "summary": {
            "received": ingestion.received,
            "successful": ingestion.recorded,
            "failed": ingestion.failed,
            "retriable": ingestion.retriable,
            "non_retriable": ingestion.failed - ingestion.retriable,
        },
        "failed_events": [_failure(failure) for failure in sorted(ingestion.failures, key=attrgetter("place"))],
    }


def _failure(failure: IngestionFailure) -> dict[str, Any]:
    told: dict[str, Any] = {"index": failure.place}
    if failure.line.number is not None:
        told["line"] = failure.line.number
    return told | {"reason": failure.reason, "retriable": failure.retriable}


async def list_events(request: web.Request) -> web.StreamResponse:
    """GET /events/lineage: the events as they were sent, by their own time."""
    lineage = request.app[RESOURCES].lineage_events
    span = LineageFilter(request.query.get("namespace"), _bound(request, "after"), _bound(request, "before"))
    _refuse_unspeakable(span.namespace)
    direction = request.query.get("sortDirection", "desc").lower()
    if direction not in ("asc", "desc"):
        raise Malformed("parameter sortDirection must be one of asc, desc")
    part = slice_of(request)
    total = await lineage.count(span)
    positions = await lineage.positions(span, part, descending=direction == "desc")
    return await _give(request, total, lineage, positions)


def _bound(request: web.Request, parameter: str) -> datetime | None:
    text = request.query.get(parameter)
    return None if text is None else read_time(parameter, text)


def _refuse_unspeakable(namespace: str | None) -> None:
    if namespace is not None and any(find_unstorable_characters("namespace", namespace)):
        raise Malformed("parameter namespace has a character that cannot be recorded")


async def _give(
    request: web.Request, total: int, lineage: LineageEventReader, positions: list[int]
) -> web.StreamResponse:
    """Answer; what does not come to much, in one piece, else piece by piece as it is read."""
    async with aclosing(lineage.pieces(positions)) as pieces:
        first = await anext(pieces, None) or _NOTHING  # not as the default: anext() takes a tuple apart
        second = await anext(pieces, None)
        head = b'{"totalCount":%d,"events":[%b' % (total, ",".join(first.texts).encode())
        if second is None:
            return json_response(request, head + await _tail(lineage, first.missing))
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        with streaming(request):
            await write(response, head)
            missing = await _write(response, "," if first.texts else "", second, pieces)
            await write(response, await _tail(lineage, first.missing + missing))
            await response.write_eof()
    return response


async def _write(
    response: web.StreamResponse, separator: str, piece: EventTexts | None, pieces: AsyncIterator[EventTexts]
) -> list[int]:
    """Write pieces, the first after a separator; return the positions that had no payload."""
    missing: list[int] = []
    while piece is not None:
        if piece.texts:
            await write(response, (separator + ",".join(piece.texts)).encode())
            separator = ","
        missing += piece.missing
        piece = await anext(pieces, None)
    return missing


async def _tail(lineage: LineageEventReader, missing: list[int]) -> bytes:
    """Return the answer's end, which says where the events are that were left out."""
    files = await lineage.locate_archived(missing)
    return b"]%b}" % (b',"archived":%b' % dump(archived_view(files)) if files else b"")


async def children(request: web.Request) -> web.Response:
    """GET /jobs/runs/{id}/children: the runs that named this one as their parent."""
    resources = request.app[RESOURCES]
    text, identity = run_id(request)
    part = slice_of(request)
    await resources.catalog.wait_until_current()
    runs, total = await resources.lineage_events.children(identity, part)
    if not total and await resources.reader.read(identity) is None:
        raise RunNotFound(text)
    return json_response(request, dump(views.runs_view(runs, total)))
