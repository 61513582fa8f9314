"""A run as it was at a time, and the verdict on each of its events."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import datetime
from functools import reduce
from typing import NamedTuple
from uuid import UUID

from service.audit.event_lines import PositionRange
from service.audit.filters import EventFilters
from service.audit.ledger_reader import LedgerReader
from service.domain.bitemporal import ValidAt
from service.domain.event import Kind, RunState
from service.domain.event_verdicts import EventVerdict, HistoryJudge
from service.domain.run import RunRegisters, merge_runs, run_registers_of
from service.ledger.archive_records import PayloadLocation
from service.ledger.events import Head

_EVENTS_AT_ONCE = 200
"""Events processed before other tasks of the event loop get their turn."""


class HistoryVerdict(NamedTuple):
    """The verdict on an event; `incomplete`: its payload is archived, so the verdict does not take it into account."""

    verdict: EventVerdict
    incomplete: bool


class PastRun(NamedTuple):
    """A run as it was: its registers, the ledger head then, and the archived payloads that are not in the registers."""

    run: RunRegisters
    known: Head
    archived: dict[PayloadLocation, list[int]]


class RunHistory:
    """Finds what was known of a run at a time, and what was true of it. Raises Unavailable as LedgerReader does."""

    def __init__(self, reader: LedgerReader) -> None:
        """Take the reader of the ledger."""
        self._reader = reader

    async def verdicts(self, run: UUID, upto: int) -> dict[int, HistoryVerdict]:
        """Return the verdict on each event of a run up to a position, by position."""
        judge = HistoryJudge()
        positions, missing = [], []
        async with aclosing(self._reader.history(run, upto)) as history:
            async for entry in history:
                judge.add(entry.event, entry.content)
                positions.append(entry.event.position)
                if entry.missing:
                    missing.append(entry.event.position)
                if len(positions) % _EVENTS_AT_ONCE == 0:
                    await asyncio.sleep(0)
        files = await self._reader.locate_archived(missing)
        archived = {position for positions in files.values() for position in positions}
        return {
            position: HistoryVerdict(verdict, position in archived)
            for position, verdict in zip(positions, judge.verdicts(), strict=True)
        }

    async def run_at(self, run: UUID, known_at: datetime | None, valid_at: datetime | None) -> PastRun | None:
        """Return a run as it was known at `known_at` (None: now) to be at `valid_at` (None: at the end of its history).

        None where nothing was known of it.
        """
        known = await self._reader.known_at(known_at)
        if valid_at is None:
            registers, missing = await self._known(run, known.position)
        else:
            registers, missing = await self._valid(run, known.position, valid_at)
        if registers is None:
            return None
        return PastRun(registers, known, await self._reader.locate_archived(missing))

    async def _known(self, run: UUID, position: int) -> tuple[RunRegisters | None, list[int]]:
        """Merge the events up to a position onto the registers that the catalog stores for an earlier one.

        Where an erasure is not projected yet, the stored registers may still hold content of the erased payload: then
        all events are merged instead. Returns the positions of missing payloads, too.
        """
        stored, projected = await self._reader.stored_registers(run, position)
        if stored is not None and await self._was_erased(run, projected):
            stored = None
        parts, missing = [stored] if stored else [], []
        async with aclosing(self._reader.history(run, position, stored.position if stored else 0)) as history:
            async for entry in history:
                parts.append(run_registers_of(entry.event, entry.content))
                if entry.missing:
                    missing.append(entry.event.position)
                if len(parts) >= _EVENTS_AT_ONCE:
                    parts = [reduce(merge_runs, parts)]
                    await asyncio.sleep(0)
        return (reduce(merge_runs, parts) if parts else None), missing

    async def _was_erased(self, run: UUID, after: int) -> bool:
        """Tell whether a payload of the run was erased after a position."""
        erasures = PositionRange(after, (await self._reader.head()).position)
        return await self._reader.count(EventFilters(run=run, kinds=(Kind.ERASED,)), erasures) > 0

    async def _valid(self, run: UUID, position: int, at: datetime) -> tuple[RunRegisters | None, list[int]]:
        projection = ValidAt(at)
        count, missing = 0, []
        async with aclosing(self._reader.history(run, position)) as history:
            async for entry in history:
                projection.add(entry.event, entry.content)
                count += 1
                if entry.missing and (entry.event.transitioned_at <= at or entry.event.state == RunState.NEW):
                    missing.append(entry.event.position)
                if count % _EVENTS_AT_ONCE == 0:
                    await asyncio.sleep(0)
        return projection.run(), missing
