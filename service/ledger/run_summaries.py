"""Reads the summaries of a run: from them any part of its history is merged, whatever its length.

service/domain/run_summary.py describes them, service/catalog/summarizer.py writes them. Events that are not summarized
are read from the ledger, so every answer is that of the events, also while there are no summaries.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from service.database.statements import load, load_text
from service.domain.event import Event
from service.domain.run import RunRegisters, merge_runs, run_registers_of
from service.domain.run_summary import LEVELS, Summary
from service.ledger.run_events import Fetch, HistoryEntry, Turns, read_history
from service.ledger.stored_registers import NewerRegisters, unpack_run

_BYTES = 8 * 1024 * 1024
"""Bytes of registers after which no more summaries are read at once."""


def cover_statement(schema: str) -> str:
    """Return the statement that finds the summaries of a part of a history, in the catalog of a schema."""
    parts = {"overlaps": load_text("summary_overlaps"), "columns": load_text("summary_columns")}
    return load("summary_cover", schema=schema, levels=str(LEVELS), **parts)


_COVER = cover_statement("runfold")


class Part(NamedTuple):
    """A part of a run's history: positions after `after` up to `upto`, times up to `happened_by` (None: any)."""

    after: int
    upto: int
    happened_by: datetime | None = None


class Piece(NamedTuple):
    """A piece of a part of a history: positions after `after` up to `upto`, in the time of the part.

    `summary` is that of its events; None where these must be read, because they are not summarized or only some of the
    events of a summary are in the part. It has `most` events at most (None: not known).
    """

    after: int
    upto: int
    summary: Summary | None = None
    most: int | None = None


class Merged(NamedTuple):
    """What a part of a history comes to.

    `registers` are None if it has no event, `latest` is the latest of the events' own times. `missing` are events that
    were merged without their content, because their payload is archived or erased.
    """

    registers: RunRegisters | None
    latest: datetime | None
    missing: list[Event]


class Merger:
    """Merges events and summaries of a history."""

    def __init__(self, registers: RunRegisters | None = None) -> None:
        """Begin with registers of events that were merged before."""
        self._registers = registers
        self._latest: datetime | None = None
        self._missing: list[Event] = []

    def add(self, registers: RunRegisters, latest: datetime) -> None:
        """Merge registers of events of which `latest` is the latest time."""
        self._registers = registers if self._registers is None else merge_runs(self._registers, registers)
        self._latest = latest if self._latest is None else max(self._latest, latest)

    async def add_events(self, entries: AsyncGenerator[HistoryEntry]) -> None:
        """Merge events."""
        async with aclosing(entries):
            async for event, content, missing in entries:
                self.add(run_registers_of(event, content), event.transitioned_at)
                if missing:
                    self._missing.append(event)

    def merged(self) -> Merged:
        """Return what was merged."""
        return Merged(self._registers, self._latest, self._missing)


class RunSummaries:
    """Reads the summaries of one run."""

    def __init__(self, fetch: Fetch, run: UUID, *, usable: bool = True) -> None:
        """Take what executes a statement, and the run; not `usable`: all events are read instead."""
        self._fetch = fetch
        self._run = run
        self._usable = usable

    async def pieces(self, part: Part, below: int = LEVELS, *, registers: bool = True) -> AsyncGenerator[Piece]:
        """Yield the pieces that a part is made of, in the order of positions: a few per level.

        `below`: summaries below this level only. Not `registers`: these are None in all summaries.
        """
        after, summarized = part.after, 0
        turns = Turns()
        while self._usable and after < part.upto:
            arguments = (self._run, after, part.upto, part.happened_by, below, registers, _BYTES)
            rows = await self._fetch(_COVER, *arguments)
            summarized = rows[0]["summarized"]
            for row in rows:
                if row["level"] is not None:
                    yield _piece(row, part)
                    await turns.take()
            if not rows[0]["found"] or rows[0]["found"] == len(rows):
                break
            after = rows[-1]["last_position"]
        if max(part.after, summarized) < part.upto:
            yield Piece(max(part.after, summarized), part.upto)

    def pieces_of(self, summary: Summary) -> AsyncGenerator[Piece]:
        """Yield the pieces that a summary is made of."""
        return self.pieces(Part(summary.first - 1, summary.last), summary.level)

    def events(self, piece: Piece, happened_by: datetime | None = None) -> AsyncGenerator[HistoryEntry]:
        """Yield the events of a piece."""
        span = piece.upto, piece.after
        return read_history(self._fetch, self._run, *span, limit=piece.most, happened_by=happened_by)

    async def merge(self, part: Part) -> Merged:
        """Merge a part of the history."""
        merger = Merger()
        async with aclosing(self.pieces(part)) as pieces:
            async for piece in pieces:
                await self._merge_piece(merger, piece, part.happened_by)
        return merger.merged()

    async def _merge_piece(self, merger: Merger, piece: Piece, happened_by: datetime | None) -> None:
        summary = piece.summary
        if summary is None or (summary.level == 0 and summary.registers is None):
            await merger.add_events(self.events(piece, happened_by))
        elif summary.registers is not None:
            merger.add(summary.registers, summary.latest)
        else:
            async with aclosing(self.pieces_of(summary)) as pieces:
                async for below in pieces:
                    await self._merge_piece(merger, below, None)


def summary_in(row: Any) -> Summary:  # noqa: ANN401  asyncpg has no types
    """Return the summary in a row; without registers where a newer program wrote them."""
    try:
        registers = None if row["registers"] is None else unpack_run(row["registers"])
    except NewerRegisters:
        registers = None
    return Summary(
        row["level"],
        row["events"],
        row["first_position"],
        row["last_position"],
        row["earliest"],
        row["latest"],
        registers,
    )


def _piece(row: Any, part: Part) -> Piece:  # noqa: ANN401
    after, upto = max(part.after, row["first_position"] - 1), min(part.upto, row["last_position"])
    return Piece(after, upto, summary_in(row) if row["whole"] else None, row["events"])
