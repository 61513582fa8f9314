"""Generated histories, and the model that says what becomes of a command."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import reduce
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from hypothesis import strategies as st

from service.domain.decisions import Decision, KnownEvent, Transition
from service.domain.event import Content, DatasetName, Event, RunState
from service.domain.registers import EPOCH
from service.domain.run import RunRegisters, merge_runs, run_registers_of
from service.ledger import drafts
from service.ledger.drafts import Caller

RUN = UUID("0190a0a0-0000-7000-8000-000000000001")
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
ENDS = (RunState.COMPLETED, RunState.FAILED, RunState.ABORTED)
COMMANDS = (RunState.RUNNING, *ENDS)


def at(minutes: float) -> datetime:
    """Return a time so many minutes past noon."""
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
)


class Told(NamedTuple):
    """What a caller says, before the ledger gives it a position: equal ones are the same fact."""

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


def told(*sources: str) -> st.SearchStrategy[Told]:
    return st.builds(
        Told,
        state=st.none() | st.sampled_from(RunState),
        at=times,
        job=st.sampled_from(["load", "clean"]),
        source=st.sampled_from(sources),
        parent_run=st.none() | st.uuids(version=4),
        content=contents,
    )


def histories(*sources: str, least: int = 0, most: int = 8) -> st.SearchStrategy[list[Told]]:
    """Return distinct facts in some order of arrival."""
    return st.lists(told(*sources), min_size=least, max_size=most, unique_by=Told.digest)


def recorded(history: Iterable[Told]) -> list[RunRegisters]:
    """Return what each event alone says, recorded in this order."""
    return [run_registers_of(*one.recorded(position)) for position, one in enumerate(history, 1)]


def folded(parts: Iterable[RunRegisters]) -> RunRegisters:
    return reduce(merge_runs, parts, RunRegisters())


def timeless(run: RunRegisters) -> RunRegisters:
    """Return the registers without what depends on when the ledger heard of it."""
    return run._replace(position=0, updated_at=EPOCH)


class Command(NamedTuple):
    """A report over the run API; at None: without a time."""

    state: RunState
    at: datetime | None = None
    key: str | None = None


commands = st.builds(
    Command, st.sampled_from(COMMANDS), st.none() | st.integers(0, 30).map(at), st.none() | st.sampled_from("kl")
)


class Model:
    """A run as the decision table and the fold make it: no database, no HTTP. The clock is the count of commands."""

    def __init__(self) -> None:
        created = Told(RunState.NEW, at(0), "load", "api", None, Content())
        self.view = run_registers_of(*created.recorded(1))
        self.position = 1
        self._known: dict[bytes, KnownEvent] = {}
        self._said: set[tuple[RunState, datetime]] = set()
        self._clock = 0

    def tell(self, command: Command, now: datetime | None = None) -> Decision:
        self._clock += 1
        time = command.at or now or at(self._clock) + timedelta(microseconds=self._clock)
        draft = drafts.transition(
            RUN, command.state, time, explicit=command.at is not None, caller=Caller(None, command.key)
        )
        judged = Transition(command.state, time, draft.request_digest)
        verdict = judged.decide(self.view, self._known.get(draft.fact))
        if verdict is Decision.CONFLICT and (command.state, time) in self._said:
            return Decision.UNCHANGED  # recorded once, with another key or without one
        if verdict is Decision.APPEND:
            self._said.add((command.state, time))
            self.position += 1
            self._known[draft.fact] = KnownEvent(self.position, draft.request_digest)
            event = draft.at(self.position, at(self.position))._replace(namespace="etl", job="load")
            self.view = merge_runs(self.view, run_registers_of(event))
        return verdict

    def hear(self, fact: Told) -> None:
        """An OpenLineage event: recorded whatever it says."""
        self.position += 1
        self.view = merge_runs(self.view, run_registers_of(*fact.recorded(self.position)))
