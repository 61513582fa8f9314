"""Appends events to the ledger in PostgreSQL, and reads streams."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from service.database.connections import Connections
from service.database.statements import load
from service.domain.decisions import KnownEvent
from service.domain.draft import Draft
from service.domain.event import Event, Kind, RunState, Subject
from service.ledger.aggregates import AGGREGATES
from service.ledger.drafts import reported_fact
from service.ledger.erasure_replay import remove_erased
from service.ledger.ledger_end import LedgerEnd
from service.ledger.ledger_registers import merge_from_ledger
from service.ledger.rows import event_of
from service.ledger.stored_registers import NewerRegisters
from service.payloads.contents import decode_payload
from service.payloads.records import read_record

T = TypeVar("T")

LOG = 0
"""The number of the only log; docs/architecture.md, "Beyond one machine"."""

_APPEND = load("append")
_HEAD = load("head")
_RECORDED_TRANSITIONS = load("recorded_transitions")
_PAYLOADS = load("payloads")
_READ_STREAMS = {
    subject: load(
        "read_streams",
        subject=subject,
        catalog=aggregate.table,
        version="order by t.position desc limit 1" if aggregate.has_versions else "offset 0",
    )
    for subject, aggregate in AGGREGATES.items()
}


class AppendOutcome(IntEnum):
    """What append_events returns for a draft."""

    RECORDED = 0
    KNOWN = 1
    """The stream has the fact already; the position is that of its event."""

    LOST = 2
    """The stream did not end at the expected position; nothing was recorded."""


class AppendedBatch(NamedTuple):
    """The result of an append: position and outcome of each draft in order, and the time for all that were recorded."""

    recorded_at: datetime
    positions: list[int]
    outcomes: list[int]


class StreamState(NamedTuple):
    """The state of a stream: its registers (None: it is empty), and the event that has the given fact, if any."""

    registers: Any
    known: KnownEvent | None


class Head(NamedTuple):
    """The last position of a log, its hash and when it was recorded."""

    position: int
    hash: bytes
    recorded_at: datetime


_RECORDED = AppendOutcome.RECORDED.value


async def append_events(
    connections: Connections, drafts: Sequence[Draft], expected: Sequence[int | None], end: LedgerEnd | None = None
) -> AppendedBatch:
    """Append a batch in one round trip. `end`: what this process knows of the ledger's end; it learns of the append.

    expected[i] is the position at which draft i's stream must still end, None for a fact, which is recorded unless its
    stream has it. Raises ValueRefused if PostgreSQL refuses a value, ClockAhead if the time of the events would lie too
    far ahead, and DatabaseUnavailable if the outcome is unknown.
    """
    end = end or LedgerEnd()
    known = end.position
    async with connections.connection() as connection:
        appended = await append_within(connection, drafts, expected, end.latest)
    if _RECORDED in appended.outcomes:
        first = appended.positions[appended.outcomes.index(_RECORDED)]
        end.record_append(known, first, max(appended.positions), appended.recorded_at)
    return appended


async def append_within(
    connection: Any,  # noqa: ANN401  asyncpg has no types
    drafts: Sequence[Draft],
    expected: Sequence[int | None],
    latest: datetime | None = None,
) -> AppendedBatch:
    """Append a batch like append_events, in the current transaction of a connection.

    `latest`: the latest time with which the events may be recorded; by default MAX_AHEAD after this machine's clock.
    """
    rows = [(*draft[:-1], position) for draft, position in zip(drafts, expected, strict=True)]
    appended = await connection.fetchrow(_APPEND, LOG, rows, latest or LedgerEnd().latest)
    return AppendedBatch(appended["recorded_at"], appended["positions"], appended["outcomes"])


async def read_streams(
    connections: Connections, subject: Subject, streams: Sequence[UUID], facts: Sequence[bytes | None]
) -> list[StreamState]:
    """Return the current state of streams: the catalog's row merged with the events recorded after it.

    facts[i] is a fact to look up in streams[i], or None.
    """
    async with connections.connection() as connection:
        rows = await connection.fetch(_READ_STREAMS[subject], LOG, streams, facts)
    return await _merge_rows(connections, subject, len(streams), rows)


async def _merge_rows(connections: Connections, subject: Subject, count: int, rows: Iterable[Any]) -> list[StreamState]:
    aggregate = AGGREGATES[subject]
    registers: list[Any] = [None] * count
    known: list[KnownEvent | None] = [None] * count
    events: list[tuple[int, Event]] = []
    unreadable: dict[int, UUID] = {}
    for row in rows:
        index, part = row["n"] - 1, row["part"]
        if part == "catalog":
            try:
                registers[index] = aggregate.unpack(row["registers"])
            except NewerRegisters:
                unreadable[index] = row["stream"]
        elif part == "known":
            known[index] = KnownEvent(row["position"], row["request_digest"], row["recorded_at"])
        else:
            events.append((index, event_of(row)))
    if unreadable:
        events = [pair for pair in events if pair[0] not in unreadable]
        for index, stream in unreadable.items():
            registers[index] = await merge_from_ledger(connections, LOG, subject, stream)
    payloads = await read_payloads(connections, [event.position for _, event in events if event.payload_digest])
    for index, event in events:
        registers[index] = aggregate.next_state(
            registers[index], event, decode_payload(event, payloads.get(event.position))
        )
    for index, event in events:
        if event.kind == Kind.ERASED:
            record = payloads.get(event.position)
            registers[index] = await _without_erased(connections, subject, event.stream, registers[index], record)
    return [StreamState(*pair) for pair in zip(registers, known, strict=True)]


async def _without_erased(
    connections: Connections,
    subject: Subject,
    stream: UUID,
    registers: T,
    record: str | None,
) -> T:
    """Remove an erased payload from registers: the catalog may have been projected before the erasure."""
    if record is None:
        return registers
    async with connections.connection() as connection:
        return await remove_erased(connection, LOG, (subject, stream), registers, [read_record(record).position])


async def find_recorded_transitions(connections: Connections, drafts: Sequence[Draft]) -> set[int]:
    """Return the indexes of transitions that the run API recorded: same run, state and time, with any key."""
    facts = [reported_fact(RunState(d.state or ""), d.transitioned_at) for d in drafts]
    columns = ([d.stream for d in drafts], [d.state for d in drafts], [d.transitioned_at for d in drafts], facts)
    async with connections.connection() as connection:
        return {row["n"] - 1 for row in await connection.fetch(_RECORDED_TRANSITIONS, LOG, *columns)}


async def read_payloads(connections: Connections, positions: Sequence[int]) -> dict[int, str]:
    """Return the payloads that the database has at some positions, by position."""
    if not positions:
        return {}
    async with connections.connection() as connection:
        return {row["position"]: row["body"] for row in await connection.fetch(_PAYLOADS, LOG, positions)}


async def read_head(connections: Connections) -> Head:
    """Return the head of the log."""
    async with connections.connection() as connection:
        row = await connection.fetchrow(_HEAD, LOG)
    return Head(row["position"], row["hash"], row["recorded_at"])
