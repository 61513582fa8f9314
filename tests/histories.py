"""Generated histories of a run, a model of commands on it, and states and verdicts computed from a whole history."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import reduce
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from hypothesis import strategies as st

from service.domain import bitemporal
from service.domain.decisions import Decision, KnownEvent, Transition
from service.domain.event import Content, DatasetName, Event, RunState
from service.domain.event_verdicts import EventVerdict, HistoryJudge
from service.domain.registers import EPOCH
from service.domain.run import RunRegisters, merge_runs, run_registers_of
from service.domain.silence import Silence
from service.ledger import drafts
from service.ledger.drafts import Caller

RUN = UUID("0190a0a0-0000-7000-8000-000000000001")
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
ENDS = (RunState.COMPLETED, RunState.FAILED, RunState.ABORTED)
COMMANDS = (RunState.RUNNING, *ENDS)


def at(minutes: float) -> datetime:
    """Return a time some minutes past noon."""
    return NOON + timedelta(minutes=minutes)


# Few enough that equal times are common, and some far out.
times = st.one_of(
    st.integers(0, 5).map(at),
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001
)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=5)
datasets = st.lists(st.builds(DatasetName, texts, texts), min_size=1, max_size=2).map(tuple)
facets = st.dictionaries(st.sampled_from("abc"), st.sampled_from([b"1", b'{"x": 2}', None]), max_size=2)
contents = st.builds(
    Content,
    args=st.sampled_from([b"", b'{"a":"1"}', b'{"a":"2"}']),
    nominal_start=st.none() | times,
    nominal_end=st.none() | times,
    run_facets=facets,
    job_facets=facets,
    inputs=st.none() | datasets,
    outputs=st.none() | datasets,
    facet_nominal=st.none() | st.tuples(st.none() | times, st.none() | times),
    starts=st.booleans(),
    silence=st.none() | st.builds(Silence, st.integers(1, 9), st.integers(0, 5).map(at), st.integers(1, 600)),
)


class RunFact(NamedTuple):
    """What a caller reports, before the ledger gives it a position. Equal ones are the same fact."""

    state: RunState | None
    at: datetime
    job: str
    source: str
    parent_run: UUID | None
    content: Content

    def digest(self) -> bytes:
        return sha256(repr(self).encode()).digest()

    def recorded(self, position: int) -> tuple[Event, Content]:
        event = Event(
            position=position,
            subject="run",
            stream=RUN,
            kind="transition" if self.state else "facts",
            state=self.state,
            transitioned_at=self.at,
            recorded_at=at(position),
            namespace="etl",
            job=self.job,
            parent_run=self.parent_run,
            source=self.source,
            actor=None,
            fact=self.digest()[:16],
            request_digest=None,
            payload_digest=self.digest(),
        )
        return event, self.content


def run_facts(*sources: str) -> st.SearchStrategy[RunFact]:
    return st.builds(
        RunFact,
        state=st.none() | st.sampled_from(RunState),
        at=times,
        job=st.sampled_from(["load", "clean"]),
        source=st.sampled_from(sources),
        parent_run=st.none() | st.uuids(version=4),
        content=contents,
    )


def histories(*sources: str, least: int = 0, most: int = 8) -> st.SearchStrategy[list[RunFact]]:
    """Return distinct facts in some order of arrival."""
    return st.lists(run_facts(*sources), min_size=least, max_size=most, unique_by=RunFact.digest)


def recorded(history: Iterable[RunFact]) -> list[RunRegisters]:
    """Return the registers of each event alone, recorded in this order."""
    return [run_registers_of(*fact.recorded(position)) for position, fact in enumerate(history, 1)]


def merged(parts: Iterable[RunRegisters]) -> RunRegisters:
    return reduce(merge_runs, parts, RunRegisters())


History = Iterable[tuple[Event, Content]]


def known_at(history: History, position: int) -> RunRegisters | None:
    """Return the run as of a position; None where no event was recorded by then."""
    return merged_events((event, content) for event, content in history if event.position <= position)


def merged_events(history: History) -> RunRegisters | None:
    """Return the run that some events make; None if there are none."""
    parts = [run_registers_of(event, content) for event, content in history]
    return reduce(merge_runs, parts) if parts else None


def valid_at(history: History, at: datetime) -> RunRegisters | None:
    """Return the run as it was at a time; None for a history without events."""
    history = list(history)
    known = merged_events(history)
    happened = merged_events((event, content) for event, content in history if event.transitioned_at <= at)
    return None if known is None else bitemporal.valid_at(known, happened)


def judge_history(history: History) -> list[EventVerdict]:
    """Return the verdicts of a history, oldest event first."""
    judge = HistoryJudge()
    for event, content in history:
        judge.add(event, content)
    return list(judge.verdicts())


def timeless(run: RunRegisters) -> RunRegisters:
    """Return the registers without those that depend on when events were recorded."""
    return run._replace(position=0, updated_at=EPOCH, datasets_position=min(run.datasets_position, 1))


class Command(NamedTuple):
    """A report over the run API; at None: without a time."""

    state: RunState
    at: datetime | None = None
    key: str | None = None


commands = st.builds(
    Command, st.sampled_from(COMMANDS), st.none() | st.integers(0, 30).map(at), st.none() | st.sampled_from("kl")
)


class Model:
    """A run as the decision table and the merge make it: no database, no HTTP. The clock is the count of commands."""

    def __init__(self) -> None:
        created = RunFact(RunState.NEW, at(0), "load", "api", None, Content())
        self.view = run_registers_of(*created.recorded(1))
        self.position = 1
        self._known: dict[bytes, KnownEvent] = {}
        self._recorded: set[tuple[RunState, datetime]] = set()
        self._clock = 0

    def command(self, command: Command, now: datetime | None = None) -> Decision:
        self._clock += 1
        time = command.at or now or at(self._clock) + timedelta(microseconds=self._clock)
        draft = drafts.transition(
            RUN, command.state, time, explicit=command.at is not None, caller=Caller(None, command.key)
        )
        transition = Transition(command.state, time, draft.request_digest)
        decision = transition.decide(self.view, self._known.get(draft.fact))
        if decision is Decision.CONFLICT and (command.state, time) in self._recorded:
            return Decision.UNCHANGED  # recorded once, with another key or without one
        if decision is Decision.APPEND:
            self._recorded.add((command.state, time))
            self.position += 1
            self._known[draft.fact] = KnownEvent(self.position, draft.request_digest)
            event = draft.at(self.position, at(self.position))._replace(namespace="etl", job="load")
            self.view = merge_runs(self.view, run_registers_of(event))
        return decision

    def fact(self, fact: RunFact) -> None:
        """Record an OpenLineage event: facts are never refused."""
        self.position += 1
        self.view = merge_runs(self.view, run_registers_of(*fact.recorded(self.position)))
