"""Coalesced reads."""

import asyncio
from uuid import uuid4

import pytest
from building import fact, facts

from service.domain.event import RunState
from service.errors import Overloaded, Unavailable
from service.ledger.events import append_events
from service.ledger.run_reader import RunReader


@pytest.fixture
async def reader(pair):
    opened = RunReader(pair)
    opened.start()
    yield opened
    await opened.drain()


async def append(connections, *drafts):
    return await append_events(connections, drafts, [None] * len(drafts))


async def test_a_run_is_read_as_its_history_makes_it(reader, connections):
    run = uuid4()
    await append(connections, fact(run, "COMPLETED", 5), fact(run, "RUNNING", 3))
    found = await reader.read(run)
    assert (found.state, found.duration_ms, found.position) == (RunState.COMPLETED, 120_000, 2)


async def test_an_unknown_run_is_none(reader):
    assert await reader.read(uuid4()) is None


async def test_a_read_sees_what_was_appended_before_it_was_asked_for(reader, connections):
    run = uuid4()
    for minute in range(20):
        await append(connections, fact(run, "RUNNING", 100 - minute))
        assert (await reader.read(run)).position == minute + 1


async def test_all_who_ask_get_their_own_run(reader, connections):
    drafts = facts(50)
    await append(connections, *drafts)
    requested = [draft for draft in drafts for _ in range(10)]
    found = await asyncio.gather(*(reader.read(draft.stream) for draft in requested))
    assert [run.started_at for run in found] == [draft.transitioned_at for draft in requested]


async def test_more_than_a_batch_is_read_in_several(connections):
    drafts = facts(25)
    await append(connections, *drafts)
    reader = RunReader(connections, max_batch=4)
    reader.start()
    found = await asyncio.gather(*(reader.read(draft.stream) for draft in drafts))
    assert [run.started_at for run in found] == [draft.transitioned_at for draft in drafts]
    await reader.drain()


async def test_who_leaves_takes_nobody_along(reader, connections):
    run = uuid4()
    await append(connections, fact(run, "RUNNING"))
    leaver, stayer = reader.read(run), reader.read(run)
    leaver.cancel()
    assert (await stayer).state == RunState.RUNNING


async def test_too_many_readers_are_turned_away(connections):
    reader = RunReader(connections, capacity=2)
    waiting = [reader.read(uuid4()) for _ in range(2)]
    with pytest.raises(Overloaded):
        reader.read(uuid4())
    reader.start()
    assert await asyncio.gather(*waiting) == [None, None]
    await reader.drain()


async def test_draining_answers_all_that_wait_and_takes_nobody_more(connections):
    reader = RunReader(connections)
    reader.start()
    waiting = [reader.read(uuid4()) for _ in range(5)]
    await reader.drain()
    assert [one.result() for one in waiting] == [None] * 5
    with pytest.raises(Unavailable):
        reader.read(uuid4())


async def test_a_connection_that_breaks_is_opened_again(make_proxy, connections):
    proxy = await make_proxy()
    reader = RunReader(proxy.connections())
    reader.start()
    run = uuid4()
    await append(connections, fact(run, "RUNNING"))
    await reader.read(run)
    proxy.lose_the_next_answer()
    assert (await reader.read(run)).state == RunState.RUNNING
    assert proxy.lost == 1
    await reader.drain()


async def test_a_database_that_stays_away_is_told_and_comes_back_by_itself(make_proxy):
    proxy = await make_proxy()
    reader = RunReader(proxy.connections())
    reader.start()
    await proxy.stop()
    with pytest.raises(Unavailable):
        await reader.read(uuid4())
    await proxy.listen()
    assert await reader.read(uuid4()) is None
    await reader.drain()
