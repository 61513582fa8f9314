"""Ends that contradict, second lives under one id, and one id for several jobs, as real producers report them."""

import json
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest
from lineage_client import BATCH, NDJSON, event, get, send
from scraping import scrape

from service.maintenance.catalog_check import check_catalog
from service.maintenance.erase import erase_payloads
from service.maintenance.rebuild import rebuild_catalog

PRODUCERS = Path(__file__).parents[2] / "data" / "producers"
RUNS, LOOKUP = "/api/v1/jobs/runs", "/api/v1/runs/lookup"
SPARK, DAGSTER = "01a2187f-cd7b-715b-bc64-7ff04d0665c5", "ad8e2d9b-6718-4895-ab61-384f6905ec9e"
FAILED_WRITE = [
    {"state": "FAILED", "endedAt": "2026-11-26T15:36:03.517000Z"},
    {"state": "COMPLETED", "endedAt": "2026-11-26T15:36:03.545000Z"},
]
ORDERS = pytest.mark.parametrize("seed", [None, 1, 2])
"""As recorded; and shuffled, with repetitions."""


async def post(client, *events: str) -> None:
    status, answer = await send(client, "\n".join(events), BATCH, NDJSON)
    assert status == 204, answer


async def post_recorded(client, name: str, seed: int | None = None) -> None:
    lines = (PRODUCERS / f"{name}.ndjson").read_text().splitlines()
    if seed is not None:
        random = Random(seed)  # noqa: S311  an order, no secret
        lines += random.choices(lines, k=3)
        random.shuffle(lines)
    for line in lines:
        await post(client, line)


async def found(client, **filters) -> list[str]:
    return [run["id"] for run in (await get(client, "/api/v1/runs", **filters))["runs"]]


async def command(client, path: str, body: object = None) -> None:
    answer = await client.post(path, json=body)
    assert answer.status in (200, 201), await answer.text()


@ORDERS
async def test_a_failed_write_of_spark_is_found_by_its_contradicting_ends(client, dsn, seed):
    await post(client, event("START"), event("COMPLETE", at="2024-02-01T00:01:00Z"))
    await post_recorded(client, "spark-failed-write", seed)
    view = await get(client, f"{RUNS}/{SPARK}")
    assert (view["state"], view["endedAt"], view["ends"]) == ("COMPLETED", FAILED_WRITE[1]["endedAt"], FAILED_WRITE)
    assert await found(client, contradicted="true") == [SPARK]
    looked_up = await (await client.post(LOOKUP, json={"ids": [SPARK]})).json()
    assert looked_up["runs"][SPARK] == view
    assert SPARK not in await found(client, contradicted="false")
    assert await found(client, contradicted="true", state="FAILED") == []
    assert await found(client, contradicted="true", restarted="true") == []
    assert await found(client, contradicted="true", endedAfter="2026-11-26T15:36:03.545Z") == [SPARK]
    assert await found(client, contradicted="true", updatedAfter="2026-01-01T00:00:00Z", order="asc") == [SPARK]
    assert await found(client, contradicted="true", namespace="spark_live") == [SPARK]
    assert await found(client, contradicted="true", runningAt="2026-11-26T15:36:00Z") == [SPARK]
    metrics = await scrape(client)
    assert (metrics["runfold_contradicted_runs", ()], metrics["runfold_restarted_runs", ()]) == (1, 0)
    assert (await check_catalog(dsn)).differences == []


async def test_the_history_of_a_failed_write_says_which_end_stands(client):
    await post_recorded(client, "spark-failed-write")
    history = (await get(client, f"{RUNS}/{SPARK}/events"))["events"]
    failed, completed = (one["verdict"] for one in history[2:])
    assert ("ended" in failed["changed"], "ends" in failed["changed"]) == (True, False)
    assert failed["effect"] == "stands", "the facet spark.exception is still in the view"
    assert {"ended", "ends"} <= set(completed["changed"])
    assert [one["verdict"]["attempt"] for one in history] == [1, 1, 1, 1]
    known = await get(client, f"{RUNS}/{SPARK}", knownAt=history[2]["recordedAt"])
    assert (known["state"], "ends" in known) == ("FAILED", False)


TWICE = [  # an Airflow DAG run that was deleted and triggered again with the same logical date
    ("START", "2026-11-25T16:07:03.600Z"),
    ("FAIL", "2026-11-25T16:07:07.800Z"),
    ("START", "2026-11-25T16:07:12.400Z"),
    ("RUNNING", "2026-11-25T16:07:20Z"),
    ("COMPLETE", "2026-11-25T16:07:38.300Z"),
]


@pytest.mark.parametrize("backwards", [False, True])
async def test_a_second_life_is_found_while_it_lasts_and_its_history_tells_the_attempts(client, dsn, backwards):
    run = str(uuid4())
    events = [event(kind, at=at, run=run) for kind, at in TWICE]
    await post(client, *events[:2])
    assert await found(client, restarted="true") == []
    await post(client, *(events[3:1:-1] if backwards else events[2:4]))
    view = await get(client, f"{RUNS}/{run}")
    assert (view["state"], view["restartedAt"]) == ("FAILED", "2026-11-25T16:07:12.400000Z")
    assert await found(client, restarted="true", state="FAILED") == [run]
    assert await found(client, restarted="false") == []
    assert (await scrape(client))["runfold_restarted_runs", ()] == 1
    await post(client, events[4])
    view = await get(client, f"{RUNS}/{run}")
    assert (view["state"], view["durationMs"], "restartedAt" in view) == ("COMPLETED", 34_700, False)
    assert await found(client, restarted="true") == []
    history = (await get(client, f"{RUNS}/{run}/events"))["events"]
    assert [one["verdict"]["attempt"] for one in history] == [1, 1, 2, 2, 2]
    assert (await scrape(client))["runfold_restarted_runs", ()] == 0
    assert (await check_catalog(dsn)).differences == []


async def test_a_start_of_the_run_api_is_a_start_and_a_heartbeat_is_none(client):
    run = str(uuid4())
    await post(client, event("COMPLETE", at="2024-02-01T00:01:00Z", run=run))
    await post(client, event("RUNNING", at="2024-02-01T00:02:00Z", run=run))
    assert "restartedAt" not in await get(client, f"{RUNS}/{run}")
    refused = await client.post(f"{RUNS}/{run}/start", params={"at": "2024-02-01T00:03:00Z"})
    assert refused.status == 409, "a command does not reopen a run"
    early = str(uuid4())
    await command(client, "/api/v1/namespaces/ns/jobs/job/runs", {"id": early})
    await command(client, f"{RUNS}/{early}/start?at=2024-02-01T00:03:00Z")
    await command(client, f"{RUNS}/{early}/complete?at=2024-02-01T00:02:00Z")
    answered = await get(client, f"{RUNS}/{early}")
    assert answered["restartedAt"] == "2024-02-01T00:03:00Z"


def job_path(job: str) -> str:
    return f"/api/v1/namespaces/dagster_sensor/jobs/{job}"


@ORDERS
async def test_every_job_of_dagsters_one_run_id_lists_the_run(client, dsn, seed):
    await post_recorded(client, "dagster-one-run-id", seed)
    view = await get(client, f"{RUNS}/{DAGSTER}")
    names = ["all_assets", "broken", "raw_orders", "totals", "totals__checks"]
    assert view["job"] == {"namespace": "dagster_sensor", "name": "broken"}
    assert view["jobs"] == [{"namespace": "dagster_sensor", "name": name} for name in names]
    assert (view["state"], [end["state"] for end in view["ends"]]) == ("FAILED", ["COMPLETED", "FAILED"])
    for name in names:
        listed = await get(client, f"{job_path(name)}/runs")
        assert (listed["runs"], listed["totalCount"]) == ([view], 1)
        assert (await get(client, f"{job_path(name)}/runs", state="FAILED"))["totalCount"] == 1
        assert await get(client, f"{job_path(name)}/runs", state="COMPLETED") == {"runs": [], "totalCount": 0}
        job = await get(client, job_path(name))
        assert (job["latestRun"], job["latestRuns"]) == (view, [view])
    jobs = await get(client, "/api/v1/namespaces/dagster_sensor/jobs", lastRunStates="FAILED")
    assert (jobs["totalCount"], sorted(job["name"] for job in jobs["jobs"])) == (5, names)
    assert (await get(client, "/api/v1/jobs", lastRunStates="COMPLETED"))["totalCount"] == 0
    assert {one["verdict"]["attempt"] for one in (await get(client, f"{RUNS}/{DAGSTER}/events"))["events"]} == {1}
    assert (await check_catalog(dsn)).differences == []
    await rebuild_catalog(dsn)
    assert (await get(client, f"{job_path('totals')}/runs"))["runs"] == [view]


async def test_runs_of_a_job_and_runs_that_name_it_are_one_list_newest_first(client):
    times = [f"2024-02-01T00:{minute:02}:00Z" for minute in range(12)]
    runs = [str(uuid4()) for _ in times]
    for number, (run, at) in enumerate(zip(runs, times, strict=True)):
        if number % 3:  # its own job is another one
            await post(client, event("START", at=at, run=run, job="first"))
            await post(client, event("RUNNING", at="2024-03-01T00:00:00Z", run=run))
        else:
            await post(client, event("START", at=at, run=run))
    path = "/api/v1/namespaces/ns/jobs/job/runs"
    pages = [(await get(client, path, limit=5, offset=offset))["runs"] for offset in (0, 5, 10)]
    assert [run["id"] for page in pages for run in page] == runs[::-1]
    assert (await get(client, path))["totalCount"] == 12
    assert [run["id"] for run in (await get(client, path.removesuffix("/runs")))["latestRuns"]] == runs[:1:-1]
    assert (await get(client, "/api/v1/namespaces/ns/jobs/first/runs"))["totalCount"] == 8


async def test_a_job_that_becomes_the_runs_own_has_it_once(client, dsn, db):
    run = str(uuid4())
    await post(client, event("RUNNING", at="2024-02-01T00:02:00Z", run=run, job="second"))
    await post(client, event("RUNNING", at="2024-02-01T00:03:00Z", run=run, job="third"))
    await get(client, "/api/v1/runs")
    await post(client, event("START", at="2024-02-01T00:01:00Z", run=run, job="third"))
    for job in ("second", "third"):
        listed = await get(client, f"/api/v1/namespaces/ns/jobs/{job}/runs")
        assert ([one["id"] for one in listed["runs"]], listed["totalCount"]) == ([run], 1)
        assert listed["runs"][0]["job"]["name"] == "third"
    assert await db.fetchval("select count(*) from runfold.run_jobs") == 1
    assert (await check_catalog(dsn)).differences == []


async def test_an_erased_start_is_no_start_any_more_and_an_earlier_one_takes_its_place(client, dsn, db):
    run = str(uuid4())
    times = [f"2024-02-01T00:0{minute}:00Z" for minute in range(5)]
    await post(client, event("FAIL", at=times[0], run=run), event("START", at=times[1], run=run))
    await post(client, event("START", at=times[3], run=run))
    assert (await get(client, f"{RUNS}/{run}"))["restartedAt"] == times[3]
    await get(client, "/api/v1/runs")
    position = await db.fetchval("select max(position) from runfold.events where subject = 'run'")
    await erase_payloads(dsn, position, "a law", "somebody")
    assert (await get(client, f"{RUNS}/{run}"))["restartedAt"] == times[1]
    assert await found(client, restarted="true") == [run]
    assert (await check_catalog(dsn)).differences == []


async def test_a_start_of_the_run_api_stays_where_the_payload_of_a_later_one_is_erased(client, dsn, db):
    run = str(uuid4())
    await post(client, event("RUNNING"))  # the job is known
    await command(client, "/api/v1/namespaces/ns/jobs/job/runs", {"id": run})
    await command(client, f"{RUNS}/{run}/start?at=2024-02-01T00:03:00Z")
    await command(client, f"{RUNS}/{run}/fail?at=2024-02-01T00:02:00Z")
    await post(client, event("START", at="2024-02-01T00:04:00Z", run=run))
    assert (await get(client, f"{RUNS}/{run}"))["restartedAt"] == "2024-02-01T00:04:00Z"
    await get(client, "/api/v1/runs")
    position = await db.fetchval("select max(position) from runfold.events where payload_digest is not null")
    await erase_payloads(dsn, position, "a law", "somebody")
    assert (await get(client, f"{RUNS}/{run}"))["restartedAt"] == "2024-02-01T00:03:00Z"
    assert await found(client, restarted="true") == [run]
    assert (await check_catalog(dsn)).differences == []


async def test_what_a_run_says_of_another_job_is_erased_from_that_job(client, dsn, db):
    run = str(uuid4())
    await post(client, event("START", run=run, job="first"))
    for minute, value in ((1, "old"), (2, "secret")):
        body = json.loads(event("RUNNING", at=f"2024-02-01T00:0{minute}:00Z", run=run))
        body["job"]["facets"] = {"note": {"of": value}}
        await post(client, json.dumps(body))
    path = "/api/v1/namespaces/ns/jobs/job"
    assert (await get(client, path))["facets"] == {"note": {"of": "secret"}}
    await erase_payloads(dsn, await db.fetchval("select max(position) from runfold.events"), "a law", "somebody")
    assert (await get(client, path))["facets"] == {"note": {"of": "old"}}
