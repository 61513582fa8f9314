"""Clients that hold a connection without sending anything, or that send too much."""

import asyncio
import json
from uuid import uuid4

import pytest
from served import Served

from service.http import request_body
from service.http.app import build_app
from service.http.server_protocol import HANDLER_ARGS
from service.settings import Settings

SOON_S = 5.0
REFUSED = b"HTTP/1.0 400"


@pytest.fixture
async def impatient(dsn, aiohttp_client, monkeypatch):
    monkeypatch.setattr(request_body, "_TIMEOUT_S", 0.2)
    monkeypatch.setitem(HANDLER_ARGS, "keepalive_timeout", 0.3)
    monkeypatch.setitem(HANDLER_ARGS, "lingering_time", 0.1)
    return await aiohttp_client(Served(build_app(Settings(database_url=dsn))))


async def exchange(client, *parts: bytes) -> bytes:
    """Send bytes, then nothing; return what comes until the connection is closed."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    try:
        async with asyncio.timeout(SOON_S):
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize(
    "sent", [b"", b"GET /livez HTTP/1.1\r\nHos", b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"]
)
async def test_a_connection_that_waits_for_headers_is_closed(impatient, sent):
    answer = await exchange(impatient, sent)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("body", [b"", b'{"owner'])
async def test_a_body_that_does_not_come_is_408_and_the_connection_closed(impatient, body):
    head = b"PUT /api/v1/namespaces/slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
    answer = await exchange(impatient, head, body)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"/errors/too-slow" in answer
    assert (await impatient.get("/api/v1/namespaces/slow")).status == 404


async def test_a_chunked_body_that_stops_is_408(impatient):
    head = b"POST /api/v1/lineage HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert (await exchange(impatient, head, b'3\r\n{"e\r\n')).startswith(b"HTTP/1.1 408")


async def test_a_stream_of_lines_that_stops_says_how_much_of_it_is_recorded(impatient, db):
    event = {"eventTime": "2024-02-01T00:00:00Z", "job": {"namespace": "n", "name": "j"}, "producer": "https://x.y"}
    lines = "".join(f"{json.dumps(event | {'run': {'runId': str(uuid4())}})}\n" for _ in range(3))
    head = b"POST /api/v1/lineage/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
    answer = await exchange(impatient, head + b"Content-Length: 100000\r\n\r\n", f"{lines}nonsense\n{{".encode())
    assert answer.startswith(b"HTTP/1.1 408")
    problem = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert problem["summary"] == {"received": 4, "successful": 3, "failed": 1, "retriable": 0, "non_retriable": 1}
    assert [failure["line"] for failure in problem["failed_events"]] == [4]
    assert await db.fetchval("select count(*) from runfold.events where source = 'openlineage'") == 3


async def test_headers_without_end_are_refused(client):
    head = b"GET /livez HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(1000))
    assert (await exchange(client, head, b"\r\n")).startswith(REFUSED)


async def test_a_header_that_is_too_long_is_refused_and_nothing_of_it_logged(client, caplog):
    caplog.set_level("INFO")
    sent = b"GET /livez HTTP/1.1\r\nAuthorization: Bearer rf_secret" + b"y" * 100_000
    assert (await exchange(client, sent)).startswith(REFUSED)
    assert "LineTooLong" in caplog.text
    assert "rf_secret" not in caplog.text


async def test_two_names_of_1024_emoji_fit_into_a_path(client):
    name = "🌲" * 1024
    response = await client.put(f"/api/v1/namespaces/{name}", json={"ownerName": "me"})
    assert response.status == 200
    job = {"type": "BATCH", "inputs": [], "outputs": []}
    assert (await client.put(f"/api/v1/namespaces/{name}/jobs/{name}", json=job)).status == 200
