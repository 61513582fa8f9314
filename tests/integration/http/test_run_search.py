"""Runs across jobs: every filter finds the runs that a scan of all runs finds."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from building import fact
from histories import NOON, at

from service.catalog.queries import _BY_NAME, _BY_STATE, _RUNNING, PAGE_BYTES, RunFilters
from service.http.resources import RESOURCES

BASE = "/api/v1"


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


@pytest.fixture
async def filled(client):
    drafts = list(lives())
    for draft in drafts:
        await client.app[RESOURCES].appender.fact(draft)
    return client


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


async def test_all_runs_newest_first_in_pages_of_any_size(filled):
    whole = await everything(filled)
    assert len(whole) == 60
    assert [started(run) for run in whole] == sorted(map(started, whole), reverse=True)
    for limit in (1, 7, 60):
        assert await everything(filled, limit) == whole


async def test_by_state_and_name(filled):
    whole = await everything(filled)
    for states in ("RUNNING", "NEW,FAILED"):
        found = await everything(filled, 7, state=states)
        assert found == [run for run in whole if run["state"] in states.split(",")]
    by_job = [await everything(filled, 7, job=job) for job in ("load", "clean", "dump", "none")]
    assert [len(found) for found in by_job] == [20, 20, 20, 0]
    assert await everything(filled, 7, namespace="etl") == whole
    assert await everything(filled, namespace="other", job="load") == []
    assert await everything(filled, namespace="etl", job="load") == by_job[0]


async def test_by_start(filled):
    whole = await everything(filled)
    bounds = at(20).isoformat(), at(40).isoformat()
    found = await everything(filled, 3, startedAfter=bounds[0], startedBefore=bounds[1])
    zulu = [bound.replace("+00:00", "Z") for bound in bounds]
    assert found == [run for run in whole if run["startedAt"] and zulu[0] <= run["startedAt"] < zulu[1]]
    assert await everything(filled, 3, job="load", startedBefore=bounds[0]) == [
        run for run in await everything(filled, job="load") if run["startedAt"] and run["startedAt"] < zulu[0]
    ]


@pytest.mark.parametrize("minutes", [-5, 0, 3, 17.01, 30, 47, 59, 80, 5000])
async def test_what_was_running_at_a_time(filled, minutes):
    searches = filled.app[RESOURCES].run_search
    await filled.app[RESOURCES].catalog.wait_until_current()
    whole = (await searches.runs(RunFilters(), None, 1000)).runs
    time = NOON + timedelta(minutes=minutes)

    def ran(run):
        began, ended = run.registers.started_at, run.registers.ended
        return began is not None and began <= time and (ended is None or time < ended.at)

    async def found(**names):
        return [UUID(run["id"]) for run in await everything(filled, 4, runningAt=time.isoformat(), **names)]

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
    ],
)
async def test_what_cannot_be_meant_is_400(client, params):
    assert (await client.get(f"{BASE}/runs", params=params)).status == 400


@pytest.mark.parametrize(
    ("statement", "index", "names", "more"),
    [
        (_BY_STATE, "runs_by_state", (None, None), ()),
        (_BY_NAME, "runs_of_namespace", ("etl", None), ()),
        (_BY_NAME, "runs_named", (None, "load"), ()),
        (_RUNNING, "runs_by_duration", (None, None), (NOON,)),
        (_RUNNING, "runs_of_namespace", ("etl", None), (NOON,)),
        (_RUNNING, "runs_named", (None, "load"), (NOON,)),
    ],
)
async def test_every_search_goes_by_an_index(connections, statement, index, names, more):
    started_only = False
    async with connections.connection() as connection:
        prepared = await connection.prepare(statement)
        plan = str(
            await prepared.explain(["RUNNING"], *names, started_only, None, NOON, UUID(int=0), 100, *more, PAGE_BYTES)
        )
    assert index in plan
    assert "Seq Scan" not in plan


@pytest.mark.parametrize("limit", ["--5", "1e3", " 7", "٣", "9" * 400])
async def test_a_limit_that_is_no_number_is_400(client, limit):
    assert (await client.get(f"{BASE}/runs", params={"limit": limit})).status == 400


async def test_runs_across_jobs_say_whose_they_are(filled):
    runs = await everything(filled)
    assert runs
    assert {frozenset(run["job"]) for run in runs} == {frozenset({"namespace", "name"})}
