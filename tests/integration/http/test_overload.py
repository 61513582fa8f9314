"""While more requests arrive than can be answered, they are refused early, on connections that stay usable."""

import asyncio
import random
import re
import sys
from itertools import pairwise

import pytest
from served import Served
from waiting import wait_until

from service.http.admission import ADMISSION, ALWAYS, LEAST
from service.http.app import build_app
from service.http.resources import RESOURCES
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
    assert served.admission.refused_early >= 2  # the pieces may arrive together, or one by one
    status, head, _ = await connection.ask(PUT.replace(b"Host", b"X-Request-ID: Seven\r\nHost") + BODY)
    assert b"X-Request-ID: Seven\r\n" in head
    connection.writer.write(2 * (PUT + BODY))
    assert [(await connection.answer())[0] for _ in range(2)] == [503, 503]
    status, _, _ = await connection.ask(b"HEAD /api/v1/namespaces HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", body=False)
    assert status == 503
    served.admission.limit = sys.maxsize
    assert (await connection.ask(PUT + BODY))[0] == 200
    assert served.admission.under_way == 0


async def test_a_connection_whose_request_was_taken_is_refused_early_again(served, connection):
    """aiohttp has the parser's rest parsed after each body; nothing is in doubt then."""
    for taken in range(1, 4):
        served.admission.limit = 1
        assert (await connection.ask(PUT + BODY))[0] == 200
        served.admission.limit = 0
        assert (await connection.ask(PUT + BODY))[0] == 503
        assert served.admission.refused_early == taken
        assert served.admission.refused == taken


class Busy:
    """Stands in the way of what is refused after it."""

    def write_refusal(self):
        """Write nothing."""


async def test_a_refusal_is_written_before_the_answer_to_the_next_request(served, connection):
    assert (await connection.ask(PUT + BODY))[0] == 503
    for _ in range(100_000):
        served.admission.unwritten.add(Busy())
    connection.writer.write(PUT + BODY + b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert [(await connection.answer())[0] for _ in range(2)] == [503, 200]


async def test_few_requests_are_taken_while_refusals_wait(served, connection):
    served.admission.limit, served.admission.behind = 10 * LEAST, True
    assert (await connection.ask(PUT + BODY))[0] == 200
    served.admission.under_way = LEAST
    assert (await connection.ask(PUT + BODY))[0] == 503
    served.admission.under_way, served.admission.behind = 0, False
    assert (await connection.ask(PUT + BODY))[0] == 200


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


async def test_the_answers_that_a_client_does_not_read_are_bounded(served, connection):
    assert (await connection.ask(PUT + BODY))[0] == 503
    (at_server,) = served.server.runner.server.connections
    for _ in range(1000):  # reading them from the socket would end pieces within requests
        if at_server.transport.is_reading():
            at_server.data_received(100 * (PUT + BODY))
    assert at_server.transport.get_write_buffer_size() < 1024 * 1024
    connection.writer.transport.abort()


async def test_the_end_of_a_head_is_no_request_whatever_it_looks_like(served, connection):
    served.admission.limit = 1
    first = b"GET /api/v1/namespaces/etl HTTP/1.1\r\nHost: x\r\nX-Request-ID: %d\r\n"
    assert b"X-Request-ID: 1\r\n" in (await connection.ask(first % 1 + b"\r\n" + first % 2 + b"X-Field: "))[1]
    served.admission.limit = 0
    assert b"X-Request-ID: 2\r\n" in (await connection.ask(forged(2)))[1]
    assert served.admission.refused_early == 0
    assert b"X-Request-ID: 3\r\n" in (await connection.ask(first % 3 + b"\r\n"))[1]
    assert b"X-Request-ID: 4\r\n" in (await connection.ask(first % 4 + b"\r\n"))[1]
    assert served.admission.refused_early == 2  # where the third one began was known from the end of the second


def forged(number):
    return b"GET /api/v1/namespaces HTTP/1.1\r\nX-Forged-ID: %d\r\n\r\n" % number


def stream(chance, first):
    """Return the ids of some requests, and their bytes: with bodies and fields that look like requests."""
    ids, parts = [], []
    for number in range(first, first + chance.randint(1, 3)):
        ids.append(b"%d" % number)
        body = chance.choice([BODY, forged(number)])
        form = chance.choice(["short", "like two", "with a body", "with a body", "chunked"])
        start, field = b"Host: 127.0.0.1\r\nX-Request-ID: %d\r\n" % number, b"X-Field: "
        if form == "short":
            parts.append(b"GET /api/v1/namespaces/etl HTTP/1.1\r\n%b\r\n" % start)
        elif form == "like two":
            parts.append(b"GET /api/v1/namespaces/etl HTTP/1.1\r\n%b%b%b" % (start, field, forged(number)))
        else:
            kind = b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            if form == "chunked":
                kind = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            parts.append(
                b"PUT /api/v1/namespaces/etl HTTP/1.1\r\nContent-Type: application/json\r\n%b%b" % (start, kind)
            )
    return ids, b"".join(parts)


def cut(chance, data):
    """Cut bytes into pieces, at best where something looks like the beginning or the end of a request."""
    places = [found.start() for found in re.finditer(rb"GET |PUT |(?<=\r\n\r\n)", data)] + [
        chance.randrange(len(data)) for _ in range(2)
    ]
    ends = sorted(chance.sample(places, chance.randint(0, 2)))
    return [data[begin:end] for begin, end in pairwise([0, *ends, len(data)])]


@pytest.mark.parametrize("seed", range(3))
async def test_every_request_has_one_answer_in_turn_however_its_bytes_arrive(served, connection, seed):
    """Refused early, late or not at all: nothing that looks like a request within another one is answered."""
    chance, first = random.Random(seed), 0  # noqa: S311  no secret
    for _ in range(100):
        ids, data = stream(chance, first)
        for piece in cut(chance, data):
            served.admission.limit = chance.choice([0] * 8 + [ALWAYS, sys.maxsize])
            connection.writer.write(piece)
            for _ in range(chance.choice([1, 5, 20])):
                await asyncio.sleep(0)
        for expected in ids:
            status, head, _ = await connection.answer()
            assert re.search(rb"X-Request-ID: (\S+)", head)[1] == expected
            assert status in {200, 400, 503}
        first += len(ids)
    assert served.admission.refused_early > 20
    assert served.admission.under_way == 0


async def test_requests_that_the_parser_holds_are_answered(connection):
    """aiohttp parses some of many requests at once, and the others when those are answered."""
    count = 2000
    connection.writer.write(count * b"GET /api/v1/namespaces HTTP/1.1\r\nHost: x\r\n\r\n")
    for _ in range(count):
        assert (await connection.answer())[0] == 503


async def test_requests_that_the_parser_holds_are_answered_after_bodies_that_came_late(served):
    """Their handlers take them before they are complete, which aiohttp's count of requests does not expect."""
    made = Connection(*await asyncio.open_connection("127.0.0.1", served.port))

    async def is_taken():
        return served.admission.under_way == 1

    for _ in range(3):
        made.writer.write(PUT)
        await wait_until(is_taken, "the head is parsed")
        assert (await made.ask(BODY))[0] == 200
    made.writer.write(PUT)
    await wait_until(is_taken, "the head is parsed")
    made.writer.write(BODY + 99 * b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    for _ in range(100):
        assert (await made.answer())[0] == 200
    made.writer.close()


async def test_probes_and_scrapes_are_answered(connection):
    for path in (b"/livez", b"/readyz", b"/metrics"):
        status, _, body = await connection.ask(b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path)
        assert status == 200
    assert b"runfold_overloaded 1.0\n" in body
    for _ in range(2):
        assert (await connection.ask(PUT + BODY))[0] == 503
    _, _, body = await connection.ask(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert b"runfold_overload_refusals_total 2.0\n" in body
    assert b'{method="(any)",route="(refused early)",status="503"} 1.0\n' in body


async def test_requests_that_last_as_long_as_they_like_do_not_count(served):
    assert (await served.put("/api/v1/namespaces/etl", json={"ownerName": "me"})).status == 200
    streams = [await served.get("/api/v1/events/stream") for _ in range(3)]
    assert {one.status for one in streams} == {200}
    assert served.admission.under_way == 0
    for one in streams:
        one.close()


async def test_requests_that_wait_for_their_unknown_key_do_not_count(dsn, aiohttp_client):
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn, auth="on"))))
    admission, headers = client.app[ADMISSION], {"Authorization": "Bearer rf_unknown"}
    asked = [asyncio.create_task(client.get("/api/v1/namespaces", headers=headers)) for _ in range(3)]

    async def waiting():
        return admission.answered == len(asked)

    await wait_until(waiting, "the requests wait")
    assert not any(one.done() for one in asked)
    assert admission.under_way == 0
    assert {(await one).status for one in asked} == {401}


async def test_a_loop_that_is_behind_limits_what_is_under_way_and_ends_that_when_it_is_not():
    """The loop is blocked for real: by work that takes longer than a turn may."""
    app = build_app(Settings(database_url="postgresql://127.0.0.1:1/none"))
    admission, loop = app[ADMISSION], asyncio.get_running_loop()
    told = []
    admission.on_limiting = lambda: told.append(admission.limiting)
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
    assert told == [True, False]


async def test_the_projectors_are_slow_while_requests_are_refused(served):
    resources = served.app[RESOURCES]
    for limit, slow in ((ALWAYS, True), (sys.maxsize, False)):
        served.admission.limit = limit
        served.admission.on_limiting()
        assert [each._projector._slow for each in (resources.catalog, resources.lineage)] == [slow, slow]
