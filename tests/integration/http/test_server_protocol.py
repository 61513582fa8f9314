"""What aiohttp's parser refuses before any route sees it: a problem like every other, and nothing of it repeated."""

import asyncio
import json

import pytest
from served import Served

from service.http.app import build_app
from service.http.server_protocol import HANDLER_ARGS
from service.settings import Settings

SOON_S = 5.0
SECRET = b"rf_s3cret"
GET, END = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n", b"\r\n\r\n"
CHUNKED = b"Host: localhost\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
NO_HTTP = {
    "a request line that is too long": b"GET /" + SECRET * 10_000 + b" HTTP/1.1\r\nHost: x" + END,
    "a header that is too long": GET + b"Authorization: " + SECRET * 10_000 + END,
    "too many headers": GET + b"".join(b"X-%d: %b\r\n" % (n, SECRET) for n in range(500)) + END,
    "a header without a colon": GET + SECRET + END,
    "a header with a NUL": GET + b"Authorization: " + SECRET + b"\0" + END,
    "an unknown method": SECRET.upper() + b" / HTTP/1.1\r\nHost: x" + END,
    "no HTTP at all": SECRET + END,
    "another version": b"GET /" + SECRET + b" HTTP/9.9\r\nHost: x" + END,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + SECRET + b"\r\n",
    "an address that is none": b"GET http://[" + SECRET + b" HTTP/1.1\r\nHost: x" + END,
    "no host": b"GET /" + SECRET + b" HTTP/1.1" + END,
    "a length that is no number": GET + b"Content-Length: " + SECRET + END,
    "two lengths": GET + b"Content-Length: 3\r\nTransfer-Encoding: chunked" + END + SECRET,
    "a chunk without a size": GET + b"Transfer-Encoding: chunked" + END + SECRET,
}


@pytest.fixture
async def serving(dsn, aiohttp_client):
    return await aiohttp_client(Served(build_app(Settings(database_url=dsn))))


async def say(client, said: bytes) -> bytes:
    """Send bytes; return what comes until the connection is closed."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(said)
    try:
        async with asyncio.timeout(SOON_S):
            return await reader.read()
    finally:
        writer.close()


def problem(answer: bytes) -> dict:
    """Return the one problem that an answer is."""
    head, _, body = answer.partition(END)
    assert b"content-type: application/problem+json" in head.lower()
    found = json.loads(body)
    assert (found["code"], found["message"]) == (found["status"], found["detail"])
    assert b" %d " % found["status"] in head.splitlines()[0]
    return found


@pytest.mark.parametrize("said", NO_HTTP.values(), ids=NO_HTTP)
async def test_what_is_no_http_is_a_problem_and_nothing_of_it_is_repeated(serving, caplog, said):
    caplog.set_level("DEBUG")
    answer = await say(serving, said)
    found = problem(answer)
    assert (found["status"], found["type"]) == (400, "/errors/malformed")
    assert SECRET not in answer.lower()
    assert SECRET.decode() not in caplog.text.lower()


async def test_the_problem_says_what_was_too_long_and_how_long_it_may_be(serving):
    said = problem(await say(serving, NO_HTTP["a header that is too long"]))["detail"]
    assert str(HANDLER_ARGS["max_line_size"]) in said
    assert str(HANDLER_ARGS["max_field_size"]) in said


async def test_an_expectation_that_nobody_can_meet_is_a_problem(serving):
    answer = await say(serving, GET + b"Connection: close\r\nExpect: " + SECRET + END)
    assert problem(answer)["status"] == 417
    assert SECRET not in answer


@pytest.mark.parametrize("path", [b"/api/v1/lineage", b"/api/v1/lineage/batch"])
async def test_a_chunk_that_is_none_is_a_problem_at_once(serving, path):
    """Not when a body's patience has run out: the handler waits for a body that aiohttp has given up."""
    reader, writer = await asyncio.open_connection(serving.host, serving.port)
    writer.write(b"POST " + path + b" HTTP/1.1\r\n" + CHUNKED)
    async with asyncio.timeout(SOON_S):
        assert b" 100 " in await reader.readuntil(END)
        writer.write(b'3\r\n{"e\r\n' + SECRET + b"\r\n")
        answer = await reader.read()
    writer.close()
    assert problem(answer)["status"] == 400
    assert SECRET not in answer


async def test_garbage_after_a_whole_request_does_not_spoil_it(serving):
    body = b'{"ownerName":"me"}'
    reader, writer = await asyncio.open_connection(serving.host, serving.port)
    writer.write(b"PUT /api/v1/namespaces/whole HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n" % len(body))
    writer.write(b"Expect: 100-continue" + END)
    async with asyncio.timeout(SOON_S):
        assert b" 100 " in await reader.readuntil(END)
        writer.write(body)
        assert b" 200 " in await reader.readline()
        writer.write(SECRET + END)
        await reader.read()
    writer.close()
    assert (await serving.get("/api/v1/namespaces/whole")).status == 200


async def test_a_broken_body_that_nobody_reads_is_no_error_of_ours(serving, caplog):
    caplog.set_level("INFO")
    reader, writer = await asyncio.open_connection(serving.host, serving.port)
    writer.write(b"POST /livez HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked" + END)
    async with asyncio.timeout(SOON_S):
        assert b" 405 " in await reader.readline()
        writer.write(SECRET + b"\r\n")
        await reader.read()
    writer.close()
    assert {record.levelname for record in caplog.records} <= {"INFO"}
    assert "RequestPayloadError" in caplog.text
