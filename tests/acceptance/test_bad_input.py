"""Invalid requests: each is refused with a problem that names the error, and nothing is recorded."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from uuid import uuid4

import aiohttp
import asyncpg
import pytest
from building import head
from yarl import URL

BASE = "/api/v1"
NAMESPACE, JOB = f"{BASE}/namespaces/etl", f"{BASE}/namespaces/etl/jobs/load"
RUNS = f"{JOB}/runs"
UNKNOWN = f"{BASE}/jobs/runs/870492da-ecfb-4be0-91b9-9a89ddd3db90"
PROBLEM = {"type", "title", "status", "detail", "code", "message"}
IN_TWO_DAYS = (datetime.now(UTC) + timedelta(days=2)).isoformat().replace("+", "%2B")


@pytest.fixture
async def client(server):
    """The real process, shared by all tests of the module."""
    async with aiohttp.ClientSession(server.url) as session:
        yield session


@pytest.fixture
async def db(server):
    connection = await asyncpg.connect(server.dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def run(client):
    await client.put(NAMESPACE, json={"ownerName": "me"})
    await client.put(JOB, json={"type": "BATCH", "inputs": [], "outputs": []})
    created = await (await client.post(RUNS)).json()
    return f"{BASE}/jobs/runs/{created['id']}"


@pytest.fixture
def refused(server, client, db, run):
    """Send an invalid request; assert the status, the problem, and that nothing was recorded. Returns the problem."""

    async def send(status, method, path, body=None, **headers):
        before = await head(db)
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if raw is not None:
            headers.setdefault("Content-Type", "application/json")
        url = URL(server.url + path.replace("{run}", run), encoded=True)
        response = await client.request(method, url, data=raw, headers=headers)
        problem = await response.json(content_type="application/problem+json")
        assert response.status == status, problem
        assert problem.keys() >= PROBLEM
        assert (problem["status"], problem["code"]) == (status, status)
        assert problem["message"] == problem["detail"] != ""
        assert problem["type"].startswith("/errors/")
        assert await head(db) == before
        assert (await client.get(run)).status == 200
        return problem, response

    return send


BROKEN = {
    "nothing but a brace": b"{",
    "no JSON": b"{not json",
    "an array": b"[]",
    "a number": b"7",
    "a text": b'"x"',
    "null": b"null",
    "a trailing comma": b'{"ownerName": "me",}',
    "two values": b"{} {}",
    "single quotes": b"{'ownerName': 'me'}",
    "NaN": b'{"ownerName": "me", "x": NaN}',
    "not UTF-8": b'{"ownerName": "\xff\xfe"}',
    "UTF-16": '{"ownerName": "me"}'.encode("utf-16"),
    "an encoded surrogate": b'{"ownerName": "\xed\xa0\x80"}',
    "a raw NUL": b'{"ownerName": "a\0b"}',
    "cut in a text": b'{"ownerName": "me',
    "nested 10,000 levels deep": b'{"ownerName": "me", "x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "never closed": b'{"ownerName": "me", "x": ' + b"[" * 10_000,
    "nested where args are": b'{"args": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}",
}
ROUTES = {
    "namespace": ("PUT", NAMESPACE),
    "job": ("PUT", JOB),
    "run": ("POST", RUNS),
    "look-up": ("POST", f"{BASE}/runs/lookup"),
}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("broken", BROKEN)
async def test_a_body_that_cannot_be_read_is_malformed(refused, route, broken):
    problem, _ = await refused(400, *ROUTES[route], BROKEN[broken])
    assert problem["type"] == "/errors/malformed"
    assert "body" in problem["detail"] or "`" in problem["detail"] or "xpected" in problem["detail"]


ILL_TYPED = [
    ("PUT", NAMESPACE, {}, "ownerName"),
    ("PUT", NAMESPACE, {"ownerName": 7}, "ownerName"),
    ("PUT", NAMESPACE, {"ownerName": None}, "ownerName"),
    ("PUT", NAMESPACE, {"ownerName": ""}, "ownerName"),
    ("PUT", NAMESPACE, {"ownerName": "x" * 1025}, "ownerName"),
    ("PUT", NAMESPACE, {"ownerName": "me", "description": []}, "description"),
    ("PUT", JOB, {}, "type"),
    ("PUT", JOB, {"type": "WRONG", "inputs": [], "outputs": []}, "type"),
    ("PUT", JOB, {"type": "BATCH", "outputs": []}, "inputs"),
    ("PUT", JOB, {"type": "BATCH", "inputs": []}, "outputs"),
    ("PUT", JOB, {"type": "BATCH", "inputs": {}, "outputs": []}, "inputs"),
    ("PUT", JOB, {"type": "BATCH", "inputs": [{"namespace": "n"}], "outputs": []}, "name"),
    ("PUT", JOB, {"type": "BATCH", "inputs": [], "outputs": [], "location": 7}, "location"),
    ("POST", RUNS, {"id": "not-uuid"}, "id"),
    ("POST", RUNS, {"id": 7}, "id"),
    ("POST", RUNS, {"id": ""}, "id"),
    ("POST", RUNS, {"id": "870492daecfb4be091b99a89ddd3db90"}, "id"),
    ("POST", RUNS, {"args": []}, "args"),
    ("POST", RUNS, {"args": "x"}, "args"),
    ("POST", RUNS, {"args": {"a": None}}, "args"),
    ("POST", RUNS, {"args": {"a": {}}}, "args"),
    ("POST", RUNS, {"args": {"a": [1]}}, "args"),
    ("POST", RUNS, {"nominalStartTime": 7}, "nominalStartTime"),
    ("POST", f"{BASE}/runs/lookup", {}, "ids"),
    ("POST", f"{BASE}/runs/lookup", {"ids": "x"}, "ids"),
    ("POST", f"{BASE}/runs/lookup", {"ids": [7]}, "ids"),
    ("POST", f"{BASE}/runs/lookup", {"ids": ["x"] * 10_001}, "ids"),
]


@pytest.mark.parametrize(("method", "path", "body", "field"), ILL_TYPED, ids=lambda value: str(value)[:40])
async def test_a_field_of_the_wrong_type_is_malformed_and_named(refused, method, path, body, field):
    problem, _ = await refused(400, method, path, body)
    assert field in problem["detail"]


@pytest.mark.parametrize("field", ["nominalStartTime", "nominalEndTime"])
@pytest.mark.parametrize("text", ["yesterday", "2019-05-09", "", "2019-13-01T00:00:00Z"])
async def test_a_time_in_a_body_that_is_none_is_invalid(refused, field, text):
    problem, _ = await refused(422, "POST", RUNS, {field: text})
    assert [error["field"] for error in problem["errors"]] == [field]


async def test_all_times_that_are_none_are_named(refused):
    problem, _ = await refused(422, "POST", RUNS, {"nominalStartTime": "x", "nominalEndTime": "y"})
    assert [error["field"] for error in problem["errors"]] == ["nominalStartTime", "nominalEndTime"]


NULS = [
    ("PUT", NAMESPACE, {"ownerName": "a\0b"}),
    ("PUT", NAMESPACE, {"ownerName": "me", "description": "a\0b"}),
    ("PUT", JOB, {"type": "BATCH", "inputs": [], "outputs": [], "description": "\0"}),
    ("PUT", JOB, {"type": "BATCH", "inputs": [{"namespace": "n", "name": "\0"}], "outputs": []}),
    ("POST", RUNS, {"args": {"a": "\0"}}),
    ("POST", RUNS, {"args": {"\0": "a"}}),
]


@pytest.mark.parametrize(("method", "path", "body"), NULS, ids=lambda value: str(value)[:40])
async def test_a_nul_in_a_text_is_invalid(refused, method, path, body):
    problem, _ = await refused(422, method, path, body)
    assert "NUL" in problem["detail"]


SURROGATES = [
    ("PUT", NAMESPACE, b'{"ownerName": "\\ud800"}'),
    ("PUT", NAMESPACE, b'{"ownerName": "me", "description": "\\udfff x"}'),
    ("PUT", JOB, b'{"type": "BATCH", "inputs": [], "outputs": [], "location": "\\ud800"}'),
    ("POST", RUNS, b'{"args": {"a": "\\ud83d"}}'),
    ("POST", RUNS, b'{"args": {"\\ude00\\ud83d": "a"}}'),
]


@pytest.mark.parametrize(("method", "path", "body"), SURROGATES)
async def test_a_lone_surrogate_in_a_text_is_refused(refused, method, path, body):
    await refused(400, method, path, body)


TIMES = [
    "",
    "0001-01-01T00:00:00Z",
    "yesterday",
    "2019-05-09",
    "12:00",
    "1557403200",
    "2019-05-09T25:00:00Z",
    "%00",
    "%F0%9F%98%80",
    "x" * 4000,
    "%ED%A0%80",
    "-",
]


@pytest.mark.parametrize("command", ["start", "complete", "fail", "abort"])
@pytest.mark.parametrize("time", TIMES, ids=lambda time: time[:20])
async def test_a_parameter_that_is_no_time_is_malformed(refused, command, time):
    problem, _ = await refused(400, "POST", f"{{run}}/{command}?at={time}")
    assert problem["detail"].startswith("parameter at: ")


async def test_a_time_that_is_given_twice_is_malformed(refused):
    await refused(400, "POST", "{run}/start?at=2019-05-09T12:00:00Z&at=2019-05-09T12:00:00Z")


@pytest.mark.parametrize("time", [IN_TWO_DAYS, "9999-12-31T23:59:59Z"], ids=["in two days", "year 9999"])
async def test_a_time_far_ahead_is_invalid(refused, time):
    problem, _ = await refused(422, "POST", f"{{run}}/complete?at={time}")
    assert "24 hours ahead" in problem["detail"]


@pytest.mark.parametrize(
    "text", ["not-a-uuid", "870492daecfb4be091b99a89ddd3db90", "%7B870492da-ecfb-4be0-91b9-9a89ddd3db90%7D", "%00",
             "%ED%A0%80", "870492da-ecfb-4be0-91b9-9a89ddd3db9%D9%A0", "x" * 3000,
             "0x0492da-ecfb-4be0-91b9-9a89ddd3db90"],
    ids=lambda text: text[:40],
)  # fmt: skip
@pytest.mark.parametrize(("method", "rest"), [("GET", ""), ("POST", "/start"), ("GET", "/facets?type=run")])
async def test_an_id_that_is_no_uuid_is_no_run(refused, method, rest, text):
    problem, _ = await refused(404, method, f"{BASE}/jobs/runs/{text}{rest}")
    assert problem["type"] == "/errors/run-not-found"


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        *[("POST", f"{UNKNOWN}/{command}", "run-not-found") for command in ("start", "complete", "fail", "abort")],
        ("GET", UNKNOWN, "run-not-found"),
        ("GET", f"{UNKNOWN}/facets?type=job", "run-not-found"),
        ("POST", f"{BASE}/namespaces/etl/jobs/nope/runs", "job-not-found"),
        ("GET", f"{BASE}/namespaces/etl/jobs/nope/runs", "job-not-found"),
        ("GET", f"{BASE}/namespaces/etl/jobs/nope", "job-not-found"),
        ("DELETE", f"{BASE}/namespaces/etl/jobs/nope", "job-not-found"),
        ("POST", f"{BASE}/namespaces/nope/jobs/nope/runs", "namespace-not-found"),
        ("GET", f"{BASE}/namespaces/nope", "namespace-not-found"),
        ("DELETE", f"{BASE}/namespaces/nope", "namespace-not-found"),
        ("GET", f"{BASE}/namespaces/nope/jobs", "namespace-not-found"),
        ("GET", f"{BASE}/whatever", "http-404"),
    ],
)
async def test_what_is_not_there_is_not_found(refused, method, path, kind):
    problem, _ = await refused(404, method, path)
    assert problem["type"] == f"/errors/{kind}"


async def test_a_job_of_an_unknown_namespace_is_not_defined(refused):
    job = {"type": "BATCH", "inputs": [], "outputs": []}
    problem, _ = await refused(404, "PUT", f"{BASE}/namespaces/nope/jobs/j", job)
    assert problem["detail"] == "Namespace 'nope' not found."


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "text/json", "application/xml", "nonsense"]
)
@pytest.mark.parametrize("route", ROUTES)
async def test_a_body_that_says_it_is_no_json_is_of_the_wrong_type(refused, route, kind):
    await refused(415, *ROUTES[route], b"{}", **{"Content-Type": kind})


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "{run}/start", "POST"),
        ("PUT", "{run}/complete", "POST"),
        ("DELETE", "{run}", "GET, HEAD"),
        ("POST", NAMESPACE, "DELETE, GET, HEAD, PUT"),
        ("PATCH", JOB, "DELETE, GET, HEAD, PUT"),
        ("DELETE", RUNS, "GET, HEAD, POST"),
        ("POST", f"{BASE}/namespaces", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(refused, method, path, allowed):
    _, response = await refused(405, method, path)
    assert response.headers["Allow"] == allowed


@pytest.mark.parametrize(
    "query",
    ["limit=-1", "limit=abc", "limit=", "limit=1.5", "limit=99999999999999999999999", "offset=-1", "offset=x",
     "limit=%D9%A1", "limit=--1", "offset=99999999999999999999", "state=WRONG", "state=", "state=RUNNING,WRONG"],
)  # fmt: skip
async def test_a_parameter_out_of_its_bounds_is_malformed(refused, query):
    problem, _ = await refused(400, "GET", f"{RUNS}?{query}")
    assert query.partition("=")[0] in problem["detail"]


@pytest.mark.parametrize("query", ["", "?type=", "?type=zzz"])
async def test_facets_of_an_unknown_type_are_malformed(refused, query):
    await refused(400, "GET", f"{{run}}/facets{query}")


@pytest.mark.parametrize(
    "name", ["%00", "a%00b", "%ED%A0%80", "x" * 1025, quote("é" * 1025)], ids=lambda name: name[:9]
)
@pytest.mark.parametrize("path", ["/namespaces/{name}", "/namespaces/etl/jobs/{name}", "/namespaces/{name}/jobs/j"])
async def test_a_name_that_cannot_be_recorded_is_refused(refused, path, name):
    body = {"ownerName": "me", "type": "BATCH", "inputs": [], "outputs": []}
    await refused(400, "PUT", BASE + path.replace("{name}", name), body)


async def test_a_conflict_carries_the_run_as_it_stands(client, refused, run):
    view = await (await client.post(f"{run}/complete")).json()
    for command in ("fail", "abort", "start"):
        problem, _ = await refused(409, "POST", f"{{run}}/{command}")
        assert (problem["run"], problem["type"]) == (view, "/errors/conflict")


async def test_another_creation_of_an_id_is_a_conflict(client, refused, run):
    identity = run.rpartition("/")[2]
    problem, _ = await refused(409, "POST", RUNS, {"id": identity, "args": {"other": 1}})
    assert problem["run"]["args"] == {}
    assert (await client.post(RUNS, json={"id": identity})).status == 200
    assert (await client.post(RUNS, json={"id": str(uuid4())})).status == 201


async def test_what_is_not_even_http_is_refused_in_the_same_form(refused):
    await refused(400, "GET", "/livez?" + "x" * 100_000)
    await refused(400, "GET", "/livez", **{"X-Long": "x" * 100_000})
    await refused(400, "S3CRET", "/livez")
