"""Reads a run's events with the content of their payloads, in pieces that are bounded in bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from service.database.statements import load
from service.domain.event import Content, Event
from service.ledger.events import LOG
from service.ledger.rows import event_of
from service.payloads.contents import decode_payload
from service.payloads.records import erasure_fact

_HISTORY, _KNOWN_FACTS = load("history", subject="run"), load("known_facts")

_EVENTS = 256
"""Most events of a run that are read at once."""

_BYTES = 16 * 1024 * 1024
"""Bytes of payload, as estimated, after which no more events of a run are read at once."""

_BUSY_S = 0.003


class HistoryEntry(NamedTuple):
    """An event of a run and the content of its payload; `missing`: its payload was archived or erased."""

    event: Event
    content: Content
    missing: bool


class Turns:
    """Lets other tasks of the event loop have their turns within a long computation."""

    def __init__(self) -> None:
        """Begin to compute."""
        self._clock = asyncio.get_running_loop().time
        self._end = self._clock() + _BUSY_S

    async def take(self) -> None:
        """Let others run if the last turn was some milliseconds ago."""
        if self._clock() >= self._end:
            await asyncio.sleep(0)
            self._end = self._clock() + _BUSY_S


class Fetch(Protocol):
    """Returns the rows of a statement."""

    async def __call__(self, statement: str, *arguments: Any) -> list[Any]:  # noqa: ANN401  what asyncpg takes
        """Execute the statement."""


async def read_history(
    fetch: Fetch, run: UUID, upto: int, after: int = 0, *, limit: int | None = None, happened_by: datetime | None = None
) -> AsyncGenerator[HistoryEntry]:
    """Yield a run's events after position `after` up to `upto`, oldest first.

    `limit`: the first of them only; `happened_by`: without those whose own time is later.
    """
    left = 2**31 - 1 if limit is None else limit
    turns = Turns()
    while left > 0 and after < upto:
        size = min(left, _EVENTS)
        rows = await fetch(_HISTORY, LOG, run, after, upto, size, _BYTES)
        for row in rows:
            if happened_by is None or row["transitioned_at"] <= happened_by:
                event, payload = event_of(row), row["body"]
                missing = payload is None and event.payload_digest is not None
                yield HistoryEntry(event, decode_payload(event, payload).content, missing)
            await turns.take()
        if not rows or len(rows) == rows[0]["found"] < size:
            return
        left -= len(rows)
        after = rows[-1]["position"]


async def find_erased(fetch: Fetch, run: UUID, positions: Collection[int]) -> set[int]:
    """Return those of a run's positions whose payload was erased: the run has the record of it."""
    facts = {erasure_fact(position): position for position in positions}
    return {facts[row["fact"]] for row in await fetch(_KNOWN_FACTS, LOG, run, list(facts))} if facts else set()
