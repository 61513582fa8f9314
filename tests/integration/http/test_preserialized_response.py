"""A response that is sent in one piece reads, changes and steps aside as any response of aiohttp's."""

from unittest import mock

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, make_mocked_request
from served import Served

from service.http import fast_path
from service.http.app import build_app
from service.http.fast_path import FastConnection, PreserializedResponse
from service.settings import Settings

RUN_PATH = "/api/v1/jobs/runs/870492da-ecfb-4be0-91b9-9a89ddd3db90"


def fast_request(**parts):
    connection = mock.Mock(spec=FastConnection, preserializes=True, ssl_context=None)
    return make_mocked_request("GET", "/", protocol=connection, **parts)


class Writer:
    """Keeps what is sent with it."""

    output_size = 0

    def __init__(self):
        self.sent = []

    async def write_eof(self, data):
        self.sent.append(data)


async def test_an_answer_is_sent_once():
    request = fast_request(writer=Writer())
    answer = fast_path.json_response(request, b"{}", 201)
    assert type(answer) is PreserializedResponse
    assert repr(answer) == "<PreserializedResponse 201 Created>"
    assert not answer.prepared
    for _ in range(2):
        await answer.prepare(request)
        await answer.write_eof()
    assert len(request.writer.sent) == 1
    assert answer.prepared
    assert type(answer) is PreserializedResponse


KEY = web.ResponseKey("key", int)
READ = {
    "headers": lambda answer: dict(answer.headers),
    "content_type": lambda answer: answer.content_type,
    "charset": lambda answer: answer.charset,
    "content_length": lambda answer: answer.content_length,
    "body": lambda answer: answer.body,
    "text": lambda answer: answer.text,
    "status": lambda answer: answer.status,
    "reason": lambda answer: answer.reason,
    "prepared": lambda answer: answer.prepared,
    "cookies": lambda answer: answer.cookies,
    "etag": lambda answer: answer.etag,
    "last_modified": lambda answer: answer.last_modified,
    "chunked": lambda answer: answer.chunked,
    "compression": lambda answer: answer.compression,
    "body_length": lambda answer: answer.body_length,
    "task": lambda answer: answer.task,
    "items": lambda answer: (list(answer), len(answer), KEY in answer, answer.get(KEY), bool(answer)),
}


@pytest.mark.parametrize("read", READ.values(), ids=READ)
@pytest.mark.parametrize(("body", "location"), [(b'{"a":1}', "/there"), (b"", None)])
def test_an_answer_reads_as_any_response_does(read, body, location):
    fast = fast_path.json_response(fast_request(), body, 201, location=location)
    plain = fast_path.json_response(make_mocked_request("GET", "/"), body, 201, location=location)
    assert (type(fast), type(plain)) == (PreserializedResponse, web.Response)
    assert read(fast) == read(plain)


def put(name):
    return lambda answer, value: setattr(answer, name, value)


def without_date(answer):
    return answer.status, answer.reason, sorted(pair for pair in answer.headers.items() if pair[0] != "Date")


CHANGED = {
    "a header": lambda answer: answer.headers.update({"X-Mine": "1"}),
    "a header that is there": lambda answer: answer.headers.update({"Content-Type": "text/x"}),
    "the type": lambda answer: put("content_type")(answer, "text/y"),
    "the charset": lambda answer: put("charset")(answer, "latin-1"),
    "the body": lambda answer: put("body")(answer, b"[]"),
    "the text": lambda answer: put("text")(answer, "other"),
    "the status": lambda answer: answer.set_status(202, "Noted"),
    "a cookie": lambda answer: answer.set_cookie("a", "b"),
    "no cookie": lambda answer: answer.del_cookie("a"),
    "an etag": lambda answer: put("etag")(answer, "e"),
    "a key": lambda answer: answer.__setitem__(KEY, 1),
    "compressed": lambda answer: answer.enable_compression(web.ContentCoding.gzip),
    "the last on its connection": lambda answer: answer.force_close(),
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
async def test_an_answer_that_was_changed_is_sent_as_any_response_is(change, aiohttp_client):
    made = []

    async def handler(request):
        answer = fast_path.json_response(request, b'{"a":1}', 201, location="/there")
        made.append(type(answer))
        change(answer)
        assert type(answer) is web.Response
        return answer

    def app():
        built = web.Application()
        built.router.add_get("/", handler)
        return built

    fast, ordinary = await aiohttp_client(Served(app())), await aiohttp_client(TestServer(app()))
    answers = [await fast.get("/"), await ordinary.get("/")]
    assert made == [PreserializedResponse, web.Response]
    assert without_date(answers[0]) == without_date(answers[1])
    assert await answers[0].read() == await answers[1].read()


async def test_an_answer_that_was_sent_shows_what_was_sent():
    request = fast_request(writer=Writer())
    answer = fast_path.json_response(request, b"{}", 201, location="/there")
    await answer.prepare(request)
    (sent,) = request.writer.sent
    assert answer.headers.keys() == {"Content-Type", "Content-Length", "Date", "Server", "Location"}
    assert (answer.content_length, answer.text, answer.status, answer.reason) == (3, "{}\n", 201, "Created")
    assert (answer.prepared, answer.keep_alive, answer.body_length) == (True, True, len(sent))
    assert await answer.prepare(request) is None
    await answer.write_eof()
    assert request.writer.sent == [sent]


@pytest.mark.parametrize("installed", ["a middleware", "a signal handler"])
async def test_where_something_looks_at_every_response_it_sees_ordinary_ones(installed, dsn, aiohttp_client):
    seen = []

    @web.middleware
    async def note(request, handler):
        answer = await handler(request)
        seen.append(type(answer))
        answer.headers["X-Seen"] = "yes"
        return answer

    async def prepared(_request, answer):
        seen.append(type(answer))
        answer.headers["X-Seen"] = "yes"

    app = build_app(Settings(database_url=dsn))
    if installed == "a middleware":
        app.middlewares.append(note)
    else:
        app.on_response_prepare.append(prepared)
    client = await aiohttp_client(Served(app))
    for path in ("/livez", RUN_PATH):
        assert (await client.get(path)).headers["X-Seen"] == "yes"
    assert seen == [web.Response, web.Response]


async def test_a_signal_handler_may_also_come_when_the_application_starts(dsn, aiohttp_client):
    """Instrumentation is often installed by a start-up hook; the application is frozen after those."""
    seen = []

    async def prepared(_request, answer):
        seen.append(answer.status)

    async def install(app):
        app.on_response_prepare.append(prepared)

    app = build_app(Settings(database_url=dsn))
    app.on_startup.append(install)
    client = await aiohttp_client(Served(app))
    assert (await client.get("/livez")).status == 200
    assert seen == [200]
