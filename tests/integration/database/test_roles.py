"""The service as a role that may read the ledger, append to it by one function, and write the catalog."""

import asyncio
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from building import facts
from databases import execute
from partitions import small_partitions
from served import Served

from service.audit.verification import verify_ledger
from service.catalog.catalog_projection import CatalogProjection
from service.catalog.ledger_projection import project_next_page
from service.database import migrations
from service.database.connections import Connections
from service.database.roles import grant
from service.errors import OperatorError
from service.http.app import build_app
from service.ledger.events import append_events
from service.maintenance.rebuild import rebuild_catalog
from service.settings import Settings

BASE = "/api/v1"


def as_role(dsn, role):
    """Return the address of a database for another role."""
    parts = urlsplit(dsn)
    return parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}").geturl()


@pytest.fixture
async def role(dsn, connections):
    name = f"Role {uuid4().hex}"  # must be quoted
    assert await grant(connections, name)
    yield name
    await execute(dsn, f'drop owned by "{name}"; drop role "{name}"')


@pytest.fixture
async def role_dsn(dsn, role):
    return as_role(dsn, role.replace(" ", "%20"))


@pytest.fixture
async def as_it(role_dsn):
    connection = await asyncpg.connect(role_dsn)
    yield connection
    await connection.close()


async def ok(response, status=200):
    assert response.status == status, await response.text()
    return await response.json()


async def test_a_run_lives_its_whole_life_in_a_service_with_least_rights(role_dsn, aiohttp_client):
    await asyncio.to_thread(migrations.upgrade, role_dsn)  # `serve` does so first
    client = await aiohttp_client(Served(build_app(Settings(database_url=role_dsn))))
    await ok(await client.put(f"{BASE}/namespaces/etl", json={"ownerName": "me"}))
    await ok(await client.put(f"{BASE}/namespaces/etl/jobs/load", json={"type": "BATCH", "inputs": [], "outputs": []}))
    run = await ok(await client.post(f"{BASE}/namespaces/etl/jobs/load/runs", json={"args": {"a": "1"}}), 201)
    path = f"{BASE}/jobs/runs/{run['id']}"
    await ok(await client.post(f"{path}/start"))
    event = {
        "eventType": "RUNNING",
        "eventTime": "2024-01-01T00:00:00Z",
        "producer": "tests",
        "run": {"runId": run["id"], "facets": {"f": {}}},
        "job": {"namespace": "etl", "name": "load"},
    }
    assert (await client.post(f"{BASE}/lineage", json=event)).status == 201
    ended = await ok(await client.post(f"{path}/complete"))
    assert (ended["state"], ended["args"], ended["facets"]) == ("COMPLETED", {"a": "1"}, {"f": {}})
    for question in (path, f"{path}?knownAt=2999-01-01T00:00:00Z", f"{path}/events", "/readyz"):
        await ok(await client.get(question))
    for question in ("jobs", "namespaces/etl/jobs", "events?namespace=etl", "events/lineage"):
        assert "load" in str(await ok(await client.get(f"{BASE}/{question}")))
    assert (await ok(await client.get(f"{BASE}/namespaces/etl/jobs/load/runs")))["totalCount"] == 1
    assert (await verify_ledger(role_dsn)).ok


async def test_partitions_come_into_being_though_the_role_could_not_make_them(db, role_dsn):
    await db.execute(small_partitions(5))
    connections = Connections(role_dsn)
    for _ in range(7):
        await append_events(connections, facts(3), [None] * 3)
    await project_next_page(CatalogProjection(connections))
    await connections.close()
    assert await db.fetchval("select count(*) from runfold.payloads") == 21


@pytest.mark.parametrize(
    "change",
    [
        "insert into runfold.events select * from runfold.events",
        "insert into runfold.payloads values (0, 1, '{}')",
        "insert into runfold.payloads_0 values (0, 1, '{}')",
        "insert into runfold.archives values (0, 1, 2, '', '')",
        "update runfold.events set state = 'NEW'",
        "delete from runfold.events",
        "truncate runfold.events",
        "delete from runfold.payloads",
        "truncate runfold.payloads_0",
        "update runfold.ledger_head set position = 0",
        "drop table runfold.events",
        "alter table runfold.events disable trigger all",
        "set session_replication_role = replica",
        "select runfold.ensure_payload_partition(9)",
        "select * from runfold.erase_payloads(0, '{1}', 'because', null)",
        "select runfold.replace_archived_partitions('{payloads_0}')",
        "create table runfold.mine ()",
        "update public.runfold_version set version_num = ''",
    ],
)
async def test_whatever_else_it_tries_is_refused(as_it, change):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await as_it.execute(change)


async def test_only_whom_it_was_granted_may_append(db, dsn, role):
    other = f"other_{uuid4().hex}"
    await db.execute(f"create role {other} login; grant usage on schema runfold to {other}")
    connections = Connections(as_role(dsn, other))
    with pytest.raises(Exception, match="permission denied for function append_events"):
        await append_events(connections, facts(1), [None])
    await connections.close()
    await db.execute(f"drop owned by {other}; drop role {other}")
    assert not await db.fetchval(
        "select has_function_privilege($1, p.oid, 'execute with grant option') from pg_proc p "
        "where proname = 'append_events'",
        role,
    )


async def test_rights_it_had_beyond_that_are_taken(db, connections, role, as_it):
    await db.execute(f'grant all on all tables in schema runfold to "{role}"')
    assert not await grant(connections, role)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await as_it.execute("insert into runfold.payloads values (0, 1, '{}')")


async def test_the_catalog_stays_its_to_write_after_a_rebuild(dsn, role_dsn, connections):
    await append_events(connections, facts(3), [None] * 3)
    await rebuild_catalog(dsn)
    await append_events(connections, facts(3), [None] * 3)
    as_it = Connections(role_dsn)
    assert (await project_next_page(CatalogProjection(as_it))).position == 6
    await as_it.close()


async def test_rebuilding_as_that_role_says_what_it_takes(role_dsn, role):
    with pytest.raises(
        OperatorError, match=f"Rebuilding the catalog needs the rights of the owner .*; {role} does not have"
    ):
        await rebuild_catalog(role_dsn)


async def test_an_owner_is_not_given_less(dsn, connections):
    with pytest.raises(OperatorError, match="cannot be restricted"):
        await grant(connections, urlsplit(dsn).username)
