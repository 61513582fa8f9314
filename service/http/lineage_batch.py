"""Reads the body of a batch of OpenLineage events, and reports what became of each event."""

from __future__ import annotations

from contextlib import aclosing
from operator import attrgetter
from typing import Any

from aiohttp import web

from service.errors import RunfoldError, UnsupportedType
from service.http.request_body import NDJSON_TYPES, is_json, read_body, stream_body
from service.ingest.ingestion import Ingestion, IngestionFailure
from service.payloads.json_writer import dump
from service.payloads.splitters import LineSplitter, RawEvent, split_array

MAX_ARRAY_BYTES = 64 * 1024 * 1024
"""A JSON array is read whole, so that a broken one records nothing. Larger batches are sent as a stream of lines."""


async def ingest_body(request: web.Request, ingestion: Ingestion, max_event_bytes: int) -> None:
    """Ingest a JSON array, or lines of JSON.

    A batch is not a transaction: when the body breaks off, the events that were complete are recorded, and the error
    reports them. Raises UnsupportedType, Malformed, TooLarge, TooSlow.
    """
    try:
        await _ingest(request, ingestion, max_event_bytes)
    except RunfoldError as error:
        error.detail += f"; of {ingestion.received} events before that, {ingestion.recorded} are recorded"
        error.extensions = {name: dump(value) for name, value in batch_report(ingestion).items()}
        raise


async def _ingest(request: web.Request, ingestion: Ingestion, max_event_bytes: int) -> None:
    try:
        if request.content_type in NDJSON_TYPES:
            await _ingest_lines(request, LineSplitter(max_event_bytes), ingestion)
        elif is_json(request):
            body = await read_body(request, MAX_ARRAY_BYTES)
            await ingestion.add(RawEvent(None, text) for text in split_array(body))
        else:
            raise UnsupportedType(
                f"Content-Type {request.content_type} is not read here; send application/json or {NDJSON_TYPES[0]}"
            )
    finally:
        # Also when this task is cancelled because the server noticed first that the client disconnected.
        await ingestion.finish()


async def _ingest_lines(request: web.Request, lines: LineSplitter, ingestion: Ingestion) -> None:
    async with aclosing(stream_body(request)) as pieces:
        async for piece in pieces:
            await ingestion.add(lines.feed(piece))
    await ingestion.add(lines.end())


def batch_report(ingestion: Ingestion) -> dict[str, Any]:
    """Return what became of the events, in the form of OpenLineage 2-0-2."""
    return {
        "summary": {
            "received": ingestion.received,
            "successful": ingestion.recorded,
            "failed": ingestion.failed,
            "retriable": ingestion.retriable,
            "non_retriable": ingestion.failed - ingestion.retriable,
        },
        "failed_events": [_failure_view(failure) for failure in sorted(ingestion.failures, key=attrgetter("place"))],
    }


def _failure_view(failure: IngestionFailure) -> dict[str, Any]:
    view: dict[str, Any] = {"index": failure.place}
    if failure.line.number is not None:
        view["line"] = failure.line.number
    return view | {"reason": failure.reason, "retriable": failure.retriable}
