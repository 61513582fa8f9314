"""A service below a path and behind proxies: its routes are found, and what it answers leads back to it."""

import json
import re

import aiohttp
import pytest
from lineage_client import LINEAGE, event, send
from programs import program, run
from served import Served, without_short_ways
from yarl import URL

from service.http.app import build_app
from service.http.openapi.html import PREFIX, SERVER
from service.settings import Settings

JOB = "/api/v1/namespaces/default/jobs/j"
RUN = "870492da-ecfb-4be0-91b9-9a89ddd3db90"
OUTSIDE = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "lineage.example:8443", "X-Forwarded-Prefix": "/outside"}


@pytest.fixture
async def serve(dsn, aiohttp_client):
    async def start(make=build_app, **settings):
        client = await aiohttp_client(Served(make(Settings(database_url=dsn, **settings))))
        assert (await client.put(JOB, json={"type": "BATCH", "inputs": [], "outputs": []})).status == 200
        return client

    return start


async def get(client, target, **headers):
    async with client.get(URL(target, encoded=True), headers=headers, allow_redirects=False) as answer:
        return answer.status, answer.headers, await answer.read()


@pytest.mark.parametrize("make", [build_app, lambda settings: without_short_ways(build_app(settings))])
async def test_every_route_is_found_below_the_base_path_and_at_the_root(serve, make):
    client = await serve(make, base_path="/a/b")
    assert (await send(client, event(run=RUN)))[0] == 201
    assert (await send(client, event(run="x/y"), f"/a/b{LINEAGE}"))[0] == 201
    for path in (
        "/livez",
        "/api/v1/namespaces?limit=1",
        JOB,
        f"/api/v1/jobs/runs/{RUN}",
        "/api/v1/jobs/runs/x%2Fy",
        "/api/v1/events",
    ):
        status, _, body = await get(client, path)
        assert status == 200
        for below in (f"/a/b{path}", f"/a//b/{path}", f"/a/b{path.partition('?')[0]}/"):
            assert (await get(client, below))[0] == 200, below
        assert (await get(client, f"/a/b{path}"))[2] == body
    for path in ("/a/b", "/a/b/", "/"):
        status, headers, _ = await get(client, path)
        assert (status, headers["Location"]) == (302, "/a/b/docs")
    for path in ("/a/livez", "/a/bc/livez", "/a/b/a/b/livez", "/a/blivez", "/A/b/livez"):
        assert (await get(client, path))[0] == 404, path
    async with client.post(f"/a/b/api/v1/jobs/runs/{RUN}/complete") as ended:
        assert (ended.status, (await ended.json())["state"]) == (200, "COMPLETED")


async def check_links(client, prefix, headers):
    """Follow what answers lead to: all of it begins with the prefix."""
    created = await client.post(f"{JOB}/runs", json={}, headers=headers)
    assert re.fullmatch(rf"{prefix}/api/v1/jobs/runs/[0-9a-f-]{{36}}", created.headers["Location"])
    for path in ("/nowhere", "/api/v1/jobs?x=1", f"/api/v1/jobs/runs/{RUN}/nothing"):
        problem = json.loads((await get(client, path, **headers))[2])
        assert problem["type"].startswith(f"{prefix}/errors/")
    for path in ("/docs", "/errors/conflict"):
        page = (await get(client, path, **headers))[2].decode()
        links = re.findall(r'href="(/[^"]*)"', page)
        assert links
        assert all(link.startswith(f"{prefix}/") for link in links)
        assert PREFIX not in page
        assert SERVER not in page
    (status, answered, _) = await get(client, "/", **headers)
    assert (status, answered["Location"]) == (302, f"{prefix}/docs")


async def description(client, **headers):
    """Return the URL of the server in /openapi.json, and those in shell commands of /docs."""
    document = json.loads((await get(client, "/openapi.json", **headers))[2])
    page = (await get(client, "/docs", **headers))[2].decode()
    (server,) = document["servers"]
    return server["url"], set(re.findall(r"curl(?: -X \w+)? &#x27;(.+?)/(?:api/v1|livez|docs|metrics)", page))


@pytest.mark.parametrize("base_path", ["", "/a/b"])
async def test_without_trusted_proxies_their_headers_change_nothing(serve, base_path):
    client = await serve(base_path=base_path)
    for headers in ({}, OUTSIDE):
        await check_links(client, base_path, headers)
        assert await description(client, **headers) == (base_path or "/", {f"http://localhost:5000{base_path}"})


async def test_a_trusted_proxy_tells_the_address_that_clients_use(serve):
    client = await serve(base_path="/a/b", trusted_proxies="127.0.0.0/8", allowed_hosts="lineage.example")
    await check_links(client, "/outside", OUTSIDE)
    outside = "https://lineage.example:8443/outside"
    assert await description(client, **OUTSIDE) == (outside, {outside})
    await check_links(client, "/a/b", {})
    assert (await description(client))[0] == "/a/b"
    other = await serve(trusted_proxies="10.0.0.0/8")
    await check_links(other, "", OUTSIDE)


async def test_a_forwarded_host_is_checked_as_host_is(serve):
    """A proxy that puts its own name into Host would hide that a page of a foreign name is asking."""
    client = await serve(trusted_proxies="127.0.0.1", allowed_hosts="lineage.example")
    foreign = {"X-Forwarded-Host": "evil.test"}
    assert (await get(client, "/api/v1/namespaces", **foreign))[0] == 403
    assert (await get(client, "/api/v1/namespaces", Host="evil.test", **OUTSIDE))[0] == 403
    assert (await get(client, "/api/v1/namespaces", **OUTSIDE))[0] == 200
    untrusted = await serve(allowed_hosts="lineage.example")
    assert (await get(untrusted, "/api/v1/namespaces", **foreign))[0] == 200
    assert (await get(untrusted, "/api/v1/namespaces", Host="evil.test", **OUTSIDE))[0] == 403


async def test_the_program_serves_below_a_path_and_the_demo_finds_it(dsn, tmp_path):
    options = ("serve", "--port", 0, "--database-url", dsn)
    async with program(tmp_path / "log", *options, RUNFOLD_BASE_PATH="/runfold/") as service:
        await service.wait_until_ready()
        assert f"{service.url}/runfold" in service.said
        demo = await run(tmp_path / "demo", "demo", "--url", f"{service.url}/runfold/")
        assert (demo.status, demo.errors) == (0, "")
        url = re.search(r"curl -s (http\S+/api/v1/jobs/runs/\S+)", demo.output)[1]
        assert url.startswith(f"{service.url}/runfold/api/v1/")
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            assert answer.status == 200
        # What the parser refuses has no route.
        async with aiohttp.ClientSession() as session, session.get(f"{service.url}/{'x' * 40_000}") as answer:
            assert (answer.status, (await answer.json())["type"]) == (400, "/runfold/errors/malformed")


@pytest.mark.parametrize(
    "option",
    [("--base-path", "runfold"), ("--base-path", "/a/../b"), ("--trusted-proxies", "10.0.0.0/8,proxy")],
    ids=" ".join,
)
async def test_what_is_no_path_and_no_network_is_used_wrongly(option, tmp_path):
    ended = await run(tmp_path / "log", "serve", *option)
    assert (ended.status, ended.output) == (2, "")
    assert f"Invalid value for '{option[0]}'" in ended.errors
