"""The ledger in PostgreSQL: append-only, gapless, in commit order."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from functools import partial
from uuid import uuid4

import asyncpg
import pytest
from building import APPENDING, events, fact, facts, held_head, new, report, unguarded
from histories import at
from waiting import wait_until

from service.database.connections import Connections
from service.domain.event import RunState, Subject
from service.errors import DatabaseUnavailable, ValueRefused
from service.ledger.events import AppendOutcome, append_events, read_head, read_payloads, read_streams


async def append(connections, *drafts):
    return await append_events(connections, drafts, [None] * len(drafts))


async def command(connections, draft, expected):
    return await append_events(connections, [draft], [expected])


@pytest.mark.parametrize(
    "change",
    [
        "update runfold.events set state = 'NEW'",
        "delete from runfold.events",
        "truncate runfold.events",
        "truncate runfold.events cascade",
        "update runfold.payloads set body = '{}'",
        "delete from runfold.payloads",
        "truncate runfold.payloads",
        "update runfold.payloads_0 set body = '{}'",
        "delete from runfold.payloads_0",
        "truncate runfold.payloads_0",
        "delete from runfold.ledger_head",
        "truncate runfold.ledger_head",
        "update runfold.ledger_head set position = 0",
        "update runfold.ledger_head set recorded_at = recorded_at + interval '1 hour'",
        "update runfold.ledger_head set hash = sha256('')",
        "insert into runfold.ledger_head values (0, 99, sha256(''), now())",
    ],
)
async def test_nothing_that_was_recorded_can_be_changed(change, connections, db):
    await append(connections, *facts(1))
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="append-only"):
        await db.execute(change)
    assert len(await events(db)) == await db.fetchval("select count(*) from runfold.payloads") == 1


async def test_the_first_event_has_position_1(connections):
    assert (await read_head(connections)).position == 0
    appended = await append(connections, *facts(3))
    assert (appended.positions, appended.outcomes) == ([1, 2, 3], [AppendOutcome.RECORDED] * 3)
    assert (await read_head(connections)).position == 3


async def test_positions_are_gapless_and_times_in_their_order_however_many_write(six_connections, db):
    async def write(connections):
        for _ in range(15):
            await append(connections, *facts(3))

    await asyncio.gather(*(write(connections) for connections in six_connections))
    rows = await events(db)
    assert [row["position"] for row in rows] == list(range(1, len(six_connections) * 45 + 1))
    times = [row["recorded_at"] for row in rows]
    assert times == sorted(times)


async def test_a_writer_that_is_refused_leaves_no_gap(six_connections, db):
    poison = fact(uuid4(), "RUNNING")._replace(job="nul\0")
    with pytest.raises(ValueRefused):
        await append(six_connections[0], *facts(2), poison)
    await append(six_connections[1], *facts(1))
    assert [row["position"] for row in await events(db)] == [1]


async def test_who_saw_a_position_has_seen_all_before_it(six_connections, db):
    """A reader that runs beside the writers never finds a hole."""
    writing = asyncio.gather(*(append(connections, *facts(5)) for connections in six_connections for _ in range(1)))
    while not writing.done():
        found = [row[0] for row in await db.fetch("select position from runfold.events order by 1")]
        assert found == list(range(1, len(found) + 1))
        await asyncio.sleep(0)
    await writing


async def test_recorded_at_never_goes_back_even_if_the_clock_does(connections, db):
    change = "update runfold.ledger_head set recorded_at = clock_timestamp() + interval '1 hour' returning recorded_at"
    ahead = await unguarded(db, change)
    first, second = await append(connections, *facts(1)), await append(connections, *facts(1))
    assert first.recorded_at == second.recorded_at == ahead
    assert {row["recorded_at"] for row in await events(db)} == {ahead}


async def test_recorded_at_is_taken_under_the_lock(connections, db, dsn):
    async with held_head(dsn) as holder:
        waiting = asyncio.create_task(append(connections, *facts(1)))
        await wait_until(partial(db.fetch, APPENDING), "the append waits for the head")
        released = await holder.fetchval("select clock_timestamp()")
    assert (await waiting).recorded_at > released


async def test_a_known_fact_is_not_recorded_again(connections, db):
    event = fact(uuid4(), "RUNNING")
    await append(connections, *facts(2), event)
    again = await append(connections, event)
    assert (again.positions, again.outcomes) == ([3], [AppendOutcome.KNOWN])
    assert len(await events(db)) == 3


async def test_a_fact_that_comes_twice_in_a_batch_is_recorded_once(connections, db):
    event = fact(uuid4(), "RUNNING")
    appended = await append(connections, event, *facts(1), event, event)
    assert appended.positions == [1, 2, 1, 1]
    assert appended.outcomes == [
        AppendOutcome.RECORDED,
        AppendOutcome.RECORDED,
        AppendOutcome.KNOWN,
        AppendOutcome.KNOWN,
    ]
    assert len(await events(db)) == 2


async def test_the_same_fact_of_two_streams_is_two_facts(connections):
    one, other = fact(uuid4(), "RUNNING"), fact(uuid4(), "RUNNING")
    assert (await append(connections, one, other._replace(fact=one.fact))).outcomes == [AppendOutcome.RECORDED] * 2


async def test_a_run_and_a_job_of_one_uuid_are_two_streams(connections):
    run = fact(uuid4(), "RUNNING")
    job = run._replace(subject=Subject.JOB)
    assert (await append(connections, run, job)).outcomes == [AppendOutcome.RECORDED] * 2
    assert (await read_streams(connections, Subject.RUN, [run.stream], [None]))[0].registers.position == 1


async def test_a_command_is_recorded_where_its_stream_ends_as_expected(connections):
    run = uuid4()
    creation, start = new(run)[0], report(run, "RUNNING")[0]
    assert (await command(connections, creation, 0)).outcomes == [AppendOutcome.RECORDED]
    await append(connections, *facts(3))
    assert (await command(connections, start, 1)).positions == [5]


async def test_a_command_that_expects_another_end_has_lost(connections, db):
    run = uuid4()
    await command(connections, new(run)[0], 0)
    lost = await command(connections, report(run, "RUNNING")[0], 0)
    assert (lost.positions, lost.outcomes) == ([0], [AppendOutcome.LOST])
    assert len(await events(db)) == 1


async def test_a_fact_makes_a_command_that_has_not_seen_it_lose(connections):
    run = uuid4()
    await command(connections, new(run)[0], 0)
    await append(connections, fact(run, "RUNNING"))
    assert (await command(connections, report(run, "COMPLETED")[0], 1)).outcomes == [AppendOutcome.LOST]


async def test_a_command_that_is_known_already_has_not_lost(connections):
    run = uuid4()
    start = report(run, "RUNNING")[0]
    await command(connections, start, 0)
    assert (await command(connections, start, 99)).outcomes == [AppendOutcome.KNOWN]


async def test_a_stream_is_read_with_what_it_knows(connections):
    run, other = uuid4(), uuid4()
    event = fact(run, "RUNNING", 3)
    await append(connections, event, fact(run, "COMPLETED", 5))
    found, nothing = await read_streams(connections, Subject.RUN, [run, other], [event.fact, event.fact])
    assert (found.registers.state, found.registers.started_at) == (RunState.COMPLETED, at(3))
    assert found.registers.run_facets["minute"].value == b'{"of": 5}'
    assert found.known.position == 1
    assert (nothing.registers, nothing.known) == (None, None)


async def test_one_stream_may_be_asked_for_twice(connections):
    run = uuid4()
    event = fact(run, "RUNNING")
    await append(connections, event)
    found = await read_streams(connections, Subject.RUN, [run, run], [None, event.fact])
    assert [one.known is not None for one in found] == [False, True]
    assert found[0].registers == found[1].registers


async def test_a_payload_comes_back_to_the_byte(connections):
    text = '{ "eventTime":"2024-01-01T00:00:00Z", "producer" : "p","a":1.0e5,"a":2,"s":"\\u0000\\ud800" }\n'
    await append(connections, fact(uuid4(), None, payload=text))
    assert (await read_payloads(connections, [1, 2])) == {1: text}


async def test_payloads_beyond_a_partition_find_the_next_one(connections, db):
    size = await db.fetchval("select runfold.payload_partition_size()")
    for position in (size - 1, 2 * size - 1, 3 * size - 1):
        await unguarded(db, "update runfold.ledger_head set position = $1", position)
        appended = await append(connections, *facts(3))
        assert len(await read_payloads(connections, appended.positions)) == 3


@pytest.mark.parametrize(
    "poison",
    [
        {"job": "nul\0"},
        {"job": "lone \ud800 surrogate"},
        {"payload": "{not json"},
        {"payload": '{"a": 1'},
        {"actor": "x" * 100 + "\0"},
        {"fact": "text"},
    ],
)
async def test_what_postgresql_will_not_take_is_refused(poison, connections):
    with pytest.raises(ValueRefused):
        await append(connections, fact(uuid4(), "RUNNING")._replace(**poison))
    assert (await append(connections, *facts(1))).outcomes == [AppendOutcome.RECORDED]


async def test_times_far_away_are_recorded_as_they_are(connections):
    run = uuid4()
    early = at(0).replace(year=1)
    await append(connections, fact(run, "RUNNING")._replace(transitioned_at=early))
    assert (await read_streams(connections, Subject.RUN, [run], [None]))[0].registers.started_at == early


async def test_a_server_that_is_not_there_is_unreachable(tmp_path):
    connections = Connections(f"postgresql://runfold@/none?host={tmp_path}")
    with pytest.raises(DatabaseUnavailable):
        await read_head(connections)
    await connections.close()


async def test_a_link_comes_back_by_itself_whatever_it_has_heard_of_its_end(connections, db):
    for _ in range(25):
        await read_head(connections)
        pid = await connections._free[-1].fetchval("select pg_backend_pid()")
        await db.fetch("select pg_terminate_backend($1)", pid)
        with suppress(DatabaseUnavailable):  # unless the driver has noticed already that the connection is gone
            await read_head(connections)
        assert (await read_head(connections)).position == 0


async def test_a_batch_of_many_is_one_moment(connections, db):
    appended = await append(connections, *facts(500))
    assert appended.positions == list(range(1, 501))
    times = {row["recorded_at"] for row in await events(db)}
    assert times == {appended.recorded_at}
    assert timedelta(0) <= await db.fetchval("select clock_timestamp()") - appended.recorded_at < timedelta(hours=1)
