"""Unusual requests that are valid, and requests at the limits of size and time."""

import asyncio
import json
from urllib.parse import quote
from uuid import uuid4

import aiohttp
import pytest
from building import APPENDING, events, head, held_head
from served import Served
from waiting import wait_until
from yarl import URL

from service.http.app import build_app
from service.settings import Settings

BASE = "/api/v1"
RUNS = f"{BASE}/namespaces/etl/jobs/load/runs"
A_JOB = {"type": "BATCH", "inputs": [], "outputs": []}

NAMES = {
    "slashes": "s3://bucket/a/b//c/",
    "percent signs": "100%25 %2F %zz %",
    "1,024 characters": "x" * 1024,
    "1,024 letters of two bytes": "é" * 1024,
    "1,024 emoji": "🦆" * 1024,
    "emoji": "👩‍👩‍👧 ☃",
    "dots": "..",
    "a dot": ".",
    "spaces": " a  b ",
    "a plus": "a+b",
    "a question": "a?b=c&d#e",
    "a semicolon": "a;b",
    "quotes": "a'b\"c`d\\e",
    "SQL": "'; drop table runfold.events; --",
    "a line break": "a\r\nb",
    "controls": "\x01\x1f\x7f\x9f",
    "Marquez's no": "a$b!c",
    "braces": "{a}b}{",
    "combining": "e\u0301",
    "right to left": "\u202eabc",
    "a null in words": "null",
    "jobs": "jobs",
}


@pytest.fixture
async def job(client):
    await client.put(f"{BASE}/namespaces/etl", json={"ownerName": "me"})
    await client.put(f"{BASE}/namespaces/etl/jobs/load", json=A_JOB)


@pytest.fixture
async def run(client, job):  # noqa: ARG001  there must be one
    return f"{BASE}/jobs/runs/{(await (await client.post(RUNS)).json())['id']}"


def url(path):
    return URL(path, encoded=True)


async def ok(response, status=200):
    assert response.status == status, await response.text()
    return await response.json()


@pytest.mark.common
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
async def test_a_name_may_be_any_text(client, db, name):
    quoted = quote(name, safe="").replace(".", "%2E")
    namespace = f"{BASE}/namespaces/{quoted}"
    assert (await ok(await client.put(url(namespace), json={"ownerName": name})))["name"] == name
    job = await ok(await client.put(url(f"{namespace}/jobs/{quoted}"), json=A_JOB))
    assert job["id"] == {"namespace": name, "name": name}
    created = await client.post(url(f"{namespace}/jobs/{quoted}/runs"), json={"args": {name: name}})
    run = await ok(created, 201)
    assert run["args"] == {name: name}
    assert (await ok(await client.get(url(f"{namespace}/jobs/{quoted}"))))["latestRun"] == run
    assert (await ok(await client.get(url(f"{namespace}/jobs"))))["jobs"][0]["name"] == name
    assert name in [one["name"] for one in (await ok(await client.get(f"{BASE}/namespaces")))["namespaces"]]
    assert (await events(db))[-1]["job"] == name


@pytest.mark.common
async def test_names_that_look_alike_are_two(client):
    for name in ("é", "e\u0301"):
        await ok(await client.put(url(f"{BASE}/namespaces/{quote(name)}"), json={"ownerName": name}))
    assert (
        len(
            {one["name"] for one in (await ok(await client.get(f"{BASE}/namespaces")))["namespaces"]} & {"é", "e\u0301"}
        )
        == 2
    )


@pytest.mark.common
@pytest.mark.parametrize(
    ("time", "means"),
    [
        ("2019-05-09T15:17:32.690346Z", "2019-05-09T15:17:32.690346Z"),
        ("2019-05-09T15:17:32", "2019-05-09T15:17:32Z"),
        ("2019-05-09T15:17:32+02:00", "2019-05-09T13:17:32Z"),
        ("2019-05-09T15:17:32%2B02:00", "2019-05-09T13:17:32Z"),
        ("2019-05-09T15:17:32-02:00", "2019-05-09T17:17:32Z"),
        ("2019-05-09T15:17:32.123456789Z", "2019-05-09T15:17:32.123456Z"),
        ("0001-01-01T00:00:01Z", "0001-01-01T00:00:01Z"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
    ],
)
async def test_a_time_is_taken_as_it_is_meant(client, run, time, means):
    assert (await ok(await client.post(url(f"{run}/start?at={time}"))))["startedAt"] == means
    assert (await ok(await client.get(run)))["startedAt"] == means


@pytest.mark.common
@pytest.mark.usefixtures("job")
async def test_of_duplicate_keys_the_last_counts(client):
    body = b'{"args": {"a": "1"}, "args": {"a": "2", "a": "3"}}'
    created = await ok(await client.post(RUNS, data=body, headers={"Content-Type": "application/json"}), 201)
    assert created["args"] == {"a": "3"}
    assert (await ok(await client.get(f"{BASE}/jobs/runs/{created['id']}")))["args"] == {"a": "3"}


@pytest.mark.common
@pytest.mark.usefixtures("job")
async def test_numbers_and_booleans_are_kept_as_strings(client):
    body = b'{"args": {"big": 123456789012345678901234567890, "float": 1.50, "true": true, "minus": -0, "huge": 1e999}}'
    created = await ok(await client.post(RUNS, data=body, headers={"Content-Type": "application/json"}), 201)
    assert created["args"] == {
        "big": "123456789012345678901234567890",
        "float": "1.50",
        "true": "true",
        "minus": "-0",
        "huge": "1e999",
    }
    assert await ok(await client.get(f"{BASE}/jobs/runs/{created['id']}")) == created


@pytest.mark.common
@pytest.mark.parametrize(
    "headers", [{}, {"Content-Type": "application/json; charset=utf-8"}, {"Content-Type": "application/vnd.x+json"}]
)
@pytest.mark.usefixtures("job")
async def test_json_may_be_called_what_it_is(client, headers):
    data = b'{"args": {"a": 1}}'
    response = await client.post(RUNS, data=data, headers=headers, skip_auto_headers=["Content-Type"])
    assert (await ok(response, 201))["args"] == {"a": "1"}


@pytest.mark.common
@pytest.mark.parametrize("body", [None, b"", b"{}", b' \n{"wat": 1}\t'])
@pytest.mark.usefixtures("job")
async def test_a_run_needs_nothing_said_of_it(client, body):
    created = await ok(await client.post(RUNS, data=body, headers={"Content-Type": "application/json"}), 201)
    assert (created["args"], created["state"]) == ({}, "NEW")


@pytest.mark.common
@pytest.mark.usefixtures("job")
async def test_an_id_may_come_in_capitals(client):
    run = str(uuid4())
    await ok(await client.post(RUNS, json={"id": run.upper()}), 201)
    assert (await ok(await client.get(f"{BASE}/jobs/runs/{run.upper()}")))["id"] == run


@pytest.mark.usefixtures("job")
async def test_two_creations_of_one_id_at_once_make_one_run(client, db):
    before = await head(db)
    same = {"id": str(uuid4()), "args": {"a": 1}}
    answers = await asyncio.gather(*(client.post(RUNS, json=same) for _ in range(10)))
    assert sorted(answer.status for answer in answers) == [200] * 9 + [201]
    assert await head(db) == before + 1
    other = str(uuid4())
    answers = await asyncio.gather(*(client.post(RUNS, json={"id": other, "args": {"a": one}}) for one in range(2)))
    assert sorted(answer.status for answer in answers) == [201, 409]
    assert await head(db) == before + 2


async def test_200_starts_at_once_are_one_event(client, run, db):
    answers = await asyncio.gather(*(client.post(f"{run}/start") for _ in range(200)))
    views = [await ok(answer) for answer in answers]
    assert {view["state"] for view in views} == {"RUNNING"}
    assert [row["state"] for row in await events(db) if row["subject"] == "run"] == ["NEW", "RUNNING"]


async def sent_until_refused(client, path, chunk, total):
    """Send a body piece by piece; return the answer and how many bytes of the body the service read."""
    sent = 0

    async def body():
        nonlocal sent
        while sent < total:
            sent += len(chunk)
            yield chunk

    response = await client.post(path, data=body(), headers={"Content-Type": "application/json"})
    return response, sent


@pytest.mark.common
async def test_a_body_of_100_mb_is_refused_before_it_is_all_there(client, run, db):
    before = await head(db)
    response, sent = await sent_until_refused(client, RUNS, b" " * 65_536, 100_000_000)
    assert (response.status, (await response.json())["code"]) == (413, 413)
    assert sent < 20_000_000
    assert await head(db) == before
    assert (await client.get(run)).status == 200


@pytest.mark.common
@pytest.mark.usefixtures("job")
async def test_a_body_that_says_it_has_100_mb_is_refused_unread(client):
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(
        f"POST {RUNS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n".encode()
        + b"Content-Length: 100000000\r\n\r\n"
    )
    assert b" 413 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    await writer.wait_closed()


@pytest.mark.common
@pytest.mark.usefixtures("job")
async def test_a_body_just_small_enough_is_read(client):
    args = {"a": "x" * 1_000_000}
    assert (await ok(await client.post(RUNS, json={"args": args}), 201))["args"] == args


async def test_a_client_that_leaves_in_mid_commit_is_recorded_once(client, run, dsn, db):
    async def recorded():
        return [row for row in await events(db) if row["state"] == "RUNNING"]

    async with held_head(dsn):
        _, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(
            f"POST {run}/start?at=2024-01-01T00:00:00Z HTTP/1.1\r\n".encode()
            + b"Host: localhost\r\nContent-Length: 0\r\n\r\n"
        )
        await wait_until(appending(db), "the append waits for the head")
        writer.transport.abort()
    await wait_until(recorded, "the start is recorded")
    assert (await ok(await client.post(f"{run}/start?at=2024-01-01T00:00:00Z")))["state"] == "RUNNING"
    assert len(await recorded()) == 1


async def test_a_full_queue_is_told_when_to_come_again(dsn, db, aiohttp_client):
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn, queue_capacity=5, max_batch=2))))
    await client.put(f"{BASE}/namespaces/etl", json={"ownerName": "me"})
    await client.put(f"{BASE}/namespaces/etl/jobs/load", json=A_JOB)
    before = await head(db)

    async def not_ready():
        return (await client.get("/readyz")).status == 503

    async with held_head(dsn):
        posts = [asyncio.create_task(client.post(RUNS))]
        await wait_until(appending(db), "the writer waits for the head")
        posts += [asyncio.create_task(client.post(RUNS)) for _ in range(5)]
        await wait_until(not_ready, "the queue is full")
        turned_away = await client.post(RUNS)
    assert (turned_away.status, turned_away.headers["Retry-After"]) == (503, "2")
    assert "nothing was recorded" in (await turned_away.json())["detail"]
    assert [(await post).status for post in posts] == [201] * 6
    assert await head(db) == before + 6
    assert (await client.get("/readyz")).status == 200


def appending(db):
    async def is_one():
        return len(await db.fetch(APPENDING)) == 1

    return is_one


async def test_a_database_that_is_not_there_is_told_and_not_recorded(tmp_path, aiohttp_client):
    client = await aiohttp_client(
        Served(build_app(Settings(database_url=f"postgresql://runfold@/none?host={tmp_path}")))
    )
    for response in (
        await client.get("/readyz"),
        await client.get(f"{BASE}/jobs"),
        await client.get(f"{BASE}/jobs/runs/{uuid4()}"),
        await client.post(f"{BASE}/jobs/runs/{uuid4()}/start"),
    ):
        assert (response.status, "Retry-After" in response.headers) == (503, True)
        assert json.loads(await response.text())["code"] == 503
    assert (await client.get("/livez")).status == 200


@pytest.mark.common
async def test_a_request_id_is_given_back_with_an_error(client):
    response = await client.get(f"{BASE}/whatever", headers={"X-Request-ID": "mine"})
    assert response.headers["X-Request-ID"] == "mine"
    assert isinstance(response, aiohttp.ClientResponse)
