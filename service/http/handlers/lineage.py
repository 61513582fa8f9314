"""OpenLineage events: recorded one by one, in batches or as a stream, and listed as they were sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from http import HTTPStatus

from aiohttp import hdrs, web

from service.auth.keys import Scope
from service.catalog.lineage_events import EventTexts, LineageEventReader, LineageFilter
from service.domain import timestamps
from service.domain.decisions import Decision, Report
from service.domain.draft import Draft
from service.domain.event import Subject
from service.errors import Invalid, OutsideNamespaces, RunfoldError, UnsupportedType
from service.http.authentication import check_again
from service.http.fast_path import json_response
from service.http.key_limits import KEY_LIMITS
from service.http.lineage_batch import batch_report, ingest_body
from service.http.metric_families import REQUEST_METRICS
from service.http.openapi import responses
from service.http.parameters import LIMIT, OFFSET, choice, text, time
from service.http.paths import BASE
from service.http.permissions import binding_of
from service.http.recorded import RECORDED_HEADER, recorded_position
from service.http.request_body import NDJSON_TYPES, Interrupted, is_json, read_body
from service.http.request_values import slice_of
from service.http.resources import RESOURCES
from service.http.route import CONTEXT, Body, Reach, Route, Tag, parameters_of
from service.http.streaming import streaming, write
from service.http.views import archived_view
from service.ingest.event_reading import read_event
from service.ingest.ingestion import Ingestion
from service.ledger.bulk_appender import RecordedFact
from service.payloads.json_writer import dump
from service.payloads.openlineage import Origin
from service.payloads.schemas import OpenLineageEvent

_NO_EVENTS = EventTexts([], [])

_NAMESPACE = text("namespace", "Only events of this namespace.")
_AFTER = time("after", "Only events at this time or later.")
_BEFORE = time("before", "Only events before this time.")
_SORT_DIRECTION = choice("sortDirection", "By eventTime.", ("desc", "asc"), "desc")


def _origin(request: web.Request) -> Origin:
    context = request[CONTEXT]
    return Origin("openlineage", context.actor, context.binding)


async def record(request: web.Request) -> web.Response:
    """Record an event."""
    resources = request.app[RESOURCES]
    if not is_json(request):
        raise UnsupportedType(f"Content-Type {request.content_type} is not read here; send application/json")
    body = await read_body(request, resources.settings.max_event_bytes, "`runfold serve --max-event-bytes`")
    left_out = request.app[REQUEST_METRICS].left_out
    draft = await read_event(body.strip(b" \t\r\n"), _origin(request), timestamps.now(), left_out)
    binding = binding_of(request)
    if binding is None or draft.subject is not Subject.RUN:
        result = await resources.appender.fact(draft)
    else:
        result = await resources.appender.command(draft, Report(binding))
        if result.decision is Decision.OUTSIDE:
            raise OutsideNamespaces.of_run(str(draft.stream))
    return json_response(request, status=HTTPStatus.CREATED, recorded=recorded_position(result))


async def record_batch(request: web.Request) -> web.Response:
    """Record the events of a JSON array or of lines, and answer which of them could not be recorded."""
    resources = request.app[RESOURCES]
    max_bytes = resources.settings.max_event_bytes
    left_out = request.app[REQUEST_METRICS].left_out
    limits, actor = request.app[KEY_LIMITS], request[CONTEXT].actor

    def check() -> None:
        check_again(request)
        if request.transport is None or request.transport.is_closing():
            raise Interrupted("the client disconnected")

    async def append(drafts: Sequence[Draft]) -> list[RecordedFact | RunfoldError]:
        if limits is not None and actor is not None:
            await limits.wait_for_events(actor, len(drafts), check)
        check_again(request)  # the caller may have sent its lines for hours
        return await resources.appender.bulk(drafts, binding_of(request))

    ingestion = Ingestion(append, _origin(request), max_bytes=max_bytes, left_out=left_out)
    await ingest_body(request, ingestion, max_bytes)
    if not ingestion.failed:
        return web.Response(status=HTTPStatus.NO_CONTENT)
    return json_response(request, dump({"status": "partial_success"} | batch_report(ingestion)))


async def list_events(request: web.Request) -> web.StreamResponse:
    """List events as they were sent, by their own time."""
    events = request.app[RESOURCES].lineage_events
    parameters = parameters_of(request)
    filters = LineageFilter(parameters[_NAMESPACE], parameters[_AFTER], parameters[_BEFORE])
    page, descending = slice_of(request), parameters[_SORT_DIRECTION] == "desc"
    if (binding := binding_of(request)) is not None:
        filters = await events.restrict(filters, binding)
    total = await events.count(filters)
    positions = await events.positions(filters, page, descending=descending)
    return await _answer_events(request, total, events, positions)


async def _answer_events(
    request: web.Request, total: int, events: LineageEventReader, positions: list[int]
) -> web.StreamResponse:
    """Answer events in one response where they fit in one piece, else piece by piece as they are read."""
    async with aclosing(events.pieces(positions)) as pieces:
        first = await anext(pieces, None) or _NO_EVENTS  # not as anext()'s default: it would unpack the tuple
        second = await anext(pieces, None)
        head = b'{"totalCount":%d,"events":[%b' % (total, ",".join(first.texts).encode())
        if second is None:
            return json_response(request, head + await _tail(events, first.missing))
        response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "application/json"})
        await response.prepare(request)
        with streaming(request):
            await write(response, head)
            missing = await _write_pieces(response, "," if first.texts else "", second, pieces)
            await write(response, await _tail(events, first.missing + missing) + b"\n")
            await response.write_eof()
    return response


async def _write_pieces(
    response: web.StreamResponse, separator: str, piece: EventTexts | None, pieces: AsyncIterator[EventTexts]
) -> list[int]:
    """Write pieces, the first one after a separator; return the positions of events without a payload."""
    missing: list[int] = []
    while piece is not None:
        if piece.texts:
            await write(response, (separator + ",".join(piece.texts)).encode())
            separator = ","
        missing += piece.missing
        piece = await anext(pieces, None)
    return missing


async def _tail(events: LineageEventReader, missing: list[int]) -> bytes:
    """Return the end of the answer, with the archive files of the events that it leaves out."""
    files = await events.locate_archived(missing)
    return b"]%b}" % (b',"archived":%b' % dump(archived_view(files)) if files else b"")


ROUTES = (
    Route(
        method="POST",
        path=f"{BASE}/lineage",
        handler=record,
        scope=Scope.WRITE,
        reach=Reach.WITHIN,
        tag=Tag.OPENLINEAGE,
        summary="Record an OpenLineage event",
        description="A RunEvent, JobEvent or DatasetEvent; never refused for its order. May be gzipped. `eventTime` "
        "may be at most 24 hours ahead of the server's clock; a `nominalTime` facet is a plan, and may be later. "
        "`eventType` is read in letters of either case. A dataset without a name, or another part that no transition "
        "needs and that is ill-formed, is kept in the event and left out of what is derived from it.",
        body=Body(OpenLineageEvent),
        answers={201: None},
        headers={201: RECORDED_HEADER},
        errors=(Invalid,),
    ),
    Route(
        method="POST",
        path=f"{BASE}/lineage/batch",
        handler=record_batch,
        scope=Scope.WRITE,
        reach=Reach.WITHIN,
        tag=Tag.OPENLINEAGE,
        summary="Record many OpenLineage events",
        description="A JSON array, or any number of lines, read as a stream. 204: all were recorded; 200: not all. "
        "A batch is not a transaction: where a stream breaks off, the events that were complete are recorded, and the "
        "problem has `summary` and `failed_events`. An array is read whole before any of it is recorded; of one "
        "with NaN or Infinity, which JSON does not have, the events that have them are refused.",
        body=Body(OpenLineageEvent, array=True, media_types=("application/json", NDJSON_TYPES[0])),
        answers={204: None, 200: responses.BatchResult},
        long_lasting=True,
    ),
    Route(
        method="GET",
        path=f"{BASE}/events/lineage",
        handler=list_events,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.OPENLINEAGE,
        summary="List OpenLineage events as they were sent, by eventTime",
        description="RunEvents only; JobEvents and DatasetEvents are in `GET /events`, and in the histories of what "
        "they name.",
        parameters=(_NAMESPACE, _AFTER, _BEFORE, _SORT_DIRECTION, LIMIT, OFFSET),
        answers={200: responses.LineageEvents},
        long_lasting=True,
    ),
)
