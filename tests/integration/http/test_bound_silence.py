"""Ends of silent runs that are inferred: what an API key that is bound to namespaces sees of them and sets."""

import pytest
from served import Served
from tenants import A_LINEAGE, B_LINEAGE, BASE, BOTH, A, B, lineage, make_keys, ok
from waiting import wait_until

from service.http.app import build_app
from service.monitor import silence_monitor
from service.settings import Settings


@pytest.fixture
async def served(dsn, connections, aiohttp_client, monkeypatch):
    """A service without an allowance of its own, in which only namespaces and jobs have one, and headers of keys."""
    monkeypatch.setattr(silence_monitor, "MAX_INTERVAL_S", silence_monitor.MIN_INTERVAL_S)
    made = await make_keys(connections)
    return await aiohttp_client(Served(build_app(Settings(database_url=dsn)))), made


async def found(client, headers):
    return {run["id"]: run for run in (await ok(client, "GET", "/runs?inferred=true", headers))["runs"]}


async def test_a_bound_key_sets_what_its_runs_may_be_silent_and_sees_the_ends_of_these_only(served):
    client, made = served
    setting = {"ownerName": "me", "silentAfterSeconds": 1}
    for namespace, headers in ((A, made.a), (B, made.b)):
        await ok(client, "PUT", f"/namespaces/{namespace}", headers, json=setting)
    foreign = f"{BASE}/namespaces/{B}"
    async with client.put(foreign, headers=made.a, json=setting | {"silentAfterSeconds": 0}) as answer:
        assert answer.status == 403
    for namespace, run in ((A, A_LINEAGE), (B, B_LINEAGE), (A, BOTH)):
        await ok(client, "POST", "/lineage", made.operator, json=lineage(namespace, run))
    await ok(client, "POST", "/lineage", made.operator, json=lineage(B, BOTH, None, 1))

    async def inferred():
        return set(await found(client, made.operator)) == {A_LINEAGE, B_LINEAGE, BOTH}

    await wait_until(inferred, "the monitor, which no key binds, infers the ends of all runs")
    every = await found(client, made.operator)
    assert await found(client, made.a) == {A_LINEAGE: every[A_LINEAGE]}
    assert await found(client, made.b) == {B_LINEAGE: every[B_LINEAGE]}
    assert every[A_LINEAGE]["stateReason"]["code"] == "silent"
    history = (await ok(client, "GET", f"/jobs/runs/{A_LINEAGE}/events", made.a))["events"]
    assert [event["source"] for event in history] == ["openlineage", "monitor"]
    seen = (await ok(client, "GET", "/events?source=monitor", made.b))["events"]
    assert [event["position"] for event in seen] == [every[B_LINEAGE]["stateReason"]["position"]]
    await ok(client, "POST", "/lineage", made.a, json=lineage(A, A_LINEAGE, "COMPLETE", 5))
    assert await found(client, made.a) == {}
