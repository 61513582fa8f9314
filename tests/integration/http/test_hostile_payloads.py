"""Unusual payloads: what is accepted can be projected; what cannot be projected is refused."""

import asyncio

import pytest
from building import head

from service.maintenance.rebuild import rebuild_catalog
from service.payloads.raw_json import MAX_DEPTH

BASE = "/api/v1"
RUNS = f"{BASE}/namespaces/etl/jobs/load/runs"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def job(client):
    await client.put(f"{BASE}/namespaces/etl", json={"ownerName": "me"})
    await client.put(f"{BASE}/namespaces/etl/jobs/load", json={"type": "BATCH", "inputs": [], "outputs": []})


def nested(depth, inside=""):
    return f'{{"args":{{"a":"1"}},"ownerName":"me","x":{"[" * (depth - 1)}{inside}{"]" * (depth - 1)}}}'


@pytest.mark.usefixtures("job")
async def test_the_deepest_body_that_is_taken_can_be_folded_and_folded_anew(client, dsn):
    created = await client.post(RUNS, data=nested(MAX_DEPTH), headers=JSON)
    assert created.status == 201
    assert (await client.get(RUNS)).status == 200
    await rebuild_catalog(dsn)
    assert (await (await client.get(RUNS)).json())["runs"][0]["args"] == {"a": "1"}


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize("path", [RUNS, f"{BASE}/namespaces/deep"])
@pytest.mark.parametrize("inside", ["", '"\\u0000"'])
async def test_a_body_that_is_nested_deeper_is_refused(client, db, path, inside):
    before = await head(db)
    for depth in (MAX_DEPTH + 1, 2_480, 100_000):
        send = client.post if path == RUNS else client.put
        response = await send(path, data=nested(depth, inside), headers=JSON)
        assert response.status == 400
    assert await head(db) == before


@pytest.mark.parametrize("number", ["0" * 20 + "9" * 30, "0" * 5_000, "0" * 20 + "999999", "9" * 18])
@pytest.mark.parametrize("parameter", ["limit", "offset"])
async def test_a_number_of_too_many_digits_is_refused(client, parameter, number):
    assert (await client.get(f"{BASE}/namespaces?{parameter}={number}")).status == 400


@pytest.mark.usefixtures("job")
async def test_a_definition_that_names_no_datasets_says_that_there_are_none(client):
    path = f"{BASE}/namespaces/etl/jobs/load"
    named = {"type": "BATCH", "inputs": [{"namespace": "a", "name": "b"}], "outputs": []}
    assert (await (await client.put(path, json=named)).json())["inputs"] == named["inputs"]
    assert (await (await client.put(path, json=named | {"inputs": []})).json())["inputs"] == []


@pytest.mark.usefixtures("job")
async def test_the_catalog_is_rebuilt_while_it_is_written_and_read(client, dsn):
    rebuilding = asyncio.create_task(rebuild_catalog(dsn))
    created = 0
    while created < 3 or not rebuilding.done():
        assert (await client.post(RUNS, json={})).status == 201
        created += 1
        answer = await client.get(RUNS)
        assert (answer.status, (await answer.json())["totalCount"]) == (200, created), "it is never empty nor behind"
    await rebuilding
    assert (await (await client.get(RUNS)).json())["totalCount"] == created
