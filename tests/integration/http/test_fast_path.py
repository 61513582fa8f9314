"""The short ways through aiohttp: what goes them is answered as what goes the long way, byte for byte but the time."""

import asyncio
import re
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, make_mocked_request
from hypothesis import given, settings
from hypothesis import strategies as st
from served import Served

from service.http import fast_path
from service.http.app import build_app
from service.http.cross_site import CrossSiteGuard
from service.http.fast_path import RunRouter
from service.settings import Settings

SOON_S = 5.0
RUNS = "/api/v1/namespaces/default/jobs/short/runs"
RUN = "870492da-ecfb-4be0-91b9-9a89ddd3db90"
FAR = {"X-Request-ID": "far-1"}
"""Has a request answered the long way."""


@pytest.fixture
async def job(client):
    assert (
        await client.put("/api/v1/namespaces/default/jobs/short", json={"type": "BATCH", "inputs": [], "outputs": []})
    ).status == 200
    return client


@pytest.fixture
async def far_job(dsn, aiohttp_client):
    """The same database behind a server of aiohttp's own, which has no short ways to a route."""
    return await aiohttp_client(TestServer(build_app(Settings(database_url=dsn))))


async def created(client, headers=None) -> str:
    answer = await client.post(RUNS, json={"args": {"a": "1"}}, headers=headers)
    assert answer.status == 201
    return (await answer.json())["id"]


def plain(answer, *ids: str) -> tuple:
    """Return status and headers without what names a moment, a run or a request."""
    differing = ("Date", "X-Request-ID", "Runfold-Recorded")  # the last one: test_recorded.py
    left = {name: value for name, value in answer.headers.items() if name not in differing}
    for one in ids:
        left = {name: value.replace(one, "RUN") for name, value in left.items()}
    return answer.status, answer.reason, answer.version, left


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/livez", None),
        ("GET", "/api/v1/namespaces", None),
        ("GET", f"{RUNS}?limit=5", None),
        ("GET", f"/api/v1/jobs/runs/{RUN}", None),
        ("POST", f"/api/v1/jobs/runs/{RUN}/start?att=x", None),
        ("POST", f"/api/v1/jobs/runs/{RUN}/start", None),
        ("GET", f"/api/v1/jobs/runs/{RUN}/start", None),
        ("GET", f"/api/v1/jobs/runs/{RUN}/facets?type=run", None),
        ("GET", f"/api/v1/jobs/runs/{RUN}/children", None),
        ("GET", f"/api/v1/jobs/runs/{RUN.upper()}", None),
        ("GET", f"/api/v1/jobs/runs/{RUN.replace('8', '9')}", None),
        ("GET", "/api/v1/jobs/runs/no-uuid", None),
        ("GET", "/api/v1/jobs/runs/", None),
        ("GET", f"/api/v1/jobs/runs/{RUN}/nothing", None),
        ("DELETE", f"/api/v1/jobs/runs/{RUN}", None),
        ("POST", "/api/v1/lineage", b"{"),
    ],
)
async def test_both_ways_answer_the_same(job, far_job, method, path, body):
    assert (await job.post(RUNS, json={"id": RUN})).status == 201
    near = await job.request(method, path, data=body, headers={"Content-Type": "application/json"})
    far = await far_job.request(method, path, data=body, headers={"Content-Type": "application/json", **FAR})
    assert far.headers["X-Request-ID"] == "far-1"
    assert plain(near) == plain(far)
    assert await near.read() == await far.read()


words = st.sampled_from(
    [
        "",
        ".",
        "..",
        RUN,
        RUN.upper(),
        "start",
        "complete",
        "fail",
        "abort",
        "events",
        "facets",
        "children",
        "tree",
        "%41",
        "a b",
    ]
)
paths = st.builds(
    lambda head, parts, query: head + "/".join(parts) + query,
    st.sampled_from(["/api/v1/jobs/runs/", "/api/v1/jobs/runs", "/api/v1/jobs/", "/api//v1/jobs/runs/"]),
    st.lists(words | st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=5), max_size=4),
    st.sampled_from(["", "?", "?at=x", "?a=/b"]),
)
methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
APP = build_app(Settings())
FRONT = RunRouter(APP)


@settings(max_examples=1_000)
@given(methods, paths)
async def test_the_short_way_leads_where_the_router_does(method, path):
    request = make_mocked_request(method, path, app=APP)
    before = request.match_info
    FRONT(request).close()  # the answer to come, which nobody awaits
    del request._cache["match_info"]
    if request.match_info is before:
        return  # it was left to the router
    found = await APP.router.resolve(request)
    assert (found.route, dict(found)) == (request.match_info.route, dict(request.match_info))


async def test_both_ways_record_and_show_the_same(job):
    near, far = await created(job), await created(job, FAR)
    for what in ("start", "complete"):
        path = "/api/v1/jobs/runs/{}/" + what + "?at=2019-05-09T15:17:32.690346Z"
        answers = await job.post(path.format(near)), await job.post(path.format(far), headers=FAR)
        assert plain(answers[0]) == plain(answers[1])
        views = [await answer.json() for answer in answers]
        for view in views:
            del view["id"], view["createdAt"], view["updatedAt"]
        assert views[0] == views[1]


async def test_a_creation_says_where_the_run_is_either_way(job):
    near = await job.post(RUNS, json={})
    far = await job.post(RUNS, json={}, headers=FAR)
    ids = [(await answer.json())["id"] for answer in (near, far)]
    assert plain(near, *ids) == plain(far, *ids)
    assert (await job.get(urlsplit(near.headers["Location"]).path)).status == 200


async def test_an_empty_answer_has_a_length_and_no_type(job):
    event = {
        "eventType": "START",
        "eventTime": "2026-01-01T00:00:00Z",
        "run": {"runId": RUN},
        "job": {"namespace": "default", "name": "short"},
        "producer": "https://example.com",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    }
    near = await job.post("/api/v1/lineage", json=event)
    far = await job.post("/api/v1/lineage", json=event, headers=FAR)
    assert plain(near) == plain(far)
    assert (near.status, near.headers["Content-Length"], near.headers.get("Content-Type")) == (201, "0", None)


async def test_a_run_is_found_however_its_path_is_written(job):
    run = await created(job)
    escaped = f"/api/v1/jobs/runs/%{ord(run[0]):02X}{run[1:]}"
    reader, writer = await asyncio.open_connection(job.host, job.port)
    for path in (escaped, run.join(("http://localhost/api/v1/jobs/runs/", "?")), f"/api/v1/jobs/runs/{run.upper()}"):
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head, body = await answered(reader)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert f'"id":"{run}"'.encode() in body
    writer.close()


async def answered(reader) -> tuple[bytes, bytes]:
    async with asyncio.timeout(SOON_S):
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        return head, await reader.readexactly(int(length[1]) if length else 0)


async def raw(client, request: bytes) -> tuple[bytes, bytes]:
    """Send a request that ends the connection; return head and body."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(request)
    async with asyncio.timeout(SOON_S):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return head, body


async def test_a_head_has_no_body(job):
    run = await created(job)
    path = f"/api/v1/jobs/runs/{run}".encode()
    end = b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    head, body = await raw(job, b"HEAD " + path + end)
    got, whole = await raw(job, b"GET " + path + end)
    assert body == b""
    assert f"Content-Length: {len(whole)}".encode() in head
    assert head.splitlines()[0] == got.splitlines()[0]


async def test_a_head_on_a_connection_that_lives_on_leaves_nothing_behind(job):
    reader, writer = await asyncio.open_connection(job.host, job.port)
    writer.write(b"HEAD /livez HTTP/1.1\r\nHost: localhost\r\n\r\nGET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(SOON_S):
        assert b" 200 " in (await reader.readuntil(b"\r\n\r\n"))
        head, body = await answered(reader)
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert body == b'{"status":"alive"}\n'
    writer.close()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"HTTP/1.1\r\nHost: localhost\r\nConnection: close", b"Connection: close"),
        (b"HTTP/1.0\r\nHost: x", None),
        (b"HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive", b"Connection: keep-alive"),
    ],
)
async def test_who_wants_the_connection_closed_or_kept_is_heard(job, line, told):
    reader, writer = await asyncio.open_connection(job.host, job.port)
    writer.write(b"GET /livez " + line + b"\r\n\r\n")
    head, body = await answered(reader)
    assert body == b'{"status":"alive"}\n'
    assert told is None or told in head
    if told is None or b"close" in told:
        async with asyncio.timeout(SOON_S):
            assert await reader.read() == b""
    writer.close()


async def test_many_requests_in_one_packet_are_answered_in_their_order(job):
    runs = [await created(job) for _ in range(20)]
    reader, writer = await asyncio.open_connection(job.host, job.port)
    one = "POST /api/v1/jobs/runs/{}/start HTTP/1.1\r\nHost: localhost\r\n\r\n"
    writer.write("".join(one.format(run) for run in runs).encode())
    for run in runs:
        head, body = await answered(reader)
        assert b" 200 " in head
        assert f'"id":"{run}"'.encode() in body
    writer.close()


async def test_an_expectation_is_met_on_a_short_way_too(job):
    run = await created(job)
    reader, writer = await asyncio.open_connection(job.host, job.port)
    writer.write(
        f"POST /api/v1/jobs/runs/{run}/start HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
        "Expect: 100-continue\r\n\r\n".encode()
    )
    async with asyncio.timeout(SOON_S):
        assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"{}")
        head, _ = await answered(reader)
    assert b" 200 " in head
    writer.close()


async def test_the_date_is_that_of_the_answer(job, monkeypatch):
    times = iter((1_000_000_000.9, 1_000_000_000.99, 1_000_000_001.0))
    monkeypatch.setattr(fast_path, "_now", lambda: next(times))
    seen = []
    for _ in range(3):
        answer = await job.get("/livez")
        seen.append(parsedate_to_datetime(answer.headers["Date"]).timestamp())
    assert seen == [1_000_000_000, 1_000_000_000, 1_000_000_001]


async def test_a_host_that_cannot_be_repeated_is_left_out_of_the_location(job, monkeypatch):
    monkeypatch.setattr(CrossSiteGuard, "_is_ours", lambda *_: True)
    reader, writer = await asyncio.open_connection(job.host, job.port)
    for connection in (b"keep-alive", b"close"):
        writer.write(b"POST %b HTTP/1.1\r\nHost: caf\xe9\r\nConnection: %b\r\n" % (RUNS.encode(), connection))
        writer.write(b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        head, _ = await answered(reader)
        assert head.startswith(b"HTTP/1.1 201 ")
        assert re.search(rb"\r\nLocation: /api/v1/jobs/runs/[0-9a-f-]{36}\r\n", head)
    writer.close()


async def test_every_request_goes_the_long_way_where_there_is_a_middleware(dsn, aiohttp_client):
    seen = []

    @web.middleware
    async def see(request, handler):
        response = await handler(request)
        seen.append((request.path, type(response)))
        return response

    app = build_app(Settings(database_url=dsn))
    app.middlewares.append(see)
    client = await aiohttp_client(Served(app))
    path = f"/api/v1/jobs/runs/{RUN}/events"
    await client.get(path)
    await client.get("/livez")
    assert seen == [(path, web.Response), ("/livez", web.Response)]


async def test_the_access_log_has_every_request_and_leaves_the_short_ways_as_they_are(dsn, aiohttp_client, caplog):
    caplog.set_level("INFO")
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn, access_log=True))))
    assert client.server.runner.server.router._routes
    assert (await client.get(f"/api/v1/jobs/runs/{RUN}")).status == 404
    assert (await client.get("/livez", headers=FAR)).status == 200
    assert (await client.get("/livez")).status == 200
    assert f"GET /api/v1/jobs/runs/{RUN} 404" in caplog.text
    assert caplog.text.count("GET /livez 200") == 2


def test_the_short_ways_are_those_of_runs():
    posts = {("POST", f"/{verb}") for verb in ("start", "complete", "fail", "abort")}
    reads = {
        (method, below) for method in ("GET", "HEAD") for below in ("", "/events", "/facets", "/children", "/tree")
    }
    assert FRONT._routes.keys() == posts | reads
