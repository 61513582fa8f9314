"""One batch of group commit on its way: read, decided, appended, answered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from service import ledger
from service.decide import Known, Verdict
from service.domain import RunState, Subject
from service.errors import Unavailable
from service.ledger import Draft, Outcome, Stream
from service.link import Link, Unreachable
from service.recent import Recent
from service.subjects import SHAPES

_ROUNDS = 3
"""How often a command that lost a race, or whose connection broke, goes round before its caller is told 503."""

_REPORTED = frozenset(RunState) - {RunState.NEW}

Judge = Callable[[Any, Known | None], Verdict]
StreamKey = tuple[Subject, int]

OnAppend = Callable[[int, int], None]
"""Hears of each commit: up to which position, and how many events."""


class Answer(NamedTuple):
    """What became of an item: the verdict (None for a fact), the stream's registers as of its own event, and where.

    position and recorded_at are None where nothing was recorded by this item.
    """

    verdict: Verdict | None
    registers: Any
    position: int | None
    recorded_at: datetime | None


class Item:
    """A command (with a judge) or a fact (without), waiting for its answer."""

    __slots__ = ("answer", "attempts", "draft", "home", "judge", "key", "unsure")

    def __init__(
        self, draft: Draft, judge: Judge | None, home: StreamKey | None, answer: asyncio.Future[Answer]
    ) -> None:
        self.draft = draft
        self.judge = judge
        self.home = home
        self.answer = answer
        self.attempts = 0
        self.unsure = False
        self.key: StreamKey = (draft.subject, draft.stream.int)  # a UUID hashes slowly

    def resolve(self, answer: Answer) -> None:
        """Answer; a caller that left hears nothing."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: Exception) -> None:
        """Answer with an error; a caller that left hears nothing."""
        if not self.answer.done():
            self.answer.set_exception(error)


def _named(draft: Draft, standing: Any) -> Draft:  # noqa: ANN401
    """A transition is filed under the job its run belongs to, which only its history tells."""
    if draft.namespace is not None or draft.subject is not Subject.RUN or standing is None:
        return draft
    return draft._replace(namespace=standing.created.namespace, job=standing.created.job)


def again(items: Iterable[Item]) -> list[Item]:
    """Return those that may go round once more; the others' callers are told."""
    back = []
    for item in items:
        item.attempts += 1
        if item.attempts < _ROUNDS:
            back.append(item)
        else:
            item.fail(Unavailable("this may have been recorded or not; it is safe to repeat"))
    return back


class Batch:
    """One batch on its way: read, decided, appended, answered."""

    def __init__(self, items: list[Item], recent: Recent) -> None:
        self._items = items
        self._recent = recent
        self._streams: dict[StreamKey, Stream] = {}
        self._homes: dict[StreamKey, Any] = {}
        self._known: dict[int, Known] = {}
        self._verdicts: dict[int, Verdict] = {}
        self._appending: list[int] = []

    async def carry_out(self, link: Link, on_append: OnAppend) -> list[Item]:
        """Carry the batch out. Returns what must go round again; raises Refused and Unreachable for all of it."""
        await self._read(link)
        self._decide()
        await self._excuse(link)
        appended = await self._append(link)
        if appended and Outcome.RECORDED in appended.outcomes:
            on_append(max(appended.positions), appended.outcomes.count(Outcome.RECORDED))
        return self._answer(appended)

    async def _read(self, link: Link) -> None:
        by_subject: dict[Subject, list[int]] = {}
        commands = Counter(item.key for item in self._items if item.judge is not None)
        for index, item in enumerate(self._items):
            # A guess is for one command alone: where another must be read, so must this one, facts and all.
            if item.judge is not None and not (commands[item.key] == 1 and self._guess(item)):
                by_subject.setdefault(item.draft.subject, []).append(index)
        for subject, indexes in by_subject.items():
            drafts = [self._items[index].draft for index in indexes]
            read = await ledger.read_streams(link, subject, [d.stream for d in drafts], [d.fact for d in drafts])
            for index, stream in zip(indexes, read, strict=True):
                self._streams[self._items[index].key] = stream
                if stream.known:
                    self._known[index] = stream.known
        await self._read_homes(link)

    def _guess(self, item: Item) -> bool:
        """Tell whether what is remembered of the run is enough to append by; whatever else must be read."""
        if item.draft.subject is not Subject.RUN or item.attempts:
            return False
        guess = self._recent.get(item.draft.stream)
        if guess is None or item.judge is None or item.judge(guess, None) is not Verdict.APPEND:
            return False
        self._streams[item.key] = Stream(guess, None)
        return True

    async def _read_homes(self, link: Link) -> None:
        homes = {item.home for item in self._items if item.home is not None}
        for subject in {home[0] for home in homes}:
            numbers = [number for of, number in homes if of is subject]
            streams = [UUID(int=number) for number in numbers]
            read = await ledger.read_streams(link, subject, streams, [None] * len(streams))
            self._homes.update({(subject, s): r.registers for s, r in zip(numbers, read, strict=True)})

    def _decide(self) -> None:
        """Judge each command in the order of arrival; later ones of a stream see what earlier ones will have added."""
        crowded = len(self._items) > len(self._streams)
        pending: dict[StreamKey, Any] = {}
        facts: dict[tuple[StreamKey, bytes], Known] = {}
        for index, item in enumerate(self._items):
            key, draft = item.key, item.draft
            if item.judge is not None:
                known = self._known.get(index) or facts.get((key, draft.fact))
                standing = pending.get(key) or self._streams[key].registers
                verdict = item.judge(standing, known)
                if verdict is Verdict.APPEND and self._homeless(item.home):
                    verdict = Verdict.HOMELESS
                self._verdicts[index] = verdict
                if verdict is not Verdict.APPEND:
                    continue
                item.draft = draft = _named(draft, standing)
            self._appending.append(index)
            if crowded:
                facts.setdefault((key, draft.fact), Known(0, draft.request_digest))
                if key in self._streams:
                    pending[key] = self._with(pending.get(key) or self._streams[key].registers, draft, 0, None)

    async def _excuse(self, link: Link) -> None:
        """Line 0 of the table: what conflicts now may be what was recorded once, with another key or without one."""
        conflicts = [
            index
            for index, verdict in self._verdicts.items()
            if verdict is Verdict.CONFLICT and self._items[index].draft.state in _REPORTED
        ]
        if not conflicts:
            return
        adding = {
            (i.key, i.draft.state, i.draft.transitioned_at) for i in map(self._items.__getitem__, self._appending)
        }
        drafts = [self._items[index].draft for index in conflicts]
        recorded = await ledger.said_already(link, drafts)
        for nth, (index, draft) in enumerate(zip(conflicts, drafts, strict=True)):
            if nth in recorded or (self._items[index].key, draft.state, draft.transitioned_at) in adding:
                self._verdicts[index] = Verdict.UNCHANGED

    def _homeless(self, home: StreamKey | None) -> bool:
        """A deleted job takes no runs; a deleted namespace takes jobs, as in Marquez, and is there again by that."""
        if home is None:
            return False
        found = self._homes[home]
        return found is None or (home[0] is Subject.JOB and found.hidden)

    @staticmethod
    def _with(standing: Any, draft: Draft, position: int, recorded_at: datetime | None) -> Any:  # noqa: ANN401
        shape = SHAPES[draft.subject]
        event = draft.at(position, recorded_at or draft.transitioned_at)
        part = shape.of(event, draft.said)
        return part if standing is None else shape.merge(standing, part)

    async def _append(self, link: Link) -> ledger.Appended | None:
        if not self._appending:
            return None
        items = [self._items[index] for index in self._appending]
        expected = [self._expectation(item) for item in items]
        try:
            return await ledger.append(link, [item.draft for item in items], expected)
        except Unreachable:
            for item in items:
                item.unsure = True  # going round again, its own event may be found in the ledger
            raise

    def _expectation(self, item: Item) -> int | None:
        """Where the stream ended when the command was judged. Facts expect nothing."""
        if item.judge is None:
            return None
        standing = self._streams[item.key].registers
        if standing is None:
            return 0
        position: int = standing.position if item.draft.subject is Subject.RUN else standing.own_position
        return position

    def _answer(self, appended: ledger.Appended | None) -> list[Item]:
        """Answer in order, each with the view as of its own event; return those that lost a race."""
        became = dict(zip(self._appending, range(len(self._appending)), strict=True))
        views = {key: stream.registers for key, stream in self._streams.items()}
        lost: set[StreamKey] = set()
        back: list[Item] = []
        for index, item in enumerate(self._items):
            position = recorded_at = None
            if appended is not None and index in became:
                outcome, position = appended.outcomes[became[index]], appended.positions[became[index]]
                if outcome != Outcome.RECORDED and item.judge is not None:
                    lost.add(item.key)  # also where another process appended the same: read again, and see it
                elif outcome == Outcome.RECORDED:
                    recorded_at = appended.recorded_at
                    if item.key in views:
                        views[item.key] = self._with(views[item.key], item.draft, position, recorded_at)
            if item.judge is not None and item.key in lost:
                back.append(item)
                continue
            item.resolve(self._answer_of(index, item, views.get(item.key), position, recorded_at))
        self._remember(views, lost)
        return again(back)

    def _remember(self, views: dict[StreamKey, Any], lost: set[StreamKey]) -> None:
        for index in self._appending:
            item = self._items[index]
            if item.draft.subject is Subject.RUN:
                if item.key in lost or item.key not in views:
                    self._recent.forget(item.draft.stream)
                else:
                    self._recent.keep(item.draft.stream, views[item.key])

    def _answer_of(
        self,
        index: int,
        item: Item,
        view: Any,  # noqa: ANN401  registers of any subject
        position: int | None,
        recorded_at: datetime | None,
    ) -> Answer:
        verdict = self._verdicts.get(index)
        known = self._known.get(index)
        if verdict is Verdict.UNCHANGED and item.unsure and known:
            # The connection broke while this very item was being appended, and there it is.
            return Answer(Verdict.APPEND, view, known.position, view.updated_at)
        return Answer(verdict, view, position if recorded_at or item.judge is None else None, recorded_at)
