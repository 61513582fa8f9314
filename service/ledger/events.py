"""The ledger in PostgreSQL: the only module that reads and appends events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Any, NamedTuple
from uuid import UUID

from service.database.connections import Connections
from service.database.statements import load
from service.domain.decisions import KnownEvent
from service.domain.draft import Draft
from service.domain.event import Event, Kind, Subject, make_tuple
from service.ledger.aggregates import AGGREGATES
from service.ledger.erasure_replay import remove_erased
from service.payloads.contents import decode_payload
from service.payloads.records import read_record

LOG = 0
"""The only log there is today; docs/architecture.md, "Beyond one machine"."""

_APPEND = load("append")
_HEAD = load("head")
_RECORDED_TRANSITIONS = load("recorded_transitions")
_PAYLOADS = load("payloads")
_EVENTS_AFTER = load("events_after")
_READ = {
    subject: load("read_streams", subject=subject, catalog=aggregate.table) for subject, aggregate in AGGREGATES.items()
}


class AppendOutcome(IntEnum):
    """What append_events says of an item."""

    RECORDED = 0
    KNOWN = 1
    LOST = 2


class AppendedBatch(NamedTuple):
    """What became of a batch: item i's position and outcome; one time for all that was recorded."""

    recorded_at: datetime
    positions: list[int]
    outcomes: list[int]


class StreamState(NamedTuple):
    """A stream as read: its registers (None: unknown), and the event that has the asked fact."""

    registers: Any
    known: KnownEvent | None


class Head(NamedTuple):
    """Where a log ends."""

    position: int
    hash: bytes
    recorded_at: datetime


async def append_events(
    connections: Connections, drafts: Sequence[Draft], expected: Sequence[int | None]
) -> AppendedBatch:
    """Append a batch in one round trip; expected[i] is where item i's stream must still end, None for a fact.

    Raises ValueRefused when PostgreSQL will not take a value, DatabaseUnavailable when it is unknown what happened.
    """
    async with connections.connection() as connection:
        return await append_within(connection, drafts, expected)


async def append_within(
    connection: Any,  # noqa: ANN401  asyncpg has no types
    drafts: Sequence[Draft],
    expected: Sequence[int | None],
) -> AppendedBatch:
    """Append a batch as append_events does, within the transaction of a connection."""
    items = [(*draft[:-1], expectation) for draft, expectation in zip(drafts, expected, strict=True)]
    return AppendedBatch(*await connection.fetchrow(_APPEND, LOG, items))


async def read_streams(
    connections: Connections, subject: Subject, streams: Sequence[UUID], facts: Sequence[bytes | None]
) -> list[StreamState]:
    """Read streams as of now: the catalog's row merged with what came after it."""
    async with connections.connection() as connection:
        rows = await connection.fetch(_READ[subject], LOG, streams, facts)
    return await _fold(connections, subject, len(streams), rows)


async def _fold(connections: Connections, subject: Subject, count: int, rows: Iterable[Any]) -> list[StreamState]:
    aggregate = AGGREGATES[subject]
    merged: list[Any] = [None] * count
    known: list[KnownEvent | None] = [None] * count
    events: list[tuple[int, Event]] = []
    for row in rows:
        index, part = row[0] - 1, row[1]
        if part == "catalog":
            merged[index] = aggregate.unpack(row[2])
        elif part == "known":
            known[index] = KnownEvent(row["position"], row["request_digest"], row["recorded_at"])
        else:
            events.append((index, make_tuple(Event, row[3:])))
    bodies = await read_payloads(connections, [event.position for _, event in events if event.payload_digest])
    for index, event in events:
        part = aggregate.from_event(event, decode_payload(event, bodies.get(event.position)))
        standing = merged[index]
        merged[index] = part if standing is None else aggregate.merge(standing, part)
    await _forget(
        connections, subject, merged, [(i, e, bodies.get(e.position)) for i, e in events if e.kind == Kind.ERASED]
    )
    return [StreamState(*pair) for pair in zip(merged, known, strict=True)]


async def find_recorded_transitions(connections: Connections, drafts: Sequence[Draft]) -> set[int]:
    """Return the indexes of transitions that were recorded before: same run, state and time, whatever their key."""
    columns = ([d.stream for d in drafts], [d.state for d in drafts], [d.transitioned_at for d in drafts])
    async with connections.connection() as connection:
        return {row[0] - 1 for row in await connection.fetch(_RECORDED_TRANSITIONS, LOG, *columns)}


async def _forget(
    connections: Connections, subject: Subject, merged: list[Any], erasures: Sequence[tuple[int, Event, str | None]]
) -> None:
    """What the catalog says may come from payloads that were erased since."""
    for index, event, record in erasures:
        if record is not None:
            erased = [read_record(record).position]
            async with connections.connection() as connection:
                merged[index] = await remove_erased(connection, LOG, (subject, event.stream), merged[index], erased)


async def read_payloads(connections: Connections, positions: Sequence[int]) -> dict[int, str]:
    """Return the payloads at some positions, by position."""
    if not positions:
        return {}
    async with connections.connection() as connection:
        return {row[0]: row[1] for row in await connection.fetch(_PAYLOADS, LOG, positions)}


async def read_head(connections: Connections) -> Head:
    """Return where the log ends."""
    async with connections.connection() as connection:
        return Head(*await connection.fetchrow(_HEAD, LOG))
