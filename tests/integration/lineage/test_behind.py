"""While datasets and lineage are not projected, graphs are answered with what there is, and datasets are not."""

import asyncio
from contextlib import asynccontextmanager
from time import monotonic

import asyncpg
from dataset_client import BASE, at, call, named, report
from lineage_events import dataset, record, run_event
from served import Served

from service.auth import keys
from service.catalog.freshness import WAIT_S
from service.domain.binding import parse_binding
from service.http import dataset_reads
from service.http.app import build_app
from service.settings import Settings

BEHIND = "Runfold-Behind"
OLD, NEW = f"{BASE}/lineage?nodeId=dataset:lake:old", f"{BASE}/lineage?nodeId=dataset:lake:new"
RUN = f"{BASE}/runlineage/upstream?runId="
OTHERS = (f"{BASE}/search?q=old", f"{BASE}/stats/datasets?period=DAY", f"{BASE}/stats/lineage-events?period=WEEK")


@asynccontextmanager
async def no_projection(dsn):
    """Lock the cursor, so that no page is written within the block."""
    connection = await asyncpg.connect(dsn)
    async with connection.transaction():
        await connection.execute("select from runfold.lineage_cursor for update")
        yield
    await connection.close()


async def answer(client, url, headers=None):
    began = monotonic()
    async with client.get(url, headers=headers) as response:
        return response.status, response.headers.get(BEHIND), await response.json(), monotonic() - began


def names(graph):
    return {node["data"]["name"] for node in graph["graph"]}


async def test_graphs_are_answered_behind_and_say_by_how_much(client, dsn, monkeypatch):
    monkeypatch.setattr(dataset_reads, "WAIT_S", 0.1)
    mapping = {
        "columnLineage": {"fields": {"b": {"inputFields": [{"namespace": "lake", "name": "raw", "field": "a"}]}}}
    }
    run = await report(client, outputs=[named("old", **mapping)])
    columns = f"{BASE}/column-lineage?nodeId=dataset:lake:old"
    for url in (OLD, columns, RUN + str(run), *OTHERS):
        status, behind, _, _ = await answer(client, url)
        assert (status, behind) == (200, None), url
    async with no_projection(dsn):
        unseen = await report(client, minute=1, inputs=[named("old")], outputs=[named("new")], job="second")
        await report(client, minute=2, inputs=[named("new")], job="third")
        paths = [OLD, columns, RUN + str(run), *OTHERS, NEW, f"{RUN}{unseen}", f"{BASE}/datasets", f"{OLD}&stale=true"]
        found = dict(zip(paths, await asyncio.gather(*(answer(client, path) for path in paths)), strict=True))
        for url in (OLD, columns, RUN + str(run), *OTHERS):
            status, behind, _, seconds = found[url]
            assert (status, behind, seconds >= WAIT_S) == (200, "2", True), url
        assert names(found[OLD][2]) == names(found[f"{OLD}&stale=true"][2]) == {"load", "old"}
        status, _, problem, _ = found[NEW]
        assert (status, "2 events are not projected yet" in problem["detail"]) == (503, True)
        assert found[f"{OLD}&stale=true"][:2] == (200, None)
        status, _, _, seconds = found[f"{BASE}/datasets"]
        assert (status, seconds < WAIT_S) == (503, True), "what callers define is there, or it is an error"
    for url in (OLD, NEW):
        status, behind, graph, _ = await answer(client, url)
        assert (status, behind, names(graph)) == (200, None, {"load", "old", "second", "new", "third"})


async def test_a_definition_is_answered_when_it_is_projected(client, dsn):
    """It waits for as long as lists of datasets do, which is longer than other requests wait."""
    assert (await call(client, "PUT", at("/namespaces/n"), {"ownerName": "me"}))[0] == 200
    source = {"type": "DB", "connectionUrl": "db://h/d"}
    assert (await call(client, "PUT", at("/sources/s"), source))[0] == 200
    table = {"type": "DB_TABLE", "physicalName": "t", "sourceName": "s"}
    assert (await call(client, "PUT", at("/namespaces/n/datasets/first"), table))[0] == 200
    async with no_projection(dsn):
        put = asyncio.ensure_future(call(client, "PUT", at("/namespaces/n/datasets/second"), table))
        done, _ = await asyncio.wait([put], timeout=WAIT_S + 0.2)
        assert not done
    status, _, shown = await put
    assert (status, shown["name"]) == (200, "second")


async def test_datasets_are_waited_for_no_longer_than_the_database_is(dsn, aiohttp_client):
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn, database_timeout=0.5))))
    await report(client, outputs=[named("old")])
    async with no_projection(dsn):
        await report(client, minute=1, outputs=[named("new")], job="second")
        status, _, _, seconds = await answer(client, f"{BASE}/datasets")
        assert (status, seconds < WAIT_S) == (503, True)


async def test_a_bound_key_does_not_learn_how_much_others_record(dsn, connections, aiohttp_client):
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn, auth="on"))))
    headers = []
    for name, binding in (("all", None), ("bound", parse_binding(["lake"]))):
        secret = await keys.create_key(connections, name, "write", binding=binding)
        headers.append({"Authorization": f"Bearer {secret}"})
    await record(connections, run_event(outputs=[dataset("old", "lake")]))
    paths = (OLD, f"{BASE}/lineage?nodeId=dataset:lake:unknown")
    async with client.get(OLD, headers=headers[0]) as response:
        assert BEHIND not in response.headers
    async with no_projection(dsn):
        await record(connections, *(run_event(namespace="others", outputs=["x"]) for _ in range(23)))
        asked = [answer(client, path, each) for path in paths for each in headers]
        whole, bound, _, not_found = await asyncio.gather(*asked)
    assert (whole[:2], bound[:2]) == ((200, "23"), (200, "some"))
    assert (not_found[0], "some events are not projected" in not_found[2]["detail"]) == (503, True)


async def test_the_header_is_described(client):
    async with client.get("/openapi.json") as response:
        paths = (await response.json())["paths"]
    for path in (OLD, RUN, *OTHERS):
        assert BEHIND in paths[path.partition("?")[0]]["get"]["responses"]["200"]["headers"]
