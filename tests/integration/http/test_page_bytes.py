"""Pages end by the bytes that will be in memory: payloads and registers count uncompressed."""

import asyncio
import json
from uuid import uuid4

import pytest
from lineage_client import event, many, send

from service.audit.ledger_reader import PAGE_BYTES
from service.catalog import queries, run_search
from service.http.handlers import runs as run_handlers
from service.http.resources import RESOURCES
from service.ledger import run_events

KIB = 1024
BIG = 900 * KIB
COUNT = 14
RUN = uuid4()


def big(run=None, at=0) -> str:
    """Return an event of nearly 1 MiB that PostgreSQL stores in a few KiB."""
    return event(at=f"2024-02-01T00:00:{at:02}Z", run=run or uuid4(), padding={"text": "x" * BIG})


@pytest.fixture
async def filled(client):
    for n in range(COUNT):
        assert (await send(client, big(RUN if n % 2 else None, n)))[0] == 201
    for one in many(3):
        assert (await send(client, one))[0] == 201
    return client


async def pages(client, path, **params):
    found, cursor = [], "start"
    while cursor:
        response = await client.get(path, params=params | {"cursor": cursor})
        body = await response.read()
        page = json.loads(body)
        found.append((len(body), page))
        cursor = page["next"]
    return found


async def test_a_page_of_a_history_ends_by_its_bytes_and_without_a_limit_it_is_whole(filled):
    path = f"/api/v1/jobs/runs/{RUN}/events"
    found = await pages(filled, path, limit=1000)
    assert len(found) > 1
    assert max(size for size, _ in found) < 2 * PAGE_BYTES + BIG
    whole = await (await filled.get(path)).json()
    assert [one for _, page in found for one in page["events"]] == whole["events"]
    assert (len(whole["events"]), whole["next"]) == (COUNT // 2, None)


async def test_events_without_payloads_say_so_and_each_is_whole_by_its_position(filled):
    for path, params in (
        ("/events", {"limit": 1000}),
        ("/events", {"run": str(RUN)}),
        (f"/jobs/runs/{RUN}/events", {}),
    ):
        whole = await pages(filled, f"/api/v1{path}", **params)
        ((size, outlines),) = await pages(filled, f"/api/v1{path}", withoutPayloads="true", **params)
        events = [one for _, page in whole for one in page["events"]]
        assert size < len(events) * KIB
        omitted = {"payload": None, "payloadOmitted": True}
        assert outlines["events"] == [one | (omitted if one["payloadDigest"] else {}) for one in events]
    for event_ in outlines["events"][:3]:
        position = event_["position"]
        page = await (await filled.get(f"/api/v1/events?position={position}")).json()
        assert [one["position"] for one in page["events"]] == [position]
        assert page["events"][0]["payload"]["run"]["facets"]["padding"]["text"] == "x" * BIG
    for nothing in (f"position={position}&state=FAILED", "position=9000000"):
        assert (await (await filled.get(f"/api/v1/events?{nothing}")).json())["events"] == []


@pytest.mark.parametrize(
    "filters",
    [{}, {"run": str(RUN)}, {"namespace": "ns"}, {"kind": "transition,facts"}],
    ids=lambda f: "-".join(f) or "all",
)
async def test_a_page_of_events_ends_by_its_bytes_and_nothing_is_left_out(filled, filters):
    found = await pages(filled, "/api/v1/events", limit=1000, **filters)
    assert max(size for size, _ in found) < PAGE_BYTES + 2 * BIG
    positions = [one["position"] for _, page in found for one in page["events"]]
    counted = await (await filled.get("/api/v1/events/count", params=filters)).json()
    assert positions == sorted(set(positions))
    assert len(positions) == counted["count"]
    assert len(found) >= (2 if "run" in filters else 3)


async def test_streams_and_the_tail_read_pages_of_the_same_size(filled):
    ledger = filled.app[RESOURCES].ledger
    head = (await ledger.head()).position
    sizes, position = [], 0
    while position < head:
        events = await ledger.recorded_after(position, 1000)
        assert [one.position for one in events] == list(range(position + 1, position + 1 + len(events)))
        sizes.append(sum(len(one.text) for one in events))
        position = events[-1].position
    assert max(sizes) < PAGE_BYTES + 2 * BIG
    lines = (await (await filled.get("/api/v1/events", headers={"Accept": "application/x-ndjson"})).read()).splitlines()
    assert [json.loads(line)["position"] for line in lines] == list(range(1, head + 1))


async def test_a_history_is_read_in_pages_too(filled, monkeypatch):
    monkeypatch.setattr(run_events, "_BYTES", 64 * KIB)
    monkeypatch.setattr(run_events, "_EVENTS", 5)
    answer = await (await filled.get(f"/api/v1/jobs/runs/{RUN}/events")).json()
    assert len(answer["events"]) == COUNT // 2
    assert (await filled.get(f"/api/v1/jobs/runs/{RUN}", params={"validAt": "2024-02-01T00:00:05Z"})).status == 200


async def test_lists_of_runs_end_by_their_bytes(filled, monkeypatch):
    for module in (queries, run_search):
        monkeypatch.setattr(module, "PAGE_BYTES", 3 * BIG)
    found = await pages(filled, "/api/v1/runs", limit=1000)
    ids = [run["id"] for _, page in found for run in page["runs"]]
    assert len(ids) == len(set(ids)) == COUNT // 2 + 1 + 3
    assert max(size for size, _ in found) < 5 * BIG
    assert len(found) >= 3
    path, seen = "/api/v1/namespaces/ns/jobs/job/runs", []
    while True:
        page = await (await filled.get(path, params={"limit": 1000, "offset": len(seen)})).json()
        assert page["totalCount"] == len(ids)
        if not page["runs"]:
            break
        assert len(json.dumps(page)) < 5 * BIG
        seen += [run["id"] for run in page["runs"]]
    assert sorted(seen) == sorted(ids)


async def test_a_job_shows_as_many_of_its_newest_runs_as_fit(filled, monkeypatch):
    assert (await send(filled, event(run=uuid4(), job="other")))[0] == 201
    monkeypatch.setattr(queries, "PAGE_BYTES", 2 * BIG)
    whole = await (await filled.get("/api/v1/jobs")).json()
    assert whole["totalCount"] == 2
    assert all(job["latestRun"] for job in whole["jobs"])
    one = await (await filled.get("/api/v1/namespaces/ns/jobs/job")).json()
    assert one["latestRun"] == one["latestRuns"][0]
    assert len(json.dumps(one)) < 5 * BIG


async def test_a_lookup_says_which_ids_it_left_out(filled, monkeypatch):
    monkeypatch.setattr(run_handlers, "PAGE_BYTES", 2 * BIG)
    monkeypatch.setattr(run_handlers, "_FIRST_LOOK_UPS", 1)
    listed = await pages(filled, "/api/v1/runs", limit=1000)
    ids = [run["id"] for _, page in listed for run in page["runs"]] + ["no id", str(uuid4())]
    left, found, answers = ids, {}, 0
    async with asyncio.timeout(20):
        while left:
            answer = await (await filled.post("/api/v1/runs/lookup", json={"ids": left})).json()
            assert len(json.dumps(answer)) < 4 * BIG
            found |= answer["runs"]
            left = answer.get("omitted", [])
            answers += 1
    assert answers >= 3
    assert found.keys() == set(ids)
    assert {text for text, run in found.items() if run is None} == set(ids[-2:])
