"""While more requests arrive than can be answered, they are refused early, on connections that stay usable."""

import asyncio
import sys

import pytest
from served import Served

from service.http.admission import ADMISSION, ALWAYS
from service.http.app import build_app
from service.settings import Settings

BODY = b'{"ownerName":"me"}'
PUT = (
    b"PUT /api/v1/namespaces/etl HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
)


@pytest.fixture
async def served(dsn, aiohttp_client):
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn))))
    client.admission = client.app[ADMISSION]
    return client


class Connection:
    """A connection that is used once before, as the first request of each is parsed in any case."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def answer(self, *, body=True):
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 20)
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return int(head[9:12]), head, await self.reader.readexactly(length) if body else b""

    async def ask(self, *pieces, body=True):
        for piece in pieces:
            self.writer.write(piece)
            await asyncio.sleep(0)
        return await self.answer(body=body)


@pytest.fixture
async def connection(served):
    made = Connection(*await asyncio.open_connection("127.0.0.1", served.port))
    assert (await made.ask(PUT, BODY))[0] == 200
    served.admission.limit = 0
    yield made
    made.writer.close()


async def test_a_request_is_refused_early_and_the_next_one_is_answered(served, connection):
    for pieces in ([PUT + BODY], [PUT, BODY], [PUT, BODY[:4], BODY[4:]], [PUT[:30], PUT[30:], BODY]):
        status, head, body = await connection.ask(*pieces)
        assert status == 503, pieces
        assert b"Retry-After: 2\r\n" in head
        assert b"application/problem+json" in head
        assert b'"type":"/errors/overloaded"' in body
    assert served.admission.refused_early >= 3
    status, head, _ = await connection.ask(PUT.replace(b"Host", b"X-Request-ID: Seven\r\nHost") + BODY)
    assert b"X-Request-ID: Seven\r\n" in head
    connection.writer.write(2 * (PUT + BODY))
    assert [(await connection.answer())[0] for _ in range(2)] == [503, 503]
    status, _, _ = await connection.ask(b"HEAD /api/v1/namespaces HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", body=False)
    assert status == 503
    served.admission.limit = sys.maxsize
    assert (await connection.ask(PUT + BODY))[0] == 200
    assert served.admission.under_way == 0


async def test_a_request_of_an_unusual_form_is_refused_too(served, connection):
    early = served.admission.refused_early
    chunked = PUT.replace(b"Content-Length: %d" % len(BODY), b"Transfer-Encoding: chunked")
    status, head, _ = await connection.ask(chunked + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY))
    assert status == 503
    assert b"Retry-After: 2\r\n" in head
    assert served.admission.refused_early == early
    assert served.admission.refused == early + 1
    status, head, _ = await connection.ask(PUT.replace(b"Host", b"Connection: close\r\nHost") + BODY)
    assert status == 503
    assert b"Connection: close\r\n" in head
    assert await connection.reader.read() == b""
    assert served.admission.under_way == 0


async def test_probes_and_scrapes_are_answered(connection):
    for path in (b"/livez", b"/readyz", b"/metrics"):
        status, _, body = await connection.ask(b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path)
        assert status == 200
    assert b"runfold_overloaded 1.0\n" in body
    assert (await connection.ask(PUT + BODY))[0] == 503
    _, _, body = await connection.ask(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert b"runfold_overload_refusals_total 1.0\n" in body
    assert b'{method="(any)",route="(refused early)",status="503"} 1.0\n' in body


async def test_requests_that_last_as_long_as_they_like_do_not_count(served):
    assert (await served.put("/api/v1/namespaces/etl", json={"ownerName": "me"})).status == 200
    streams = [await served.get("/api/v1/events/stream") for _ in range(3)]
    assert {one.status for one in streams} == {200}
    assert served.admission.under_way == 0
    for one in streams:
        one.close()


async def test_a_loop_that_is_behind_limits_what_is_under_way_and_ends_that_when_it_is_not():
    """The loop is blocked for real: by work that takes longer than a turn may."""
    app = build_app(Settings(database_url="postgresql://127.0.0.1:1/none"))
    admission, loop = app[ADMISSION], asyncio.get_running_loop()
    admission.under_way = 10 * ALWAYS
    admission.watch()
    async with asyncio.timeout(20):
        while not admission.limiting:
            until = loop.time() + 0.03
            while loop.time() < until:
                pass
            await asyncio.sleep(0.001)
    assert ALWAYS <= admission.limit < admission.under_way
    admission.under_way = 0
    async with asyncio.timeout(20):
        while admission.watching:  # noqa: ASYNC110  the watch sends no signal
            await asyncio.sleep(0.01)
    assert not admission.limiting
