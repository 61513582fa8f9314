"""A database that loses the end of the ledger under a running service: a failover, or a backup that is restored."""

import asyncio
from uuid import UUID

import pytest
from building import facts, report
from lost_tail import put_back, save
from served import Served
from waiting import DEADLINE_S, wait_until

from service.auth.keys import create_key, revoke_key
from service.database.connections import Connections
from service.http.app import build_app
from service.http.resources import RESOURCES
from service.ledger.events import append_events
from service.settings import INLINE, PROCESS, Settings

NAMESPACES = "/api/v1/namespaces"
STREAM = "/api/v1/events/stream"
OWNER = {"ownerName": "ann"}


@pytest.fixture(params=[INLINE, PROCESS])
async def client(request, dsn, aiohttp_client):
    return await aiohttp_client(Served(build_app(Settings(database_url=dsn, projector=request.param))))


async def put(client, name):
    """Put a namespace; repeat a 503, which a connection that was ended a moment ago may cause."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            async with client.put(f"{NAMESPACES}/{name}", json=OWNER) as answer:
                if answer.status != 503:
                    assert answer.status == 200, await answer.text()
                    return (await answer.json())["name"]


async def names(client):
    async with client.get(f"{NAMESPACES}?limit=100") as answer:
        assert answer.status == 200, await answer.text()
        return {namespace["name"] for namespace in (await answer.json())["namespaces"]}


async def lose(client, db, count=30):
    """Record some namespaces, lose the last `count` of them, and return the names of the others."""
    await put(client, "before")
    kept = await names(client)
    await save(db)
    for number in range(count):
        await put(client, f"lost-{number}")
    assert len(await names(client)) == len(kept) + count
    await put_back(db)
    return kept


async def test_a_put_after_the_loss_is_answered_as_usual_and_listed(client, db):
    kept = await lose(client, db)
    assert await put(client, "after") == "after"
    assert await names(client) == kept | {"after"}
    assert await put(client, "later") == "later"
    assert await names(client) == kept | {"after", "later"}


async def test_a_process_that_appends_nothing_notices_the_loss_in_the_log_and_in_a_metric(client, db, caplog):
    await lose(client, db)
    end = client.app[RESOURCES].end
    await wait_until(lambda: value(end.losses), "the loss is noticed")
    assert "are lost" in caplog.text
    async with client.get("/metrics") as answer:
        assert "runfold_ledger_losses_total 1.0" in await answer.text()
    assert end.position == await db.fetchval("select max(position) from runfold.events")


async def value(what):
    return what


async def test_a_listener_beyond_the_end_is_ended_and_refused_when_it_resumes(client, db):
    await put(client, "before")
    await names(client)
    await save(db)
    async with client.get(STREAM) as stream:
        await put(client, "lost")
        last = b""
        while not last.startswith(b"id: "):
            last = await asyncio.wait_for(stream.content.readline(), DEADLINE_S)
        await put_back(db)
        rest = await asyncio.wait_for(stream.content.read(), DEADLINE_S)
    assert b"the ledger ends before" in rest
    headers = {"Last-Event-ID": last.removeprefix(b"id: ").decode().strip()}
    refusals = []

    async def is_answered():
        """Ask as a client does: connections that are ended while the ledger is put back are answered with 503."""
        async with client.get(STREAM, headers=headers) as answer:
            refusals.append((answer.status, await answer.text()))
        return answer.status != 503

    await wait_until(is_answered, "the service has connections again")
    status, text = refusals[-1]
    assert status == 400, text
    assert "behind the end of the ledger" in text


async def test_a_new_listener_gets_what_is_recorded_after_the_loss(client, db):
    await lose(client, db)
    end = client.app[RESOURCES].end
    await wait_until(lambda: value(end.losses), "the loss is noticed")
    async with client.get(STREAM, params={"cursor": "now"}) as stream:
        await stream.content.readuntil(b"\n\n")
        await put(client, "after")
        frame = await asyncio.wait_for(stream.content.readuntil(b"\n\n"), DEADLINE_S)
        assert b'"namespace":"after"' in frame


@pytest.mark.parametrize("client", [INLINE], indirect=True)  # keys have nothing to do with projectors
async def test_a_lost_key_and_one_that_is_revoked_after_the_loss_are_refused(client, db, dsn):
    """The revocation has a position that the process had read before."""
    async with Connections(dsn) as connections:
        old = bearer(await create_key(connections, "old", "read"))
        await wait_until(lambda: answers(client, {}, 401), "requests need a key")
        await save(db)
        await append_events(connections, facts(30), [None] * 30)
        lost = bearer(await create_key(connections, "lost", "read"))
    await wait_until(lambda: answers(client, lost, 200), "the new key is known")
    await put_back(db)
    await wait_until(lambda: answers(client, lost, 401), "the lost key is refused")
    assert await answers(client, old, 200)
    async with Connections(dsn) as connections:
        await revoke_key(connections, "old")
    await wait_until(lambda: answers(client, old, 401), "the revoked key is refused")


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


async def answers(client, headers, status):
    async with client.get("/api/v1/ledger/head", headers=headers) as answer:
        return answer.status == status


async def test_states_of_lost_events_are_forgotten(client, db, connections):
    """Another event has the position of the lost one: by its position alone, the state of the run seems to be known."""
    await put(client, "etl")
    job = {"type": "BATCH", "inputs": [], "outputs": []}
    async with client.put(f"{NAMESPACES}/etl/jobs/load", json=job) as answer:
        assert answer.status == 200
    async with client.post(f"{NAMESPACES}/etl/jobs/load/runs") as answer:
        run = (await answer.json())["id"]
    await save(db)
    async with client.post(f"/api/v1/jobs/runs/{run}/start") as answer:
        lost = int(answer.headers["Runfold-Recorded"])
    await put_back(db)
    end = client.app[RESOURCES].end
    await wait_until(lambda: value(end.losses), "the loss is noticed")
    draft, _ = report(UUID(run), "FAILED")
    appended = await append_events(connections, [draft.of_job("etl", "load")], [lost - 1])
    assert appended.positions == [lost]
    async with client.post(f"/api/v1/jobs/runs/{run}/complete") as answer:
        assert answer.status == 409, await answer.text()
