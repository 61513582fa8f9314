"""The state of a run: registers, and how they merge. Standard library only, no I/O.

The merge of every register is associative, commutative and idempotent. So the order in which events arrive, and how
often they do, does not change the state, and registers that were stored earlier can be merged with the events recorded
since (docs/architecture.md). Values are named tuples: immutable, and cheap enough to be made for every request.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from service.domain.event import API, MONITOR, NO_CONTENT, Content, Event, JobName, Kind, RunState, make_tuple
from service.domain.registers import (
    EPOCH,
    StampedFacet,
    StampedNominal,
    StampedParent,
    latest,
    merge_facets,
    phase_of,
    stamped_facets,
)
from service.domain.silence import Silence, StampedSilence

T = TypeVar("T", datetime, "Terminal", "InferredEnd", StampedSilence)

_TRANSITION = "transition"
_NEW, _RUNNING = RunState.NEW.value, RunState.RUNNING.value
"""Plain texts, as rows of events have them: comparing two of them is cheaper than comparing enum members."""

TERMINAL_RANK: Mapping[str | None, int] = {RunState.COMPLETED: 1, RunState.FAILED: 2, RunState.ABORTED: 3}
"""The states that end a run. Of two that are reported for the same microsecond, the one with the higher rank wins."""


class Created(NamedTuple):
    """How a run became known; the smallest wins. `implied` sorts a NEW event before any other.

    A monitor's event makes no run known: it is inferred from the others.
    """

    implied: bool
    at: datetime
    fact: bytes
    namespace: str
    job: str
    args: bytes
    nominal_start: datetime | None
    nominal_end: datetime | None

    def order(self) -> tuple[bool, datetime, bytes]:
        """Return the part that decides which of two wins."""
        return self[:3]


class Terminal(NamedTuple):
    """A reported end; the greatest wins."""

    at: datetime
    rank: int
    state: RunState


class InferredEnd(NamedTuple):
    """An end that a monitor inferred at a position; it counts while no event was recorded after it."""

    position: int
    at: datetime
    state: RunState


_NO_FACETS: Mapping[str, StampedFacet] = {}
_NO_ENDS: tuple[Terminal, ...] = ()
_NO_JOBS: tuple[JobName, ...] = ()

MAX_JOBS = 256
"""Most jobs that a run counts for: of more, the first in alphabetical order, and its own."""


NO_DATASETS, UNKNOWN_DATASETS = -1, 0
"""Instead of the position of an event that names datasets: that none does, or that it is not known whether one does."""


class RunRegisters(NamedTuple):
    """The state of a run, merged from its events. Empty registers are the neutral element of the merge."""

    position: int = 0
    updated_at: datetime = EPOCH
    created: Created | None = None
    started_at: datetime | None = None
    terminal: Terminal | None = None
    inferred: InferredEnd | None = None
    parent_run: StampedParent | None = None
    nominal: StampedNominal | None = None
    run_facets: Mapping[str, StampedFacet] = _NO_FACETS
    job_facets: Mapping[str, StampedFacet] = _NO_FACETS
    last_report_position: int = 0
    """Position of the last event other than an erasure."""

    overruled: tuple[Terminal, ...] = _NO_ENDS
    """The latest report of each other terminal state than that of `terminal`, the latest first: they contradict it."""

    latest_start: datetime | None = None
    """The latest START: heartbeats, which set `started_at` too, do not count."""

    jobs: tuple[JobName, ...] = _NO_JOBS
    """The jobs that the events name, sorted, MAX_JOBS at most; empty where they name the run's own only."""

    silence: StampedSilence | None = None
    """What the latest inferred end is inferred from; None also where its payload is not there."""

    datasets_position: int = NO_DATASETS
    """Position of the last event that names inputs or outputs; NO_DATASETS or UNKNOWN_DATASETS."""

    @property
    def ended(self) -> Terminal | InferredEnd | None:
        """The end that counts: the reported one, else the inferred one while it is the last event of the run."""
        if self.terminal is not None or self.inferred is None:
            return self.terminal
        return self.inferred if self.inferred.position == self.last_report_position else None

    @property
    def is_inferred(self) -> bool:
        """Whether the run has ended by inference alone."""
        return self.inferred is not None and self.ended is self.inferred

    @property
    def inferred_from(self) -> Silence | None:
        """What the end is inferred from, where the inferred one counts and this is known."""
        inferred, silence = self.inferred, self.silence
        if inferred is None or silence is None or silence.position != inferred.position or not self.is_inferred:
            return None
        return silence.silence

    @property
    def state(self) -> RunState:
        """The state of the end that counts; without one, RUNNING if the run has started, else NEW."""
        ended = self.ended
        if ended is not None:
            return ended.state
        return RunState.NEW if self.started_at is None else RunState.RUNNING

    @property
    def contradicting_ends(self) -> tuple[Terminal, ...]:
        """The latest report of each terminal state, the earliest first, where several states were reported; else ()."""
        if not self.overruled or self.terminal is None:
            return _NO_ENDS
        return (*reversed(self.overruled), self.terminal)

    @property
    def restarted_at(self) -> datetime | None:
        """The latest START, where it lies after the reported end: a START after an inferred one overrules that."""
        started, ended = self.latest_start, self.terminal
        return started if started is not None and ended is not None and started > ended.at else None

    @property
    def job(self) -> JobName | None:
        """The run's own job: that of its creator, else of its earliest event."""
        return JobName(self.created.namespace, self.created.job) if self.created else None

    @property
    def other_jobs(self) -> list[JobName]:
        """The jobs that the events name besides the run's own."""
        own = self.job
        return [name for name in self.jobs if name != own]

    @property
    def nominal_times(self) -> tuple[datetime | None, datetime | None]:
        """Nominal start and end: of the `nominalTime` facet, else of the creator."""
        if self.nominal is not None:
            return self.nominal.start, self.nominal.end
        return (self.created.nominal_start, self.created.nominal_end) if self.created else (None, None)

    @property
    def duration_ms(self) -> int | None:
        """Milliseconds from start to end, each cut to the millisecond as in Marquez; never below 0."""
        ended = self.ended
        if ended is None or self.started_at is None:
            return None
        return max(0, milliseconds(ended.at) - milliseconds(self.started_at))


def milliseconds(at: datetime) -> int:
    """Return whole milliseconds since 1970, rounded down."""
    return (at - EPOCH) // timedelta(milliseconds=1)


def run_registers_of(event: Event, content: Content = NO_CONTENT) -> RunRegisters:
    """Return the registers of a run of which this is the only event."""
    if event.kind == Kind.ERASED:
        return RunRegisters(event.position, event.recorded_at)
    at, state, position = event.transitioned_at, event.state, event.position
    no_content = content is NO_CONTENT
    terminal, inferred = _end(event)
    created = (
        state != _NEW,
        at,
        event.fact,
        event.namespace or "",
        event.job or "",
        content.args,
        content.nominal_start,
        content.nominal_end,
    )
    registers = (
        position,
        event.recorded_at,
        None if event.source == MONITOR else make_tuple(Created, created),
        at if state == _RUNNING else None,
        terminal,
        inferred,
        _parent(event) if event.parent_run else None,
        None if no_content else _nominal(event, content),
        _NO_FACETS if no_content else _stamped(event, content.run_facets),
        _NO_FACETS if no_content else _stamped(event, content.job_facets),
        position,
        _NO_ENDS,
        at if state == _RUNNING and (content.starts or event.source == API) else None,
        _NO_JOBS,
        None if inferred is None or content.silence is None else StampedSilence(position, content.silence),
        position if content.inputs or content.outputs else NO_DATASETS,
    )
    return make_tuple(RunRegisters, registers)


def _end(event: Event) -> tuple[Terminal | None, InferredEnd | None]:
    """Return the end that an event reports or infers."""
    rank = TERMINAL_RANK.get(event.state)
    if rank is None:
        return None, None
    state, at = RunState(event.state), event.transitioned_at  # type: ignore[arg-type]
    return (
        (None, InferredEnd(event.position, at, state)) if event.source == MONITOR else (Terminal(at, rank, state), None)
    )


def _parent(event: Event) -> StampedParent | None:
    run = event.parent_run
    digest = event.payload_digest or event.fact
    return StampedParent(event.transitioned_at, digest, run, phase_of(event)) if run else None


def _nominal(event: Event, content: Content) -> StampedNominal | None:
    times = content.facet_nominal
    digest = event.payload_digest or event.fact
    return StampedNominal(event.transitioned_at, digest, *times, phase_of(event)) if times else None


def _stamped(event: Event, facets: Mapping[str, bytes | None]) -> Mapping[str, StampedFacet]:
    if not facets:
        return _NO_FACETS
    return stamped_facets(event.transitioned_at, event.payload_digest or event.fact, facets, phase_of(event))


def merge_runs(a: RunRegisters, b: RunRegisters) -> RunRegisters:
    """Merge two parts of a run's history; the order and overlap of the parts do not matter."""
    created = _earlier_created(a.created, b.created)
    terminal, overruled = _merge_ends(a, b) if a.terminal or b.terminal else (None, _NO_ENDS)
    merged = (
        a.position if a.position > b.position else b.position,
        a.updated_at if a.updated_at > b.updated_at else b.updated_at,
        created,
        _least(a.started_at, b.started_at),
        terminal,
        _greatest(a.inferred, b.inferred) if a.inferred or b.inferred else None,
        latest(a.parent_run, b.parent_run) if a.parent_run or b.parent_run else None,
        latest(a.nominal, b.nominal) if a.nominal or b.nominal else None,
        merge_facets(a.run_facets, b.run_facets) if a.run_facets or b.run_facets else _NO_FACETS,
        merge_facets(a.job_facets, b.job_facets) if a.job_facets or b.job_facets else _NO_FACETS,
        a.last_report_position if a.last_report_position > b.last_report_position else b.last_report_position,
        overruled,
        _greatest(a.latest_start, b.latest_start) if a.latest_start or b.latest_start else None,
        _merge_jobs(a, b, created),
        _greatest(a.silence, b.silence) if a.silence or b.silence else None,
        a.datasets_position if a.datasets_position > b.datasets_position else b.datasets_position,
    )
    return make_tuple(RunRegisters, merged)


def apply_transition(run: RunRegisters, by: Any, position: int, recorded_at: datetime) -> RunRegisters | None:  # noqa: ANN401
    """Return merge_runs(run, run_registers_of(event)) for an event without content, at a third of the cost.

    `by` is the event or its draft. Returns None for events whose merge is not so simple; nearly all that schedulers
    report of runs they created are.
    """
    created, at, state = run.created, by.transitioned_at, by.state
    if by.kind != _TRANSITION or state is None or state == _NEW or by.source == MONITOR:
        return None
    rank = TERMINAL_RANK.get(state)
    if by.parent_run or created is None or created.implied or (rank is None and state != _RUNNING):
        return None
    if by.job != created.job or by.namespace != created.namespace:
        return None
    (
        _,
        updated_at,
        _,
        started_at,
        terminal,
        inferred,
        parent_run,
        nominal,
        run_facets,
        job_facets,
        last_report_position,
        overruled,
        latest_start,
        jobs,
        silence,
        datasets_position,
    ) = run
    if rank is None:
        started_at = _least(started_at, at)
        if by.source == API:
            latest_start = _greatest(latest_start, at)
    elif overruled or (terminal is not None and terminal.rank != rank):
        return None
    else:
        terminal = _greatest(terminal, Terminal(at, rank, RunState(state)))
    merged = (
        position if position > run.position else run.position,
        recorded_at if recorded_at > updated_at else updated_at,
        created,
        started_at,
        terminal,
        inferred,
        parent_run,
        nominal,
        run_facets,
        job_facets,
        position if position > last_report_position else last_report_position,
        overruled,
        latest_start,
        jobs,
        silence,
        datasets_position,
    )
    return make_tuple(RunRegisters, merged)


def apply_event(run: RunRegisters, event: Event, content: Content = NO_CONTENT) -> RunRegisters:
    """Return merge_runs(run, run_registers_of(event, content))."""
    applied = apply_transition(run, event, event.position, event.recorded_at) if content is NO_CONTENT else None
    return merge_runs(run, run_registers_of(event, content)) if applied is None else applied


def _earlier_created(a: Created | None, b: Created | None) -> Created | None:
    if a is None or b is None:
        return a or b
    if a.implied is not b.implied:
        return b if a.implied else a
    return a if a.order() <= b.order() else b


def _merge_ends(a: RunRegisters, b: RunRegisters) -> tuple[Terminal | None, tuple[Terminal, ...]]:
    """Return the end that stands, the greatest of the latest reports of each state, and the others of these."""
    one, two = a.terminal, b.terminal
    if not a.overruled and not b.overruled and (one is None or two is None or one.rank == two.rank):
        return _greatest(one, two), _NO_ENDS
    by_rank: dict[int, Terminal] = {}
    for end in (one, two, *a.overruled, *b.overruled):
        if end is not None:
            by_rank[end.rank] = max(end, by_rank.get(end.rank, end))
    terminal, *overruled = sorted(by_rank.values(), reverse=True)
    return terminal, tuple(overruled)


def _merge_jobs(a: RunRegisters, b: RunRegisters, created: Created | None) -> tuple[JobName, ...]:
    """Return the jobs of both; only the first MAX_JOBS names are kept, which no order of merges changes."""
    if not a.jobs and not b.jobs:
        one, two = a.created, b.created
        if one is None or two is None or (one.job == two.job and one.namespace == two.namespace):
            return _NO_JOBS
    names = sorted({*_jobs_of(a), *_jobs_of(b)})[:MAX_JOBS]
    own = created is not None and names == [(created.namespace, created.job)]
    return _NO_JOBS if own else tuple(names)


def _jobs_of(run: RunRegisters) -> tuple[JobName, ...]:
    own = run.job
    return run.jobs or ((own,) if own else _NO_JOBS)


def _least(a: datetime | None, b: datetime | None) -> datetime | None:
    if a is None or b is None:
        return a or b
    return a if a <= b else b


def _greatest(a: T | None, b: T | None) -> T | None:
    if a is None or b is None:
        return a or b
    return a if a >= b else b
