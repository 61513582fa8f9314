"""What became of each event of a run's history: whether it changed the view, came late, still stands. Pure.

The history is folded event by event. A register that an event sets is its own until a later event sets it anew; an
event that owned something and owns nothing any more is superseded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any, NamedTuple

from service.domain.event import MONITOR, Content, Event, Kind, RunState
from service.domain.run import TERMINAL_RANK, InferredEnd, RunRegisters, merge_runs, run_registers_of


class Effect(StrEnum):
    """What an event did to the view, and whether that can still be seen."""

    STANDS = "stands"
    """It changed the view, and something of that is in the view today."""

    SUPERSEDED = "superseded"
    """It changed the view when it was recorded; later events replaced all of that."""

    UNCHANGED = "unchanged"
    """The view was the same before and after, but for updatedAt."""


class EventVerdict(NamedTuple):
    """An event's verdict. `changed` names what it changed; `superseded_by`: the position that replaced the last.

    `late`: its own time lies before that of an event recorded earlier.
    """

    effect: Effect
    late: bool
    changed: tuple[str, ...]
    superseded_by: int | None
    reason: str


class _Open:
    """An event on its way through the fold: what of it is in the view so far."""

    __slots__ = ("changed", "event", "late", "owned", "superseded_by", "why")

    def __init__(self, event: Event, changed: tuple[str, ...], why: str, *, late: bool) -> None:
        self.event = event
        self.changed = changed
        self.why = why
        self.late = late
        self.owned: set[str] = set()
        self.superseded_by: int | None = None

    def close(self) -> EventVerdict:
        if not self.changed:
            return EventVerdict(Effect.UNCHANGED, self.late, (), None, self.why)
        if self.superseded_by is None:
            return EventVerdict(Effect.STANDS, self.late, self.changed, None, self.why)
        reason = f"{self.why}; replaced by position {self.superseded_by}"
        return EventVerdict(Effect.SUPERSEDED, self.late, self.changed, self.superseded_by, reason)


class HistoryJudge:
    """Takes a run's history, oldest first."""

    def __init__(self) -> None:
        """Begin before the first event."""
        self._run = RunRegisters()
        self._owners: dict[str, _Open] = {}
        self._events: list[_Open] = []
        self._latest: datetime | None = None

    def add(self, event: Event, content: Content) -> None:
        """Fold the next event."""
        before, part = self._run, run_registers_of(event, content)
        after = merge_runs(before, part)
        changed = tuple(name for name in _claims(part, before) if _value(before, name) != _value(after, name))
        late = self._latest is not None and event.transitioned_at < self._latest
        judged = _Open(event, changed, _why(event, before, changed, late=late), late=late)
        for name in changed:
            self._hand_over(name, judged, keeps=_value(after, name) is not None)
        self._events.append(judged)
        self._run = after
        self._latest = max(self._latest or event.transitioned_at, event.transitioned_at)

    def _hand_over(self, name: str, judged: _Open, *, keeps: bool) -> None:
        """Make the event the owner of a register; who owned it may have lost the last that it had in the view."""
        owner = self._owners.pop(name, None)
        if owner is not None:
            owner.owned.discard(name)
            if not owner.owned:
                owner.superseded_by = judged.event.position
        if keeps:
            self._owners[name] = judged
            judged.owned.add(name)

    def verdicts(self) -> Iterator[EventVerdict]:
        """Return the verdicts, oldest first."""
        return (judged.close() for judged in self._events)


def judge_history(history: Iterable[tuple[Event, Content]]) -> list[EventVerdict]:
    """Judge a whole history, oldest first."""
    judging = HistoryJudge()
    for event, content in history:
        judging.add(event, content)
    return list(judging.verdicts())


def _claims(part: RunRegisters, before: RunRegisters) -> Iterator[str]:
    """Name the registers that an event could change."""
    yield "created"
    if part.started_at is not None:
        yield "startedAt"
    if part.ended is not None or isinstance(before.ended, InferredEnd):
        yield "ended"  # an inferred end stands until anything at all is recorded after it
    if part.parent_run is not None:
        yield "parentRun"
    if part.nominal is not None:
        yield "nominalTimes"
    yield from (f"facets.run.{name}" for name in part.run_facets)
    yield from (f"facets.job.{name}" for name in part.job_facets)


def _value(run: RunRegisters, name: str) -> Any:  # noqa: ANN401  registers are of many types
    if name.startswith("facets.run."):
        return run.run_facets.get(name[11:])
    if name.startswith("facets.job."):
        return run.job_facets.get(name[11:])
    return _VALUES[name](run)


_VALUES: dict[str, Callable[[RunRegisters], Any]] = {
    "created": attrgetter("created"),
    "startedAt": attrgetter("started_at"),
    "ended": attrgetter("ended"),
    "parentRun": attrgetter("parent_run"),
    "nominalTimes": attrgetter("nominal"),
}


def _why(event: Event, before: RunRegisters, changed: tuple[str, ...], *, late: bool) -> str:
    if event.kind == Kind.ERASED:
        return "the record that a payload was erased"
    when = "a late report" if late else "a report"
    if changed:
        return f"{when} that set {', '.join(changed)}"
    if event.state == RunState.RUNNING:
        return f"{when} of a start or heartbeat; an earlier start is known"
    if event.state in TERMINAL_RANK and event.source == MONITOR:
        return f"{when} of an inferred end; an end was reported"
    if event.state in TERMINAL_RANK and before.terminal is not None:
        return f"{when} of an end; the one at {before.terminal.at.isoformat()} ({before.terminal.state}) goes before it"
    known = event.state == RunState.NEW
    return f"{when} of a creation; an earlier one is known" if known else f"{when} that says nothing new"
