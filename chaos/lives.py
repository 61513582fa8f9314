"""What clients do: the lives of runs as schedulers report them, and looks at what they were told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chaos.caller import JOBS, Caller
from chaos.journal import now
from chaos.model import ENDS, time_of
from chaos.waiting import Violation

Life = Callable[[Caller], Awaitable[None]]


def _past(caller: Caller) -> datetime:
    """Return a time within the last hours, long enough ago for what follows on it to be past, too."""
    return now() - timedelta(microseconds=caller.random.randrange(5 * 10**7, 10**10))


def _later(caller: Caller, at: datetime) -> datetime:
    return at + timedelta(microseconds=caller.random.randrange(1, 10**7))


def _expect(view: dict[str, object], state: str, why: str) -> None:
    if view["state"] != state:
        raise Violation(f"run {view['id']} is shown {view['state']} {why}; it is {state}")


async def _all_of(asked: Sequence[Awaitable[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Wait for all, whatever becomes of one: nothing is left under way."""
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return [answer for answer in answers if not isinstance(answer, BaseException)]


async def told(caller: Caller) -> None:
    """A run whose scheduler names every time: created by id, started, ended; then everything once more."""
    run, job, end = caller.id(), caller.random.choice(JOBS), caller.random.choice(ENDS)
    began = _past(caller)
    await caller.create(job, run)
    _expect(await caller.command(run, "RUNNING", began), "RUNNING", "after its start")
    await _beats(caller, run, job, began)
    _expect(await caller.read(run), "RUNNING", "when it is read")
    await caller.command(run, end, _later(caller, began))
    for said in caller.commands(run):
        _expect(await caller.repeat(said), end, "when what was said is said again")


async def keyed(caller: Caller) -> None:
    """A run whose scheduler gives every request an Idempotency-Key, and times only now and then."""
    job, end = caller.random.choice(JOBS), caller.random.choice(ENDS)
    run = await caller.create(job, caller.id() if caller.random.random() < 0.3 else None, key=str(caller.id()))
    began = _past(caller) if caller.random.random() < 0.3 else None
    _expect(await caller.command(run, "RUNNING", began, str(caller.id())), "RUNNING", "after its start")
    await caller.command(run, end, None, str(caller.id()))
    for said in caller.commands(run):
        _expect(await caller.repeat(said), end, "when a key is used again")


async def plain(caller: Caller) -> None:
    """A run whose scheduler says as little as can be."""
    job, end = caller.random.choice(JOBS), caller.random.choice(ENDS)
    run = await caller.create(job)
    _expect(await caller.command(run, "RUNNING"), "RUNNING", "after its start")
    await _beats(caller, run, job, now())
    _expect(await caller.command(run, end), end, "after its end")
    _expect(await caller.read(run), end, "when it is read")


async def late(caller: Caller) -> None:
    """A run whose end is reported first, and whose starts come after that, each earlier than the one before."""
    run, job, end = caller.id(), caller.random.choice(JOBS), caller.random.choice(ENDS)
    began = _past(caller)
    started, ended = _later(caller, began), now()
    await caller.create(job, run)
    await caller.command(run, end, ended)
    for at in (started, began):
        view = await caller.command(run, "RUNNING", at)
        _expect(view, end, "after a late start")
        if time_of(str(view["startedAt"])) != at:
            raise Violation(f"run {run} is shown with startedAt {view['startedAt']}; it was told {at}")


async def stormy(caller: Caller) -> None:
    """A run whose every report comes several times at once."""
    run, end = caller.id(), caller.random.choice(ENDS)
    began = _past(caller)
    await caller.create(caller.random.choice(JOBS), run)
    for state, at, key in (("RUNNING", began, None), (end, _later(caller, began), str(caller.id()))):
        await caller.command(run, state, at, key)
        (*_, said) = caller.commands(run)
        views = await _all_of([caller.repeat(said) for _ in range(3)])
        for view in views:
            _expect(view, state, "when a report comes several times")


async def contested(caller: Caller) -> None:
    """A run that several report the end of, each another one: one wins, and everybody sees the same."""
    run = caller.id()
    began = _past(caller)
    await caller.create(caller.random.choice(JOBS), run)
    await caller.command(run, "RUNNING", began)
    views = await _all_of(
        [caller.command(run, end, _later(caller, began), alone=False) for end in ENDS for _ in (1, 2)]
    )
    ends = {(view["state"], view["endedAt"]) for view in views}
    if len(ends) != 1:
        raise Violation(f"run {run} is shown with several ends: {ends}")


async def lineage(caller: Caller) -> None:
    """A run that only OpenLineage events tell of, one by one, the last one twice."""
    run, job = caller.id(), caller.random.choice(JOBS)
    at = _past(caller)
    event = b""
    for state in ("RUNNING", None, caller.random.choice(ENDS)):
        event = caller.event(run, job, state, at)
        await caller.tell(event)
        at = _later(caller, at)
    await caller.tell(event)


async def batch(caller: Caller) -> None:
    """Runs that a batch of OpenLineage events tells of, in any order, some events twice."""
    events: list[bytes] = []
    for _ in range(caller.random.randrange(1, 20)):
        run, job, at = caller.id(), caller.random.choice(JOBS), _past(caller)
        states = ("RUNNING", None, caller.random.choice(ENDS), caller.random.choice((None, "FAILED")))
        for state in states[: caller.random.randrange(1, 5)]:
            events.append(caller.event(run, job, state, at))
            at = _later(caller, at)
    events += caller.random.sample(events, len(events) // 5)
    caller.random.shuffle(events)
    await caller.tell_many(events, lines=caller.random.random() < 0.7)


async def looking(caller: Caller) -> None:
    """A run that is created and at once looked for in a list."""
    job = caller.random.choice(JOBS)
    run = await caller.create(job, caller.id())
    # Others create runs of this job meanwhile; not thousands.
    shown = await caller.newest(job, 1000)
    if str(run) not in {view["id"] for view in shown}:
        raise Violation(f"run {run} was created and is not in the list of its job asked for afterwards")


async def _beats(caller: Caller, run: UUID, job: str, began: datetime) -> None:
    """Tell of a running run through OpenLineage, now and then."""
    for _ in range(caller.random.choice((0, 0, 0, 1, 3))):
        began = _later(caller, began)
        await caller.tell(caller.event(run, job, caller.random.choice(("RUNNING", None)), began))


LIVES: Sequence[tuple[Life, int]] = (
    (told, 5),
    (keyed, 5),
    (plain, 4),
    (late, 2),
    (stormy, 2),
    (contested, 3),
    (lineage, 4),
    (batch, 2),
    (looking, 1),
)
"""Each with how often it is lived."""


async def live(caller: Caller) -> None:
    """Live one of them."""
    lives, weights = zip(*LIVES, strict=True)
    (chosen,) = caller.random.choices(lives, weights)
    await chosen(caller)
