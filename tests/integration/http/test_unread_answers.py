"""Clients that do not read what they asked for, which is in the memory of the service until they do."""

import asyncio
import json
import logging
import socket
from io import BytesIO
from uuid import uuid4

import pytest
from served import Served
from waiting import wait_until

from service.http import unread_answers
from service.http.app import build_app
from service.settings import Settings

EVENTS, SIZE = 9, 1_000_000
"""Of the events that are listed in one answer; more than the kernel takes for a client that does not read."""

JSON = {"Content-Type": "application/json"}
LIST = "/api/v1/namespaces/etl/jobs/load/runs"
STREAM = "/api/v1/events/lineage"


@pytest.fixture
async def client(dsn, aiohttp_client, monkeypatch):
    monkeypatch.setattr(unread_answers, "LOOK_S", 0.1)
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn))))
    facets = {"large": {"_producer": "tests", "text": "x" * SIZE}}
    events = [
        {
            "eventTime": "2024-01-01T00:00:00Z",
            "eventType": "START",
            "producer": "tests",
            "run": {"runId": str(uuid4()), "facets": facets},
            "job": {"namespace": "etl", "name": "load"},
        }
        for _ in range(EVENTS)
    ]
    body = BytesIO(json.dumps(events).encode())
    assert (await client.post("/api/v1/lineage/batch", data=body, headers=JSON)).status == 204
    assert len(await (await client.get(LIST)).read()) > 7_000_000
    return client


async def ask(client, path: str) -> socket.socket:
    """Send a request on a connection of which the kernel keeps little that is not read."""
    asking = socket.socket()
    asking.settimeout(0)
    asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(asking, (client.host, client.port))
    await loop.sock_sendall(asking, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    return asking


def waits(client):
    """Return the connections of the server whose clients are waited for."""
    return client.server.runner.connection.unread._waits


def are_waited_for(client, count):
    async def are():
        return len(waits(client)) == count

    return are


async def test_who_does_not_read_is_disconnected(client, monkeypatch, caplog):
    caplog.set_level(logging.INFO, unread_answers.__name__)
    with await ask(client, LIST):
        await wait_until(are_waited_for(client, 1), "more is written than the client takes")
        monkeypatch.setattr(unread_answers, "STALLED_S", 0.3)
        await wait_until(are_waited_for(client, 0), "it is waited for no more")

        async def is_disconnected():
            return all(each.is_idle for each in client.server.handler.connections)

        await wait_until(is_disconnected, "its connection is closed")
    assert caplog.messages == ["disconnected 1 clients that do not read"]


async def read(asking: socket.socket, most: int) -> int:
    """Read some bytes; return how many there were."""
    loop, size = asyncio.get_running_loop(), 0
    while size < most and (piece := await loop.sock_recv(asking, most - size)):
        size += len(piece)
    return size


@pytest.mark.parametrize("path", [LIST, STREAM])
async def test_who_reads_slowly_gets_all_of_it(path, client, monkeypatch):
    monkeypatch.setattr(unread_answers, "STALLED_S", 0.5)
    unread = client.server.runner.connection.unread
    looks = size = 0
    with await ask(client, path) as asking:
        await wait_until(are_waited_for(client, 1), "more is written than the client takes")
        while waits(client):
            timer = unread._timer

            async def has_looked(timer=timer):
                return unread._timer is not timer

            await wait_until(has_looked, "the server has looked")
            looks += 1
            size += await read(asking, 600_000)
        size += await read(asking, 100_000_000)
    assert looks * unread_answers.LOOK_S > unread_answers.STALLED_S
    assert size > len(await (await client.get(path)).read()) > 8_000_000


async def test_those_that_have_waited_longest_go_where_all_hold_too_much(client, monkeypatch):
    with await ask(client, LIST):
        await wait_until(are_waited_for(client, 1), "more is written than the first takes")
        (first,) = waits(client)
        monkeypatch.setattr(unread_answers, "LIMIT_BYTES", 3 * first.get_write_buffer_size() // 2)
        with await ask(client, LIST):

            async def only_the_second_is_waited_for():
                return len(waits(client)) == 1 and first not in waits(client)

            await wait_until(only_the_second_is_waited_for, "the first is disconnected, and the second is not")
