"""The metrics for Prometheus."""

import asyncio
import re
from contextlib import AsyncExitStack
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
from building import fact, facts, held_head
from databases import execute
from programs import REPOSITORY
from scraping import scrape, value
from served import Served
from waiting import wait_until

from service.database.connections import Connections
from service.database.roles import grant
from service.errors import DatabaseUnavailable
from service.http.app import build_app
from service.ledger.events import append_events
from service.settings import Settings


def request_key(route: str, method: str, status: str):
    labels = (("method", method), ("route", route), ("status", status))
    return "runfold_http_requests_total", labels


async def test_requests_are_counted_by_the_route_and_never_by_the_path(client):
    for name in ("one", "two", "thr/ee"):
        await client.get(f"/api/v1/namespaces/{name.replace('/', '%2F')}")
    await client.get("/nowhere/1")
    await client.post("/livez")
    await client.head("/livez")
    found = await scrape(client)
    assert found[request_key("/api/v1/namespaces/{namespace}", "GET", "404")] == 3
    assert found[request_key("(no route)", "GET", "404")] == 1
    assert found[request_key("(no route)", "POST", "405")] == 1
    assert found[request_key("/livez", "HEAD", "200")] == 1
    assert not [key for key in found if "nowhere" in str(key) or "thr" in str(key)]


async def test_the_ledger_the_catalog_the_queue_and_the_process_are_told_of(client):
    await client.put("/api/v1/namespaces/etl", json={"ownerName": "me"})
    found = await scrape(client)
    assert found["runfold_ledger_position", ()] == 2
    assert found["runfold_catalog_lag_events", ()] == 0
    assert found["runfold_queue_depth", ()] == 0
    assert found["runfold_queue_capacity", ()] == 10_000
    assert found["runfold_database_up", ()] == 1
    assert found["process_resident_memory_bytes", ()] > 0


async def oldest_snapshot(client):
    return await value(client, "runfold_database_oldest_snapshot_seconds")


async def test_the_age_of_the_oldest_snapshot_is_a_metric(client, dsn, db):
    assert await oldest_snapshot(client) < 60  # the service's own transactions
    holder = await asyncpg.connect(dsn)
    async with holder.transaction(isolation="repeatable_read", readonly=True):
        await holder.fetchval("select 1")
        began = await holder.fetchval("select now()")

        async def is_that_of_the_holder():
            age = await oldest_snapshot(client)
            return 0 < age <= (await db.fetchval("select clock_timestamp()") - began).total_seconds()

        # Until the transactions of the service have ended that began before.
        await wait_until(is_that_of_the_holder, "the oldest transaction is the one that is held")
    await holder.close()


async def test_a_role_without_the_right_to_see_other_sessions_gets_no_age_of_theirs(dsn, db, aiohttp_client):
    role = f"role_{uuid4().hex}"
    async with Connections(dsn) as connections:
        await grant(connections, role)
    parts = urlsplit(dsn)
    role_dsn = parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}").geturl()
    client = await aiohttp_client(Served(build_app(Settings(database_url=role_dsn))))
    async with db.transaction(isolation="repeatable_read", readonly=True):
        began = await db.fetchval("select now()")
        hidden = await oldest_snapshot(client)
        await execute(dsn, f"grant pg_read_all_stats to {role}")
        seen = await oldest_snapshot(client)
        assert hidden < seen
        assert seen <= (await db.fetchval("select clock_timestamp()") - began).total_seconds()
    await client.close()
    await execute(dsn, f"drop owned by {role}; drop role {role}")


async def test_metrics_are_told_while_the_database_is_away(client, monkeypatch):
    monkeypatch.setattr("service.database.connections.Connections.connection", lambda _connections: _Away())
    found = await scrape(client)
    assert found["runfold_database_up", ()] == 0
    assert found["runfold_database_writable", ()] == 0
    assert ("runfold_catalog_lag_events", ()) not in found


class _Away:
    async def __aenter__(self):
        raise DatabaseUnavailable("away")

    async def __aexit__(self, *_):
        return None


async def test_two_apps_in_one_process_count_apart(client, dsn, aiohttp_client):
    other = await aiohttp_client(Served(build_app(Settings(database_url=dsn))))
    await client.get("/livez")
    assert request_key("/livez", "GET", "200") not in await scrape(other)
    assert (await scrape(client))[request_key("/livez", "GET", "200")] == 1


RUNS = "/api/v1/namespaces/etl/jobs/load/runs"


async def define(client):
    await client.put("/api/v1/namespaces/etl", json={"ownerName": "me"})
    await client.put("/api/v1/namespaces/etl/jobs/load", json={"type": "BATCH", "inputs": [], "outputs": []})


async def create(client):
    return (await (await client.post(RUNS)).json())["id"]


async def report(client, run, verb, status=200):
    response = await client.post(f"/api/v1/jobs/runs/{run}/{verb}")
    assert response.status == status


async def test_runs_are_counted_by_state_conflicts_by_reason_and_commits_by_duration(client):
    await define(client)
    first, second = [await create(client) for _ in range(2)]
    await report(client, first, "start")
    await report(client, first, "complete")
    await report(client, first, "fail", 409)
    await report(client, first, "start", 409)
    await report(client, first, "abort", 409)
    args = {"id": second, "args": {"other": "content"}}
    assert (await client.post(RUNS, json=args)).status == 409
    await client.get(RUNS)  # which waits for the catalog
    found = await scrape(client)
    runs = {state: found["runfold_runs", (("state", state),)] for state in ("NEW", "RUNNING", "COMPLETED", "FAILED")}
    assert runs == {"NEW": 1, "RUNNING": 0, "COMPLETED": 1, "FAILED": 0}
    kinds = {kind: found["runfold_conflicts_total", (("kind", kind),)] for kind in ("start_after_end", "other_end")}
    assert kinds == {"start_after_end": 1, "other_end": 2}
    assert found["runfold_conflicts_total", (("kind", "other_content"),)] == 1
    assert found["runfold_commit_duration_seconds_count", ()] == found["runfold_append_batch_events_count", ()] > 5
    assert 0 < found["runfold_commit_duration_seconds_sum", ()] < 60
    assert found["runfold_append_failures_total", ()] == 0


async def test_bulk_ingestion_is_among_the_commits_and_an_append_that_fails_among_the_failures(client, monkeypatch):
    before = await value(client, "runfold_commit_duration_seconds_count")
    event = fact(uuid4(), "RUNNING").payload
    headers = {"Content-Type": "application/x-ndjson"}
    await client.post("/api/v1/lineage/batch", data=event, headers=headers)
    assert await value(client, "runfold_commit_duration_seconds_count") == before + 1

    async def refused(*_):
        raise DatabaseUnavailable("the database's disk is full", "", "53100")

    monkeypatch.setattr("service.ledger.batch.append_events", refused)
    assert (await client.put("/api/v1/namespaces/other", json={"ownerName": "me"})).status == 503
    assert await value(client, "runfold_append_failures_total") == 3
    assert await value(client, "runfold_commit_duration_seconds_count") == before + 1


async def test_lag_in_seconds_is_the_age_of_the_oldest_event_that_is_not_projected(client, dsn, db, connections):
    await define(client)
    await client.get(RUNS)
    assert await value(client, "runfold_catalog_lag_seconds") == 0
    lock = await asyncpg.connect(dsn)
    async with lock.transaction():
        await lock.execute("select from runfold.catalog_cursor for update")
        recorded_at = (await append_events(connections, facts(3), [None] * 3)).recorded_at
        found = await scrape(client)
        assert found["runfold_catalog_lag_events", ()] == 3
        age = (await db.fetchval("select clock_timestamp()") - recorded_at).total_seconds()
        assert 0 < found["runfold_catalog_lag_seconds", ()] <= age
    await lock.close()


async def test_clients_of_the_event_stream_are_counted_while_they_listen(client):
    async with AsyncExitStack() as listening:
        for count in (1, 2, 3):
            await listening.enter_async_context(client.get("/api/v1/events/stream"))
            assert await value(client, "runfold_event_stream_clients") == count


async def test_the_queue_is_saturated_by_items_or_by_bytes_whichever_is_more(dsn, aiohttp_client):
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn, queue_capacity=4, queue_bytes=10_000))))
    assert await value(client, "runfold_queue_saturation") == 0
    async with held_head(dsn), asyncio.TaskGroup() as group:
        group.create_task(client.put("/api/v1/namespaces/one", json={"ownerName": "me"}))

        async def bytes_are_held():
            found = await scrape(client)
            bytes_share = found["runfold_queue_bytes", ()] / 10_000
            return found["runfold_queue_depth", ()] == 0 and 0 < found["runfold_queue_saturation", ()] == bytes_share

        await wait_until(bytes_are_held, "the first is being appended")
        for name in ("two", "three"):
            group.create_task(client.put(f"/api/v1/namespaces/{name}", json={"ownerName": "me"}))

        async def items_wait():
            found = await scrape(client)
            return found["runfold_queue_depth", ()] == 2 and found["runfold_queue_saturation", ()] == 0.5

        await wait_until(items_wait, "the others wait")


DOCUMENTED = re.compile(r"`([a-z]+_[a-z_]+)`")


async def test_the_documentation_lists_the_metrics_that_are_served(client):
    text = await (await client.get("/metrics")).text()
    served = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    table = [
        line
        for line in (REPOSITORY / "docs/metrics.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    ]
    documented = {name for line in table for name in DOCUMENTED.findall(line.split("|")[1])}
    assert documented == {name for name in served if name.startswith("runfold_")}
