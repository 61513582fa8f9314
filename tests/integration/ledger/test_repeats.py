"""A refused command is compared with what is recorded, at the same cost whatever the length of its run."""

import asyncio
from uuid import uuid4

import pytest
from building import fact, new, report
from waiting import wait_until

from service.database.connections import Connections
from service.domain.decisions import Decision
from service.errors import Unavailable
from service.ledger.appender import Appender
from service.ledger.events import append_events, find_recorded_transitions

LENGTH = 4_000
A_FEW = 20
"""Index entries and rows that one look-up may read."""

READ = """
select (select sum(idx_tup_read) from pg_stat_user_indexes where schemaname = 'runfold')
     + (select sum(seq_tup_read) from pg_stat_user_tables where schemaname = 'runfold')
"""


async def read_so_far(connections):
    async with connections.connection() as connection:
        await connection.execute("select pg_stat_force_next_flush()")
        await connection.execute("select")
        return await connection.fetchval(READ)


@pytest.fixture
async def appender(pair):
    opened = Appender(pair)
    opened.start()
    yield opened
    await opened.drain()


async def make_long(connections, run, *, keyed=False):
    """Append heartbeats to a run; `keyed`: as commands with an Idempotency-Key each."""
    for start in range(0, LENGTH, 1000):
        beats = [
            report(run, "RUNNING", minute, key=f"beat {minute}")[0]._replace(namespace="etl", job="load")
            if keyed
            else fact(run, "RUNNING", minute)
            for minute in range(start + 10, start + 1010)
        ]
        await append_events(connections, beats, [None] * len(beats))


@pytest.mark.parametrize("keyed", [False, True])
async def test_a_look_up_reads_a_few_rows_whatever_the_length_of_the_run(connections, keyed):
    run = uuid4()
    ends = [report(run, "COMPLETED", 3)[0], report(run, "FAILED", 4, key="mine")[0]]
    await append_events(connections, [new(run)[0], *ends], [None] * 3)
    await make_long(connections, run, keyed=keyed)
    asked = [
        report(run, "COMPLETED", 3, key="other")[0],
        report(run, "FAILED", 4)[0],
        report(run, "FAILED", 4, key="another")[0],
        report(run, "FAILED", 3)[0],
        report(run, "ABORTED", 9)[0],
        report(uuid4(), "FAILED", 4)[0],
    ]
    before = await read_so_far(connections)
    assert await find_recorded_transitions(connections, asked) == {0, 1, 2}
    assert await read_so_far(connections) - before < A_FEW * len(asked)


async def test_what_openlineage_reported_is_no_repeat_of_a_command(connections):
    run = uuid4()
    await append_events(connections, [fact(run, "FAILED", 4)], [None])
    assert await find_recorded_transitions(connections, [report(run, "FAILED", 4)[0]]) == set()


@pytest.mark.parametrize("first", [None, "k"])
@pytest.mark.parametrize("second", [None, "other"])
async def test_a_refused_command_that_is_recorded_under_another_key_is_a_repeat(appender, connections, first, second):
    run = uuid4()
    await appender.command(*new(run))
    await appender.command(*report(run, "COMPLETED", 2, key=first))
    await append_events(connections, [fact(run, "FAILED", 3)], [None])
    assert (await appender.command(*report(run, "COMPLETED", 2, key=second))).decision is Decision.UNCHANGED
    assert (await appender.command(*report(run, "COMPLETED", 4, key=second))).decision is Decision.CONFLICT


async def test_the_writer_goes_on_while_a_refused_command_is_looked_up(dsn, connections):
    async with Connections(dsn) as lookups:
        appender = Appender(connections, lookups=lookups)
        appender.start()
        run = uuid4()
        await appender.command(*new(run))
        await appender.command(*report(run, "COMPLETED", 2))
        async with lookups.connection():  # the only one: the look-up waits
            refused = appender.command(*report(run, "FAILED", 3))
            following = await appender.command(*new(uuid4()))
            assert following.decision is Decision.APPEND
            assert (appender.depth, refused.done()) == (1, False)
        assert (await refused).decision is Decision.CONFLICT
        assert appender.depth == 0
        await appender.drain()


async def test_draining_answers_a_command_that_is_looked_up(dsn, connections):
    async with Connections(dsn) as lookups:
        appender = Appender(connections, lookups=lookups)
        appender.start()
        run = uuid4()
        await appender.command(*new(run))
        await appender.command(*report(run, "COMPLETED", 2))
        async with lookups.connection():
            refused = appender.command(*report(run, "FAILED", 3))
            draining = asyncio.create_task(appender.drain())
            done, _ = await asyncio.wait({draining}, timeout=0.2)
            assert not done
        await draining
        assert refused.result().decision is Decision.CONFLICT


async def test_a_look_up_that_fails_says_that_nothing_was_recorded(make_proxy, connections):
    proxy = await make_proxy()
    async with proxy.connections() as lookups:
        appender = Appender(connections, lookups=lookups)
        appender.start()
        run = uuid4()
        await appender.command(*new(run))
        await appender.command(*report(run, "COMPLETED", 2))
        await proxy.stop()
        with pytest.raises(Unavailable, match="nothing was recorded"):
            await appender.command(*report(run, "FAILED", 3))
        await proxy.listen()

        async def refused():
            try:
                return (await appender.command(*report(run, "FAILED", 3))).decision is Decision.CONFLICT
            except Unavailable:
                return False

        await wait_until(refused, "look-ups work again")
        await appender.drain()
