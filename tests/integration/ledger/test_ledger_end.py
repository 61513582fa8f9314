"""The clock check of appends, and the watch of the ledger's end."""

from datetime import timedelta

import pytest
from building import events, facts, head, unguarded
from lineage_client import BATCH, NDJSON, event
from served import Served
from waiting import wait_until

from service.domain import timestamps
from service.errors import ClockAhead
from service.http.app import build_app
from service.http.resources import RESOURCES
from service.ledger.appender import Appender
from service.ledger.events import append_events
from service.ledger.ledger_end import LedgerEnd
from service.settings import Settings

NAMESPACES = "/api/v1/namespaces"
OWNER = {"ownerName": "ann"}


@pytest.fixture
async def client(dsn, aiohttp_client):
    return await aiohttp_client(Served(build_app(Settings(database_url=dsn))))


async def set_clock_ahead(db, interval):
    """Record one event with a time of a clock that is ahead: the head keeps it."""
    await unguarded(db, f"update runfold.ledger_head set recorded_at = now() + interval '{interval}'")


async def test_an_append_that_would_lie_too_far_ahead_records_nothing(connections, db):
    end = LedgerEnd(max_ahead=timedelta(seconds=-10))
    with pytest.raises(ClockAhead, match="nothing was recorded"):
        await append_events(connections, facts(3), [None] * 3, end)
    assert (await events(db), await head(db)) == ([], 0)
    assert (await append_events(connections, facts(3), [None] * 3)).positions == [1, 2, 3]


async def test_a_fact_that_is_recorded_already_is_answered_whatever_the_clock(connections):
    drafts = facts(1)
    await append_events(connections, drafts, [None])
    end = LedgerEnd(max_ahead=timedelta(seconds=-10))
    assert (await append_events(connections, drafts, [None], end)).positions == [1]


async def test_commands_facts_and_bulk_are_refused_at_once(connections, db):
    appender = Appender(connections, end=LedgerEnd(max_ahead=timedelta(seconds=-10)))
    appender.start()
    (draft,) = facts(1)
    with pytest.raises(ClockAhead):
        await appender.fact(draft)
    results = await appender.bulk(facts(2))
    assert [type(result) for result in results] == [ClockAhead] * 2
    await appender.drain()
    assert await events(db) == []


async def test_a_clock_far_ahead_is_a_503_and_the_service_is_not_ready(client, db):
    before = await head(db)
    await set_clock_ahead(db, "2 hours")
    async with client.put(f"{NAMESPACES}/ahead", json=OWNER) as answer:
        problem = await answer.json()
        assert (answer.status, problem["type"]) == (503, "/errors/clock-ahead")
        assert "Retry-After" in answer.headers
    assert await head(db) == before

    async def unready():
        async with client.get("/readyz") as answer:
            return answer.status == 503 and "clock" in await answer.text()

    await wait_until(unready, "the service is not ready")


async def test_a_batch_that_the_clock_refuses_may_be_sent_again(client, db):
    await set_clock_ahead(db, "2 hours")
    async with client.post(BATCH, data=event(), headers=NDJSON) as answer:
        (failure,) = (await answer.json())["failed_events"]
    assert failure["retriable"], failure


async def test_a_clock_a_little_ahead_is_logged_and_measured_and_hides_nothing(client, db, caplog):
    await set_clock_ahead(db, "30 minutes")
    async with client.put(f"{NAMESPACES}/etl", json=OWNER) as answer:
        assert answer.status == 200
    job = {"type": "BATCH", "inputs": [], "outputs": []}
    async with client.put(f"{NAMESPACES}/etl/jobs/load", json=job) as answer:
        assert answer.status == 200
    async with client.post(f"{NAMESPACES}/etl/jobs/load/runs") as answer:
        assert answer.status == 201
        run = (await answer.json())["id"]
    soon = (timestamps.now() + timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
    async with client.get(f"/api/v1/jobs/runs/{run}", params={"knownAt": soon}) as answer:
        assert answer.status == 200, await answer.text()
    async with client.get("/api/v1/events", params={"until": soon}) as answer:
        assert len((await answer.json())["events"]) == await head(db)
    assert "ahead of this machine's clock" in caplog.text
    assert client.app[RESOURCES].end.ahead_s > 1_500
    async with client.get("/metrics") as answer:
        assert "runfold_recorded_at_ahead_seconds 1" in await answer.text()
    async with client.get("/readyz") as answer:
        assert answer.status == 200


async def test_what_another_process_appends_is_projected_without_a_request(client, connections, db):
    async def projected():
        return await db.fetchval("select position from runfold.catalog_cursor") == await head(db)

    for batches in (0, 1, 2):  # what is there when the service starts is projected anyway
        for _ in range(batches):
            await append_events(connections, facts(500), [None] * 500)
        await wait_until(projected, "the catalog holds it", deadline=10.0)

    async def known():
        return client.app[RESOURCES].end.position == await head(db)

    await wait_until(known, "the process knows where the ledger ends", deadline=10.0)


def test_an_append_at_a_position_that_was_known_before_it_began_is_a_loss():
    lost = []
    end = LedgerEnd(on_loss=lambda: lost.append(end.position))
    end.record_append(0, 1, 60, timestamps.now())
    end.record_append(55, 61, 70, timestamps.now())  # it began earlier than the one before ended
    assert (end.losses, end.position) == (0, 70)
    end.record_append(70, 31, 32, timestamps.now())
    assert (lost, end.position) == ([30], 32)
    end.record_head(70, 32, timestamps.now())  # it began before the loss was noticed
    assert (end.losses, end.position) == (1, 32)


def test_an_append_at_the_last_position_that_was_known_is_a_loss():
    end = LedgerEnd()
    end.record_append(0, 1, 60, timestamps.now())
    end.record_append(60, 60, 60, timestamps.now())
    assert (end.losses, end.position) == (1, 60)
