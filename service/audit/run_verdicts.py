"""The verdict on each event of a run, page by page."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from service.audit.run_history import KnownRun, RunHistory
from service.domain.event_verdicts import EventVerdict, HistoryJudge, Report, Restarts, report_of, restarts_of
from service.domain.run import RunRegisters, run_registers_of
from service.ledger.run_events import HistoryEntry, read_history
from service.ledger.run_summaries import Part, Piece

_NEXT_EVENTS = 64
"""Events after a page that are read to find what replaced its events, before summaries are: mostly, one of them did."""


class HistoryVerdict(NamedTuple):
    """The verdict on an event; `incomplete`: its payload is archived, so the verdict does not take it into account."""

    verdict: EventVerdict
    incomplete: bool


_Reports = dict[tuple[int, int], list[Report]]
"""Starts and ends, by the pieces in which they were found."""


class RunVerdicts:
    """Judges the events of a run as of a position of the ledger. Pages are judged in order.

    The work for a page depends on its own length, and hardly on that of the run: what comes before it is merged from
    summaries, and so is what comes after it where it replaces none of its events. To count attempts, the groups of
    events that have ends, or starts after one, are read: that work grows with their number.
    """

    def __init__(self, history: RunHistory, run: UUID, last: int) -> None:
        """Take the history to read, the run, and the position of its last event."""
        self._history = history
        self._reader = history.reader
        self._run = run
        self._last = last
        self._known: KnownRun | None = None
        self._restarts: Restarts | None = None
        self._judge = HistoryJudge()
        self._judged_upto = 0

    async def judge(self, after: int, upto: int) -> dict[int, HistoryVerdict]:
        """Return the verdicts on the events after a position up to another one, which has one; by position."""
        judge = await self._judge_after(after)
        positions, missing = [], []
        async with aclosing(read_history(self._reader.fetch, self._run, upto, after)) as entries:
            async for event, content, is_missing in entries:
                judge.add(event, content)
                positions.append(event.position)
                if is_missing:
                    missing.append(event.position)
        self._judge, self._judged_upto = HistoryJudge(judge.registers, judge.latest), upto
        if judge.is_open() and upto < self._last:
            await self._find_replacements(judge, upto)
        is_whole = after == 0 and upto == self._last
        verdicts = judge.verdicts(None if is_whole else await self._find_restarts())
        files = await self._reader.locate_archived(missing)
        archived = {position for positions in files.values() for position in positions}
        return {
            position: HistoryVerdict(verdict, position in archived)
            for position, verdict in zip(positions, verdicts, strict=True)
        }

    async def _judge_after(self, position: int) -> HistoryJudge:
        """Return a judge that knows what comes before a page."""
        if position == self._judged_upto:
            return self._judge
        _, summaries = await self._known_run()
        before = await summaries.merge(Part(0, position))
        return HistoryJudge(before.registers, before.latest)

    async def _known_run(self) -> KnownRun:
        if self._known is None:
            self._known = await self._history.known(self._run, self._last)
        return self._known

    async def _find_replacements(self, judge: HistoryJudge, after: int) -> None:
        """Find which events after a position replaced those of a page."""
        (final, _, _), summaries = await self._known_run()
        assert final is not None  # noqa: S101  the run has events
        judge.settle(final)
        after = await self._follow(judge, Piece(after, self._last), limit=_NEXT_EVENTS)
        await self._follow_pieces(judge, summaries.pieces(Part(after, self._last)))

    async def _follow_pieces(self, judge: HistoryJudge, pieces: AsyncGenerator[Piece]) -> None:
        """Take the events of pieces while a verdict depends on them, one by one only where they replace something."""
        _, summaries = await self._known_run()
        async with aclosing(pieces):
            while judge.is_open() and (piece := await anext(pieces, None)):
                summary = piece.summary
                if summary is not None and summary.registers is not None and judge.skip(summary.registers):
                    continue
                if summary is not None and summary.level:
                    await self._follow_pieces(judge, summaries.pieces_of(summary))
                else:
                    await self._follow(judge, piece, limit=piece.most)

    async def _follow(self, judge: HistoryJudge, piece: Piece, limit: int | None = None) -> int:
        """Take the events of a piece, at most `limit`, while a verdict depends on them; return the position reached."""
        after = piece.after
        async with aclosing(read_history(self._reader.fetch, self._run, piece.upto, after, limit=limit)) as entries:
            while judge.is_open() and (entry := await anext(entries, None)):
                judge.follow(entry.event, entry.content)
                after = entry.event.position
        return after

    async def _find_restarts(self) -> Restarts:
        """Find when a job was started again after an end."""
        if self._restarts is None:
            (known, _, _), summaries = await self._known_run()
            reports: _Reports = {}
            if known is not None and known.terminal is not None and known.latest_start is not None:
                # Ends after the latest start do not matter; nor do starts before the first end.
                part = Part(0, self._last, known.latest_start)
                await self._read_reports(reports, summaries.pieces(part), _has_end)
                ends = [report.at for each in reports.values() for report in each if report.is_end]
                if ends:
                    await self._read_reports(reports, summaries.pieces(part), _starts_after(min(ends)))
            self._restarts = restarts_of(report for each in reports.values() for report in each)
        return self._restarts

    async def _read_reports(
        self, reports: _Reports, pieces: AsyncGenerator[Piece], is_wanted: Callable[[RunRegisters], bool]
    ) -> None:
        """Read the starts and ends of pieces, without those of summaries that are not wanted."""
        (known, _, _), summaries = await self._known_run()
        assert known is not None  # noqa: S101  the caller has looked
        async with aclosing(pieces):
            async for piece in pieces:
                summary = piece.summary
                if summary is not None and summary.registers is not None and not is_wanted(summary.registers):
                    continue
                if summary is not None and summary.level:
                    await self._read_reports(reports, summaries.pieces_of(summary), is_wanted)
                elif piece[:2] not in reports:
                    reports[piece[:2]] = await _reports_of(summaries.events(piece, known.latest_start))


async def _reports_of(events: AsyncGenerator[HistoryEntry]) -> list[Report]:
    async with aclosing(events):
        found = [report_of(event, run_registers_of(event, content)) async for event, content, _ in events]
    return [report for report in found if report is not None]


def _has_end(run: RunRegisters) -> bool:
    return run.terminal is not None


def _starts_after(at: datetime) -> Callable[[RunRegisters], bool]:
    return lambda run: run.latest_start is not None and run.latest_start > at
