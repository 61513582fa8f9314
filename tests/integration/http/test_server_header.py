"""Whatever is answered, and in whichever way: the header Server has the name of the program, and no version."""

import asyncio

import pytest
from aiohttp.test_utils import TestServer
from served import Served, without_short_ways
from waiting import DEADLINE_S

from service.http.admission import ADMISSION
from service.http.app import build_app
from service.http.openapi.examples import main_example
from service.http.routes import ROUTES
from service.http.server_protocol import HttpRunner
from service.settings import Settings

HOST, END = b"Host: 127.0.0.1\r\n", b"\r\n\r\n"
GET = b"GET /api/v1/jobs HTTP/1.1\r\n" + HOST
RAW = {
    "no HTTP": b"nothing" + END,
    "a URL that is none": b"GET http://[ HTTP/1.1\r\n" + HOST + b"\r\n",
    "a header that is too long": GET + b"A: " + b"x" * 70_000 + END,
    "a head that does not end": GET + (b"A: " + b"x" * 7_000 + b"\r\n") * 12,
    "a body that is not encoded as declared": GET + b"Transfer-Encoding: chunked" + END + b"?",
    "an expectation": GET + b"Expect: nothing\r\nConnection: close" + END,
    "no resource": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"Connection: close" + END,
    "HTTP 1.0": b"GET /api/v1/jobs HTTP/1.0" + END,
}
"""Requests after whose answers the connection is closed."""


class NoConnections(TestServer):
    async def _make_runner(self, **settings):
        return HttpRunner(self.app, max_connections=0, **settings)


def app(dsn):
    return build_app(Settings(database_url=dsn))


def names(head):
    """Return the values of the header Server."""
    lines = (line.partition(b": ") for line in head.split(b"\r\n"))
    return [value for name, _, value in lines if name.lower() == b"server"]


async def head_of_answer(client, said, times=1):
    """Send a request several times on a connection; return the last answer's head."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    head = b""
    try:
        async with asyncio.timeout(DEADLINE_S):
            for _ in range(times):
                writer.write(said)
                head = await reader.readuntil(END)
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
            return head
    finally:
        writer.close()


@pytest.mark.parametrize("ways", [lambda app: app, without_short_ways], ids=["short ways", "aiohttp's ways"])
async def test_the_answer_of_each_route_has_the_name_alone(dsn, aiohttp_client, ways):
    client = await aiohttp_client(Served(ways(app(dsn))))
    requests = [(route.method, example.request) for route in ROUTES if (example := main_example(route)) is not None]
    targets = [(method, request.target, request.body, request.headers) for method, request in requests]
    for method, target, body, headers in [*targets, ("GET", "/nowhere", None, {}), ("PUT", "/livez", None, {})]:
        async with client.request(method, target, json=body, headers=headers, allow_redirects=False) as answer:
            assert answer.headers.getall("Server") == ["runfold"], (method, target)


@pytest.mark.parametrize("said", RAW.values(), ids=RAW)
async def test_what_no_route_answers_has_the_name_alone(dsn, aiohttp_client, said):
    client = await aiohttp_client(Served(app(dsn)))
    assert names(await head_of_answer(client, said)) == [b"runfold"]


@pytest.mark.parametrize("more", [b"", b"X-Request-ID: seven\r\n"])
async def test_a_request_that_is_refused_early_is_answered_with_the_name_alone(dsn, aiohttp_client, more):
    client = await aiohttp_client(Served(app(dsn)))
    admission = client.app[ADMISSION]
    admission.limit = 0
    head = await head_of_answer(client, GET + more + b"\r\n", times=2)  # the first one is always parsed
    assert admission.refused_early
    assert names(head) == [b"runfold"]


async def test_a_connection_that_is_refused_is_answered_with_the_name_alone(dsn, aiohttp_client):
    client = await aiohttp_client(NoConnections(app(dsn)))
    assert names(await head_of_answer(client, b"")) == [b"runfold"]
