"""The effect of each event on a run's state: whether it changed it, was late, and still counts. Pure.

The events are merged one by one. An event owns each register that it sets until a later event sets it again. An event
that owned registers and has lost all of them is superseded.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from service.domain.event import MONITOR, Content, Event, Kind, RunState
from service.domain.registers import StampedFacet, phase_of
from service.domain.run import TERMINAL_RANK, InferredEnd, RunRegisters, merge_runs, run_registers_of


class Effect(StrEnum):
    """Whether an event changed the state of its run, and whether the state still has a part of that change."""

    STANDS = "stands"
    """It changed the state, and a part of the change is in the state today."""

    SUPERSEDED = "superseded"
    """It changed the state when it was recorded; later events have replaced the whole change.

    An end that another one replaced is superseded, also where `ends` still shows it.
    """

    UNCHANGED = "unchanged"
    """The state before and after it differs in updatedAt only."""


class EventVerdict(NamedTuple):
    """The effect of an event.

    `changed` names the registers that it changed. `superseded_by` is the position of the event that replaced the last
    of them. `late`: its own time is before that of an event that was recorded earlier. `attempt`: 1 until the job that
    the event names is reported as started again after an end, by the times of the reports.
    """

    effect: Effect
    late: bool
    changed: tuple[str, ...]
    superseded_by: int | None
    reason: str
    attempt: int = 1


class Report(NamedTuple):
    """A reported start or end of a job within a run: its time, its phase, and the job."""

    at: datetime
    phase: int
    job: _Job

    @property
    def is_end(self) -> bool:
        """Whether it is an end."""
        return self.phase != _START


class _JudgedEvent:
    """An event, and the registers that it owns so far."""

    __slots__ = ("at", "changed", "job", "late", "owned", "reason", "superseded_by")

    def __init__(self, event: Event, changed: tuple[str, ...], reason: str, *, late: bool) -> None:
        self.at = event.transitioned_at
        self.job = _job_of(event)
        self.changed = changed
        self.reason = reason
        self.late = late
        self.owned: set[str] = set()
        self.superseded_by: int | None = None

    def verdict(self, restarts: Sequence[datetime]) -> EventVerdict:
        """Return the verdict; `restarts`: when the later attempts of the event's job began."""
        attempt = 1 + bisect_right(restarts, self.at)
        if not self.changed:
            return EventVerdict(Effect.UNCHANGED, self.late, (), None, self.reason, attempt)
        if self.superseded_by is None:
            return EventVerdict(Effect.STANDS, self.late, self.changed, None, self.reason, attempt)
        reason = f"{self.reason}; replaced by position {self.superseded_by}"
        return EventVerdict(Effect.SUPERSEDED, self.late, self.changed, self.superseded_by, reason, attempt)


class HistoryJudge:
    """Judges consecutive events of a run, oldest first, and then finds what the events after them replace.

    The events after them are taken in order, too: one by one, or many at once by their merged registers.
    """

    def __init__(self, run: RunRegisters | None = None, latest: datetime | None = None) -> None:
        """Start with the registers of the events before, and the latest of their own times; None if there are none."""
        self.registers = RunRegisters() if run is None else run
        self.latest = latest
        self.reports: list[Report] = []
        """The starts and ends among the events that were judged."""
        self._owners: dict[str, _JudgedEvent] = {}
        self._events: list[_JudgedEvent] = []

    def add(self, event: Event, content: Content) -> None:
        """Judge the next event."""
        part = run_registers_of(event, content)
        self._events.append(self._merge(event, part))
        report = report_of(event, part)
        if report is not None:
            self.reports.append(report)
        self.latest = max(self.latest or event.transitioned_at, event.transitioned_at)

    def is_open(self) -> bool:
        """Return whether a verdict depends on what comes next."""
        return bool(self._owners)

    def settle(self, final: RunRegisters) -> None:
        """Take the registers of the whole history: an event that owns a register which they have as it set it stands.

        No register returns to a value that it had before: an inferred end, which any event overrules, has its position.
        """
        standing = {owner for name, owner in self._owners.items() if self._has(final, name)}
        self._owners = {name: owner for name, owner in self._owners.items() if owner not in standing}

    def follow(self, event: Event, content: Content) -> None:
        """Take an event that comes after those that are judged."""
        for name in self._merge(event, run_registers_of(event, content)).owned:
            del self._owners[name]

    def skip(self, following: RunRegisters) -> bool:
        """Take many events at once, by their merged registers, and return True; False if they may replace something."""
        after = merge_runs(self.registers, following)
        if not all(self._has(after, name) for name in self._owners):
            return False
        self.registers = after
        return True

    def _has(self, run: RunRegisters, name: str) -> bool:
        return bool(_value(run, name) == _value(self.registers, name))

    def _merge(self, event: Event, part: RunRegisters) -> _JudgedEvent:
        before = self.registers
        after = merge_runs(before, part)
        changed = tuple(name for name in _candidates(part, before) if _value(before, name) != _value(after, name))
        late = self.latest is not None and event.transitioned_at < self.latest
        judged = _JudgedEvent(event, changed, _reason(event, before, changed, late=late), late=late)
        for name in changed:
            self._change_owner(name, judged, event.position, keeps=_value(after, name) is not None)
        self.registers = after
        return judged

    def _change_owner(self, name: str, judged: _JudgedEvent, position: int, *, keeps: bool) -> None:
        """Make the event at a position the owner of a register, or nothing where the register is empty now."""
        owner = self._owners.pop(name, None)
        if owner is not None:
            owner.owned.discard(name)
            if not owner.owned:
                owner.superseded_by = position
        if keeps:
            self._owners[name] = judged
            judged.owned.add(name)

    def verdicts(self, restarts: Restarts | None = None) -> Iterator[EventVerdict]:
        """Return the verdicts in the order of the events; `restarts`: None where all reports are of these events."""
        known = restarts_of(self.reports) if restarts is None else restarts
        return (judged.verdict(known.get(judged.job, ())) for judged in self._events)


_Job = tuple[str | None, str | None]
"""Namespace and name."""

Restarts = Mapping[_Job, Sequence[datetime]]
"""When a job was started again after an end, in order, by job."""

_START = 1
"""The phase of a start; those of ends are greater."""


def _job_of(event: Event) -> _Job:
    return event.namespace, event.job


def report_of(event: Event, part: RunRegisters) -> Report | None:
    """Return what an event, of which these are the registers, reports of its job: a start or an end; else None."""
    if part.latest_start is None and part.terminal is None:
        return None
    return Report(event.transitioned_at, phase_of(event), _job_of(event))


def restarts_of(reports: Iterable[Report]) -> Restarts:
    """Return the times of the starts that follow an end, of all starts and ends of a run in any order."""
    restarts: dict[_Job, list[datetime]] = {}
    ended: set[_Job] = set()
    for report in sorted(reports, key=itemgetter(0, 1)):
        if report.is_end:
            ended.add(report.job)
        elif report.job in ended:
            ended.remove(report.job)
            restarts.setdefault(report.job, []).append(report.at)
    return restarts


def _candidates(part: RunRegisters, before: RunRegisters) -> Iterator[str]:
    """Name the registers that an event could change."""
    yield "created"
    if part.started_at is not None:
        yield "startedAt"
    if part.ended is not None or isinstance(before.ended, InferredEnd):
        yield "ended"  # an inferred end counts until any event is recorded after it
        yield "restartedAt"
    elif part.latest_start is not None:
        yield "restartedAt"
    if part.terminal is not None:
        yield "ends"
    if part.parent_run is not None:
        yield "parentRun"
    if part.nominal is not None:
        yield "nominalTimes"
    yield from (f"facets.run.{name}" for name in part.run_facets)
    yield from (f"facets.job.{name}" for name in part.job_facets)


def _value(run: RunRegisters, name: str) -> Any:  # noqa: ANN401  registers are of many types
    if name.startswith("facets.run."):
        return _facet(run.run_facets.get(name[11:]))
    if name.startswith("facets.job."):
        return _facet(run.job_facets.get(name[11:]))
    return _VALUES[name](run)


def _facet(facet: StampedFacet | None) -> tuple[object, ...] | None:
    """Return time, digest and value: a superseded report may have been larger, which is no change."""
    return None if facet is None else facet[:3]


_VALUES: dict[str, Callable[[RunRegisters], Any]] = {
    "created": attrgetter("created"),
    "startedAt": attrgetter("started_at"),
    "ended": attrgetter("ended"),
    "ends": lambda run: run.contradicting_ends or None,
    "restartedAt": attrgetter("restarted_at"),
    "parentRun": attrgetter("parent_run"),
    "nominalTimes": attrgetter("nominal"),
}


def _reason(event: Event, before: RunRegisters, changed: tuple[str, ...], *, late: bool) -> str:
    if event.kind == Kind.ERASED:
        return "the record that a payload was erased"
    report = "an inference" if event.source == MONITOR else "a late report" if late else "a report"
    return f"{report} that set {', '.join(changed)}" if changed else f"{report} {_reason_of_no_change(event, before)}"


def _reason_of_no_change(event: Event, before: RunRegisters) -> str:
    if event.state == RunState.NEW:
        return "of a creation; an earlier one is known"
    if event.state == RunState.RUNNING:
        return "of a start or heartbeat; an earlier start is known"
    if event.state in TERMINAL_RANK and event.source == MONITOR:
        return "of an end; an end was reported"
    if event.state in TERMINAL_RANK and before.terminal is not None:
        end = before.terminal
        return f"of an end; the one at {end.at.isoformat()} ({end.state}) takes precedence"
    return "that changes nothing"
