"""An event that cannot be projected is set aside: the others are projected, and an operator sees it."""

import json
from uuid import UUID, uuid4

import pytest
from building import fact
from served import Served
from waiting import wait_until

from service.catalog import projection
from service.catalog.catalog_projection import CatalogProjection
from service.catalog.ledger_projection import project_next_page
from service.database.connections import Connections
from service.domain.event import RunState
from service.errors import Unavailable
from service.http.app import build_app
from service.ledger.events import append_events
from service.maintenance.catalog_check import check_catalog
from service.maintenance.rebuild import rebuild_catalog
from service.settings import Settings

POISONED = UUID("00000000-0000-4000-8000-000000000001")
COUNT = 300
ASIDE = "select position, left_out, reason from runfold.catalog_set_aside order by position"
RUNS = "/api/v1/namespaces/etl/jobs/load/runs?stale=true"


@pytest.fixture
def poison(monkeypatch):
    """Let the projection of a payload fail."""
    decode = projection.decode_payload

    def decode_or_fail(event, payload):
        if event.stream == POISONED:
            raise ValueError("this payload has a secret")
        return decode(event, payload)

    monkeypatch.setattr(projection, "decode_payload", decode_or_fail)
    return monkeypatch


def history():
    return [fact(POISONED if index == 123 else uuid4(), RunState.RUNNING, index) for index in range(COUNT)]


async def append(connections, drafts):
    await append_events(connections, drafts, [None] * len(drafts))


async def project_all(connections):
    while (await project_next_page(CatalogProjection(connections))).events:
        pass


async def aside(db):
    return [tuple(row) for row in await db.fetch(ASIDE)]


@pytest.mark.usefixtures("poison")
async def test_a_payload_that_cannot_be_projected_is_left_out_and_its_transition_is_not(db, connections):
    await append(connections, history())
    await project_all(connections)
    assert await aside(db) == [(124, "payload", "ValueError")]
    assert await db.fetchval("select count(*) from runfold.runs where state = 'RUNNING'") == COUNT
    assert await db.fetchval("select sum(total) from runfold.run_counts") == COUNT
    counted = await db.fetchval("select sum(total) from runfold.lineage_counts where namespace = ''")
    assert counted == COUNT


async def test_an_event_of_a_run_whose_row_cannot_be_read_is_left_out(db, connections):
    await append(connections, history())
    await project_all(connections)
    await db.execute("update runfold.runs set registers = '\\x00' where id = $1", POISONED)
    await append(connections, [fact(POISONED if n == 50 else uuid4(), "RUNNING", 1000 + n) for n in range(100)])
    await project_all(connections)
    assert await aside(db) == [(COUNT + 51, "event", "ValidationError")]
    assert await db.fetchval("select count(*) from runfold.runs") == COUNT + 99


async def test_a_rebuild_tries_again(dsn, db, connections, poison):
    await append(connections, history())
    await project_all(connections)
    poison.undo()
    await rebuild_catalog(dsn)
    assert await aside(db) == []
    assert b"minute" in await db.fetchval("select registers from runfold.runs where id = $1", POISONED)


@pytest.mark.usefixtures("poison")
async def test_a_rebuild_sets_aside_what_fails_again(dsn, db, connections):
    await append(connections, history())
    await rebuild_catalog(dsn)
    assert await aside(db) == [(124, "payload", "ValueError")]
    assert (await check_catalog(dsn)).differences == []


@pytest.mark.usefixtures("poison")
async def test_nothing_is_set_aside_where_a_newer_program_has_migrated(db, connections):
    await append(connections, history())
    await db.execute("update runfold_version set version_num = '9999', oldest_program = '9999'")
    with pytest.raises(Unavailable, match="9999"):
        await project_all(connections)
    assert await aside(db) == []


@pytest.mark.usefixtures("poison")
async def test_lists_go_on_and_the_log_the_metric_and_readyz_show_it(dsn, db, connections, caplog, aiohttp_client):
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn))))
    await append(connections, history())
    text = json.dumps({"eventTime": "2024-01-01T00:00:00Z", "eventType": "START", "producer": "tests",
                       "run": {"runId": str(uuid4())}, "job": {"namespace": "etl", "name": "load"}})  # fmt: skip
    response = await client.post("/api/v1/lineage", data=text, headers={"Content-Type": "application/json"})
    assert response.status == 201

    async def listed():
        return (await (await client.get(RUNS)).json()).get("totalCount") == COUNT + 1

    await wait_until(listed, "all runs are listed")
    culprit = await db.fetchval("select position from runfold.events where stream = $1", POISONED)
    assert await aside(db) == [(culprit, "payload", "ValueError")]
    ready = await client.get("/readyz")
    assert ready.status == 200
    assert "runfold doctor" in (await ready.json())["warnings"][0]
    assert "runfold_catalog_set_aside_events 1.0" in await (await client.get("/metrics")).text()
    logged = [record for record in caplog.records if "is set aside" in record.getMessage()]
    assert len(logged) == 1
    assert f"position {culprit} " in logged[0].getMessage()


async def test_a_page_that_fails_in_the_database_is_projected_when_it_does_not(dsn, db, connections):
    """A lock, a timeout, a lost connection: none of them is the fault of an event."""
    await append(connections, history())
    holder = db.transaction()
    await holder.start()
    await db.execute("select from runfold.catalog_cursor for update")
    async with Connections(dsn, command_timeout_s=0.2) as impatient:
        with pytest.raises(Unavailable):
            await project_next_page(CatalogProjection(impatient))
    await holder.rollback()
    await project_all(connections)
    assert await aside(db) == []
