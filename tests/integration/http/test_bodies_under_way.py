"""Bodies and heads that are being received: bounded together, in time, and admitted before they are read."""

import asyncio
import gzip
import json
import re
import zlib
from uuid import uuid4

import pytest
from lineage_client import BATCH, GZIP, JSON, LINEAGE, event, head, many, recorded_events, send
from served import Served
from waiting import DEADLINE_S, wait_until

from service.http import lineage_batch, request_body
from service.http.app import build_app
from service.http.body_budget import BODY_BUDGET
from service.http.routes import ROUTES
from service.http.server_protocol import MAX_HEAD_BYTES
from service.settings import Settings

SOON_S = DEADLINE_S
KIB = 1024


@pytest.fixture
async def serve(dsn, aiohttp_client):
    async def start(**settings):
        return await aiohttp_client(Served(build_app(Settings(database_url=dsn, **settings))))

    return start


async def begin(client, sent: bytes):
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(sent)
    await writer.drain()
    return reader, writer


def post(path: str, length: int) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()


async def answered(reader) -> tuple[int, dict]:
    async with asyncio.timeout(SOON_S):
        first = await reader.readuntil(b"\r\n\r\n")
        status, length = int(first.split()[1]), int(first.lower().partition(b"content-length: ")[2].split()[0])
        return status, json.loads(await reader.readexactly(length) or b"{}")


async def slowest_answer(client, while_running: asyncio.Task) -> float:
    """Return the longest time in seconds that /livez takes until a task ends."""
    worst, clock = 0.0, asyncio.get_running_loop().time
    while not while_running.done():
        began = clock()
        assert (await client.get("/livez")).status == 200
        worst = max(worst, clock() - began)
    return worst


ARRAYS = {
    "many elements": (b"[" + b"1," * 8_000_000 + b"1]", 413),
    "deep": (b"[" * 63_000_000, 400),
    "spaces": (b"[" + b" " * 60_000_000 + b"1]", 200),
    "one long element": (b'[{"a":[' + b"[]," * 3_000_000 + b"1]}]", 200),
}


@pytest.mark.parametrize("packed", [True, False], ids=["gzip", "plain"])
@pytest.mark.parametrize(("body", "status"), ARRAYS.values(), ids=ARRAYS)
async def test_no_array_takes_minutes_or_keeps_others_waiting(client, db, body, status, packed):
    before = await head(db)
    headers = JSON | GZIP if packed else JSON
    data = gzip.compress(body, 6) if packed else body
    async with asyncio.timeout(SOON_S):
        sending = asyncio.create_task(send(client, data, BATCH, headers))
        worst = await slowest_answer(client, sending)
        answer = await sending
    assert answer[0] in ({413, status} if packed else {status})
    assert worst < 3
    assert await head(db) == before


async def test_a_bomb_is_noticed_long_before_it_has_64_mib(client):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = packer.compress(b'["' + b"x" * 8_000_000 + b'"]') + packer.flush()
    for path in (LINEAGE, BATCH):
        status, answer = await send(client, body, path, JSON | GZIP)
        assert (status, "times its size" in json.loads(answer)["detail"]) == (413, True)


async def test_an_array_of_which_nothing_can_be_recorded_leaves_others_their_turn(client):
    sending = asyncio.create_task(send(client, b"[" + b"{}," * 50_000 + b"{}]", BATCH))
    worst = await slowest_answer(client, sending)
    report = json.loads((await sending)[1])
    assert report["summary"]["failed"] == 50_001
    assert len(report["failed_events"]) == 1000
    assert worst < 2


async def test_a_broken_element_at_the_end_records_nothing(client, db):
    before = await head(db)
    status, answer = await send(client, f'[{",".join(many(500))},{{"a": nope}}]', BATCH)
    assert status == 400
    assert "element 501" in json.loads(answer)["detail"]
    assert await head(db) == before


async def test_an_array_ends_with_its_client(client, db, monkeypatch):
    monkeypatch.setattr(lineage_batch, "_CHECK_EVERY", 1)
    body = f"[{','.join(many(20_000))}]".encode()
    _, writer = await begin(client, post(BATCH, len(body)) + body)

    async def begun():
        return await recorded_events(db)

    await wait_until(begun, "some are recorded")
    writer.transport.abort()

    async def ended():
        return client.app[BODY_BUDGET].used == 0

    await wait_until(ended, "the request has ended")
    assert 0 < await recorded_events(db) < 20_000


async def test_all_bodies_together_are_bounded_and_the_bound_is_free_again(serve):
    client = await serve(pending_body_bytes=1_000 * KIB)
    budget = client.app[BODY_BUDGET]
    whole = event(run=uuid4(), padding={"text": "x" * 600 * KIB}).encode()
    reader, writer = await begin(client, post(LINEAGE, len(whole)) + whole[: 500 * KIB])

    async def held():
        return budget.used >= 500 * KIB

    await wait_until(held, "half of a body is held")
    second, other = await begin(client, post(LINEAGE, len(whole)) + whole[:-1])
    status, problem = await answered(second)
    assert (status, problem["type"]) == (503, "/errors/overloaded")
    other.close()
    writer.write(whole[500 * KIB :])
    assert (await answered(reader))[0] == 201
    assert budget.used == 0
    assert (await send(client, whole))[0] == 201
    metrics = await (await client.get("/metrics")).text()
    assert "runfold_pending_body_refusals_total 1.0" in metrics
    writer.close()


async def test_lines_that_do_not_end_are_counted_too(serve):
    client = await serve(pending_body_bytes=400 * KIB)
    part = b"x" * (300 * KIB)
    head_ = post(BATCH, 10_000_000).replace(b"\r\n\r\n", b"\r\nContent-Type: application/x-ndjson\r\n\r\n")
    _, first = await begin(client, head_ + part)

    async def held():
        return client.app[BODY_BUDGET].used >= 300 * KIB

    await wait_until(held, "the line is held")
    reader, second = await begin(client, head_ + part)
    assert (await answered(reader))[0] == 503
    for writer in (first, second):
        writer.close()

    async def free():
        return client.app[BODY_BUDGET].used == 0

    await wait_until(free, "nothing is held")


async def test_heads_that_do_not_end_are_bounded_alone_and_together(serve):
    client = await serve(pending_body_bytes=200 * KIB, auth="on")
    budget = client.app[BODY_BUDGET]
    start = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
    fields = b"".join(b"X-%d: %b\r\n" % (n, b"y" * 7_000) for n in range(40))
    reader, writer = await begin(client, start)
    writer.write(fields[:MAX_HEAD_BYTES])
    status, problem = await answered(reader)
    assert (status, problem["type"]) == (400, "/errors/malformed")
    opened = [await begin(client, start + fields[: MAX_HEAD_BYTES - 5_000]) for _ in range(3)]

    async def held():
        return budget.used > 150 * KIB

    await wait_until(held, "three heads are held")
    refused, last = await begin(client, start + fields[: MAX_HEAD_BYTES - 5_000])
    status, problem = await answered(refused)
    assert (status, problem["type"]) == (503, "/errors/overloaded")
    for _, each in [*opened, (None, writer), (None, last)]:
        each.close()

    async def free():
        return budget.used == 0

    await wait_until(free, "nothing is held")
    assert (await client.get("/livez")).status == 200


async def test_a_body_has_a_deadline_however_steadily_it_dribbles(client, monkeypatch):
    monkeypatch.setattr(request_body, "DEADLINE_S", 0.5)
    reader, writer = await begin(client, post(LINEAGE, 1_000_000))
    answer = asyncio.create_task(answered(reader))
    async with asyncio.timeout(SOON_S):
        while not answer.done():
            writer.write(b" ")
            await asyncio.wait([answer], timeout=0.05)
    status, problem = await answer
    assert (status, problem["type"]) == (408, "/errors/too-slow")
    assert client.app[BODY_BUDGET].used == 0
    writer.close()


@pytest.mark.parametrize("route", [route for route in ROUTES if route.body], ids=lambda route: route.path)
async def test_who_has_no_key_is_refused_before_the_body_comes(serve, route):
    client = await serve(auth="on")
    path = re.sub(r"\{\w+\}", str(uuid4()), route.path)
    first = f"{route.method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    reader, writer = await begin(client, first.encode())
    assert (await answered(reader))[0] == 401
    writer.close()
