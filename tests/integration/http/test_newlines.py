"""Every body ends in a newline, so that a terminal shows its prompt on a line of its own.

tests/record_examples.py checks that for an answer of each operation; here are the ways of answering.
"""

import asyncio

import pytest
from aiohttp.test_utils import TestServer
from lineage_client import BATCH, EVENTS, NDJSON, event, send
from served import Served, Visitor, served_in_thread

from service.http.app import build_app
from service.settings import Settings

RUN = "870492da-ecfb-4be0-91b9-9a89ddd3db90"


BOTH = {"params": [Served, TestServer], "ids": ["fast", "ordinary"]}


@pytest.fixture(scope="module", **BOTH)
def common_server(request, common_dsn):
    with served_in_thread(common_dsn, request.param) as server:
        yield server


@pytest.fixture
async def client(common_server):
    async with Visitor(common_server) as visitor:
        yield visitor


@pytest.fixture(**BOTH)
async def own_client(request, dsn, aiohttp_client):
    return await aiohttp_client(request.param(build_app(Settings(database_url=dsn))))


@pytest.mark.parametrize("headers", [{}, {"X-Request-ID": "a"}, {"Connection": "close"}], ids=str)
@pytest.mark.parametrize(
    "path",
    [
        "/livez",
        "/docs",
        "/metrics",
        "/",
        "/nowhere",
        "/api/v1/namespaces",
        f"/api/v1/jobs/runs/{RUN}",
        f"/api/v1/jobs/runs/{RUN}/events",
        "/api/v1/events",
        "/api/v1/events/lineage",
        "/api/v1/events?limit=x",
    ],
)
async def test_a_body_ends_in_one_newline_and_has_the_length_that_is_declared(client, path, headers):
    assert (await send(client, event(run=RUN)))[0] == 201
    got = await client.get(path, headers=headers, allow_redirects=False)
    body = await got.read()
    assert body.endswith(b"\n")
    assert not body.endswith(b"\n\n")
    declared = got.headers.get("Content-Length")
    assert declared is None or int(declared) == len(body)
    head = await client.head(path, headers=headers, allow_redirects=False)
    assert head.status == got.status
    assert await head.read() == b""
    if path != "/metrics" and "Content-Length" in head.headers and declared is not None:
        assert head.headers["Content-Length"] == declared


async def test_a_list_that_is_answered_piece_by_piece_ends_in_a_newline(own_client):
    sent = [event(run=RUN, at=f"2024-02-01T00:00:{n:02}Z", f="x" * 300_000) for n in range(20)]
    assert (await send(own_client, "\n".join(sent), BATCH, NDJSON))[0] == 204
    listed = await own_client.get(EVENTS)
    assert "Content-Length" not in listed.headers
    assert (await listed.read()).endswith(b"}\n")


async def test_an_empty_body_stays_empty(client):
    answer = await client.post("/api/v1/lineage", data=event(run=RUN), headers={"Content-Type": "application/json"})
    assert (answer.status, answer.headers["Content-Length"], await answer.read()) == (201, "0", b"")


@pytest.mark.parametrize("request_line", ["BREW / HTTP/1.1", "GET / HTTP/9.9", "nonsense"])
async def test_what_is_no_request_is_answered_with_a_newline_too(dsn, aiohttp_client, request_line):
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn))))
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(f"{request_line}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(5):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert b"problem+json" in head
    assert body.endswith(b"}\n")
    assert f"Content-Length: {len(body)}".encode() in head
    writer.close()
