"""What clients do: report the life of a run as a scheduler would, and check the answers."""

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
    """Return a time within the last hours, early enough that the following times of the run are in the past, too."""
    return now() - timedelta(microseconds=caller.random.randrange(5 * 10**7, 10**10))


def _later(caller: Caller, at: datetime) -> datetime:
    return at + timedelta(microseconds=caller.random.randrange(1, 10**7))


def _expect(view: dict[str, object], state: str, why: str) -> None:
    if view["state"] != state:
        raise Violation(f"run {view['id']} has state {view['state']} {why}; expected {state}")


async def _all_of(requests: Sequence[Awaitable[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Wait for all, even if one fails, so that no request is left under way."""
    answers = await asyncio.gather(*requests, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return [answer for answer in answers if not isinstance(answer, BaseException)]


async def timed(caller: Caller) -> None:
    """A run whose scheduler sends an id and every time; at the end it repeats every command."""
    run, job, end = caller.id(), caller.random.choice(JOBS), caller.random.choice(ENDS)
    began = _past(caller)
    await caller.create(job, run)
    _expect(await caller.command(run, "RUNNING", began), "RUNNING", "after its start")
    await _heartbeats(caller, run, job, began)
    _expect(await caller.read(run), "RUNNING", "when it is read")
    await caller.command(run, end, _later(caller, began))
    for command in caller.commands(run):
        _expect(await caller.repeat(command), end, "when a command is repeated")


async def keyed(caller: Caller) -> None:
    """A run whose scheduler sends an Idempotency-Key with every request, and seldom a time."""
    job, end = caller.random.choice(JOBS), caller.random.choice(ENDS)
    run = await caller.create(job, caller.id() if caller.random.random() < 0.3 else None, key=str(caller.id()))
    began = _past(caller) if caller.random.random() < 0.3 else None
    _expect(await caller.command(run, "RUNNING", began, str(caller.id())), "RUNNING", "after its start")
    await caller.command(run, end, None, str(caller.id()))
    for command in caller.commands(run):
        _expect(await caller.repeat(command), end, "when a key is repeated")


async def plain(caller: Caller) -> None:
    """A run whose scheduler sends no id, key or time."""
    job, end = caller.random.choice(JOBS), caller.random.choice(ENDS)
    run = await caller.create(job)
    _expect(await caller.command(run, "RUNNING"), "RUNNING", "after its start")
    await _heartbeats(caller, run, job, now())
    _expect(await caller.command(run, end), end, "after its end")
    _expect(await caller.read(run), end, "when it is read")


async def late(caller: Caller) -> None:
    """A run whose end is reported first, followed by two starts, the second at an earlier time than the first."""
    run, job, end = caller.id(), caller.random.choice(JOBS), caller.random.choice(ENDS)
    began = _past(caller)
    started, ended = _later(caller, began), now()
    await caller.create(job, run)
    await caller.command(run, end, ended)
    for at in (started, began):
        view = await caller.command(run, "RUNNING", at)
        _expect(view, end, "after a late start")
        if time_of(str(view["startedAt"])) != at:
            raise Violation(f"run {run} has startedAt {view['startedAt']}; expected {at}")


async def stormy(caller: Caller) -> None:
    """A run each of whose commands is repeated three times at once."""
    run, end = caller.id(), caller.random.choice(ENDS)
    began = _past(caller)
    await caller.create(caller.random.choice(JOBS), run)
    for state, at, key in (("RUNNING", began, None), (end, _later(caller, began), str(caller.id()))):
        await caller.command(run, state, at, key)
        (*_, command) = caller.commands(run)
        views = await _all_of([caller.repeat(command) for _ in range(3)])
        for view in views:
            _expect(view, state, "when a command is repeated three times at once")


async def contested(caller: Caller) -> None:
    """A run whose end is reported by six clients at once, in three states: one wins, and all see the same end."""
    run = caller.id()
    began = _past(caller)
    await caller.create(caller.random.choice(JOBS), run)
    await caller.command(run, "RUNNING", began)
    views = await _all_of(
        [caller.command(run, end, _later(caller, began), alone=False) for end in ENDS for _ in (1, 2)]
    )
    ends = {(view["state"], view["endedAt"]) for view in views}
    if len(ends) != 1:
        raise Violation(f"run {run} was shown with several ends: {ends}")


async def lineage(caller: Caller) -> None:
    """A run that is reported by single OpenLineage events only; the last one is sent twice."""
    run, job = caller.id(), caller.random.choice(JOBS)
    at = _past(caller)
    event = b""
    for state in ("RUNNING", None, caller.random.choice(ENDS)):
        event = caller.event(run, job, state, at)
        await caller.send_event(event)
        at = _later(caller, at)
    await caller.send_event(event)


async def batch(caller: Caller) -> None:
    """Runs that are reported by a shuffled batch of OpenLineage events, in which some occur twice."""
    events: list[bytes] = []
    for _ in range(caller.random.randrange(1, 20)):
        run, job, at = caller.id(), caller.random.choice(JOBS), _past(caller)
        states = ("RUNNING", None, caller.random.choice(ENDS), caller.random.choice((None, "FAILED")))
        for state in states[: caller.random.randrange(1, 5)]:
            events.append(caller.event(run, job, state, at))
            at = _later(caller, at)
    events += caller.random.sample(events, len(events) // 5)
    caller.random.shuffle(events)
    await caller.send_batch(events, lines=caller.random.random() < 0.7)


async def listed(caller: Caller) -> None:
    """A run that must be in its job's list right after its creation."""
    job = caller.random.choice(JOBS)
    run = await caller.create(job, caller.id())
    # Other clients create runs of this job at the same time, but fewer than a thousand.
    shown = await caller.newest(job, 1000)
    if str(run) not in {view["id"] for view in shown}:
        raise Violation(f"run {run} was created and is missing in its job's list that was read afterwards")


async def alike(caller: Caller) -> None:
    """A run of two schedulers that number their requests alike: with its own API key, neither repeats the other."""
    other, job, end = caller.other(), caller.random.choice(JOBS), caller.random.choice(ENDS)
    first, second = str(caller.id()), str(caller.id())
    run, others = await caller.create(job, key=first), await other.create(job, key=first)
    if run == others:
        raise Violation(f"two callers created one run with the same Idempotency-Key: {run}")
    _expect(await caller.command(run, "RUNNING", None, second), "RUNNING", "after its start")
    _expect(await other.command(run, end, None, second), end, "after its end by another caller")


async def _heartbeats(caller: Caller, run: UUID, job: str, began: datetime) -> None:
    """Send OpenLineage events of a running run; mostly none, up to three."""
    for _ in range(caller.random.choice((0, 0, 0, 1, 3))):
        began = _later(caller, began)
        await caller.send_event(caller.event(run, job, caller.random.choice(("RUNNING", None)), began))


LIVES: Sequence[tuple[Life, int]] = (
    (timed, 5),
    (keyed, 5),
    (plain, 4),
    (late, 2),
    (stormy, 2),
    (contested, 3),
    (lineage, 4),
    (batch, 2),
    (listed, 1),
    (alike, 2),
)
"""Each with its relative frequency."""


async def live(caller: Caller) -> None:
    """Carry out one of LIVES, chosen at random."""
    lives, weights = zip(*LIVES, strict=True)
    (chosen,) = caller.random.choices(lives, weights)
    await chosen(caller)
