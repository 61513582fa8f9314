"""What the log says of each request, and how an answer leads to it."""

from uuid import uuid4

import pytest
from served import Served

from service.auth import keys
from service.http.app import build_app
from service.settings import Settings
from service.trace_context import parse

BASE = "/api/v1"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACED = {"traceparent": f"00-{TRACE}-{SPAN}-01"}


@pytest.fixture
def access(caplog):
    """Return the fields of the lines of the access log."""
    caplog.set_level("INFO")
    return lambda: [record.fields for record in caplog.records if record.name == "service.access"]


@pytest.fixture
async def service(dsn, aiohttp_client):
    return await aiohttp_client(Served(build_app(Settings(database_url=dsn, access_log=True))))


@pytest.mark.parametrize("headers", [{}, {"Connection": "close"}], ids=["one piece", "by aiohttp"])
async def test_a_line_has_run_key_caller_trace_and_duration_and_never_the_query(
    headers, dsn, connections, aiohttp_client, access, caplog
):
    secret = await keys.create_key(connections, "scheduler", "write")
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn, access_log=True, auth="on"))))
    sent = {"Authorization": f"Bearer {secret}", **TRACED, **headers}
    await client.put(f"{BASE}/namespaces/etl", json={"ownerName": "me"}, headers=sent)
    job = {"type": "BATCH", "inputs": [], "outputs": []}
    await client.put(f"{BASE}/namespaces/etl/jobs/load", json=job, headers=sent)
    run = str(uuid4())
    await client.post(f"{BASE}/namespaces/etl/jobs/load/runs", json={"id": run}, headers=sent)
    start = f"{BASE}/jobs/runs/{run}/start"
    assert (await client.post(f"{start}?at=2024-01-01T00:00:00Z", headers=sent)).status == 200
    line = access()[-1]
    assert 0 < line.pop("duration_ms") < 60_000
    assert line == {
        "method": "POST", "path": start, "status": 200, "run": run, "key": "scheduler", "caller": "127.0.0.1",
        "trace_id": TRACE,
    }  # fmt: skip
    ours = [vars(record) for record in caplog.records if record.name.startswith("service.")]
    assert "2024-01-01" not in str(ours)
    assert secret not in str(ours)


async def test_an_error_names_its_span_and_request_as_the_log_does(service, access):
    answer = await service.get(f"{BASE}/jobs/runs/{uuid4()}", headers=TRACED)
    span = parse(answer.headers["traceresponse"])
    assert (answer.status, span.trace_id, span.sampled) == (404, TRACE, False)
    assert span.span_id != SPAN
    line = access()[-1]
    assert (line["trace_id"], line["span_id"]) == (TRACE, span.span_id)
    assert line["request_id"] == answer.headers["X-Request-ID"]


async def test_without_a_valid_traceparent_there_is_no_trace(service, access):
    answer = await service.get("/nowhere", headers={"traceparent": f"00-{'0' * 32}-{SPAN}-01"})
    assert "traceresponse" not in answer.headers
    assert access()[-1].keys() == {"method", "path", "status", "caller", "request_id", "duration_ms"}


@pytest.mark.parametrize(
    ("trusted", "given", "caller"),
    [
        ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "198.51.100.1, 2001:DB8::7", "2001:db8::7"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("10.0.0.0/8", "203.0.113.7", "127.0.0.1"),
        ("", "203.0.113.7", "127.0.0.1"),
    ],
)
async def test_the_caller_is_the_one_that_a_trusted_proxy_tells(trusted, given, caller, dsn, aiohttp_client, access):
    client = await aiohttp_client(
        Served(build_app(Settings(database_url=dsn, access_log=True, trusted_proxies=trusted)))
    )
    await client.get("/nowhere", headers={"X-Forwarded-For": given})
    assert access()[-1]["caller"] == caller
