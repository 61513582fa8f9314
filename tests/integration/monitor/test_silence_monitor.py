"""The monitor of silent runs, against a real database: races, a catalog that lags, bounds, clocks and leases."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from random import Random
from uuid import uuid4

import pytest
from building import fact

from service.catalog.catalog_projection import CatalogProjection
from service.catalog.ledger_projection import project_next_page
from service.database.connections import Connections
from service.domain import timestamps
from service.domain.silence import SetBy, Silence
from service.ledger.appender import Appender
from service.ledger.events import read_head
from service.ledger.ledger_end import LedgerEnd
from service.monitor import lease, silence_monitor, silent_runs
from service.monitor.lease import Claim, ClocksDiffer, MonitorLease
from service.monitor.silence_monitor import SilenceMonitor
from service.monitor.silent_runs import SilentRuns

HISTORY = """
select e.position, e.source, p.body::text as body
  from runfold.events e left join runfold.payloads p on p.log = e.log and p.position = e.position
 where e.subject = 'run' and e.stream = $1 order by e.position
"""
INFERRED = "select stream from runfold.events where source = 'monitor' order by position"
DAY = timedelta(days=1)


@asynccontextmanager
async def monitoring(dsn, allowance=1):
    """Yield an appender and a monitor that is not started."""
    async with Connections(dsn, 3) as connections:
        appender = Appender(connections)
        appender.start()
        yield appender, SilenceMonitor(connections, appender, LedgerEnd(), allowance)
        await appender.drain()


@pytest.fixture
async def parts(dsn):
    async with monitoring(dsn) as parts:
        yield parts


@pytest.fixture
def _always_holding(monkeypatch):
    """Let every process hold the lease, and since long ago."""

    async def claim(self, _interval_s):
        return Claim(await SilentRuns(self._connections, 0).now(), timestamps.now() - DAY)

    monkeypatch.setattr(MonitorLease, "claim", claim)


async def project(connections):
    while (await project_next_page(CatalogProjection(connections))).events:
        pass


async def start(appender, *runs, **names):
    await asyncio.gather(*(appender.fact(fact(run, "RUNNING", **names)) for run in runs))


async def test_two_monitors_and_reports_at_the_same_moment_record_nothing_twice_and_hide_no_report(
    dsn, connections, db
):
    runs, random = [uuid4() for _ in range(40)], Random(7)  # noqa: S311  an order, no secret
    reported = dict.fromkeys(runs, 1)
    async with monitoring(dsn) as (appender, one), monitoring(dsn) as (other, two):
        await start(appender, *runs)
        for beat in range(6):
            await project(connections)
            found = (await SilentRuns(connections, 1).find(1, 0, (await read_head(connections)).position)).runs
            reporting = random.sample(runs, 20)
            tasks = [one._infer(found), two._infer(found)]
            tasks += [random.choice([appender, other]).fact(fact(run, "RUNNING", 2 + beat)) for run in reporting]
            random.shuffle(tasks)
            await asyncio.gather(*tasks)
            for run in reporting:
                reported[run] += 1
    aborted = 0
    for run in runs:
        events = await db.fetch(HISTORY, run)
        assert sum(event["source"] == "openlineage" for event in events) == reported[run]
        for last, inferred in pairwise(events):
            if inferred["source"] == "monitor":
                assert last["source"] == "openlineage"
                assert json.loads(inferred["body"])["lastEvent"]["position"] == last["position"]
        aborted += events[-1]["source"] == "monitor"
    await project(connections)
    assert await db.fetchval("select count(*) from runfold.runs where inferred and state = 'ABORTED'") == aborted > 0
    assert one.inferred + two.inferred == len(await db.fetch(INFERRED)) > len(runs)


async def test_a_report_that_the_catalog_does_not_have_yet_keeps_its_run_running(parts, connections, db):
    appender, monitor = parts
    run = uuid4()
    await start(appender, run)
    await project(connections)
    await appender.fact(fact(run, "RUNNING", 2))
    found = SilentRuns(connections, 1)
    projected, head = await CatalogProjection(connections).read_cursor(), (await read_head(connections)).position
    assert projected < head
    assert await found.thresholds([1], await found.now() + DAY) == {1: projected}
    (silent,) = (await found.find(1, 0, head)).runs
    assert (silent.id, silent.silence.last_position, silent.set_by) == (run, projected, SetBy.SERVICE)
    await monitor._infer([silent])
    assert (monitor.inferred, await db.fetch(INFERRED)) == (0, [])
    await monitor._infer([silent._replace(silence=Silence(head, silent.silence.last_at, 1))])
    assert [row["stream"] for row in await db.fetch(INFERRED)] == [run]


@pytest.mark.usefixtures("_always_holding")
async def test_a_cycle_infers_a_bounded_number_of_ends_and_the_next_one_goes_on(parts, connections, db, monkeypatch):
    monkeypatch.setattr(silence_monitor, "MAX_PER_CYCLE", 3)
    monkeypatch.setattr(silence_monitor, "_AT_ONCE", 2)
    monkeypatch.setattr(silent_runs, "PAGE_RUNS", 4)
    appender, monitor = parts
    runs = [uuid4() for _ in range(8)]
    for run in runs:
        await start(appender, run)
    await project(connections)
    monkeypatch.setattr(SilentRuns, "thresholds", everything_is_old)
    counts = []
    for _ in range(4):
        await monitor._cycle()
        counts.append((monitor.inferred, monitor.limited))
    assert counts == [(3, 1), (6, 2), (8, 2), (8, 2)]
    assert [row["stream"] for row in await db.fetch(INFERRED)] == runs, "those that are silent longest first"


@pytest.mark.usefixtures("_always_holding")
async def test_allowances_take_turns_where_there_are_many_different_ones(parts, connections, db, monkeypatch):
    monkeypatch.setattr(silent_runs, "MAX_LEVELS", 2)
    monkeypatch.setattr(silence_monitor, "MAX_LEVELS", 2)
    appender, monitor = parts
    jobs = [f"job {seconds}" for seconds in range(1, 6)]
    for job in jobs:
        await start(appender, uuid4(), job=job)
    await project(connections)
    for seconds, job in enumerate(jobs, 1):
        await db.execute(
            "insert into runfold.silence_settings select id, $2::bigint, $2::int from runfold.jobs where name = $1",
            job,
            seconds,
        )
    monkeypatch.setattr(SilentRuns, "thresholds", everything_is_old)
    for _ in range(3):
        await monitor._cycle()
    assert monitor.inferred == len(jobs)


async def everything_is_old(_self, levels, _now):
    return dict.fromkeys(levels, 1_000)


async def test_one_process_has_the_lease_until_it_gives_it_back_or_does_not_claim_it_in_time(pair, db):
    one, two = MonitorLease(pair), MonitorLease(pair)
    first = await one.claim(15)
    assert first is not None
    assert first.active_since == first.now
    assert (await two.claim(15), two.held) == (None, False)
    second = await one.claim(15)
    assert second is not None
    assert second.active_since == first.now < second.now
    await two.release()
    assert await two.claim(15) is None, "what it does not have, it cannot give back"
    await one.release()
    taken = await two.claim(15)
    assert taken is not None
    assert (taken.active_since, two.held) == (first.now, True)
    assert (await one.claim(15), one.held) == (None, False)
    await db.execute("update runfold.silence_monitor set expires_at = expires_at - interval '31 s'")
    late = await one.claim(15)
    assert late is not None
    assert late.active_since == first.now, "another process was there a moment ago"
    quick = await one.claim(0.5)
    assert quick is not None
    assert quick.active_since == first.now, "that claims come more often from now on is no outage"


@pytest.mark.parametrize("shift", ["- interval '61 s'", "+ interval '1 hour'"], ids=["an outage", "a clock set back"])
async def test_after_a_time_without_a_service_silences_count_anew(pair, db, shift):
    one, two = MonitorLease(pair), MonitorLease(pair)
    await one.claim(15)
    await db.execute(f"update runfold.silence_monitor set seen_at = seen_at {shift}, expires_at = expires_at {shift}")
    claim = await two.claim(15)
    assert claim is not None
    assert claim.active_since == claim.now


@pytest.mark.parametrize("ahead", [timedelta(seconds=11), timedelta(seconds=-11)])
async def test_while_the_clocks_differ_nobody_looks(pair, db, monkeypatch, ahead):
    now = timestamps.now
    monkeypatch.setattr(lease.timestamps, "now", lambda: now() + ahead)
    one = MonitorLease(pair)
    with pytest.raises(ClocksDiffer, match="differ by 0:00:1"):
        await one.claim(15)
    assert not one.held
    assert await db.fetchval("select count(*) from runfold.silence_monitor") == 0, "the time counts as one of an outage"


async def test_silent_runs_are_found_by_the_order_of_last_events(connections, db):
    await db.execute(
        "insert into runfold.runs (id, position, job_id, namespace, job, state, created_at, registers)"
        " select gen_random_uuid(), n, gen_random_uuid(), 'etl', 'load', 'RUNNING', now(), '\\x00'"
        "   from generate_series(1, 20000) n"
    )
    await db.execute("analyze runfold.runs")
    async with connections.connection() as connection:
        prepared = await connection.prepare(silent_runs._FIND)
        plan = str(await prepared.explain(0, 19_000, 20_000, 1_000, 60, 0, analyze=True))
    assert "runs_by_update" in plan
    assert "Seq Scan on runs" not in plan
    assert "Sort Key: r" not in plan
