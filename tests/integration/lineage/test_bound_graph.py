"""Graphs for an API key that is bound to namespaces: the nodes of others do not exist, and ways end there."""

import pytest
from graphs import ask, edges, report
from lineage_events import columns, dataset, run_event
from served import Served

from service.auth import keys
from service.domain.binding import parse_binding
from service.http.app import build_app
from service.settings import Settings

MARK = "zebra"
"""Is in all names of others."""
LATER = {"knownAt": "2999-01-01T00:00:00Z"}


@pytest.fixture
async def world(dsn, connections, aiohttp_client):
    """A service with what two teams recorded, and the headers of a key for all namespaces and of a bound one."""
    made = [
        await keys.create_key(connections, name, "write", binding=binding)
        for name, binding in (("all", None), ("bound", parse_binding(["etl", "ds"])))
    ]
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn, auth="on"))))
    every, bound = ({"Authorization": f"Bearer {secret}"} for secret in made)
    links = {"identifiers": [{"namespace": "ds", "name": "mid", "type": "TABLE"}]}
    mapping = {"fields": {"y": {"inputFields": [{"namespace": MARK, "name": "in", "field": "x"}]}}}
    foreign = dataset("in", MARK, schema=columns(x="int"))
    await report(
        client,
        run_event("first", ["raw", foreign], [dataset("mid", schema=columns(y="int"), columnLineage=mapping)], at=1),
        run_event("bridge", ["mid"], ["end"], at=2, namespace=MARK),
        run_event("second", ["end"], at=3),
        run_event("namer", [dataset("alias", MARK, symlinks=links)], at=4, namespace=MARK),
        headers=every,
    )
    return client, every, bound


async def test_nodes_and_names_of_others_are_not_there_and_ways_end_at_them(world):
    client, every, bound = world
    first, raw, mid = "job:etl:first", "dataset:ds:raw", "dataset:ds:mid"
    assert await edges(client, first, headers=bound) == {raw: [first], first: [mid], mid: []}
    whole = await edges(client, first, headers=every)
    assert f"job:{MARK}:bridge" in whole
    assert "job:etl:second" in whole
    for path in ("lineage", "column-lineage"):
        for node in (first, mid, raw, "dataset:ds:end"):
            for more in ({}, {"withDownstream": "true"}, LATER, LATER | {"withDownstream": "true"}):
                assert MARK not in str(await ask(client, path, node, headers=bound, **more))
        for more in ({}, LATER):
            assert MARK in str(await ask(client, path, first, headers=every, **more))
    for parameters in ({"validAt": "2024-01-01T13:00:00Z"}, {"edges": "all"}, {"withParents": "true"}):
        assert MARK not in str(await ask(client, "lineage", first, headers=bound, **parameters))
    for name in ("mid", "end", "raw"):
        for path in ("", "/versions", "?knownAt=2999-01-01T00:00:00Z"):
            url = f"/api/v1/namespaces/ds/datasets/{name}{path}"
            shown, hidden = [await (await client.get(url, headers=each)).text() for each in (every, bound)]
            assert MARK not in hidden
            assert MARK in shown or name != "mid"
    for node in (f"job:{MARK}:bridge", f"dataset:{MARK}:alias", f"dataset:{MARK}:in"):
        await ask(client, "lineage", node, status=404, headers=bound)
        await ask(client, "column-lineage", node, status=404, headers=bound)
        await ask(client, "lineage", node, headers=every)
