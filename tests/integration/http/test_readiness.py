"""/readyz says whether requests can be recorded and lists be answered."""

import json
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from building import fact
from databases import database, execute
from served import Served
from waiting import wait_until

from service.errors import DatabaseUnavailable
from service.http.app import build_app
from service.ledger.events import append_events
from service.settings import Settings

EVENT = json.dumps({"eventTime": "2024-01-01T00:00:00Z", "eventType": "START", "producer": "tests",
                    "run": {"runId": str(uuid4())}, "job": {"namespace": "etl", "name": "load"}})  # fmt: skip


async def problem(client):
    """Return the detail of /readyz; None where it is ready."""
    response = await client.get("/readyz")
    if response.status == 200:
        assert set((await response.json())["checks"].values()) == {"ok"}
        return None
    assert response.status == 503
    return (await response.json())["detail"]


async def post(client):
    return (await client.post("/api/v1/lineage", data=EVENT, headers={"Content-Type": "application/json"})).status


async def test_a_service_that_works_is_ready(client):
    assert await post(client) == 201
    assert await problem(client) is None


async def test_a_read_only_database_is_not_ready(postgres, dsn, aiohttp_client):
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn))))
    assert await problem(client) is None
    name = urlsplit(dsn).path[1:]
    await execute(postgres, f"alter database {name} set default_transaction_read_only = on")
    read_only = await aiohttp_client(Served(build_app(Settings(database_url=database(postgres, name)))))
    assert "read-only" in await problem(read_only)
    assert "runfold_database_writable 0.0" in await (await read_only.get("/metrics")).text()


async def test_a_full_disk_is_not_ready_until_an_append_succeeds_and_no_role_is_named(client, monkeypatch):
    full = DatabaseUnavailable("the database's disk is full", 'role "rf" of database "secret"', "53100")

    async def refused(*_):
        raise full

    with monkeypatch.context() as patched:
        patched.setattr("service.ledger.batch.append_events", refused)
        assert await post(client) == 503
    found = await problem(client)
    assert "disk is full" in found
    assert "rf" not in found
    assert "secret" not in found
    assert await post(client) == 201
    assert await problem(client) is None


async def test_a_full_disk_found_by_bulk_ingestion_is_not_ready(client, monkeypatch):
    async def refused(*_):
        raise DatabaseUnavailable("the database's disk is full", "", "53100")

    monkeypatch.setattr("service.ledger.bulk_appender.append_events", refused)
    headers = {"Content-Type": "application/x-ndjson"}
    await client.post("/api/v1/lineage/batch", data=EVENT, headers=headers)
    assert "disk is full" in await problem(client)


async def test_a_catalog_that_makes_no_progress_is_not_ready(client, connections, db, monkeypatch):
    await post(client)

    async def caught_up():
        return await problem(client) is None and not await lag(db)

    await wait_until(caught_up, "everything is projected")
    monkeypatch.setattr("service.catalog.freshness._STALLED_S", 0.1)
    holder = db.transaction()
    await holder.start()
    await db.execute("select from runfold.catalog_cursor for update")
    await append_events(connections, [fact(uuid4(), "RUNNING")], [None])

    async def stalled():
        return "1 events are pending" in (await problem(client) or "")

    await wait_until(stalled, "it is not ready")
    assert "runfold_projector_up 0.0" in await (await client.get("/metrics")).text()
    await holder.rollback()
    await wait_until(caught_up, "it is ready again")


async def lag(db):
    return await db.fetchval(
        "select h.position - c.position from runfold.ledger_head h join runfold.catalog_cursor c using (log)"
    )


@pytest.mark.parametrize("error", ["role", "database"])
async def test_what_the_server_says_is_not_shown_to_everybody(client, monkeypatch, error):
    async def fails(*_):
        raise DatabaseUnavailable("the database refuses the login", f'{error} "secret" does not exist', "28000")

    monkeypatch.setattr("service.catalog.queries.CatalogQueries.schema", fails)
    found = await problem(client)
    assert "refuses the login" in found
    assert "secret" not in found


async def test_a_schema_of_a_newer_version_is_served_where_it_lets_this_one_go_on(client, db):
    await db.execute("update runfold_version set version_num = '9999'")
    assert await problem(client) is None
    assert "migrated the schema to 9999" in (await (await client.get("/readyz")).json())["warnings"][0]
    assert await post(client) == 201
    await db.execute("alter table runfold.catalog_cursor rename to moved")
    assert "schema does not fit" in await problem(client)
    await db.execute("alter table runfold.moved rename to catalog_cursor")
    await db.execute("update runfold_version set oldest_program = '9998'")
    assert "migrations: at 9999, " in await problem(client)
    await db.execute("update runfold_version set version_num = '0012'")
    assert "migrations: at 0012, " in await problem(client)
