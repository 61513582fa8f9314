"""Group commit against a real PostgreSQL: batches, races, losses, the way out."""

import asyncio
import json
from uuid import uuid4

import pytest
from building import APPENDING, events, fact, held_head, new, report
from waiting import wait_until

from service.domain.decisions import Decision
from service.domain.event import RunState, Subject
from service.domain.ids import job_id
from service.errors import Invalid, Overloaded, Unavailable
from service.ledger.appender import Appender, QueueLimits
from service.ledger.batch import PendingAppend, requeue_or_fail

PAYLOAD = {
    "eventTime": "2024-01-01T00:00:00Z",
    "producer": "tests",
    "run": {"runId": str(uuid4())},
    "job": {"namespace": "etl", "name": "load"},
}


@pytest.fixture
async def appender(six_connections):
    opened = Appender(six_connections[0])
    opened.start()
    yield opened
    await opened.drain()


@pytest.fixture
async def rival(six_connections):
    """Another process of the service, from the point of view of the ledger."""
    opened = Appender(six_connections[2])
    opened.start()
    yield opened
    await opened.drain()


async def created(appender):
    run = uuid4()
    await appender.command(*new(run))
    return run


async def appending(db):
    return await db.fetch(APPENDING)


def all_appending(db, count):
    async def are():
        return len(await appending(db)) == count

    return are


async def test_a_command_is_answered_with_the_run_as_its_history_makes_it(appender):
    run = await created(appender)
    started = await appender.command(*report(run, "RUNNING", 3))
    assert (started.decision, started.position, started.registers.state) == (Decision.APPEND, 2, RunState.RUNNING)
    ended = await appender.command(*report(run, "COMPLETED", 5))
    assert (ended.registers.state, ended.registers.duration_ms) == (RunState.COMPLETED, 120_000)
    assert ended.registers.updated_at == ended.recorded_at > started.recorded_at


async def test_a_transition_is_filed_under_the_job_of_its_run(appender, db):
    run = await created(appender)
    await appender.command(*report(run, "RUNNING"))
    assert [(row["namespace"], row["job"]) for row in await events(db)] == [("etl", "load")] * 2


async def test_a_command_that_changes_nothing_records_nothing(appender, db):
    run = await created(appender)
    await appender.command(*report(run, "RUNNING", 3))
    again = await appender.command(*report(run, "RUNNING", 4))
    assert (again.decision, again.position, again.recorded_at) == (Decision.UNCHANGED, None, None)
    assert len(await events(db)) == 2


async def test_two_commands_of_one_batch_see_each_other_and_each_its_own_moment(appender, db):
    run = await created(appender)
    start, complete, fail, again = (
        appender.command(*report(run, state, minute))
        for state, minute in (("RUNNING", 1), ("COMPLETED", 2), ("FAILED", 3), ("RUNNING", 1))
    )
    assert [(await one).decision for one in (start, complete, fail, again)] == [
        Decision.APPEND,
        Decision.APPEND,
        Decision.CONFLICT,
        Decision.UNCHANGED,
    ]
    assert (start.result().registers.state, complete.result().registers.state) == ("RUNNING", "COMPLETED")
    assert len(await events(db)) == 3


async def test_a_run_is_created_started_and_ended_in_one_batch(appender):
    run = uuid4()
    waiting = [
        appender.command(*new(run)),
        appender.command(*report(run, "RUNNING", 1)),
        appender.command(*report(run, "FAILED", 2)),
    ]
    assert [answer.registers.state for answer in await asyncio.gather(*waiting)] == ["NEW", "RUNNING", "FAILED"]


async def test_a_fact_beside_a_command_of_the_same_run_harms_neither(appender, db):
    run = await created(appender)
    event, start = appender.fact(fact(run, "COMPLETED", 9)), appender.command(*report(run, "RUNNING", 1))
    await asyncio.gather(event, start)
    assert {row["state"] for row in await events(db)} == {"NEW", "RUNNING", "COMPLETED"}


async def test_a_known_fact_is_answered_with_the_position_it_has(appender, db):
    event = fact(uuid4(), "RUNNING")
    first, second = await appender.fact(event), await appender.fact(event)
    assert (first.position, second.position) == (1, 1)
    assert (second.recorded_at, len(await events(db))) == (None, 1)


@pytest.mark.parametrize("bad", [0, 7, 19])
async def test_one_bad_item_harms_no_neighbour(appender, db, bad):
    waiting = []
    for index in range(20):
        draft = fact(uuid4(), "RUNNING", index)
        waiting.append(appender.fact(draft._replace(job="nul\0") if index == bad else draft))
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(answers.pop(bad), Invalid)
    assert {answer.position for answer in answers} == set(range(1, 20))
    assert len(await events(db)) == 19


async def test_a_bad_command_harms_no_neighbour_on_its_run(appender):
    run = await created(appender)
    (bad, command), good = report(run, "RUNNING", 1), report(run, "COMPLETED", 2)
    waiting = [appender.command(bad._replace(actor="nul\0"), command), appender.command(*good)]
    refused, ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(refused, Invalid)
    assert (ended.registers.state, ended.registers.started_at) == (RunState.COMPLETED, None)


async def test_200_starts_at_once_are_one_event(appender, rival, db):
    run = await created(appender)
    starts = [(appender, rival)[index % 2].command(*report(run, "RUNNING", 1)) for index in range(200)]
    answers = await asyncio.gather(*starts)
    assert all(answer.registers.state == RunState.RUNNING for answer in answers)
    assert [answer.decision for answer in answers].count(Decision.APPEND) == 1
    assert [row["state"] for row in await events(db)] == ["NEW", "RUNNING"]


async def test_of_two_processes_that_end_a_run_one_wins_and_the_other_sees_it(appender, rival, dsn, db):
    run = await created(appender)
    async with held_head(dsn):
        complete, fail = appender.command(*report(run, "COMPLETED")), rival.command(*report(run, "FAILED"))
        await wait_until(all_appending(db, 2), "both have judged the run and wait to append")
    answers = await asyncio.gather(complete, fail)
    assert {answer.decision for answer in answers} == {Decision.APPEND, Decision.CONFLICT}
    assert answers[0].registers.terminal == answers[1].registers.terminal
    assert len(await events(db)) == 2


async def test_of_two_processes_that_create_one_run_one_creates_it(appender, rival, dsn, db):
    run = uuid4()
    async with held_head(dsn):
        waiting = [appender.command(*new(run)), rival.command(*new(run))]
        await wait_until(all_appending(db, 2), "both have judged the run and wait to append")
    answers = await asyncio.gather(*waiting)
    assert {answer.decision for answer in answers} == {Decision.APPEND, Decision.UNCHANGED}
    assert len(await events(db)) == 1


async def test_two_processes_agree_on_many_runs_they_fight_over(appender, rival, db):
    runs = [await created(appender) for _ in range(20)]
    answers = await asyncio.gather(
        *(
            one.command(*report(run, state, 5))
            for run in runs
            for one, state in ((appender, "COMPLETED"), (rival, "FAILED"), (appender, "ABORTED"), (rival, "RUNNING"))
        )
    )
    assert all(answer.decision in (Decision.APPEND, Decision.CONFLICT, Decision.UNCHANGED) for answer in answers)
    rows = await events(db)
    assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))
    ends = [row["stream"] for row in rows if row["state"] in ("COMPLETED", "FAILED", "ABORTED")]
    assert sorted(ends) == sorted(runs)


async def test_what_another_process_recorded_is_seen_by_the_next_command(appender, rival):
    """Whatever a process remembers of a run it wrote to, it never answers from it."""
    run = await created(appender)
    await appender.command(*report(run, "RUNNING", 1))
    await rival.command(*report(run, "FAILED", 2))
    assert (await appender.command(*report(run, "COMPLETED", 3))).decision is Decision.CONFLICT
    assert (await appender.command(*report(run, "RUNNING", 3))).decision is Decision.CONFLICT
    assert (await appender.command(*report(run, "FAILED", 3))).decision is Decision.UNCHANGED


async def test_what_a_fact_overturned_is_seen_by_a_repeated_command(appender, rival, db):
    run = await created(appender)
    await appender.command(*report(run, "COMPLETED", 2))
    await rival.fact(fact(run, "FAILED", 3))
    again = await appender.command(*report(run, "COMPLETED", 2))
    assert (again.decision, again.registers.state) == (Decision.UNCHANGED, RunState.FAILED)
    assert len(await events(db)) == 3


async def test_a_connection_that_breaks_before_its_commit_is_looked_into(appender, dsn, db):
    run = await created(appender)
    async with held_head(dsn):
        start = appender.command(*report(run, "RUNNING"))
        event = appender.fact(fact(run, None, 2))
        await wait_until(all_appending(db, 1), "the append waits for the head")
        await db.fetch("select pg_terminate_backend(pid) from (" + APPENDING + ") a")
        await wait_until(all_appending(db, 0), "the connection is gone")
    started = await start
    assert (started.decision, started.registers.state, started.position) == (Decision.APPEND, RunState.RUNNING, 2)
    assert {(await event).position, started.position} == {2, 3}
    assert [row["state"] for row in await events(db)].count("RUNNING") == 1


async def test_a_commit_whose_answer_is_lost_is_found_and_not_repeated(make_proxy, dsn, db):
    proxy = await make_proxy()
    appender = Appender(proxy.connections())
    appender.start()
    run = await created(appender)
    async with held_head(dsn):
        start, event = appender.command(*report(run, "RUNNING")), appender.fact(fact(uuid4(), "RUNNING"))
        await wait_until(all_appending(db, 1), "the append waits for the head")
        proxy.lose_the_next_answer()
    started, recorded = await asyncio.gather(start, event)
    assert (proxy.lost, len(await events(db))) == (1, 3)
    assert (started.decision, started.registers.state, started.position) == (Decision.APPEND, RunState.RUNNING, 2)
    assert (recorded.decision, recorded.position) == (Decision.APPEND, 3)
    await appender.drain()


async def test_a_creation_whose_answer_is_lost_is_still_a_creation(make_proxy, dsn, db):
    proxy = await make_proxy()
    appender = Appender(proxy.connections())
    appender.start()
    async with held_head(dsn):
        creation = appender.command(*new(uuid4()))
        await wait_until(all_appending(db, 1), "the append waits for the head")
        proxy.lose_the_next_answer()
    assert ((await creation).decision, len(await events(db))) == (Decision.APPEND, 1)
    await appender.drain()


async def test_a_database_that_stays_away_is_told_and_comes_back_by_itself(make_proxy):
    proxy = await make_proxy()
    appender = Appender(proxy.connections())
    appender.start()
    run = await created(appender)
    await proxy.stop()
    with pytest.raises(Unavailable, match="recorded or not; repeat it"):
        await appender.command(*report(run, "RUNNING"))
    await proxy.listen()
    assert (await appender.command(*report(run, "RUNNING"))).decision is Decision.APPEND
    await appender.drain()


async def test_a_full_queue_turns_the_next_one_away_and_recovers(six_connections, dsn, db):
    appender = Appender(six_connections[0], limits=QueueLimits(items=3))
    appender.start()
    async with held_head(dsn):
        under_way = appender.fact(fact(uuid4(), "RUNNING"))
        await wait_until(all_appending(db, 1), "the writer waits for the head")
        waiting = [appender.fact(fact(uuid4(), "RUNNING", minute)) for minute in range(3)]
        assert (appender.full, appender.depth) == (True, 3)
        with pytest.raises(Overloaded, match="nothing was recorded"):
            appender.fact(fact(uuid4(), "RUNNING"))
    await asyncio.gather(under_way, *waiting)
    assert not appender.full
    assert (await appender.fact(fact(uuid4(), "RUNNING"))).position == 5
    await appender.drain()


async def test_draining_answers_all_that_wait_and_takes_nothing_more(six_connections, dsn, db):
    appender = Appender(six_connections[0], limits=QueueLimits(batch=5))
    appender.start()
    async with held_head(dsn):
        waiting = [appender.fact(fact(uuid4(), "RUNNING", minute)) for minute in range(40)]
        await wait_until(all_appending(db, 1), "the writer waits for the head")
        draining = asyncio.create_task(appender.drain())
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="shutting down"):
            appender.fact(fact(uuid4(), "RUNNING"))
    await draining
    assert {one.result().position for one in waiting} == set(range(1, 41))


async def test_a_caller_that_leaves_takes_nobody_along(appender, dsn, db):
    run = await created(appender)
    async with held_head(dsn):
        leaver, stayer = appender.command(*report(run, "RUNNING", 1)), appender.command(*report(run, "COMPLETED", 2))
        await wait_until(all_appending(db, 1), "the append waits for the head")
        leaver.cancel()
    assert (await stayer).registers.started_at is not None
    assert len(await events(db)) == 3


async def test_a_caller_that_leaves_while_it_waits_is_recorded_all_the_same(six_connections, dsn, db):
    appender = Appender(six_connections[0])
    appender.start()
    async with held_head(dsn):
        first = appender.fact(fact(uuid4(), "RUNNING"))
        await wait_until(all_appending(db, 1), "the writer waits for the head")
        leaver, stayer = appender.fact(fact(uuid4(), "RUNNING", 2)), appender.fact(fact(uuid4(), "RUNNING", 3))
        leaver.cancel()
    await asyncio.gather(first, stayer)
    assert len(await events(db)) in (2, 3)
    await appender.drain()


async def test_a_run_of_a_job_that_is_unknown_has_no_home(appender, db):
    answer = await appender.command_below(*new(uuid4()), (Subject.JOB, job_id("etl", "load")))
    assert (answer.decision, await events(db)) == (Decision.PARENT_UNKNOWN, [])


async def test_whoever_hears_of_appends_hears_the_last_position(six_connections):
    recorded = []
    appender = Appender(six_connections[0], on_append=lambda position, *_: recorded.append(position))
    appender.start()
    await asyncio.gather(*(appender.fact(fact(uuid4(), "RUNNING", minute)) for minute in range(10)))
    await appender.drain()
    assert max(recorded) == 10


async def test_a_keyed_repeat_is_recognised_beside_another_command_though_a_rival_wrote_last(appender, rival):
    run = await created(appender)
    await rival.command(*report(run, "RUNNING", 5, key="k"))
    await rival.command(*report(run, "COMPLETED", 1))
    answers = await asyncio.gather(
        appender.command(*report(run, "RUNNING", 5, key="k")), appender.command(*report(run, "COMPLETED", 1))
    )
    assert [answer.decision for answer in answers] == [Decision.UNCHANGED, Decision.UNCHANGED]


async def test_a_run_that_a_fact_shared_a_batch_with_is_not_remembered_for_more_than_was_read(appender, rival):
    run = await created(appender)
    await rival.fact(fact(run, "FAILED", 5))
    answers = await asyncio.gather(appender.fact(fact(run, "RUNNING", 1)), appender.command(*report(run, "RUNNING", 2)))
    assert answers[1].registers.terminal.state == "FAILED"
    assert (await appender.command(*report(run, "COMPLETED", 9))).decision is Decision.CONFLICT


BARE = (
    '{"eventTime": "2024-01-01T00:00:00Z", "producer": "tests", "run": {"runId": "%s"},'
    ' "job": {"namespace": "etl", "name": "load"}}'
)


async def test_a_run_that_nothing_was_appended_to_by_a_command_is_read_the_next_time(appender, rival):
    run = await created(appender)
    await appender.command(*report(run, "RUNNING", 1))
    plain = fact(run, "RUNNING", 3, payload=BARE % run)
    await asyncio.gather(appender.fact(plain), appender.command(*report(run, "RUNNING", 2)))
    assert appender._run_cache.get(run) is None
    await rival.fact(fact(run, "FAILED", 5))
    assert (await appender.command(*report(run, "COMPLETED", 9))).decision is Decision.CONFLICT


async def test_a_command_that_goes_round_again_is_filed_under_the_job_it_then_finds():
    draft, command = report(uuid4(), "RUNNING", 1)
    item = PendingAppend(draft, command, asyncio.get_running_loop().create_future())
    item.draft = draft.of_job("etl", "found first")
    assert requeue_or_fail([item]) == [item]
    assert item.draft is draft


async def test_waiting_payloads_are_bounded_in_bytes_and_one_is_always_taken(six_connections, dsn, db):
    appender = Appender(six_connections[0], limits=QueueLimits(bytes=100_000))
    appender.start()

    def large():
        return appender.fact(fact(uuid4(), "RUNNING", payload=json.dumps(PAYLOAD | {"padding": "x" * 40_000})))

    async with held_head(dsn):
        taken = [large()]
        await wait_until(all_appending(db, 1), "the first is being appended")
        assert appender.held_bytes > 100_000
        assert appender.full
        with pytest.raises(Overloaded, match="nothing was recorded"):
            large()
        taken.append(appender.command(*report(uuid4(), "RUNNING")))  # without a payload
    await asyncio.gather(*taken)
    assert appender.held_bytes == 0
    await large()
    assert appender.held_bytes == 0
    await appender.drain()
