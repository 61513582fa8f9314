"""Silent runs in the running service: ends that are inferred, what overrules them, and the settings."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from lineage_client import NDJSON, PEER, event, get, send
from scraping import scrape
from served import Served
from waiting import wait_until

from service.domain import timestamps
from service.http.app import build_app
from service.maintenance.catalog_check import check_catalog
from service.maintenance.rebuild import rebuild_catalog
from service.monitor import lease
from service.settings import Settings

PRODUCERS = Path(__file__).parents[2] / "data" / "producers"
RUNS, JOB = "/api/v1/jobs/runs", "/api/v1/namespaces/{}/jobs/{}"
APPLICATION = "01a2187c-723a-7edd-baab-6a51d61ad975"
RDD_JOBS = [
    "01a2187d-3790-7c79-8e87-5d7e42320aad",
    "01a2187d-50e2-757c-b219-64f70da7a069",
    "01a2187d-ac0a-7c82-944f-3fce57536475",
]
AN_ALLOWANCE_S = 1


@pytest.fixture
async def client(dsn, aiohttp_client):
    """A client of a service whose runs may be silent for a second."""
    return await aiohttp_client(Served(build_app(Settings(database_url=dsn, silent_after=AN_ALLOWANCE_S))))


async def post(client, *events: str) -> None:
    status, answer = await send(client, "\n".join(events), "/api/v1/lineage/batch", NDJSON)
    assert status == 204, answer


async def run(client, run_id, **parameters):
    return await get(client, f"{RUNS}/{run_id}", **parameters)


async def history(client, run_id):
    return (await get(client, f"{RUNS}/{run_id}/events"))["events"]


async def found(client, **filters) -> set[str]:
    return {one["id"] for one in (await get(client, "/api/v1/runs", **filters))["runs"]}


async def until_inferred(client, *runs: str) -> None:
    async def inferred() -> bool:
        return set(runs) <= await found(client, inferred="true")

    await wait_until(inferred, "the ends of silent runs are inferred")


async def test_rdd_jobs_of_spark_and_a_killed_task_of_airflow_are_aborted_until_they_report(client, dsn):
    airflow = [json.loads(line) for line in (PEER / "airflow.ndjson").read_text().splitlines()]
    killed = next(one for one in airflow if one["eventType"] == "START")
    await post(client, *(PRODUCERS / "spark-rdd-jobs.ndjson").read_text().splitlines(), json.dumps(killed))
    silent = {*RDD_JOBS, killed["run"]["runId"]}
    started = await run(client, RDD_JOBS[0])
    assert (started["state"], "stateReason" in started) == ("RUNNING", False)
    await until_inferred(client, *silent)
    assert await found(client, inferred="true") == silent == await found(client, state="ABORTED")
    assert await found(client, inferred="false", state="COMPLETED") == {APPLICATION}

    view, events = await run(client, RDD_JOBS[0]), await history(client, RDD_JOBS[0])
    last, inferred = events
    assert (inferred["source"], inferred["kind"], inferred["state"]) == ("monitor", "transition", "ABORTED")
    evidence = {"position": last["position"], "recordedAt": last["recordedAt"]}
    assert inferred["payload"] == {
        "reason": "silent",
        "lastEvent": evidence,
        "silentAfterSeconds": AN_ALLOWANCE_S,
        "setBy": "service",
    }
    assert (view["state"], view["endedAt"]) == ("ABORTED", inferred["transitionedAt"])
    assert view["stateReason"] == {
        "code": "silent",
        "source": "monitor",
        "position": inferred["position"],
        "lastEventPosition": last["position"],
        "lastEventAt": last["recordedAt"],
        "silentAfterSeconds": AN_ALLOWANCE_S,
    }
    before = await run(client, RDD_JOBS[0], knownAt=last["recordedAt"])
    assert (before["state"], "stateReason" in before) == ("RUNNING", False)
    assert (await run(client, RDD_JOBS[0], validAt=last["recordedAt"]))["state"] == "RUNNING"
    metrics = await scrape(client)
    names = "runfold_inferred_runs", "runfold_silent_runs_inferred_total", "runfold_silence_monitor_active"
    assert [metrics[name, ()] for name in names] == [len(silent), len(silent), 1]

    listed = await get(client, JOB.format(view["job"]["namespace"], view["job"]["name"]))
    assert {(one["id"], one["state"]) for one in listed["latestRuns"]} == {(one, "ABORTED") for one in RDD_JOBS[:2]}
    assert view["job"]["name"].startswith("orders_by_customer.map_partitions")

    spark = {"job": view["job"]["name"], "namespace": view["job"]["namespace"]}
    # Also an end with a time before the last event's, and a heartbeat; repeating what is known changes nothing.
    start = (PRODUCERS / "spark-rdd-jobs.ndjson").read_text().splitlines()[1]
    await post(client, event("COMPLETE", at="2026-01-01T00:00:00Z", run=RDD_JOBS[0], **spark), start)
    await post(client, event("RUNNING", at="2026-01-01T00:00:00Z", run=RDD_JOBS[1], **spark))
    completed, running = await run(client, RDD_JOBS[0]), await run(client, RDD_JOBS[1])
    assert (completed["state"], completed["endedAt"]) == ("COMPLETED", "2026-01-01T00:00:00Z")
    assert "stateReason" not in completed
    assert "ends" not in completed
    assert running["state"] == "RUNNING"
    assert RDD_JOBS[0] not in await found(client, inferred="true")
    await until_inferred(client, RDD_JOBS[1])
    assert [one["source"] for one in await history(client, RDD_JOBS[1])] == ["openlineage", "monitor"] * 2
    assert (await check_catalog(dsn)).differences == []
    inferred = await found(client, inferred="true")
    await rebuild_catalog(dsn)
    assert await found(client, inferred="true") == inferred
    assert (await run(client, RDD_JOBS[1]))["stateReason"]["silentAfterSeconds"] == AN_ALLOWANCE_S


async def test_a_start_over_the_run_api_overrules_an_inferred_end_and_a_repeated_one_does_not(client):
    await post(client, event("START", run=(silent := str(uuid4()))))
    created = await client.post(f"{JOB.format('ns', 'job')}/runs", json={})
    other = (await created.json())["id"]
    path = f"{RUNS}/{other}/start"
    assert (await client.post(path, params={"at": "2024-02-01T00:00:00Z"})).status == 200
    await until_inferred(client, silent, other)
    again = await client.post(path, params={"at": "2024-02-01T00:00:00Z"})
    assert (again.status, (await again.json())["state"]) == (200, "ABORTED")
    started = await client.post(path)
    view = await started.json()
    assert (view["state"], view["startedAt"]) == ("RUNNING", "2024-02-01T00:00:00Z")
    assert (await (await client.post(f"{RUNS}/{other}/fail")).json())["state"] == "FAILED"


async def put(client, path: str, **body: object) -> dict:
    answer = await client.put(path, json=body)
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def test_a_setting_of_a_job_goes_before_its_namespaces_and_that_before_the_services(client, dsn):
    job = {"type": "BATCH", "inputs": [], "outputs": []}
    namespace = await put(client, "/api/v1/namespaces/quiet", ownerName="me", silentAfterSeconds=0)
    assert namespace["silentAfterSeconds"] == 0
    watched = await put(client, JOB.format("quiet", "watched"), **job, silentAfterSeconds=AN_ALLOWANCE_S)
    assert watched["silentAfterSeconds"] == AN_ALLOWANCE_S
    assert "silentAfterSeconds" not in await put(client, JOB.format("quiet", "other"), **job)
    assert "silentAfterSeconds" not in await put(client, "/api/v1/namespaces/ns", ownerName="me")
    runs = {name: str(uuid4()) for name in ("watched", "other", "plain")}
    await post(
        client,
        event(run=runs["watched"], namespace="quiet", job="watched"),
        event(run=runs["other"], namespace="quiet", job="other"),
        event(run=runs["plain"]),
    )
    await until_inferred(client, runs["watched"], runs["plain"])
    assert (await run(client, runs["other"]))["state"] == "RUNNING"
    set_by = [(await history(client, runs[name]))[-1]["payload"]["setBy"] for name in ("watched", "plain")]
    assert set_by == ["job", "service"]

    # A definition that does not name the setting leaves it: clients that know nothing of it define jobs at each start.
    again = await put(client, JOB.format("quiet", "watched"), **job, description="described")
    assert again["silentAfterSeconds"] == AN_ALLOWANCE_S
    assert (await put(client, "/api/v1/namespaces/quiet", ownerName="you"))["silentAfterSeconds"] == 0
    position = (await get(client, "/api/v1/ledger/head"))["position"]
    await put(client, JOB.format("quiet", "watched"), **job, description="described", silentAfterSeconds=AN_ALLOWANCE_S)
    assert (await get(client, "/api/v1/ledger/head"))["position"] == position, "nothing changed"
    assert "silentAfterSeconds" not in await put(client, JOB.format("quiet", "watched"), **job, silentAfterSeconds=None)
    # Without its namespace's setting, the run that was looked at and left alone before is looked at again.
    assert "silentAfterSeconds" not in await put(
        client, "/api/v1/namespaces/quiet", ownerName="you", silentAfterSeconds=None
    )
    await until_inferred(client, runs["other"])
    assert (await check_catalog(dsn)).differences == []


@pytest.mark.parametrize("wrong", [-1, 315_360_001, 1.5, "1h", True])
async def test_a_setting_that_is_no_number_of_seconds_is_refused(client, wrong):
    answer = await client.put("/api/v1/namespaces/ns", json={"ownerName": "me", "silentAfterSeconds": wrong})
    assert answer.status == 400
    assert "silentAfterSeconds" in (await answer.json())["detail"]


async def test_an_inferred_end_brings_no_deleted_job_back(client, dsn):
    await post(client, event(run=(silent := str(uuid4()))), event("COMPLETE", run=uuid4(), job="another"))
    assert (await client.delete(JOB.format("ns", "job"))).status == 200
    await until_inferred(client, silent)
    assert (await client.get(JOB.format("ns", "job"))).status == 404
    assert (await check_catalog(dsn)).differences == []


async def test_without_a_setting_no_run_is_looked_for(dsn, aiohttp_client, db):
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn))))
    await post(client, event(run=(silent := str(uuid4()))))
    await asyncio.gather(*(get(client, f"{RUNS}/{silent}") for _ in range(10)))
    assert await db.fetchval("select count(*) from runfold.silence_monitor") == 0
    assert (await scrape(client))["runfold_silence_monitor_active", ()] == 0


async def test_while_the_clocks_differ_no_end_is_inferred_and_everybody_can_see_why(client, db, monkeypatch):
    now = timestamps.now
    with monkeypatch.context() as patched:
        patched.setattr(lease.timestamps, "now", lambda: now() + timedelta(minutes=1))
        await post(client, event(run=(silent := str(uuid4()))))

        async def warned() -> bool:
            return "warnings" in await get(client, "/readyz")

        await wait_until(warned, "/readyz warns")
        (warning,) = (await get(client, "/readyz"))["warnings"]
        assert "silent runs cannot be looked for: the clocks of the database and of the service differ" in warning
        metrics = await scrape(client)
        assert metrics["runfold_silence_monitor_up", ()] == metrics["runfold_silence_monitor_active", ()] == 0
        assert await db.fetchval("select count(*) from runfold.events where source = 'monitor'") == 0
    await until_inferred(client, silent)
    assert (await scrape(client))["runfold_silence_monitor_up", ()] == 1
    assert "warnings" not in await get(client, "/readyz")
