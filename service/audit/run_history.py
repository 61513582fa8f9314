"""A run as it was at a time."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from service.audit.event_lines import PositionRange
from service.audit.filters import EventFilters
from service.audit.ledger_reader import LedgerReader
from service.domain.bitemporal import valid_at
from service.domain.event import Event, Kind, RunState
from service.domain.run import RunRegisters
from service.ledger.archive_records import PayloadLocation
from service.ledger.events import Head
from service.ledger.run_events import read_history
from service.ledger.run_summaries import Merged, Merger, Part, RunSummaries


class PastRun(NamedTuple):
    """A run as it was: its registers, the ledger head then, and the archived payloads that are not in the registers."""

    run: RunRegisters
    known: Head
    archived: dict[PayloadLocation, list[int]]


class KnownRun(NamedTuple):
    """What was known of a run at a position, and the summaries that say more about its events."""

    merged: Merged
    summaries: RunSummaries


class RunHistory:
    """Finds what was known of a run at a time, and what was true of it. Raises Unavailable as LedgerReader does."""

    def __init__(self, reader: LedgerReader) -> None:
        """Take the reader of the ledger."""
        self.reader = self._reader = reader

    async def run_at(self, run: UUID, known_at: datetime | None, valid_at: datetime | None) -> PastRun | None:
        """Return a run as it was known at `known_at` (None: now) to be at `valid_at` (None: at the end of its history).

        None where nothing was known of it.
        """
        known = await self._reader.known_at(known_at)
        if valid_at is None:
            merged = (await self.known(run, known.position)).merged
            registers, missing = merged.registers, merged.missing
        else:
            registers, missing = await self._valid(run, known.position, valid_at)
        if registers is None:
            return None
        positions = sorted({event.position for event in missing})
        return PastRun(registers, known, await self._reader.locate_archived(positions))

    async def known(self, run: UUID, position: int) -> KnownRun:
        """Return what was known of a run at a position, from what the catalog stores and the events since.

        Where an erasure is not projected yet, that may still hold content of the erased payload: then all events are
        merged instead.
        """
        stored = await self._reader.stored_registers(run, position)
        was_erased = bool(stored.upto) and await self._was_erased(run, stored.upto)
        summaries = RunSummaries(self._reader.fetch, run, usable=not was_erased)
        if stored.registers is None or was_erased:
            return KnownRun(await summaries.merge(Part(0, position)), summaries)
        merger = Merger(stored.registers)
        await merger.add_events(read_history(self._reader.fetch, run, position, stored.upto))
        return KnownRun(merger.merged(), summaries)

    async def _was_erased(self, run: UUID, after: int) -> bool:
        """Tell whether a payload of the run was erased after a position."""
        erasures = PositionRange(after, (await self._reader.head()).position)
        return await self._reader.count(EventFilters(run=run, kinds=(Kind.ERASED,)), erasures) > 0

    async def _valid(self, run: UUID, position: int, at: datetime) -> tuple[RunRegisters | None, list[Event]]:
        """Return the run as it was at a time, and the events whose content is missing in it."""
        known, summaries = await self.known(run, position)
        if known.registers is None:
            return None, []
        happened = await summaries.merge(Part(0, position, at))
        creations = [event for event in known.missing if event.state == RunState.NEW]
        return valid_at(known.registers, happened.registers), [*happened.missing, *creations]
