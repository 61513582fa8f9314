"""Idempotency-Key: the same key with the same content is the same request."""

from uuid import uuid4

import pytest
from building import events
from served import Served

from service.auth.keys import create_key
from service.http.app import build_app
from service.settings import Settings

BASE = "/api/v1"
RUNS = f"{BASE}/namespaces/etl/jobs/load/runs"


@pytest.fixture
async def job(client):
    await client.put(f"{BASE}/namespaces/etl", json={"ownerName": "me"})
    await client.put(f"{BASE}/namespaces/etl/jobs/load", json={"type": "BATCH", "inputs": [], "outputs": []})
    await client.put(f"{BASE}/namespaces/etl/jobs/other", json={"type": "BATCH", "inputs": [], "outputs": []})


async def post(client, path, key=None, **arguments):
    response = await client.post(path, headers={"Idempotency-Key": key} if key else {}, **arguments)
    return response.status, await response.json()


@pytest.fixture
async def run(client, job):  # noqa: ARG001  there must be one
    _, created = await post(client, RUNS)
    return f"{BASE}/jobs/runs/{created['id']}"


async def states(db):
    return [row["state"] for row in await events(db) if row["subject"] == "run"]


@pytest.mark.usefixtures("job")
async def test_a_creation_that_is_repeated_with_its_key_makes_one_run(client, db):
    first = await post(client, RUNS, "k", json={"args": {"a": 1}})
    again = await post(client, RUNS, "k", json={"args": {"a": 1}})
    assert (first[0], again) == (201, (200, first[1]))
    assert await states(db) == ["NEW"]


@pytest.mark.usefixtures("job")
async def test_another_key_makes_another_run(client):
    first, second = await post(client, RUNS, "k"), await post(client, RUNS, "l")
    assert first[1]["id"] != second[1]["id"]


@pytest.mark.usefixtures("job")
async def test_the_same_key_under_another_job_is_another_run(client):
    first, second = await post(client, RUNS, "k"), await post(client, RUNS.replace("load", "other"), "k")
    assert (first[0], second[0]) == (201, 201)
    assert first[1]["id"] != second[1]["id"]


@pytest.mark.usefixtures("job")
async def test_a_creation_whose_key_came_with_other_content_is_refused(client, db):
    await post(client, RUNS, "k", json={"args": {"a": 1}})
    status, problem = await post(client, RUNS, "k", json={"args": {"a": 2}})
    assert (status, problem["type"]) == (422, "/errors/idempotency-key-reused")
    assert await states(db) == ["NEW"]


@pytest.mark.usefixtures("job")
async def test_a_creation_with_a_key_and_an_id_has_that_id(client):
    run = str(uuid4())
    first, again = await post(client, RUNS, "k", json={"id": run}), await post(client, RUNS, "k", json={"id": run})
    assert (first[0], again[0], first[1]["id"], again[1]["id"]) == (201, 200, run, run)


async def test_a_start_without_a_time_that_is_repeated_with_its_key_after_the_end_is_200(client, run, db):
    """Without a key it would be 409: the repeated request looks like a new start of the run."""
    await post(client, f"{run}/start", "k")
    await post(client, f"{run}/complete")
    status, view = await post(client, f"{run}/start", "k")
    assert (status, view["state"]) == (200, "COMPLETED")
    assert (await post(client, f"{run}/start"))[0] == 409
    assert await states(db) == ["NEW", "RUNNING", "COMPLETED"]


async def test_a_key_is_the_runs_own(client, run):
    _, other = await post(client, RUNS)
    assert (await post(client, f"{run}/start", "k"))[0] == 200
    status, view = await post(client, f"{BASE}/jobs/runs/{other['id']}/start", "k")
    assert (status, view["state"], view["id"]) == (200, "RUNNING", other["id"])


@pytest.mark.parametrize("other", ["complete", "start?at=2024-01-01T00:00:00Z", "fail?at=2024-01-01T00:00:00Z"])
async def test_a_key_that_comes_with_another_command_or_time_is_refused(client, run, db, other):
    await post(client, f"{run}/start", "k")
    status, problem = await post(client, f"{run}/{other}", "k")
    assert (status, problem["type"]) == (422, "/errors/idempotency-key-reused")
    assert await states(db) == ["NEW", "RUNNING"]


async def test_the_same_time_written_differently_is_the_same_content(client, run):
    await post(client, f"{run}/start?at=2024-01-01T00:00:00Z", "k")
    assert (await post(client, f"{run}/start?at=2024-01-01T02:00:00%2B02:00", "k"))[0] == 200


async def test_a_key_that_recorded_nothing_is_not_remembered(client, run):
    """A key is remembered with the event it recorded."""
    await post(client, f"{run}/start")
    await post(client, f"{run}/start", "k")
    status, view = await post(client, f"{run}/complete", "k")
    assert (status, view["state"]) == (200, "COMPLETED")


@pytest.mark.parametrize("key", ["x" * 256, "a\tb"])
async def test_a_key_that_is_none_is_refused(client, run, key, db):
    before = len(await events(db))
    status, problem = await post(client, f"{run}/start", key)
    assert (status, "Idempotency-Key" in problem["detail"]) == (400, True)
    assert len(await events(db)) == before


async def test_a_start_that_is_repeated_with_its_time_but_without_its_key_is_200_too(client, run, db):
    """The rule of the table: same Idempotency-Key, or same state and same explicit time."""
    await post(client, f"{run}/start?at=2024-01-01T00:00:00Z", "k")
    await post(client, f"{run}/complete?at=2023-01-01T00:00:00Z")
    status, view = await post(client, f"{run}/start?at=2024-01-01T00:00:00Z")
    assert (status, view["state"]) == (200, "COMPLETED")
    assert await states(db) == ["NEW", "RUNNING", "COMPLETED"]


@pytest.mark.usefixtures("job")
async def test_a_creation_is_answered_again_after_its_job_was_deleted(client, db):
    first = await post(client, RUNS, "k")
    await client.delete(f"{BASE}/namespaces/etl/jobs/load")
    assert await post(client, RUNS, "k") == (200, first[1])
    assert (await post(client, RUNS, "another"))[0] == 404
    assert await states(db) == ["NEW"]


async def test_an_idempotency_key_is_its_callers_own(dsn, connections, aiohttp_client, db):
    """Two callers that number their requests alike are no repetition of each other."""
    ann, bob = [bearer(await create_key(connections, name, "write")) for name in ("ann", "bob")]
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn, auth="on"))))
    await client.put(f"{BASE}/namespaces/etl", json={"ownerName": "me"}, headers=ann)
    body = {"type": "BATCH", "inputs": [], "outputs": []}
    assert (await client.put(f"{BASE}/namespaces/etl/jobs/load", json=body, headers=ann)).status == 200
    created = [await client.post(RUNS, headers={**caller, "Idempotency-Key": "1"}) for caller in (ann, bob)]
    assert [answer.status for answer in created] == [201, 201]
    first, second = [(await answer.json())["id"] for answer in created]
    assert first != second
    for caller, verb in ((ann, "start"), (bob, "complete")):
        headers = {**caller, "Idempotency-Key": "2"}
        answer = await client.post(f"{BASE}/jobs/runs/{first}/{verb}", headers=headers)
        assert answer.status == 200, await answer.text()
    recorded = [(row["state"], row["actor"]) for row in await events(db) if row["subject"] == "run"]
    assert recorded == [("NEW", "ann"), ("NEW", "bob"), ("RUNNING", "ann"), ("COMPLETED", "bob")]


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}
