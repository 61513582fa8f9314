"""Reads the body of a batch of OpenLineage events, and reports what became of each event."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from operator import attrgetter
from typing import Any

from aiohttp import web

from service.errors import RunfoldError, UnsupportedType
from service.http.authentication import check_again
from service.http.body_budget import BODY_BUDGET
from service.http.request_body import DEADLINE_S, NDJSON_TYPES, Interrupted, check_size, is_json, stream_body
from service.ingest.ingestion import Ingestion, IngestionFailure
from service.payloads.json_writer import dump
from service.payloads.splitters import CheckedArray, LineSplitter, RawEvent

MAX_ARRAY_BYTES = 64 * 1024 * 1024
"""A JSON array is read whole, so that a broken one records nothing. Larger batches are sent as a stream of lines."""

MAX_ARRAY_EVENTS = 250_000
"""Bounds the time and memory of an array of tiny elements: no event is that short that MAX_ARRAY_BYTES hold more."""

_SLICE = 16 * 1024
"""Bytes of an array that are split before other tasks of the event loop get their turn: a few milliseconds."""

_CHECK_EVERY = 100
"""Events after which it is checked whether the client is still connected."""


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
            await _ingest_array(request, CheckedArray(max_event_bytes, MAX_ARRAY_EVENTS), ingestion)
        else:
            raise UnsupportedType(
                f"Content-Type {request.content_type} is not read here; send application/json or {NDJSON_TYPES[0]}"
            )
    finally:
        # Also when this task is cancelled because the server noticed first that the client disconnected.
        await ingestion.finish()


async def _ingest_lines(request: web.Request, lines: LineSplitter, ingestion: Ingestion) -> None:
    with request.app[BODY_BUDGET].hold() as held:
        async with aclosing(stream_body(request)) as pieces:
            async for piece in pieces:
                await ingestion.add(lines.feed(piece))
                held.resize(lines.held_bytes + ingestion.held_bytes)
        await ingestion.add(lines.end())


async def _ingest_array(request: web.Request, array: CheckedArray, ingestion: Ingestion) -> None:
    """Read the whole array in slices, then ingest its elements. Raises Interrupted when the client disconnects."""
    check_size(request.content_length or 0, MAX_ARRAY_BYTES)
    size = 0
    with request.app[BODY_BUDGET].hold() as held:
        async with aclosing(stream_body(request, DEADLINE_S)) as pieces:
            async for piece in pieces:
                size = check_size(size + len(piece), MAX_ARRAY_BYTES)
                held.resize(size)
                for start in range(0, len(piece), _SLICE):
                    array.feed(piece[start : start + _SLICE])
                    await asyncio.sleep(0)
        array.end()
        check_again(request)
        await ingestion.add(_while_connected(request, array.take()))
        await ingestion.finish()


def _while_connected(request: web.Request, events: Iterator[RawEvent]) -> Iterator[RawEvent]:
    """Yield events while somebody waits for the answer. Raises Interrupted."""
    for number, event in enumerate(events):
        if number % _CHECK_EVERY == 0 and (request.transport is None or request.transport.is_closing()):
            raise Interrupted("the client disconnected")
        yield event


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
