"""One batch of group commit on its way: read, decided, appended, answered."""

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
from service.ledger.events import AppendedBatch, AppendOutcome, append_events, find_recorded_transitions, read_streams
from service.ledger.run_cache import RunCache
from service.payloads.contents import decode_payload

# A member of an enum is found slowly, and these are asked for again and again for every item.
_RUN = Subject.RUN
_APPEND, _CONFLICT = Decision.APPEND, Decision.CONFLICT
_RECORDED = AppendOutcome.RECORDED.value

_ROUNDS = 3
"""How often a command that lost a race, or whose connection broke, goes round before its caller is told 503."""

_REPORTED = frozenset(RunState) - {RunState.NEW}

StreamKey = tuple[Subject, int]

OnAppend = Callable[[int, int], None]
"""Hears of each commit: up to which position, and how many events."""


class AppendResult(NamedTuple):
    """What became of an item: the decision (None for a fact), the stream's registers as of its own event, and where.

    position and recorded_at are None where nothing was recorded by this item.
    """

    decision: Decision | None
    registers: Any
    position: int | None
    recorded_at: datetime | None


class PendingAppend:
    """A command (with a judge) or a fact (without), waiting for its answer.

    What one round finds out about it stands here, too: `decision`, `known` (the event that has its fact), and, where it
    was sent to be appended, `outcome` and `position`.
    """

    __slots__ = (
        "answer",
        "original",
        "attempts",
        "draft",
        "new_stream",
        "parent",
        "command",
        "key",
        "known",
        "outcome",
        "position",
        "outcome_unknown",
        "decision",
    )

    def __init__(
        self,
        draft: Draft,
        command: Command | None,
        answer: asyncio.Future[AppendResult],
        *,
        parent: StreamKey | None = None,
        new_stream: bool = False,
    ) -> None:
        self.original = self.draft = draft
        self.command = command
        self.parent = parent
        self.new_stream = new_stream
        self.answer = answer
        self.attempts = 0
        self.outcome_unknown = False
        self.key: StreamKey = (draft.subject, draft.stream.int)  # a UUID hashes slowly

        self.decision: Decision | None = None
        self.known: KnownEvent | None = None
        self.outcome: int | None = None
        self.position: int | None = None

    def reset_attempt(self) -> None:
        """Forget what a round found out, for it came to nothing."""
        self.draft = self.original
        self.decision = self.known = self.outcome = self.position = None

    def resolve(self, answer: AppendResult) -> None:
        """Answer; a caller that left hears nothing."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: Exception) -> None:
        """Answer with an error; a caller that left hears nothing."""
        if not self.answer.done():
            self.answer.set_exception(error)


def _named(draft: Draft, standing: Any) -> Draft:  # noqa: ANN401
    """A transition is filed under the job its run belongs to, which only its history tells."""
    if draft.namespace is not None or draft.subject is not _RUN or standing is None:
        return draft
    return draft.of_job(standing.created.namespace, standing.created.job)


def requeue_or_fail(items: Iterable[PendingAppend]) -> list[PendingAppend]:
    """Return those that may go round once more; the others' callers are told."""
    back = []
    for item in items:
        item.attempts += 1
        if item.attempts < _ROUNDS:
            item.reset_attempt()
            back.append(item)
        else:
            item.fail(Unavailable("this may have been recorded or not; it is safe to repeat"))
    return back


class AppendBatch:
    """One batch on its way: read, decided, appended, answered."""

    def __init__(self, items: list[PendingAppend], recent: RunCache) -> None:
        self._items = items
        self._recent = recent
        self._has_duplicates = len({item.key for item in items}) < len(items)
        """Whether several are about one stream: each must then see what those before it add."""
        self._standing: dict[StreamKey, Any] = {}
        """The registers of each stream that a command is about, as read or guessed."""
        self._parents: dict[StreamKey, Any] = {}
        self._appending: list[PendingAppend] = []

    async def carry_out(self, connections: Connections, on_append: OnAppend) -> list[PendingAppend]:
        """Carry the batch out. Returns what must go round again; raises ValueRefused and DatabaseUnavailable for all of it."""
        await self._read(connections)
        self._decide()
        await self._resolve_repeated_conflicts(connections)
        appended = await self._append(connections)
        if appended and _RECORDED in appended.outcomes:
            on_append(max(appended.positions), appended.outcomes.count(_RECORDED))
        return self._answer(appended.recorded_at if appended else None)

    async def _read(self, connections: Connections) -> None:
        by_subject: dict[Subject, list[PendingAppend]] = {}
        counted = Counter([item.key for item in self._items]) if self._has_duplicates else {}
        for item in self._items:
            # A guess is for a command that is alone: beside another item it could be judged again, and otherwise.
            if item.command is not None and not (counted.get(item.key, 1) == 1 and self._guess(item)):
                by_subject.setdefault(item.draft.subject, []).append(item)
        for subject, items in by_subject.items():
            streams, facts = [item.draft.stream for item in items], [item.draft.fact for item in items]
            for item, stream in zip(items, await read_streams(connections, subject, streams, facts), strict=True):
                self._standing[item.key] = stream.registers
                item.known = stream.known
        await self._read_parents(connections)

    def _guess(self, item: PendingAppend) -> bool:
        """Tell whether what is remembered of the run is enough to append by; whatever else must be read."""
        if item.attempts or item.draft.subject is not _RUN or item.command is None:
            return False
        if item.new_stream:
            self._standing[item.key] = None
            return True
        guess = self._recent.get(item.draft.stream)
        if guess is None or item.command.decide(guess, None) is not _APPEND:
            return False
        self._standing[item.key] = guess
        if item.parent is None and not self._has_duplicates:
            item.decision = _APPEND
        return True

    async def _read_parents(self, connections: Connections) -> None:
        parents = {item.parent for item in self._items if item.parent is not None}
        for subject in {parent[0] for parent in parents}:
            numbers = [number for of, number in parents if of is subject]
            streams = [UUID(int=number) for number in numbers]
            read = await read_streams(connections, subject, streams, [None] * len(streams))
            self._parents.update({(subject, s): r.registers for s, r in zip(numbers, read, strict=True)})

    def _decide(self) -> None:
        """Judge each command in the order of arrival; later ones of a stream see what earlier ones will have added."""
        if self._has_duplicates:
            self._decide_in_turn()
            return
        for item in self._items:
            if item.command is not None:
                standing = self._standing[item.key]
                decision = item.decision or self._decide_one(item, standing, item.known)
                if decision is not _APPEND:
                    continue
                if item.draft.namespace is None:
                    item.draft = _named(item.draft, standing)
            self._appending.append(item)

    def _decide_in_turn(self) -> None:
        pending = dict(self._standing)
        facts: dict[tuple[StreamKey, bytes], KnownEvent] = {}
        for item in self._items:
            key, fact = item.key, item.draft.fact
            if item.command is not None:
                if self._decide_one(item, pending[key], item.known or facts.get((key, fact))) is not _APPEND:
                    continue
                item.draft = _named(item.draft, pending[key])
            self._appending.append(item)
            facts.setdefault((key, fact), KnownEvent(0, item.draft.request_digest))
            if key in pending:
                pending[key] = self._with(pending[key], item.draft, 0, None)

    def _decide_one(self, item: PendingAppend, standing: Any, known: KnownEvent | None) -> Decision:  # noqa: ANN401
        assert item.command is not None  # noqa: S101  only commands are judged
        decision = item.command.decide(standing, known)
        item.decision = (
            Decision.PARENT_UNKNOWN if decision is _APPEND and self._parent_is_unknown(item.parent) else decision
        )
        return item.decision

    async def _resolve_repeated_conflicts(self, connections: Connections) -> None:
        """Line 0 of the table: what conflicts now may be what was recorded once, with another key or without one."""
        conflicts = [i for i in self._items if i.decision is _CONFLICT and i.draft.state in _REPORTED]
        if not conflicts:
            return
        adding = {(i.key, i.draft.state, i.draft.transitioned_at) for i in self._appending}
        recorded = await find_recorded_transitions(connections, [item.draft for item in conflicts])
        for nth, item in enumerate(conflicts):
            if nth in recorded or (item.key, item.draft.state, item.draft.transitioned_at) in adding:
                item.decision = Decision.UNCHANGED

    def _parent_is_unknown(self, parent: StreamKey | None) -> bool:
        """A deleted job takes no runs; a deleted namespace takes jobs, as in Marquez, and is there again by that."""
        if parent is None:
            return False
        found = self._parents[parent]
        return found is None or (parent[0] is Subject.JOB and found.hidden)

    @staticmethod
    def _with(standing: Any, draft: Draft, position: int, recorded_at: datetime | None) -> Any:  # noqa: ANN401
        at = recorded_at or draft.transitioned_at
        if draft.payload is None and draft.subject is _RUN and standing is not None:
            simply = apply_transition(standing, draft, position, at)
            if simply is not None:
                return simply
        event, aggregate = draft.at(position, at), AGGREGATES[draft.subject]
        # A fact is seldom looked into: only where a command for the same run shares its batch.
        part = aggregate.from_event(
            event, draft.decoded if draft.source == "api" else decode_payload(event, draft.payload)
        )
        return part if standing is None else aggregate.merge(standing, part)

    async def _append(self, connections: Connections) -> AppendedBatch | None:
        if not self._appending:
            return None
        expected = [self._expectation(item) if item.command is not None else None for item in self._appending]
        try:
            appended = await append_events(connections, [item.draft for item in self._appending], expected)
        except DatabaseUnavailable:
            for item in self._appending:
                item.outcome_unknown = True  # going round again, its own event may be found in the ledger
            raise
        for item, outcome, position in zip(self._appending, appended.outcomes, appended.positions, strict=True):
            item.outcome, item.position = outcome, position
        return appended

    def _expectation(self, item: PendingAppend) -> int:
        """Where the stream ended when the command was judged. Facts expect nothing."""
        standing = self._standing[item.key]
        if standing is None:
            return 0
        position: int = standing.position if item.draft.subject is _RUN else standing.own_position
        return position

    def _answer(self, recorded_at: datetime | None) -> list[PendingAppend]:
        """Answer in order, each with the view as of its own event; return those that lost a race."""
        views = self._standing
        lost: set[StreamKey] = set()
        back: list[PendingAppend] = []
        for item in self._items:
            key, recorded = item.key, item.outcome == _RECORDED
            if item.command is not None:
                if item.outcome is not None and not recorded:
                    lost.add(key)  # also where another process appended the same: read again, and see it
                if key in lost:
                    back.append(item)
                    continue
            if recorded and item.position and key in views:
                views[key] = self._with(views[key], item.draft, item.position, recorded_at)
            item.resolve(self._answer_of(item, views.get(key), recorded_at if recorded else None))
        self._remember()
        return requeue_or_fail(back)

    def _remember(self) -> None:
        """Remember what is known whole: a command's append has proved that nothing lay between it and what was read."""
        proved = {i.key for i in self._appending if i.command is not None and i.outcome == _RECORDED}
        for item in self._appending:
            if item.draft.subject is _RUN:
                if item.key in proved:
                    self._recent.keep(item.draft.stream, self._standing[item.key])
                else:
                    self._recent.forget(item.draft.stream)

    @staticmethod
    def _answer_of(item: PendingAppend, view: Any, recorded_at: datetime | None) -> AppendResult:  # noqa: ANN401
        if item.outcome_unknown and item.known and item.decision is Decision.UNCHANGED:
            # The connection broke while this very item was being appended, and there it is.
            return AppendResult(_APPEND, view, item.known.position, item.known.recorded_at)
        position = item.position if recorded_at or item.command is None else None
        return make_tuple(AppendResult, (item.decision, view, position, recorded_at))
