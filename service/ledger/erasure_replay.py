"""Merges registers again without an erased payload, from the events that remain."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import reduce
from typing import Any, TypeVar
from uuid import UUID

from service.database.statements import load
from service.domain.erasure import Stamp
from service.domain.event import Event, Subject
from service.ledger.aggregates import AGGREGATES
from service.ledger.rows import event_of
from service.payloads.contents import decode_payload

T = TypeVar("T")

_STAMPS = load("stamps")
_OF_STREAM, _OF_JOB = load("replayed_events"), load("payloads_of_job")
_EVENTS_AT = load("events_at")
_BATCH_EVENTS = 200
"""Events read at once, with their payloads."""

JOB_TIMEOUT_S = 600.0
"""Time limit for finding a job's events: it may have had millions of runs."""


async def remove_erased(
    connection: Any,  # noqa: ANN401  asyncpg has no types
    log: int,
    stream: tuple[Subject, UUID],
    registers: T,
    erased: Sequence[int],
) -> T:
    """Return a stream's registers without the payloads at some positions, but with the values that those had replaced.

    Values that only archived payloads have are missing until `runfold rebuild`.
    """
    subject, stream_id = stream
    aggregate = AGGREGATES[subject]
    rows = await connection.fetch(_STAMPS, log, erased)
    stamps = [Stamp(row["at"], row["digest"], row["fact"], row["position"]) for row in rows]
    remaining = reduce(aggregate.without, stamps, registers)
    if remaining == registers:
        return registers
    async for event, payload in _history(connection, log, subject, stream_id, remaining):
        remaining = aggregate.apply(remaining, event, decode_payload(event, payload))
    return remaining


async def _history(
    connection: Any,  # noqa: ANN401
    log: int,
    subject: Subject,
    stream_id: UUID,
    registers: Any,  # noqa: ANN401
) -> AsyncIterator[tuple[Event, str | None]]:
    """Yield the events with a payload that were merged into registers, and the starts of a run without one."""
    if subject is Subject.JOB:
        job = registers.namespace, registers.name, registers.position
        rows = await connection.fetch(_OF_JOB, log, stream_id, *job, timeout=JOB_TIMEOUT_S)
    else:
        rows = await connection.fetch(_OF_STREAM, log, subject, stream_id, registers.position)
    positions = [row["position"] for row in rows]
    for start in range(0, len(positions), _BATCH_EVENTS):
        for row in await connection.fetch(_EVENTS_AT, log, positions[start : start + _BATCH_EVENTS]):
            yield event_of(row), row["body"]
