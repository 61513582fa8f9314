"""Folds anew what an erased payload had a part in: without it, from the events that are left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import reduce
from typing import Any, TypeVar
from uuid import UUID

from service.database.statements import load
from service.domain.erasure import Stamp
from service.domain.event import Event, Subject
from service.ledger.aggregates import AGGREGATES
from service.payloads.contents import decode_payload

T = TypeVar("T")

_STAMPS = load("stamps")
_OF_STREAM, _OF_JOB = load("payloads_of_stream"), load("payloads_of_job")
_EVENTS_AT = load("events_at")
_PIECE = 200
"""Events read at once, with their payloads."""

_STATEMENT_S = 600.0
"""Seconds for finding a job's events: it may have had millions of runs."""


async def remove_erased(
    connection: Any,  # noqa: ANN401  asyncpg has no types
    log: int,
    of: tuple[Subject, UUID],
    registers: T,
    erased: Sequence[int],
) -> T:
    """Return registers without what the payloads at some positions said, and with what stood behind that.

    What only archived payloads said stays away until `runfold rebuild`.
    """
    subject, stream = of
    aggregate = AGGREGATES[subject]
    stamps = [Stamp(*row) for row in await connection.fetch(_STAMPS, log, erased)]
    left = reduce(aggregate.without, stamps, registers)
    if left == registers:
        return registers
    async for event, payload in _history(connection, log, subject, stream, left):
        left = aggregate.merge(left, aggregate.from_event(event, decode_payload(event, payload)))
    return left


async def _history(
    connection: Any,  # noqa: ANN401
    log: int,
    subject: Subject,
    stream: UUID,
    registers: Any,  # noqa: ANN401
) -> AsyncIterator[tuple[Event, str | None]]:
    """Give the events that the registers were made of, where a payload came with them."""
    if subject is Subject.JOB:
        job = registers.namespace, registers.name, registers.position
        rows = await connection.fetch(_OF_JOB, log, stream, *job, timeout=_STATEMENT_S)
    else:
        rows = await connection.fetch(_OF_STREAM, log, subject, stream, registers.position)
    positions = [row[0] for row in rows]
    for start in range(0, len(positions), _PIECE):
        for row in await connection.fetch(_EVENTS_AT, log, positions[start : start + _PIECE]):
            yield Event._make(row[:15]), row[15]
