"""Requests beyond the limit of an API key get a 429, and batches with more events are slowed down."""

import asyncio
import time

import pytest
from lineage_client import BATCH, JSON, LINEAGE, NDJSON, event, many
from openlineage.client.transport.http import HttpConfig, HttpTransport
from served import Served

from service.auth import keys
from service.http.app import build_app
from service.http.key_limits import BURST_S
from service.settings import Settings

RATE = 2
BURST = int(RATE * BURST_S)


@pytest.fixture
async def served(dsn, connections, aiohttp_client):
    secrets = {name: await keys.create_key(connections, name, "write") for name in ("ann", "bob")}
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn, requests_per_key=RATE))))
    client.headers_of = {name: {"Authorization": f"Bearer {secret}"} for name, secret in secrets.items()}
    client.secrets = secrets
    return client


async def use_up(client, name):
    path, headers = "/api/v1/namespaces/etl", client.headers_of[name]
    statuses = []
    while 429 not in statuses:
        answer = await client.get(path, headers=headers)
        statuses.append(answer.status)
    assert statuses[:BURST] == [404] * BURST
    return answer


async def test_a_key_that_sends_too_much_is_refused_and_others_are_not(served):
    answer = await use_up(served, "ann")
    assert answer.headers["Retry-After"] == "2"
    problem = await answer.json()
    assert problem["type"] == "/errors/rate-limited"
    assert "ann" in problem["detail"]
    metrics = await (await served.get("/metrics", headers=served.headers_of["bob"])).text()
    assert 'runfold_key_limit_refusals_total{key="ann"} 1.0\n' in metrics
    assert 'key="bob"' not in metrics
    assert (await served.get("/livez")).status == 200

    # openlineage-python repeats a 429 because of Retry-After, though 429 is not among the statuses that it names.
    url, secret = str(served.make_url("")).rstrip("/"), served.secrets["ann"]
    config = HttpConfig.from_dict({"url": url, "auth": {"type": "api_key", "apiKey": secret}})
    retry = HttpTransport(config)._prepare_adapter().max_retries
    assert 429 not in retry.status_forcelist
    assert retry.is_retry("POST", 429, has_retry_after=True)


async def test_requests_for_which_a_key_has_no_right_count(served, connections):
    secret = await keys.create_key(connections, "reader", "read")
    headers = {"Authorization": f"Bearer {secret}"}
    statuses = [
        (await served.put("/api/v1/namespaces/etl", json={"ownerName": "me"}, headers=headers)).status
        for _ in range(BURST + 5)
    ]
    assert statuses[0] == 403
    assert statuses[-1] == 429


async def test_batches_are_slowed_down_and_do_not_use_up_the_requests(served):
    lines = many(BURST + RATE)
    headers = served.headers_of["ann"] | NDJSON
    began = time.monotonic()
    for part in (lines[:BURST], lines[BURST:], lines[:1]):
        answer = await served.post(BATCH, data="\n".join(part), headers=headers)
        assert answer.status == 204, await answer.text()
    assert time.monotonic() - began > 0.9
    answer = await served.post(LINEAGE, data=event(), headers=JSON | served.headers_of["ann"])
    assert answer.status == 201


async def test_a_revoked_key_is_not_served_after_its_wait(served, connections):
    headers = served.headers_of["ann"] | NDJSON
    lines = many(BURST + 200 * RATE)
    assert (await served.post(BATCH, data="\n".join(lines), headers=headers)).status == 204
    waiting = asyncio.create_task(served.post(BATCH, data=lines[0], headers=headers))
    await keys.revoke_key(connections, "ann")
    done, _ = await asyncio.wait([waiting], timeout=20)
    assert done, "the wait for the allowance would last minutes"
    if waiting.exception() is None:
        assert waiting.result().status in {401, 200}
