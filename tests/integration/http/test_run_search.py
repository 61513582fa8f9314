"""Runs across jobs: every filter finds the runs that a scan of all runs finds."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from building import fact
from databases import filled
from histories import NOON, at
from partitions import append

from service.catalog.queries import PAGE_BYTES
from service.catalog.run_search import (
    BY_NAME,
    BY_OTHERS,
    BY_START,
    MARKED,
    RUNNING_AT,
    Order,
    RunFilters,
    RunOrder,
    RunSearch,
)
from service.database.connections import Connections
from service.ledger import cursors
from service.ledger.cursors import PositionCursor, RowCursor

BASE = "/api/v1"
pytestmark = pytest.mark.common
FROM = (NOON, UUID(int=0), None)
"""Bounds of a search by time: the first one, and none at the other end."""


def lives():
    """Yield the events of sixty runs of three jobs, with durations of every magnitude."""
    for n in range(60):
        run, job = uuid4(), ("load", "clean", "dump")[n % 3]
        if n % 10 == 9:
            yield fact(run, "NEW", n, job=job)
            continue
        yield fact(run, "RUNNING", n, job=job)
        if n % 7:
            yield fact(run, ("COMPLETED", "FAILED", "ABORTED")[n % 3], n + 2.0 ** (n % 12) / 60, job=job)


async def record(dsn):
    drafts = list(lives())
    async with Connections(dsn) as connections:
        for draft in drafts:  # each at a time of its own
            await append(connections, draft)


@pytest.fixture(scope="module")
def common_ledger(postgres):
    with filled(postgres, record) as name:
        yield name


async def search(client, **params):
    answer = await client.get(f"{BASE}/runs", params=params)
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def everything(client, limit=1000, **params):
    found, cursor = [], "start"
    while cursor:
        page = await search(client, limit=limit, cursor=cursor, **params)
        found += page["runs"]
        cursor = page["next"]
    return found


def started(run):
    return run["startedAt"] or run["createdAt"]


async def test_all_runs_newest_first_in_pages_of_any_size(client):
    whole = await everything(client)
    assert len(whole) == 60
    assert [started(run) for run in whole] == sorted(map(started, whole), reverse=True)
    for limit in (1, 7, 60):
        assert await everything(client, limit) == whole


async def test_by_state_and_name(client):
    whole = await everything(client)
    for states in ("RUNNING", "NEW,FAILED"):
        found = await everything(client, 7, state=states)
        assert found == [run for run in whole if run["state"] in states.split(",")]
    by_job = [await everything(client, 7, job=job) for job in ("load", "clean", "dump", "none")]
    assert [len(found) for found in by_job] == [20, 20, 20, 0]
    assert await everything(client, 7, namespace="etl") == whole
    assert await everything(client, namespace="other", job="load") == []
    assert await everything(client, namespace="etl", job="load") == by_job[0]


async def test_by_start(client):
    whole = await everything(client)
    bounds = at(20).isoformat(), at(40).isoformat()
    found = await everything(client, 3, startedAfter=bounds[0], startedBefore=bounds[1])
    zulu = [bound.replace("+00:00", "Z") for bound in bounds]
    assert found == [run for run in whole if run["startedAt"] and zulu[0] <= run["startedAt"] < zulu[1]]
    assert await everything(client, 3, job="load", startedBefore=bounds[0]) == [
        run for run in await everything(client, job="load") if run["startedAt"] and run["startedAt"] < zulu[0]
    ]


async def test_oldest_first_is_the_same_list_from_its_other_end(client):
    filters = (
        {},
        {"state": "RUNNING,NEW"},
        {"job": "load"},
        {"namespace": "etl", "state": "FAILED"},
        {"startedAfter": at(20).isoformat(), "startedBefore": at(40).isoformat()},
        {"job": "load", "startedAfter": at(20).isoformat()},
        {"endedAfter": at(20).isoformat(), "endedBefore": at(60).isoformat()},
        {"updatedAfter": NOON.isoformat()},
    )
    for each in filters:
        newest_first = await everything(client, 7, **each)
        assert newest_first
        assert await everything(client, 7, order="desc", **each) == newest_first
        assert await everything(client, 3, order="asc", **each) == newest_first[::-1]


async def test_by_end_and_newest_end_first(client):
    whole = sorted((run for run in await everything(client) if run["endedAt"]), key=lambda run: run["endedAt"])
    begin, end = at(20).isoformat().replace("+00:00", "Z"), at(40).isoformat().replace("+00:00", "Z")
    within = [run for run in whole if begin <= run["endedAt"] < end]
    assert 0 < len(within) < len(whole)
    found = await everything(client, 4, endedAfter=begin, endedBefore=end)
    assert found == sorted(within, key=lambda run: (run["endedAt"], run["id"]), reverse=True)
    assert {run["id"] for run in await everything(client, endedBefore=begin)} | {
        run["id"] for run in await everything(client, endedAfter=begin)
    } == {run["id"] for run in whole}
    assert await everything(client, endedAfter=begin, state="RUNNING") == []
    failed = await everything(client, 2, endedAfter=begin, state="FAILED", namespace="etl", job="dump")
    assert {run["id"] for run in failed} == {
        run["id"]
        for run in whole
        if (run["state"], run["job"]["name"]) == ("FAILED", "dump") and run["endedAt"] >= begin
    }


async def test_by_update_and_last_heard_of_first(client, db):
    """What was last heard of before a time: the runs that went silent."""
    rows = await db.fetch("select stream, max(position) as last from runfold.events where subject = 'run' group by 1")
    by_update = [str(row["stream"]) for row in sorted(rows, key=lambda row: row["last"], reverse=True)]
    runs = await everything(client, 7, updatedAfter=NOON.isoformat())
    assert [run["id"] for run in runs] == by_update
    middle = sorted(run["updatedAt"] for run in runs)[30]
    before = await everything(client, 7, updatedBefore=middle)
    after = await everything(client, 7, updatedAfter=middle)
    assert [run["id"] for run in after + before] == by_update
    assert all(run["updatedAt"] >= middle for run in after)
    assert all(run["updatedAt"] < middle for run in before)
    silent = await everything(client, 2, updatedBefore=middle, state="RUNNING", job="load")
    assert silent == [run for run in before if run["state"] == "RUNNING" and run["job"]["name"] == "load"]
    both = await everything(client, 2, updatedBefore=middle, endedAfter=at(0).isoformat())
    assert {run["id"] for run in both} == {run["id"] for run in before if run["endedAt"]}


@pytest.mark.parametrize("minutes", [-5, 0, 3, 17.01, 30, 47, 59, 80, 5000])
async def test_what_was_running_at_a_time(client, connections, minutes):
    await everything(client)  # waits for the catalog
    whole = (await RunSearch(connections).runs(RunFilters(), None, 1000)).runs
    time = NOON + timedelta(minutes=minutes)

    def ran(run):
        began, ended = run.registers.started_at, run.registers.ended
        return began is not None and began <= time and (ended is None or time < ended.at)

    async def found(**names):
        return [UUID(run["id"]) for run in await everything(client, 4, runningAt=time.isoformat(), **names)]

    running = [run for run in whole if ran(run)]
    assert await found() == [run.id for run in running]
    assert await found(namespace="etl") == [run.id for run in running]
    assert await found(namespace="other") == []
    loads = [run.id for run in running if run.registers.created.job == "load"]
    assert await found(job="load") == await found(job="load", namespace="etl") == loads
    still = [run.id for run in running if run.registers.state == "RUNNING"]
    assert await found(state="RUNNING") == await found(state="RUNNING", namespace="etl") == still


@pytest.mark.parametrize(
    "params",
    [
        {"colour": "red"},
        {"limit": "0"},
        {"limit": "10000000"},
        {"cursor": "nowhere"},
        {"state": "ASLEEP"},
        {"runningAt": "noon"},
        {"startedAfter": "2024-01-02T00:00:00Z", "startedBefore": "2024-01-01T00:00:00Z"},
        {"endedAfter": "2024-01-02T00:00:00Z", "endedBefore": "2024-01-01T00:00:00Z"},
        {"updatedAfter": "2024-01-02T00:00:00Z", "updatedBefore": "2024-01-01T00:00:00Z"},
        {"minDurationMs": "2", "maxDurationMs": "1"},
        {"minDurationMs": "-1"},
        {"maxDurationMs": "1 h"},
        {"parent": ""},
        {"order": "up"},
        {"order": "asc", "runningAt": "2024-01-01T00:00:00Z"},
        {"sort": "name"},
        {"sort": "duration", "runningAt": "2024-01-01T00:00:00Z"},
        {"sort": "duration", "cursor": cursors.encode_position(PositionCursor(0, 7))},
        {"cursor": cursors.encode_position(PositionCursor(0, 7))},
        {"cursor": cursors.encode_row(RowCursor(NOON, UUID(int=1))), "updatedAfter": "2024-01-01T00:00:00Z"},
    ],
)
async def test_what_cannot_be_meant_is_400(client, params):
    assert (await client.get(f"{BASE}/runs", params=params)).status == 400


@pytest.mark.parametrize(
    ("statement", "index", "names", "bounds"),
    [
        *((BY_START[order], "runs_by_state", (None, None), (*FROM, 100)) for order in Order),
        *((BY_NAME[order], "runs_of_namespace", ("etl", None), (*FROM, 100)) for order in Order),
        *((BY_NAME[order], "runs_named", (None, "load"), (*FROM, 100)) for order in Order),
        *((BY_OTHERS[RunOrder.END][order], "runs_by_end", (None, None), (*FROM, 100)) for order in Order),
        *((BY_OTHERS[RunOrder.UPDATE][order], "runs_by_update", (None, None), (9, 1, 100)) for order in Order),
        *((BY_OTHERS[RunOrder.DURATION][order], "runs_by_length", (None, None), (*FROM, 100)) for order in Order),
        *((RUNNING_AT[bound], "runs_by_duration", (None, None), (*FROM, 100, NOON)) for bound in (False, True)),
        (RUNNING_AT[False], "runs_of_namespace", ("etl", None), (*FROM, 100, NOON)),
        (RUNNING_AT[False], "runs_named", (None, "load"), (*FROM, 100, NOON)),
        *(
            (MARKED[mark, bound][by][order], f"runs_{mark}{suffix}", (None, None), bounds)
            for bound in (False, True)
            for order in Order
            for mark in ("contradicted", "restarted", "inferred")
            for by, suffix, bounds in (
                (RunOrder.START, "", (*FROM, 100)),
                (RunOrder.END, "_by_end", (*FROM, 100)),
                (RunOrder.UPDATE, "_by_update", (9, 1, 100)),
            )
        ),
    ],
)
async def test_every_search_goes_by_an_index(connections, statement, index, names, bounds):
    filters = (*names, False, *[None] * 12)
    async with connections.connection() as connection:
        prepared = await connection.prepare(statement)
        bound = ["etl"], ["etl"], []
        within = bound if len(prepared.get_parameters()) > len((*bounds, *filters)) + 3 else ()
        plan = str(await prepared.explain(["RUNNING"], *bounds, *filters, *within, 8, PAGE_BYTES))
    assert index in plan
    assert "Seq Scan" not in plan
    assert "Sort Key: t." not in plan, plan


COUNTED = [
    {},
    {"state": "COMPLETED", "sort": "end"},
    {"job": "load", "sort": "start", "order": "asc"},
    {"sort": "update", "state": "RUNNING"},
    {"contradicted": "true"},
    {"runningAt": at(40).isoformat()},
    {"minDurationMs": "60000"},
]


@pytest.mark.parametrize("params", COUNTED)
async def test_a_page_of_any_size_says_how_many_runs_match_from_it_on(client, params):
    whole = await everything(client, **params)
    for limit in (1, 4, 100):
        cursor, before = "start", 0
        while cursor:
            for most in (1, 3, len(whole) + 1, 1000):
                page = await search(client, limit=limit, count=most, cursor=cursor, **params)
                assert page["runs"] == whole[before : before + limit]
                assert page["count"] == min(most, len(whole) - before)
                assert bool(page["next"]) == (before + limit < len(whole))
            cursor, before = page["next"], before + limit
    assert "count" not in await search(client, **params)


async def test_a_page_that_ends_because_its_registers_are_large_counts_the_others(client, monkeypatch):
    monkeypatch.setattr("service.catalog.run_search.PAGE_BYTES", 1)
    page = await search(client, limit=10, count=1000)
    assert (len(page["runs"]), page["count"]) == (1, 60)


@pytest.mark.parametrize("accept", ["application/x-ndjson", "text/csv"])
async def test_lines_are_not_counted(client, accept):
    answer = await client.get(f"{BASE}/runs", params={"count": 9}, headers={"Accept": accept})
    assert answer.status == 400, await answer.text()


@pytest.mark.parametrize("limit", ["--5", "1e3", " 7", "٣", "9" * 400])
async def test_a_limit_that_is_no_number_is_400(client, limit):
    assert (await client.get(f"{BASE}/runs", params={"limit": limit})).status == 400


async def test_every_view_of_a_run_names_its_job(client):
    run = (await everything(client, job="load"))[0]
    expected = {"namespace": "etl", "name": "load"}
    path = f"{BASE}/jobs/runs/{run['id']}"
    looked_up = await (await client.post(f"{BASE}/runs/lookup", json={"ids": [run["id"]]})).json()
    job = await (await client.get(f"{BASE}/namespaces/etl/jobs/load")).json()
    listed = await (await client.get(f"{BASE}/namespaces/etl/jobs/load/runs")).json()
    past = await (await client.get(path, params={"knownAt": "9999-01-01T00:00:00Z"})).json()
    answered = await (await client.post(f"{path}/start", params={"at": run["startedAt"]})).json()
    views = [run, await (await client.get(path)).json(), looked_up["runs"][run["id"]], job["latestRun"], past, answered]
    assert [view["job"] for view in (*views, *listed["runs"], *job["latestRuns"])][:6] == [expected] * 6
    assert all(view["job"] == expected for view in (*listed["runs"], *job["latestRuns"]))
