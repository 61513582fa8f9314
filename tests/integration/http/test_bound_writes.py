"""What an API key that is bound to namespaces may record. The first report decides whose a run is."""

import asyncio
import json
from uuid import uuid4

import pytest
from building import APPENDING, held_head
from served import Served
from tenants import A_LINEAGE, A_RUN, BASE, BOTH, JOB, A, B, fill, lineage, make_keys, ok
from waiting import wait_until

from service.http.app import build_app
from service.settings import Settings

LINES = {"Content-Type": "application/x-ndjson"}


@pytest.fixture
async def processes(dsn, connections, aiohttp_client):
    """Two processes of the service, and the headers of all keys."""
    made = await make_keys(connections)
    settings = Settings(database_url=dsn, projector="inline")
    return [await aiohttp_client(Served(build_app(settings))) for _ in range(2)], made


async def status(client, method, path, headers, **request):
    async with client.request(method, BASE + path, headers=headers, **request) as response:
        return response.status


async def report_lines(client, headers, events):
    """Send events as lines; return the indexes of those that were refused."""
    body = "\n".join(map(json.dumps, events))
    async with client.post(f"{BASE}/lineage/batch", data=body, headers=headers | LINES) as response:
        if response.status == 204:
            return set()
        return {failure["index"] for failure in (await response.json())["failed_events"]}


async def test_who_reports_a_run_goes_on_to_whatever_others_report_and_is_not_shown_it(processes, db):
    """Late, out of order, twice, after the run became one of both: nothing of the team's own run is lost."""
    (client, other), made = processes
    await fill(client, made)
    assert await status(client, "POST", "/jobs/runs/" + A_LINEAGE + "/start", made.a) == 200
    end = lineage(A, A_LINEAGE, "COMPLETE", 9)
    await ok(client, "POST", "/lineage", made.operator, json=lineage(B, A_LINEAGE, "FAIL", 8))
    for each in (client, other):
        await ok(each, "POST", "/lineage", made.a, json=end)
        await ok(each, "POST", "/lineage", made.a, json=lineage(A, A_LINEAGE, None, 7, late={"a": 1}))
        assert await report_lines(each, made.a, [end, lineage(A, A_LINEAGE, "RUNNING", 1)]) == set()
    assert (
        await db.fetchval("select count(*) from runfold.events where stream = $1 and namespace = $2", A_LINEAGE, A) == 6
    )
    for run in (A_LINEAGE, BOTH):
        assert await status(client, "GET", f"/jobs/runs/{run}", made.a) == 404
        assert await status(client, "POST", f"/jobs/runs/{run}/complete", made.a) == 404
        assert await status(client, "POST", "/lineage", made.b, json=lineage(B, run, minute=3)) == 201
    listed = await ok(client, "GET", f"/namespaces/{A}/jobs/lineage/runs", made.a)
    assert A_LINEAGE not in json.dumps(listed)
    assert listed["totalCount"] == len(listed["runs"]) == 1


async def test_of_two_teams_that_report_a_run_first_one_has_it(processes, db):
    """In one process and in two, event by event and as lines, and by creating it."""
    clients, made = processes
    teams = {A: made.a, B: made.b}
    for namespace, headers in teams.items():
        await ok(clients[0], "PUT", f"/namespaces/{namespace}", headers, json={"ownerName": "me"})
        await ok(clients[0], "PUT", f"/namespaces/{namespace}/jobs/load", headers, json=JOB)
    runs = [str(uuid4()) for _ in range(24)]
    taken = {}

    async def one(namespace, run, client, minute):
        answered = await status(
            client, "POST", "/lineage", teams[namespace], json=lineage(namespace, run, minute=minute, job="load")
        )
        taken[namespace, run, minute] = answered == 201
        assert answered in (201, 403)

    async def create(namespace, run, client, minute):
        path = f"/namespaces/{namespace}/jobs/load/runs"
        answered = await status(client, "POST", path, teams[namespace], json={"id": run})
        taken[namespace, run, minute] = answered == 201
        assert answered in (201, 403)

    async def lines(namespace, client, minute):
        refused = await report_lines(
            client, teams[namespace], [lineage(namespace, run, minute=minute, job="load") for run in runs]
        )
        taken.update({(namespace, run, minute): index not in refused for index, run in enumerate(runs)})

    first, second = clients
    await asyncio.gather(
        *(one(A, run, first, 1) for run in runs[::2]),
        *(one(B, run, second, 1) for run in runs[::3]),
        *(create(B, run, first, 2) for run in runs[::5]),
        lines(A, second, 3),
        lines(B, first, 3),
    )
    rows = await db.fetch(
        "select stream::text, array_agg(distinct namespace) owners from runfold.events where subject = 'run' group by 1"
    )
    owners = {row["stream"]: row["owners"] for row in rows}
    assert sorted(owners) == sorted(runs)
    assert all(len(found) == 1 for found in owners.values())
    assert {(owners[run] == [namespace]) is ok for (namespace, run, _), ok in taken.items()} == {True}
    for namespace, headers in teams.items():
        mine = {run for run, found in owners.items() if found == [namespace]}
        looked_up = (await ok(first, "POST", "/runs/lookup", headers, json={"ids": runs}))["runs"]
        assert {run for run, view in looked_up.items() if view} == mine
        for run in set(runs) - mine:
            assert await status(first, "POST", f"/jobs/runs/{run}/start", headers) == 404


async def test_a_run_that_both_teams_find_new_has_one(processes, db, dsn):
    """Both look for the run before either is recorded."""
    clients, made = processes
    run = str(uuid4())

    async def both_wait():
        return len(await db.fetch(APPENDING)) == len(clients)

    async with held_head(dsn):
        reports = [
            asyncio.create_task(report_lines(client, headers, [lineage(namespace, run)]))
            for client, headers, namespace in zip(clients, (made.a, made.b), (A, B), strict=True)
        ]
        await wait_until(both_wait, "both reports wait to be appended")
    assert sorted(await asyncio.gather(*reports), key=len) == [set(), {0}]


async def test_a_repeated_write_is_answered_as_the_first_one(processes, db):
    (client, _), made = processes
    await fill(client, made)
    recorded = await db.fetchval("select position from runfold.ledger_head")
    key = made.a | {"Idempotency-Key": A}
    body = {"id": A_RUN, "args": {"who": A}}
    assert await status(client, "POST", f"/namespaces/{A}/jobs/load/runs", key, json=body) == 200
    assert await status(client, "POST", f"/jobs/runs/{A_RUN}/complete?at=2024-02-01T00:01:00Z", made.a) == 200
    assert await status(client, "POST", f"/jobs/runs/{A_RUN}/fail", made.a) == 409
    assert await status(client, "POST", "/lineage", made.a, json=lineage(A, A_LINEAGE, note={"text": A})) == 201
    assert await db.fetchval("select position from runfold.ledger_head") == recorded
