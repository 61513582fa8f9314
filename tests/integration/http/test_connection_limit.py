"""More connections than there is room for: the others are answered 503, and the log says so once."""

import asyncio

import pytest
from aiohttp.test_utils import TestServer
from served import served_in_thread
from waiting import wait_until

from service.http.server_protocol import HttpRunner

LIMIT = 4
GET = b"GET /livez HTTP/1.1\r\nHost: runfold\r\n\r\n"


class Limited(TestServer):
    async def _make_runner(self, **settings):
        return HttpRunner(self.app, max_connections=LIMIT, **settings)


@pytest.fixture
def server(dsn):
    with served_in_thread(dsn, Limited) as started:
        yield started


async def connect(server):
    return await asyncio.open_connection("127.0.0.1", server.port)


async def ask(reader, writer):
    writer.write(GET)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    await reader.readexactly(len(b'{"status":"alive"}\n'))
    return head.partition(b"\r\n")[0]


async def test_connections_beyond_the_limit_are_refused_until_others_are_closed(server, caplog):
    opened = [await connect(server) for _ in range(LIMIT)]
    assert {await ask(*one) for one in opened} == {b"HTTP/1.1 200 OK"}
    for _ in range(3):
        reader, writer = await connect(server)
        answer = await asyncio.wait_for(reader.read(), 20)
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"application/problem+json" in answer
        assert b"Retry-After: " in answer
        writer.close()
    assert [record.levelname for record in caplog.records if record.levelname != "INFO"] == ["ERROR"], caplog.text
    assert f"{LIMIT} connections are open, which is the limit" in caplog.text
    assert await ask(*opened[0]) == b"HTTP/1.1 200 OK"
    opened.pop()[1].close()

    async def answered():
        reader, writer = await connect(server)
        try:
            return await ask(reader, writer) == b"HTTP/1.1 200 OK"
        except (asyncio.IncompleteReadError, ConnectionError):
            return False  # refused: the server has not closed the other one yet
        finally:
            writer.close()

    await wait_until(answered, "a new connection is answered")
    for _, writer in opened:
        writer.close()
