"""One batch of the appender: its items are read, decided, appended and resolved together."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from service.database.connections import Connections
from service.domain.decisions import Command, Decision, KnownEvent
from service.domain.draft import Draft
from service.domain.event import RunState, Subject, make_tuple
from service.domain.run import apply_transition
from service.errors import DatabaseUnavailable, Unavailable
from service.ledger.aggregates import AGGREGATES
from service.ledger.append_health import AppendHealth
from service.ledger.events import AppendedBatch, AppendOutcome, append_events, read_streams
from service.ledger.ledger_end import LedgerEnd
from service.ledger.run_cache import RunCache
from service.payloads.contents import decode_payload

# Looking up a member of an enum is slow, and these are needed several times for every item.
_RUN = Subject.RUN
_APPEND, _CONFLICT = Decision.APPEND, Decision.CONFLICT
_RECORDED, _LOST = AppendOutcome.RECORDED.value, AppendOutcome.LOST.value

OUTCOME_UNKNOWN = (
    "this may have been recorded or not; repeat it, unless it creates a run without id and Idempotency-Key"
)
"""The detail of a 503 for an item whose commit was not confirmed."""

_MAX_ATTEMPTS = 3
"""How often an item is tried that lost a race, or whose connection broke, before its caller gets Unavailable."""

_REPORTED = frozenset(RunState) - {RunState.NEW}

StreamKey = tuple[Subject, int]
"""A stream: its subject, and its id as an integer, because the hash of a UUID is slow."""

OnAppend = Callable[[int, int], None]
"""Is called after each commit with its last position and its number of events."""


class AppendResult(NamedTuple):
    """The result for an item: the decision (None for a fact), and the stream's registers after the item's own event.

    `position` and `recorded_at` are None if the item recorded nothing; a fact that was recorded before has the position
    of its event. `registers` are None for a fact whose stream no command of the batch has read.
    """

    decision: Decision | None
    registers: Any
    position: int | None
    recorded_at: datetime | None


class PendingAppend:
    """A command, or a fact (without a command), that waits for its result.

    An attempt sets `decision`, `known` (the event that has its fact) and, if the draft was sent to the ledger,
    `outcome` and `position`. `span` is that of its request, and is set only while traces are recorded. `held_bytes`
    is set when the item is queued.
    """

    __slots__ = (
        "attempts",
        "command",
        "decision",
        "draft",
        "future",
        "held_bytes",
        "key",
        "known",
        "new_stream",
        "original",
        "outcome",
        "outcome_unknown",
        "parent",
        "position",
        "span",
    )

    span: Any
    held_bytes: int

    def __init__(
        self,
        draft: Draft,
        command: Command | None,
        future: asyncio.Future[AppendResult],
        *,
        parent: StreamKey | None = None,
        new_stream: bool = False,
    ) -> None:
        self.original = self.draft = draft
        self.command = command
        self.parent = parent
        self.new_stream = new_stream
        self.future = future
        self.attempts = 0
        self.outcome_unknown = False
        self.key: StreamKey = (draft.subject, draft.stream.int)
        self.decision: Decision | None = None
        self.known: KnownEvent | None = None
        self.outcome: int | None = None
        self.position: int | None = None

    def reset_attempt(self) -> None:
        """Discard the results of an attempt that recorded nothing."""
        self.draft = self.original
        self.decision = self.known = self.outcome = self.position = None

    @property
    def expired(self) -> bool:
        """Whether the caller was answered before the item was appended. A caller that left is still served."""
        return self.future.done() and not self.future.cancelled()

    def resolve(self, result: AppendResult) -> None:
        """Set the result; ignored if the caller was cancelled."""
        if not self.future.done():
            self.future.set_result(result)

    def fail(self, error: Exception) -> None:
        """Set an error as the result; ignored if the caller was cancelled."""
        if not self.future.done():
            self.future.set_exception(error)


def outcome_unknown(cause: DatabaseUnavailable | None = None) -> Unavailable:
    """Return the error of an append that the database may have executed or not; `cause`: what is wrong with it."""
    reason = f"{cause.detail}; " if cause is not None else ""
    return Unavailable(f"{reason}{OUTCOME_UNKNOWN}")


def requeue_or_fail(items: Iterable[PendingAppend], cause: DatabaseUnavailable | None = None) -> list[PendingAppend]:
    """Return the items to try again; fail those that had their last attempt. `cause`: the error of this attempt."""
    requeued = []
    for item in items:
        item.attempts += 1
        if item.attempts < _MAX_ATTEMPTS:
            item.reset_attempt()
            requeued.append(item)
        else:
            item.fail(outcome_unknown(cause))
    return requeued


class RefusedTransition(NamedTuple):
    """A transition that was refused, and the registers of its run at that time."""

    item: PendingAppend
    registers: Any


class AppendBatch:
    """A batch of items, and the states of the streams that it has read."""

    def __init__(self, items: list[PendingAppend], run_cache: RunCache, end: LedgerEnd, health: AppendHealth) -> None:
        """Take the items, what the process knows of runs and of the ledger's end, and what measures the commit."""
        self._items = items
        self._health = health
        self._end = end
        self._run_cache = run_cache
        self._has_duplicates = len({item.key for item in items}) < len(items)
        """Whether several items are about one stream: then each must see the events of those before it."""
        self._states: dict[StreamKey, Any] = {}
        """The registers of each stream that has a command, as read or cached."""
        self._parents: dict[StreamKey, Any] = {}
        self._appending: list[PendingAppend] = []
        self.refused: list[RefusedTransition] = []
        """Transitions that are refused unless they repeat a recorded one, which is to be looked up: see repeats.py."""

    async def execute(self, connections: Connections, on_append: OnAppend) -> list[PendingAppend]:
        """Append the batch and resolve its items, except for `refused`. Returns the items to try again.

        Raises ValueRefused and DatabaseUnavailable for the whole batch; then no item is resolved.
        """
        await self._read(connections)
        self._decide()
        appended = await self._append(connections)
        if appended and _RECORDED in appended.outcomes:
            on_append(max(appended.positions), appended.outcomes.count(_RECORDED))
        return self._resolve(appended.recorded_at if appended else None)

    async def _read(self, connections: Connections) -> None:
        by_subject: dict[Subject, list[PendingAppend]] = {}
        count = Counter([item.key for item in self._items]) if self._has_duplicates else {}
        for item in self._items:
            # A cached state serves only a command that is alone on its stream: with another item in the batch it would
            # be decided again, with a different result.
            if item.command is not None and not (count.get(item.key, 1) == 1 and self._use_cached_state(item)):
                by_subject.setdefault(item.draft.subject, []).append(item)
        for subject, items in by_subject.items():
            streams, facts = [item.draft.stream for item in items], [item.draft.fact for item in items]
            for item, stream in zip(items, await read_streams(connections, subject, streams, facts), strict=True):
                self._states[item.key] = stream.registers
                item.known = stream.known
        await self._read_parents(connections)

    def _use_cached_state(self, item: PendingAppend) -> bool:
        """Return whether the cached state of the run is enough to append; every other decision needs a read."""
        if item.attempts or item.draft.subject is not _RUN or item.command is None:
            return False
        if item.new_stream:
            self._states[item.key] = None
            return True
        cached = self._run_cache.get(item.draft.stream)
        if cached is None or item.command.decide(cached, None) is not _APPEND:
            return False
        self._states[item.key] = cached
        if item.parent is None and not self._has_duplicates:
            item.decision = _APPEND
        return True

    async def _read_parents(self, connections: Connections) -> None:
        parents = {item.parent for item in self._items if item.parent is not None}
        for subject in {parent[0] for parent in parents}:
            numbers = [number for parent_subject, number in parents if parent_subject is subject]
            streams = [UUID(int=number) for number in numbers]
            states = await read_streams(connections, subject, streams, [None] * len(streams))
            for number, state in zip(numbers, states, strict=True):
                self._parents[subject, number] = state.registers

    def _decide(self) -> None:
        """Decide each command, in the order of arrival."""
        if self._has_duplicates:
            self._decide_in_order()
            return
        for item in self._items:
            if item.command is not None:
                state = self._states[item.key]
                decision = item.decision or self._decide_one(item, state, item.known)
                if decision is not _APPEND:
                    continue
                if item.draft.namespace is None:
                    item.draft = _with_job_of_run(item.draft, state)
            self._appending.append(item)

    def _decide_in_order(self) -> None:
        """Decide each command by the state that its stream will have after the items before it."""
        states = dict(self._states)
        facts: dict[tuple[StreamKey, bytes], KnownEvent] = {}
        for item in self._items:
            key, fact = item.key, item.draft.fact
            if item.command is not None:
                if self._decide_one(item, states[key], item.known or facts.get((key, fact))) is not _APPEND:
                    continue
                item.draft = _with_job_of_run(item.draft, states[key])
            self._appending.append(item)
            facts.setdefault((key, fact), KnownEvent(0, item.draft.request_digest))
            if key in states:
                states[key] = _next_state(states[key], item.draft, 0, None)

    def _decide_one(self, item: PendingAppend, state: Any, known: KnownEvent | None) -> Decision:  # noqa: ANN401
        assert item.command is not None  # noqa: S101  facts are not decided
        decision = item.command.decide(state, known)
        if decision is _APPEND and self._parent_is_unknown(item.parent):
            decision = Decision.PARENT_UNKNOWN
        item.decision = decision
        return decision

    def _parent_is_unknown(self, parent: StreamKey | None) -> bool:
        """A deleted job takes no runs. A deleted namespace takes jobs, as in Marquez, and is visible again by that."""
        if parent is None:
            return False
        state = self._parents[parent]
        return state is None or (parent[0] is Subject.JOB and state.hidden)

    async def _append(self, connections: Connections) -> AppendedBatch | None:
        if not self._appending:
            return None
        expected = [self._expected_position(item) if item.command is not None else None for item in self._appending]
        drafts = [item.draft for item in self._appending]
        try:
            with self._health.commit(len(drafts)):
                appended = await append_events(connections, drafts, expected, self._end)
        except DatabaseUnavailable:
            for item in self._appending:
                item.outcome_unknown = True  # the next attempt may find the item's own event in the ledger
            raise
        for item, outcome, position in zip(self._appending, appended.outcomes, appended.positions, strict=True):
            item.outcome, item.position = outcome, position
        return appended

    def _expected_position(self, item: PendingAppend) -> int:
        """Return the last position of the stream when the command was decided."""
        state = self._states[item.key]
        if state is None:
            return 0
        position: int = state.position if item.draft.subject is _RUN else state.own_position
        return position

    def _resolve(self, recorded_at: datetime | None) -> list[PendingAppend]:
        """Resolve the items in order, each with the state after its own event. Returns those that lost a race."""
        states = self._states
        lost_streams: set[StreamKey] = set()
        lost: list[PendingAppend] = []
        for item in self._items:
            key, recorded = item.key, item.outcome == _RECORDED
            # A fact expects nothing of its stream, but is lost with a command of its batch that has the same fact.
            if item.command is not None or item.outcome == _LOST:
                if item.outcome is not None and not recorded:
                    lost_streams.add(key)  # also if another process appended the same fact: the next read returns it
                if key in lost_streams:
                    lost.append(item)
                    continue
            if recorded and item.position and key in states:
                states[key] = _next_state(states[key], item.draft, item.position, recorded_at)
            if item.decision is _CONFLICT and item.draft.state in _REPORTED:
                self.refused.append(RefusedTransition(item, states[key]))
            else:
                item.resolve(_result(item, states.get(key), recorded_at if recorded else None))
        self._update_run_cache()
        return requeue_or_fail(lost)

    def _update_run_cache(self) -> None:
        """Cache complete states only: that a command was appended proves that no event lay between read and append."""
        complete = {item.key for item in self._appending if item.command is not None and item.outcome == _RECORDED}
        for item in self._appending:
            if item.draft.subject is _RUN:
                if item.key in complete:
                    self._run_cache.put(item.draft.stream, self._states[item.key])
                else:
                    self._run_cache.discard(item.draft.stream)


def _with_job_of_run(draft: Draft, state: Any) -> Draft:  # noqa: ANN401
    """Return a transition with the job of its run, which only the run's history has."""
    if draft.namespace is not None or draft.subject is not _RUN or state is None:
        return draft
    return draft.of_job(state.created.namespace, state.created.job)


def _next_state(state: Any, draft: Draft, position: int, recorded_at: datetime | None) -> Any:  # noqa: ANN401
    """Return the state of a stream after a draft is appended."""
    at = recorded_at or draft.transitioned_at
    if draft.payload is None and draft.subject is _RUN and state is not None:
        run = apply_transition(state, draft, position, at)
        if run is not None:
            return run
    event = draft.at(position, at)
    # The payload of a fact is decoded only here: where a command for the same run is in its batch.
    decoded = draft.decoded if draft.source == "api" else decode_payload(event, draft.payload)
    return AGGREGATES[draft.subject].next_state(state, event, decoded)


def _result(item: PendingAppend, state: Any, recorded_at: datetime | None) -> AppendResult:  # noqa: ANN401
    if item.outcome_unknown:
        # The connection broke while this item was being appended; now its event is found in the ledger.
        if item.known and item.decision is Decision.UNCHANGED:
            return AppendResult(_APPEND, state, item.known.position, item.known.recorded_at)
        if item.command is None:
            return AppendResult(_APPEND, state, item.position, recorded_at)
    position = item.position if recorded_at or item.command is None else None
    return make_tuple(AppendResult, (item.decision, state, position, recorded_at))
