"""Answers that are shared: never older than the request allows, never those to another question, bounded in bytes."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import wait_until

from service.http import shared_answers
from service.http.shared_answers import MAX_AGE_S, SharedAnswers

QUESTIONS = ("runs", "a"), ("runs", "b"), "ready"

asked = st.tuples(st.just("ask"), st.sampled_from(QUESTIONS), st.sampled_from([0, 1, 2, 3, 60]))
passed = st.tuples(st.just("pass"), st.sampled_from([0.5, 0.9, 1.1, 2.0, 3.1]))
steps = st.lists(st.one_of(asked, passed, st.just(("record",)), st.just(("forget",))), max_size=40)


class World:
    """A ledger, a catalog that holds what was recorded when it was waited for, and a clock that tests move."""

    def __init__(self):
        self.clock = 1_000.0
        self.recorded = [self.clock]
        self.held = 0
        self.waits = 0
        self.made = []
        asyncio.get_running_loop().time = lambda: self.clock
        self.shared = SharedAnswers(self.wait)

    async def wait(self):
        self.waits += 1
        position = len(self.recorded)
        await asyncio.sleep(0)
        self.held = max(self.held, position)

    async def ask(self, question, max_age):
        """Return how many events the answer has."""

        async def make(wait):
            await wait()
            self.made.append(question)
            return f"{question!r} {self.held}".encode()

        text = (await self.shared.answer(question, max_age, make)).decode()
        of, _, count = text.rpartition(" ")
        assert of == repr(question)
        return int(count)

    def recorded_before(self, moment):
        return sum(at <= moment for at in self.recorded)


@given(steps)
def test_an_answer_has_all_that_was_recorded_before_what_its_request_allows(taken):
    async def play():
        world = World()
        for name, *values in taken:
            if name == "record":
                world.recorded.append(world.clock)
            elif name == "pass":
                world.clock += values[0]
                await asyncio.sleep(0)
            elif name == "forget":
                world.shared.forget_positions()
            else:
                question, max_age = values
                # An event at the very beginning of the allowed time may be recorded after the round began.
                allowed = min(max_age, MAX_AGE_S)
                needed = len(world.recorded) if not allowed else world.recorded_before(world.clock - allowed - 0.001)
                assert needed <= await world.ask(question, max_age) <= len(world.recorded)

    asyncio.run(play())


async def test_pages_that_ask_the_same_share_a_round():
    world = World()
    answers = await asyncio.gather(*(world.ask(question, 3) for question in QUESTIONS for _ in range(100)))
    assert answers == [1] * 300
    assert (sorted(map(str, world.made)), world.waits) == (sorted(map(str, QUESTIONS)), 1)
    world.recorded.append(world.clock)
    world.clock += MAX_AGE_S
    assert await world.ask("ready", 3) == 1
    assert await world.ask("ready", 2) == 2
    assert await world.ask("ready", 3) == 2
    assert world.waits == 2


async def test_who_allows_nothing_takes_no_part():
    world = World()
    await world.ask("ready", 3)
    world.recorded.append(world.clock)
    assert await world.ask("ready", 0) == 2
    assert await world.ask("ready", 3) == 1


async def test_an_error_is_that_of_those_who_asked_meanwhile_and_the_next_one_asks_again():
    world = World()
    failures = []

    async def fail(wait):
        failures.append(1)
        await wait()
        raise ValueError

    async def waits_in_vain():
        raise TimeoutError

    found = await asyncio.gather(*(world.shared.answer("ready", 3, fail) for _ in range(5)), return_exceptions=True)
    assert [type(each) for each in found] == [ValueError] * 5
    assert len(failures) == 1
    assert await world.ask("ready", 3) == 1

    shared = SharedAnswers(waits_in_vain)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await shared.answer("ready", 3, fail)
    assert len(failures) == 3


async def test_who_leaves_keeps_nobody_from_the_answer():
    world = World()
    first, second = (asyncio.create_task(world.ask("ready", 3)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 1


async def test_a_round_keeps_so_many_bytes_at_most(monkeypatch):
    monkeypatch.setattr(shared_answers, "_KEPT_BYTES", 20_000)
    world, made = World(), []

    async def ask(question, size):
        async def make(_wait):
            made.append(question)
            return bytes(size)

        assert len(await world.shared.answer(question, 3, make)) == size
        await asyncio.sleep(0)

    for question in range(100):
        await ask(question, 1_000)
    await ask("large", 20_000)
    kept = world.shared._round._answers
    assert sum(len(task.result()) for task in kept.values()) <= 20_000
    assert 0 < len(kept) < 5
    made.clear()
    for question in (0, "large", "large"):
        await ask(question, 1_000 if question == 0 else 20_000)
    assert made == ["large", "large"]


async def test_nothing_is_kept_when_nobody_asks(monkeypatch):
    monkeypatch.setattr(shared_answers, "MAX_AGE_S", 0.05)
    world = World()
    await world.ask("ready", 3)
    assert world.shared._round is not None

    async def is_forgotten():
        return world.shared._round is None

    await wait_until(is_forgotten, "the round has ended")
