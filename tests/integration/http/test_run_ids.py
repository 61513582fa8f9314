"""Run ids of OpenLineage events that are no UUIDs: the run is found by what was sent, and by its UUID."""

import json
from urllib.parse import quote
from uuid import UUID

import pytest
from lineage_client import event, get, send
from programs import run
from yarl import URL

from service.payloads.run_ids import run_uuid

BASE = "/api/v1"
RUNS = f"{BASE}/jobs/runs"
SENT = [
    "scheduled__2026-01-01T00:00:00+00:00",
    "870492daecfb4be091b99a89ddd3db90",
    "{870492da-ecfb-4be0-91b9-9a89ddd3db90}",
    "a/b//c/",
    "<b>&'\"%41?x=1#y;z",
    "läuft 😀",
    "start",
    "x" * 2000,
]


async def read(client, method, target, status=200):
    async with client.request(method, URL(target, encoded=True)) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


@pytest.fixture(params=SENT, ids=lambda text: text[:40])
async def sent(request, client):
    child = event(run="child of " + request.param, at="2024-02-01T00:00:01Z", parent={"run": {"runId": request.param}})
    assert (await send(client, event(run=request.param, facet={"a": 1})))[0] == 201
    assert (await send(client, child))[0] == 201
    return request.param


async def test_a_run_is_found_by_what_was_sent_wherever_a_run_is_named(client, sent):
    path, known = f"{RUNS}/{quote(sent, safe='')}", str(run_uuid(sent))
    UUID(known)
    found = await read(client, "GET", path)
    assert (found["id"], found["state"]) == (known, "RUNNING")
    assert found == await read(client, "GET", f"{RUNS}/{known}")
    assert (await read(client, "GET", f"{path}?validAt=2030-01-01T00:00:00Z"))["id"] == known
    assert await read(client, "GET", f"{path}/facets?type=run") == {"runId": known, "facets": {"facet": {"a": 1}}}
    children = await read(client, "GET", f"{path}/children")
    assert [child["id"] for child in children["runs"]] == [str(run_uuid("child of " + sent))]
    history = await read(client, "GET", f"{path}/events")
    assert (history["runId"], len(history["events"])) == (known, 1)
    async with client.post(f"{BASE}/runs/lookup", json={"ids": [sent, "unheard-of"]}) as answer:
        assert await answer.json() == {"runs": {sent: found, "unheard-of": None}}
    page = await get(client, f"{BASE}/events", run=sent)
    assert [(one["id"], one["payload"]["run"]["runId"]) for one in page["events"]] == [(known, sent)]
    assert await get(client, f"{BASE}/events/count", run=sent) == {"count": 1}
    ended = await read(client, "POST", f"{path}/complete?at=2024-02-01T01:00:00Z")
    assert (ended["id"], ended["state"]) == (known, "COMPLETED")


async def test_a_run_that_is_not_known_is_named_as_the_request_named_it(client):
    for method, end in (("GET", ""), ("GET", "/events"), ("GET", "/facets?type=run"), ("POST", "/start")):
        problem = await read(client, method, f"{RUNS}/a%2Fb{end}", status=404)
        assert (problem["type"], problem["detail"]) == ("/errors/run-not-found", "Run 'a/b' not found.")


async def test_a_run_cannot_be_created_with_such_an_id(client):
    await client.put(f"{BASE}/namespaces/default/jobs/j", json={"type": "BATCH", "inputs": [], "outputs": []})
    answer = await client.post(f"{BASE}/namespaces/default/jobs/j/runs", json={"id": "a/b"})
    assert answer.status == 400


async def test_commands_find_it_too(client, dsn, tmp_path):
    name = "scheduled__1"
    await send(client, event(run=name))
    shown = await run(tmp_path / "log", "show", name, "--json", "--database-url", dsn)
    assert json.loads(shown.output)["run"]["id"] == str(run_uuid(name))
    exported = await run(tmp_path / "log", "export", "--run", name, "--database-url", dsn)
    (line,) = exported.output.splitlines()
    assert json.loads(line)["id"] == str(run_uuid(name))
    assert (await run(tmp_path / "log", "show", "", "--database-url", dsn)).status == 2
