"""A run as it was: `known at` folds a prefix of its history, `valid at` what had happened by then. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import reduce

from service.domain.event import Content, Event
from service.domain.run import RunRegisters, merge_runs, run_registers_of

History = Iterable[tuple[Event, Content]]


def known_at(history: History, position: int) -> RunRegisters | None:
    """Return the run as the ledger up to a position tells it; None where it tells nothing."""
    parts = [run_registers_of(event, content) for event, content in history if event.position <= position]
    return reduce(merge_runs, parts) if parts else None


class ValidAt:
    """Folds what had happened by a time, as known now. What the creator said always counts; before, a run is NEW.

    An inferred end counts while nothing at all was recorded after it, as everywhere: a run that was heard of again had
    not ended.
    """

    def __init__(self, at: datetime) -> None:
        """Take the time asked for."""
        self._at = at
        self._all: RunRegisters | None = None
        self._happened: RunRegisters | None = None

    def add(self, event: Event, content: Content) -> None:
        """Fold one event; the order does not matter."""
        part = run_registers_of(event, content)
        self._all = part if self._all is None else merge_runs(self._all, part)
        if event.transitioned_at <= self._at:
            self._happened = part if self._happened is None else merge_runs(self._happened, part)

    def run(self) -> RunRegisters | None:
        """Return the run; None where there was no event at all."""
        if self._all is None:
            return None
        happened = self._happened or RunRegisters(updated_at=self._all.updated_at)
        return happened._replace(
            created=self._all.created, position=self._all.position, last_report_position=self._all.last_report_position
        )


def valid_at(history: History, at: datetime) -> RunRegisters | None:
    """Return the run as it was at a time, as far as this history tells."""
    folding = ValidAt(at)
    for event, content in history:
        folding.add(event, content)
    return folding.run()
