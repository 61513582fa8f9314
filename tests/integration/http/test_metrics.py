"""The metrics for Prometheus."""

from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
from databases import execute
from scraping import scrape
from served import Served

from service.database.connections import Connections
from service.database.roles import grant
from service.errors import DatabaseUnavailable
from service.http.app import build_app
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
    return (await scrape(client))["runfold_database_oldest_snapshot_seconds", ()]


async def test_the_age_of_the_oldest_snapshot_is_a_metric(client, dsn, db):
    assert await oldest_snapshot(client) < 60  # the service's own transactions
    holder = await asyncpg.connect(dsn)
    async with holder.transaction(isolation="repeatable_read", readonly=True):
        await holder.fetchval("select 1")
        began = await holder.fetchval("select now()")
        age = await oldest_snapshot(client)
        assert 0 < age <= (await db.fetchval("select clock_timestamp()") - began).total_seconds()
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
