"""The auditor's questions over HTTP: histories, time travel, the ledger by filter."""

import asyncio
import csv
import io
import json
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import quote
from uuid import uuid4

import pytest
from building import facts, held_head

from service.database.connections import Connections
from service.domain import timestamps
from service.http.resources import RESOURCES
from service.ledger.cursors import PositionCursor, encode_position
from service.ledger.events import append_within

BASE = "/api/v1"
SPACED = '{\n "args": {"a": "1"},\r\n "nominalStartTime": "2024-01-01T00:00:00Z"\n}'


async def put_job(client, namespace="etl", job="load"):
    await client.put(f"{BASE}/namespaces/{namespace}", json={"ownerName": "me"})
    body = {"type": "BATCH", "inputs": [], "outputs": []}
    assert (await client.put(f"{BASE}/namespaces/{namespace}/jobs/{job}", json=body)).status == 200


async def new_run(client, body="{}", namespace="etl", job="load"):
    headers = {"Content-Type": "application/json"}
    answer = await client.post(f"{BASE}/namespaces/{namespace}/jobs/{job}/runs", data=body, headers=headers)
    assert answer.status == 201, await answer.text()
    return (await answer.json())["id"]


async def report(client, run, verb, at=None):
    answer = await client.post(f"{BASE}/jobs/runs/{run}/{verb}", params={"at": at} if at else {})
    assert answer.status == 200, await answer.text()


async def get(client, path, status=200, **params):
    answer = await client.get(f"{BASE}{path}", params=params)
    assert answer.status == status, await answer.text()
    return await answer.json()


@pytest.fixture
async def run(client):
    await put_job(client)
    identity = await new_run(client, SPACED)
    await report(client, identity, "start", "2024-01-01T10:00:00Z")
    await report(client, identity, "complete", "2024-01-01T11:00:00Z")
    return identity


async def test_a_runs_history_is_whole_oldest_first_with_verdicts(client, run):
    await report(client, run, "start", "2024-01-01T09:00:00Z")
    found = await get(client, f"/jobs/runs/{run}/events")
    events = found["events"]
    assert [event["state"] for event in events] == ["NEW", "RUNNING", "COMPLETED", "RUNNING"]
    assert [event["position"] for event in events] == sorted(event["position"] for event in events)
    assert [event["verdict"]["effect"] for event in events] == ["stands", "superseded", "stands", "stands"]
    assert [event["verdict"]["late"] for event in events] == [False, True, True, True]
    assert events[1]["verdict"]["supersededBy"] == events[3]["position"]
    assert events[3]["transitionedAt"] == "2024-01-01T09:00:00Z"
    assert found["next"] is None


async def test_a_payload_comes_back_to_the_byte(client, run):
    answer = await client.get(f"{BASE}/jobs/runs/{run}/events")
    body = await answer.read()
    assert SPACED.encode() in body
    digest = json.loads(body)["events"][0]["payloadDigest"]
    assert digest == sha256(SPACED.encode()).hexdigest()


async def test_a_history_can_be_read_in_pages(client, run):
    whole = (await get(client, f"/jobs/runs/{run}/events"))["events"]
    pages, cursor = [], "start"
    while cursor:
        page = await get(client, f"/jobs/runs/{run}/events", limit=1, cursor=cursor)
        pages += page["events"]
        cursor = page["next"]
    assert pages == whole


async def test_an_unknown_run_has_no_history(client):
    for unknown in (str(uuid4()), "none"):
        await get(client, f"/jobs/runs/{unknown}/events", 404)
        await get(client, f"/jobs/runs/{unknown}", 404, knownAt="2024-01-01T00:00:00Z")


async def test_known_at_is_the_run_as_the_ledger_told_it_then(client, run):
    events = (await get(client, f"/jobs/runs/{run}/events"))["events"]
    for event in events:
        then = await get(client, f"/jobs/runs/{run}", knownAt=event["recordedAt"])
        assert then["state"] == event["state"]
        assert then["asOf"] == {"log": 0, "position": event["position"], "recordedAt": event["recordedAt"]}
        assert then == await get(client, f"/jobs/runs/{run}", knownAt=event["recordedAt"])
    first = datetime.fromisoformat(events[0]["recordedAt"])
    before = (first - timedelta(microseconds=1)).isoformat()
    await get(client, f"/jobs/runs/{run}", 404, knownAt=before)
    await get(client, f"/jobs/runs/{run}", 404, knownAt="1970-01-01T00:00:00Z")


async def test_a_time_to_come_is_answered_as_now(client, run):
    head = await get(client, "/ledger/head")
    now = await get(client, f"/jobs/runs/{run}", knownAt="2999-01-01T00:00:00Z")
    assert now["asOf"]["position"] == head["position"]
    assert now["state"] == "COMPLETED"


async def test_known_at_waits_for_an_append_that_may_carry_an_earlier_time(client, dsn, run):
    async with held_head(dsn):
        asked = asyncio.create_task(get(client, f"/jobs/runs/{run}", knownAt="2999-01-01T00:00:00Z"))
        done, _ = await asyncio.wait({asked}, timeout=0.2)
        assert not done
    assert (await asked)["state"] == "COMPLETED"


async def test_known_at_a_time_that_has_passed_waits_for_an_append_that_began_before_it(client, dsn, run):
    async with Connections(dsn) as connections, connections.connection() as connection, connection.transaction():
        appended = await append_within(connection, facts(1), [None])
        then = timestamps.now()
        assert appended.recorded_at < then
        asked = asyncio.create_task(get(client, f"/jobs/runs/{run}", knownAt=then.isoformat()))
        done, _ = await asyncio.wait({asked}, timeout=0.2)
        assert not done
    assert (await asked)["asOf"]["position"] == appended.positions[0]


async def test_valid_at_is_the_run_as_it_was_by_its_own_times(client, run):
    states = {"2023-01-01": "NEW", "2024-01-01T10:00": "RUNNING", "2024-01-01T11:00": "COMPLETED"}
    for time, state in states.items():
        text = f"{time}:00Z" if "T" in time else f"{time}T00:00:00Z"
        view = await get(client, f"/jobs/runs/{run}", validAt=text)
        assert (view["state"], view["args"]) == (state, {"a": "1"})
    events = (await get(client, f"/jobs/runs/{run}/events"))["events"]
    both = await get(client, f"/jobs/runs/{run}", validAt="2024-01-01T12:00:00Z", knownAt=events[1]["recordedAt"])
    assert (both["state"], both["asOf"]["position"]) == ("RUNNING", events[1]["position"])


async def test_pages_make_up_the_whole_for_every_filter(client, run):
    await put_job(client, "other", "dump")
    other = await new_run(client, namespace="other", job="dump")
    everything = (await get(client, "/events", limit=1000))["events"]
    assert [event["position"] for event in everything] == list(range(1, len(everything) + 1))
    filters = [
        {},
        {"namespace": "other"},
        {"job": "load"},
        {"run": other},
        {"kind": "transition"},
        {"state": "NEW"},
        {"state": "NEW,RUNNING"},
        {"source": "api"},
        {"namespace": "etl", "state": "COMPLETED"},
        {"actor": "nobody"},
    ]
    for wanted in filters:
        whole = await get(client, "/events", limit=1000, **wanted)
        assert whole["next"] is None
        pages, cursor = [], "start"
        while cursor:
            page = await get(client, "/events", limit=1, cursor=cursor, **wanted)
            assert len(page["events"]) <= 1
            pages += page["events"]
            cursor = page["next"]
        assert pages == whole["events"]
        newest = await get(client, "/events", limit=1000, order="desc", **wanted)
        assert (newest["events"], newest["next"]) == (pages[::-1], None)
        pages, cursor = [], "start"
        while cursor:
            page = await get(client, "/events", limit=1, cursor=cursor, order="desc", **wanted)
            pages += page["events"]
            cursor = page["next"]
        assert pages == newest["events"]
        assert await get(client, "/events/count", **wanted) == {"count": len(pages)}
    assert {event["id"] for event in (await get(client, "/events", run=run))["events"]} == {run}


async def test_since_is_included_and_until_is_not(client, run):
    events = (await get(client, "/events", run=run))["events"]
    times = [event["recordedAt"] for event in events]
    between = await get(client, "/events", run=run, since=times[1], until=times[2])
    assert [event["recordedAt"] for event in between["events"]] == [times[1]]
    assert (await get(client, "/events/count", since=times[0], until=times[0]))["count"] == 0


@pytest.mark.usefixtures("run")
async def test_lines_are_the_same_events_each_on_one_line(client):
    answer = await client.get(f"{BASE}/events", headers={"Accept": "application/x-ndjson"})
    assert answer.content_type == "application/x-ndjson"
    lines = (await answer.text()).splitlines()
    assert [json.loads(line) for line in lines] == (await get(client, "/events", limit=1000))["events"]


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_the_limit_holds_for_lines_too(client, order):
    expected = (await get(client, "/events", limit=3, order=order))["events"]
    lines, table = [
        await client.get(f"{BASE}/events", params={"limit": 3, "order": order}, headers={"Accept": kind})
        for kind in ("application/x-ndjson", "text/csv")
    ]
    assert [json.loads(line) for line in (await lines.text()).splitlines()] == expected
    rows = csv.DictReader(io.StringIO(await table.text()))
    assert [int(row["position"]) for row in rows] == [event["position"] for event in expected]
    everything = await client.get(f"{BASE}/events", params={"order": order}, headers={"Accept": "application/x-ndjson"})
    positions = [json.loads(line)["position"] for line in (await everything.text()).splitlines()]
    assert positions == sorted(positions, reverse=order == "desc")
    assert len(positions) > 3


async def test_csv_has_the_same_events(client, run):
    answer = await client.get(f"{BASE}/events", params={"run": run}, headers={"Accept": "text/csv"})
    text = await answer.text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["state"] for row in rows] == ["NEW", "RUNNING", "COMPLETED"]
    assert rows[0]["payload"] == SPACED


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"colour": "red"}, "namespace, job, run"),
        ({"cursor": "nowhere"}, "not a cursor"),
        ({"cursor": encode_position(PositionCursor(0, 10**9))}, "behind the end"),
        ({"cursor": encode_position(PositionCursor(7, 0))}, "behind the end"),
        ({"limit": "0"}, "1 to 1000"),
        ({"limit": "-1"}, "1 to 1000"),
        ({"limit": "10000000"}, "1 to 1000"),
        ({"since": "2024-01-02T00:00:00Z", "until": "2024-01-01T00:00:00Z"}, "before since"),
        ({"since": "yesterday"}, "ISO 8601"),
        ({"state": "SLEEPING"}, "NEW, RUNNING"),
        ({"namespace": "\0"}, "cannot be recorded"),
        ([("job", "a"), ("job", "b")], "more than once"),
    ],
)
async def test_what_cannot_be_meant_is_400(client, params, word):
    for path in ("/events", "/events/count", "/events/stream"):
        limits = {"limit", "cursor"} & set(dict(params))
        bounds = {"limit", "since", "until"} & set(dict(params))
        if (limits and path == "/events/count") or (bounds and path == "/events/stream"):
            continue
        answer = await client.get(f"{BASE}{path}", params=params)
        assert answer.status == 400
        assert word in (await answer.json())["detail"]


@pytest.mark.usefixtures("run")
async def test_the_head_and_its_verification(client):
    head = await get(client, "/ledger/head")
    last = (await get(client, "/events", limit=1000))["events"][-1]
    assert head == {"log": 0, "position": last["position"], "hash": last["hash"], "recordedAt": last["recordedAt"]}
    found = await get(client, "/ledger/verify")
    assert (found["ok"], found["from"], found["to"]) == (True, 1, head["position"])
    await get(client, "/ledger/verify", 400, **{"from": 3, "to": 2})
    await get(client, "/ledger/verify", 400, to=head["position"] + 1)


async def test_names_of_any_kind_are_found(client):
    name = 'a "b" \\ c,\n/é😀'
    await put_job(client, quote(name, safe=""), "load")
    found = await get(client, "/events", namespace=name)
    assert {event["namespace"] for event in found["events"]} == {name}
    answer = await client.get(f"{BASE}/events", params={"namespace": name}, headers={"Accept": "text/csv"})
    assert {row["namespace"].replace("\n", " ") for row in csv.DictReader(io.StringIO(await answer.text()))} == {
        name.replace("\n", " ")
    }


async def test_what_the_catalog_has_folded_already_does_not_change_what_was_known(client, run):
    catalog = client.app[RESOURCES].catalog
    for verb in ("start", "start", "start"):
        await catalog.wait_until_current()
        events = (await get(client, f"/jobs/runs/{run}/events"))["events"]
        await report(client, run, verb, f"2024-01-01T0{9 - len(events) % 9}:00:00Z")
        views = [await get(client, f"/jobs/runs/{run}", knownAt=event["recordedAt"]) for event in events]
        assert [view["state"] for view in views][:3] == ["NEW", "RUNNING", "COMPLETED"]
        last = await get(client, f"/jobs/runs/{run}", knownAt="2999-01-01T00:00:00Z")
        assert {name: last[name] for name in last if name != "asOf"} == await get(client, f"/jobs/runs/{run}")


@pytest.mark.parametrize("query", ["At=2024-01-01T00:00:00Z", "at=2024-01-01T00:00:00Z&reason=x"])
async def test_a_misspelt_time_of_a_transition_is_refused_and_records_nothing(client, run, query, db):
    before = await db.fetchval("select position from runfold.ledger_head")
    answer = await client.post(f"{BASE}/jobs/runs/{run}/start?{query}")
    assert answer.status == 400
    assert "these are: at" in (await answer.json())["detail"]
    assert await db.fetchval("select position from runfold.ledger_head") == before


async def test_a_misspelt_time_travel_is_not_answered_with_today(client, run):
    await get(client, f"/jobs/runs/{run}", 400, validat="1999-01-01T00:00:00Z")


@pytest.mark.parametrize("filters", [{"kind": "bogus"}, {"source": "bogus"}])
async def test_a_misspelt_filter_is_no_empty_answer(client, filters):
    for path in ("/events", "/events/count", "/events/stream"):
        assert "must be one of" in (await get(client, path, 400, **filters))["detail"]
