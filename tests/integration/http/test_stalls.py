"""A database that answers late or not at all: requests are answered within the limit, backends do not pile up."""

import asyncio
import gc
import time
from uuid import uuid4

import pytest
from served import Served
from waiting import DEADLINE_S, wait_until

from service.http.app import build_app
from service.settings import CONNECTIONS, INLINE, Settings

LIMIT_S, SLACK_S = 1.0, 1.0
NAMESPACES = "/api/v1/namespaces"
BACKENDS = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"


@pytest.fixture
async def serve(aiohttp_client):
    async def start(url):
        settings = Settings(database_url=url, projector=INLINE, database_timeout=LIMIT_S)
        client = await aiohttp_client(Served(build_app(settings)))
        await create(client)
        return client

    return start


async def create(client):
    """Define a job and create a run of it; repeat a 503."""
    job = {"type": "BATCH", "inputs": [], "outputs": []}
    async with asyncio.timeout(DEADLINE_S):
        while not (
            (await send(client, "PUT", f"{NAMESPACES}/etl", {"ownerName": "ann"}))[0] == 200
            and (await send(client, "PUT", f"{NAMESPACES}/etl/jobs/load", job))[0] == 200
        ):
            pass
    return await send(client, "POST", f"{NAMESPACES}/etl/jobs/load/runs", {"id": str(uuid4())})


async def send(client, method, path, body=None):
    """Return the status and the seconds that the answer took."""
    began = time.monotonic()
    async with client.request(method, path, json=body) as answer:
        await answer.read()
        return answer.status, time.monotonic() - began


def mixed(client):
    """Return requests of every kind: appends, reads of a run, lists, the ledger."""
    run = uuid4()
    return [
        send(client, "POST", f"{NAMESPACES}/etl/jobs/load/runs", {"id": str(run)}),
        send(client, "POST", f"/api/v1/jobs/runs/{run}/start"),
        send(client, "GET", f"/api/v1/jobs/runs/{run}"),
        send(client, "GET", NAMESPACES),
        send(client, "GET", f"{NAMESPACES}/etl/jobs"),
        send(client, "GET", "/api/v1/events?limit=1"),
        send(client, "GET", "/api/v1/ledger/head"),
        send(client, "POST", "/api/v1/runs/lookup", {"ids": [str(uuid4()) for _ in range(50)]}),
    ]


async def works_again(client):
    async with client.post(f"{NAMESPACES}/etl/jobs/load/runs") as answer:
        if answer.status != 201:
            return False
        run = (await answer.json())["id"]
    async with client.get(f"{NAMESPACES}/etl/jobs/load/runs?limit=1") as answer:
        return answer.status == 200 and (await answer.json())["runs"][0]["id"] == run


async def test_a_lock_on_the_events_takes_no_more_connections_and_answers_in_time(dsn, db, serve):
    client = await serve(dsn)
    most = 0
    async with db.transaction():
        await db.execute("lock table runfold.events in access exclusive mode")
        for _ in range(3):
            answers = await asyncio.gather(*(one for _ in range(5) for one in mixed(client)))
            assert max(took for _, took in answers) < LIMIT_S + SLACK_S
            assert {status for status, _ in answers} <= {200, 404, 503}
            most = max(most, await db.fetchval(BACKENDS))
    assert most <= CONNECTIONS
    await wait_until(lambda: works_again(client), "everything works again")
    assert await db.fetchval(BACKENDS) <= CONNECTIONS


async def test_a_statement_that_is_given_up_ends_in_the_server(dsn, db, serve):
    client = await serve(dsn)
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    async with db.transaction():
        await db.execute("lock table runfold.events in access exclusive mode")
        await send(client, "GET", "/api/v1/events?limit=1")

        async def few():  # the tasks of the service go on trying: appender, projector and tail
            return await db.fetchval(waiting) <= 4

        await wait_until(few, "no statement of a request waits")


async def test_while_the_database_hangs_requests_are_answered_in_time_and_then_at_once(make_proxy, serve):
    proxy = await make_proxy()
    client = await serve(proxy.dsn)
    proxy.pause()
    answers = await asyncio.gather(*mixed(client))
    assert {status for status, _ in answers} == {503}
    assert max(took for _, took in answers) < LIMIT_S + SLACK_S
    answers = await asyncio.gather(*mixed(client))
    assert {status for status, _ in answers} == {503}
    assert max(took for _, took in answers) < SLACK_S / 2
    proxy.resume()
    await wait_until(lambda: works_again(client), "everything works again")


async def test_an_outage_is_a_few_lines_in_the_log(make_proxy, serve, caplog):
    proxy = await make_proxy()
    client = await serve(proxy.dsn)
    caplog.clear()
    await proxy.stop()
    for _ in range(20):
        await asyncio.gather(*mixed(client))
    ids = {"ids": [str(uuid4()) for _ in range(5_000)]}
    assert (await send(client, "POST", "/api/v1/runs/lookup", ids))[0] == 503
    gc.collect()
    lines = [record.getMessage() for record in caplog.records]
    assert not [line for line in lines if "never retrieved" in line]
    # One of the connections for requests and one of the projectors', and each again where a connection was in use.
    assert 0 < len(lines) <= 4, lines
    assert all(line.startswith("database: ") for line in lines), lines
    await proxy.listen()
    await wait_until(lambda: works_again(client), "everything works again")

    async def ended():
        return caplog.text.count("answers again") == 2  # the connections for requests, and the projectors

    await wait_until(ended, "the end of the outage is logged")


async def test_a_lookup_that_fails_halfway_leaves_no_error_behind(dsn, serve, db, caplog):
    """All reads of the lookup fail with their query, not only the one that is awaited first."""
    client = await serve(dsn)
    async with db.transaction():
        await db.execute("lock table runfold.runs in access exclusive mode")
        ids = {"ids": [str(uuid4()) for _ in range(5_000)]}
        assert (await send(client, "POST", "/api/v1/runs/lookup", ids))[0] == 503
    gc.collect()
    assert "never retrieved" not in caplog.text
