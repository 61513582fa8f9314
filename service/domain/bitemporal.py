"""The state of a run at a point of valid time (`validAt`: when things happened, not when they were recorded). Pure."""

from __future__ import annotations

from datetime import datetime

from service.domain.event import Content, Event
from service.domain.run import RunRegisters, merge_runs, run_registers_of


class ValidAt:
    """Merges a run's events into its state at a time, as known now.

    The creator's content always counts; before its first transition a run is NEW. An inferred end counts only while no
    event was recorded after it, as in any state of a run: a run that reported again had not ended.
    """

    def __init__(self, at: datetime) -> None:
        """Take the valid time."""
        self._at = at
        self._all: RunRegisters | None = None
        self._happened: RunRegisters | None = None

    def add(self, event: Event, content: Content) -> None:
        """Merge one event; the order does not matter."""
        part = run_registers_of(event, content)
        self._all = part if self._all is None else merge_runs(self._all, part)
        if event.transitioned_at <= self._at:
            self._happened = part if self._happened is None else merge_runs(self._happened, part)

    def run(self) -> RunRegisters | None:
        """Return the run; None if no event was added."""
        if self._all is None:
            return None
        happened = self._happened or RunRegisters(updated_at=self._all.updated_at)
        return happened._replace(
            created=self._all.created,
            position=self._all.position,
            last_report_position=self._all.last_report_position,
            jobs=self._all.jobs,
        )
