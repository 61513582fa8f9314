"""A caller learns whether its request was recorded; an operator, which commands were refused."""

import json
import logging
from importlib.resources import files
from uuid import uuid4

import pytest
from building import facts
from served import Served

from service.auth import keys
from service.http.app import build_app
from service.http.fast_path import PreserializedResponse
from service.ledger.events import append_events
from service.settings import Settings

BASE = "/api/v1"
RUNS = f"{BASE}/namespaces/etl/jobs/load/runs"


@pytest.fixture
async def job(client):
    await define_job(client)
    return client


async def define_job(client, headers=None):
    job = {"type": "BATCH", "inputs": [], "outputs": []}
    await client.put(f"{BASE}/namespaces/etl", json={"ownerName": "me"}, headers=headers)
    await client.put(f"{BASE}/namespaces/etl/jobs/load", json=job, headers=headers)


async def recorded(client, path, headers=None, **body):
    response = await client.post(path, headers=headers, **body)
    await response.read()
    values = response.headers.getall("Runfold-Recorded", [])
    return response.status, values[0] if values else None, response.headers.get("X-Request-ID")


@pytest.mark.parametrize("headers", [None, {"X-Request-ID": "me"}], ids=["one piece", "by aiohttp"])
async def test_the_position_of_what_was_recorded_or_none(job, db, headers):
    run, path = str(uuid4()), f"{BASE}/jobs/runs/"

    async def head():
        return str(await db.fetchval("select position from runfold.ledger_head"))

    assert await recorded(job, RUNS, headers, json={"id": run}) == (201, await head(), headers and "me")
    assert (await recorded(job, RUNS, headers, json={"id": run}))[:2] == (200, "none")
    assert (await recorded(job, f"{path}{run}/start", headers))[:2] == (200, await head())
    assert (await recorded(job, f"{path}{run}/start", headers))[:2] == (200, "none")
    assert (await recorded(job, f"{path}{run}/complete", headers))[:2] == (200, await head())
    before = await head()
    assert (await recorded(job, f"{path}{run}/fail", headers))[:2] == (409, None)
    assert (await recorded(job, f"{path}{run}/complete", {"Idempotency-Key": "k"}))[:2] == (200, "none")
    assert await head() == before
    get = await job.get(f"{path}{run}")
    assert "Runfold-Recorded" not in get.headers


async def test_whatever_records_one_event_tells_its_position(client, db):
    event = {
        "eventType": "START",
        "eventTime": "2024-01-01T00:00:00Z",
        "producer": "p",
        "run": {"runId": str(uuid4())},
        "job": {"namespace": "etl", "name": "told"},
    }
    job = {"type": "BATCH", "inputs": [], "outputs": []}
    requests = [
        ("PUT", f"{BASE}/namespaces/etl", {"ownerName": "me"}),
        ("PUT", f"{BASE}/namespaces/etl/jobs/load", job),
        ("POST", f"{BASE}/lineage", event),
        ("POST", f"{BASE}/lineage", event | {"eventType": "COMPLETE"}),
        ("DELETE", f"{BASE}/namespaces/etl/jobs/load", None),
        ("DELETE", f"{BASE}/namespaces/etl", None),
    ]
    for method, path, body in requests:
        told = []
        for _ in range(2):
            async with client.request(method, path, json=body) as response:
                told.append((response.status, response.headers.get("Runfold-Recorded")))
        position = str(await db.fetchval("select position from runfold.ledger_head"))
        again = (404, None) if path.endswith("load") and method == "DELETE" else (told[0][0], "none")
        assert told == [(told[0][0], position), again], (method, path)
    paths = (await (await client.get("/openapi.json")).json())["paths"]
    without = [
        (path, method)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if method in ("put", "delete", "post")
        and not any("Runfold-Recorded" in each.get("headers", {}) for each in operation["responses"].values())
    ]
    assert sorted(without) == [(f"{BASE}/lineage/batch", "post"), (f"{BASE}/runs/lookup", "post")]


def test_the_header_survives_a_response_that_is_read_or_changed():
    response = PreserializedResponse(b"{}", 200, None, b"17")
    assert response.headers["Runfold-Recorded"] == "17"
    assert response.headers["Content-Type"] == "application/json"


async def test_each_refused_command_is_a_line_with_key_caller_and_request(dsn, connections, aiohttp_client, caplog):
    secret = await keys.create_key(connections, "scheduler", "write")
    sent = {"Authorization": f"Bearer {secret}", "X-Request-ID": "request-1"}
    job = await aiohttp_client(Served(build_app(Settings(database_url=dsn, auth="on"))))
    await define_job(job, sent)
    run = str(uuid4())
    await job.post(RUNS, json={"id": run}, headers=sent)
    await job.post(f"{BASE}/jobs/runs/{run}/complete", headers=sent)
    caplog.clear()
    with caplog.at_level(logging.WARNING, "service.http.middleware"):
        answer = await job.post(f"{BASE}/jobs/runs/{run}/fail", headers=sent)
        other = await job.post(RUNS, json={"id": run, "args": {"a": "1"}}, headers=sent | {"X-Request-ID": "request-2"})
    assert (answer.status, other.status) == (409, 409)
    records = [record for record in caplog.records if record.name == "service.http.middleware"]
    assert [record.getMessage() for record in records] == [
        f"refused: POST {BASE}/jobs/runs/{run}/fail: 409 conflict",
        f"refused: POST {RUNS}: 409 conflict",
    ]
    common = {"method": "POST", "status": 409, "key": "scheduler", "caller": "127.0.0.1"}
    path, other = f"{BASE}/jobs/runs/{run}/fail", "other_content"
    assert [record.fields for record in records] == [
        common | {"path": path, "run": run, "request_id": "request-1", "conflict": "other_end"},
        common | {"path": RUNS, "request_id": "request-2", "conflict": other},
    ]
    assert secret not in caplog.text


async def test_a_part_of_the_ledger_that_was_verified_is_named_as_a_part(client, connections):
    await append_events(connections, facts(5), [None] * 5)
    part = await (await client.get(f"{BASE}/ledger/verify?from=2")).json()
    assert (part["ok"], part["from"], part["complete"]) == (True, 2, False)
    whole = await (await client.get(f"{BASE}/ledger/verify")).json()
    assert (whole["ok"], whole["from"], whole["to"], whole["complete"]) == (True, 1, whole["head"]["position"], True)


async def test_the_contract_of_repeating_is_in_the_description_and_each_example_keeps_it(client):
    document = await (await client.get("/openapi.json")).json()
    description = " ".join(document["info"]["description"].split())
    assert "every request is safe to repeat" not in description.lower()
    assert "created without `id` and without `Idempotency-Key` is a new run each time" in description
    create = document["paths"][f"{BASE}/namespaces/{{namespace}}/jobs/{{job}}/runs"]["post"]
    assert "Runfold-Recorded" in create["responses"]["201"]["headers"]
    examples = json.loads((files("service.http.openapi") / "examples.json").read_text())
    creates = [example["request"] for example in examples if example["operation"].endswith("/jobs/{job}/runs")]
    sent = [request for request in creates if request["body"] is not None]
    assert sent
    for request in sent:
        assert "Idempotency-Key" in request["headers"] or "id" in request["body"], request
