"""A deleted namespace hides its jobs until an event names them again."""

from uuid import uuid4

import pytest
from building import unguarded
from lineage_client import event, get, send

from service.maintenance.rebuild import rebuild_catalog

BASE = "/api/v1"
NAMESPACE = f"{BASE}/namespaces/ns"


async def names(client, path, **parameters):
    answer = await get(client, path, **parameters)
    assert answer["totalCount"] == len(answer["jobs"])
    return sorted(job["name"] for job in answer["jobs"])


async def statuses(client, job):
    path = f"{NAMESPACE}/jobs/{job}"
    return [(await client.get(each)).status for each in (path, f"{path}/runs")]


@pytest.fixture
async def deleted(client):
    """Two jobs with runs in a namespace that was deleted, and a job in another one."""
    for name in ("one", "two"):
        await send(client, event("COMPLETE", run=uuid4(), job=name))
    await send(client, event(run=uuid4(), job="three", namespace="other"))
    assert await names(client, f"{BASE}/jobs") == ["one", "three", "two"]
    assert (await client.delete(NAMESPACE)).status == 200
    return client


async def test_the_jobs_of_a_deleted_namespace_are_in_no_list_and_404(deleted):
    assert await names(deleted, f"{BASE}/jobs") == ["three"]
    assert await names(deleted, f"{BASE}/jobs", lastRunStates="COMPLETED") == []
    assert await names(deleted, f"{NAMESPACE}/jobs") == []
    assert await statuses(deleted, "one") == [404, 404]
    assert (await deleted.delete(f"{NAMESPACE}/jobs/one")).status == 404
    assert (await get(deleted, NAMESPACE))["isHidden"] is True
    listed = await get(deleted, f"{BASE}/namespaces")
    assert "ns" not in [namespace["name"] for namespace in listed["namespaces"]]


async def test_a_later_event_brings_back_the_namespace_and_only_the_job_that_it_names(deleted):
    await send(deleted, event(run=uuid4(), job="two"))
    assert await names(deleted, f"{BASE}/jobs") == ["three", "two"]
    assert await names(deleted, f"{NAMESPACE}/jobs") == ["two"]
    assert await statuses(deleted, "two") == [200, 200]
    assert await statuses(deleted, "one") == [404, 404]
    assert (await get(deleted, NAMESPACE))["isHidden"] is False
    assert (await get(deleted, f"{NAMESPACE}/jobs/two/runs"))["totalCount"] == 2


async def test_a_definition_brings_back_what_it_defines(deleted):
    assert (await deleted.put(NAMESPACE, json={"ownerName": "me"})).status == 200
    assert await names(deleted, f"{NAMESPACE}/jobs") == []
    job = {"type": "BATCH", "inputs": [], "outputs": []}
    assert (await deleted.put(f"{NAMESPACE}/jobs/one", json=job)).status == 200
    assert await names(deleted, f"{NAMESPACE}/jobs") == ["one"]


async def test_it_stays_so_when_the_catalog_is_rebuilt(deleted, dsn):
    await send(deleted, event(run=uuid4(), job="two"))
    await rebuild_catalog(dsn)
    assert await names(deleted, f"{BASE}/jobs") == ["three", "two"]


async def test_rows_of_an_earlier_version_are_read(deleted, db):
    """They have no `seen`: the position of the row, which is at least as late, stands for it."""
    await unguarded(db, "update runfold.jobs set seen = null")
    assert await names(deleted, f"{BASE}/jobs") == ["three"]
    await send(deleted, event(run=uuid4(), job="two"))
    assert await names(deleted, f"{NAMESPACE}/jobs") == ["two"]
