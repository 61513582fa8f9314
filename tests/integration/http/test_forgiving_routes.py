"""Requests that differ from the usual form, and are understood or refused with the reason."""

import gzip
import io
import json
from uuid import UUID, uuid4

import pytest
from aiohttp.test_utils import TestClient
from building import head
from lineage_client import BATCH, JSON, LINEAGE, NDJSON, RUN, event, send
from served import Served, without_short_ways
from yarl import URL

from service.http.app import build_app
from service.settings import Settings

BASE = "/api/v1"
BOM = b"\xef\xbb\xbf"


@pytest.fixture(params=[lambda app: app, without_short_ways], ids=["fast", "middleware"])
async def either(request, dsn, aiohttp_client) -> TestClient:
    """The service with and without a middleware, which turns the fast path off."""
    return await aiohttp_client(Served(request.param(build_app(Settings(database_url=dsn)))))


PATHS = (
    f"{BASE}/jobs/runs/{RUN}/",
    f"{BASE}//jobs/runs/{RUN}",
    f"/{BASE}/jobs/runs//{RUN}//",
    f"{BASE}/namespaces/ns/jobs/job/",
    f"{BASE}/namespaces//ns/jobs/job/runs/?limit=1",
    f"{BASE}/namespaces/",
    "/livez/",
)


def whole(client, path: str) -> URL:
    """Return the URL of a path that may begin with two slashes."""
    return URL(f"http://{client.host}:{client.port}{path}", encoded=True)


async def test_a_slash_more_finds_the_same_route(either):
    assert (await either.post(f"{LINEAGE}/", data=event(), headers=JSON)).status == 201
    for path in PATHS:
        usual = path.replace("//", "/").replace("//", "/").replace("/?", "?").removesuffix("/")
        expected, found = [await either.session.get(whole(either, each)) for each in (usual, path)]
        assert (expected.status, found.status) == (200, 200), path
        assert await found.read() == await expected.read()
    started = await either.post(URL(f"{BASE}//jobs/runs/{RUN}/complete/?at=2024-02-01T01:00:00Z", encoded=True))
    assert (await started.json())["endedAt"] == "2024-02-01T01:00:00Z"
    assert (await either.get(URL(f"{BASE}/jobs/runs/{RUN}/?wat=1", encoded=True))).status == 400


async def test_an_encoded_slash_still_belongs_to_a_name(client):
    name = "%2Fa%2F%2Fb%2F"
    assert (await client.put(URL(f"{BASE}/namespaces/{name}", encoded=True), json={"ownerName": "me"})).status == 200
    answer = await client.get(URL(f"{BASE}/namespaces/{name}/", encoded=True))
    assert (await answer.json())["name"] == "/a//b/"


async def test_a_byte_order_mark_is_skipped_everywhere(client):
    one, two, three, four = (event(run=uuid4()).encode() for _ in range(4))
    assert (await send(client, BOM + one))[0] == 201
    assert (await send(client, BOM + b"[" + two + b"]", BATCH))[0] == 204
    assert (await send(client, BOM + three + b"\n" + BOM + four, BATCH, NDJSON))[0] == 204
    put = await client.put(f"{BASE}/namespaces/x", data=BOM + b'{"ownerName":"me"}', headers=JSON)
    assert put.status == 200
    made = await client.post(f"{BASE}/namespaces/ns/jobs/job/runs", data=BOM + b"{}", headers=JSON)
    assert made.status == 201


@pytest.mark.parametrize(("path", "headers"), [(LINEAGE, JSON), (BATCH, JSON), (BATCH, NDJSON)])
async def test_gzip_without_its_header_is_named(client, path, headers):
    status, answer = await send(client, gzip.compress(event().encode()), path, headers)
    assert status == 400
    assert "send Content-Encoding: gzip" in json.loads(answer)["detail"]


async def test_a_body_that_is_too_large_names_the_setting(client):
    answer = await client.put(f"{BASE}/namespaces/x", data=io.BytesIO(b" " * 1_100_000), headers=JSON)
    assert (answer.status, "--max-body-bytes" in (await answer.json())["detail"]) == (413, True)
    status, body = await send(client, event(big="x" * 17_000_000))
    assert (status, "--max-event-bytes" in json.loads(body)["detail"]) == (413, True)


MARQUEZ = (
    ("GET", "/api/v2beta/search/jobs?q=x", 404),
    ("GET", "/api/v2beta/search/datasets?q=x", 404),
    ("POST", "/api/v1-beta/graphql", 404),
)


@pytest.mark.parametrize(("method", "path", "status"), MARQUEZ)
async def test_a_route_of_marquez_that_is_not_here_says_so(client, method, path, status):
    answer = await client.request(method, path)
    problem = await answer.json()
    assert answer.status == status
    assert problem["detail"].startswith(f"HTTP {status} ")
    assert problem["detail"].endswith(": Runfold does not have this route of Marquez")


async def test_another_unknown_route_names_no_marquez(client):
    assert "Marquez" not in await (await client.get(f"{BASE}/wat")).text()
    assert "Marquez" not in await (await client.delete(f"{BASE}/namespaces")).text()


@pytest.mark.parametrize("verb", ["start", "complete", "fail", "abort"])
@pytest.mark.parametrize("body", [b'{"at": "2024-02-01T00:00:00Z"}', b"at=2024-02-01T00:00:00Z", b"[]"])
async def test_a_time_in_the_body_of_a_transition_is_refused_not_dropped(client, db, verb, body):
    await send(client, event())
    before = await head(db)
    answer = await client.post(f"{BASE}/jobs/runs/{RUN}/{verb}", data=body, headers=JSON)
    assert (answer.status, "query parameter `at`" in (await answer.json())["detail"]) == (400, True)
    assert await head(db) == before


@pytest.mark.parametrize("body", [None, b"", b"{}", b" null\n"])
async def test_a_transition_with_an_empty_body_is_recorded(client, body):
    await send(client, event())
    answer = await client.post(f"{BASE}/jobs/runs/{RUN}/complete", data=body, headers=JSON)
    assert (answer.status, (await answer.json())["state"]) == (200, "COMPLETED")


async def test_the_location_of_a_run_is_a_path_whatever_the_host(client):
    await send(client, event())
    runs = f"{BASE}/namespaces/ns/jobs/job/runs"
    answer = await client.post(runs, json={"id": str(UUID(int=9))}, headers={"Host": "localhost:1234"})
    assert (answer.status, answer.headers["Location"]) == (201, f"{BASE}/jobs/runs/{UUID(int=9)}")
