"""The tree of a run: levels, pages, bounds, circles of parents, and parents of which nothing was reported."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from lineage_client import BATCH, NDJSON, event, get, send

from service.catalog import run_tree

BEGIN = datetime(2024, 2, 1, tzinfo=UTC)
CHILDREN = 2_000


def parent(run):
    return {"parent": {"run": {"runId": str(run)}, "job": {"namespace": "ns", "name": "above"}}}


async def report(client, *runs):
    """Report runs, each a pair of its id and that of its parent (None: it has none), one second after the other."""
    lines = [
        event(
            "COMPLETE", (BEGIN + timedelta(seconds=second)).isoformat(), run, **({} if above is None else parent(above))
        )
        for second, (run, above) in enumerate(runs)
    ]
    assert (await send(client, "\n".join(lines), BATCH, NDJSON))[0] == 204


async def tree(client, run, **parameters):
    return await get(client, f"/api/v1/jobs/runs/{run}/tree", **parameters)


async def pages(client, run, **parameters):
    """Return the runs of all pages, and the last page."""
    page = await tree(client, run, **parameters)
    runs = page["runs"]
    while page["next"]:
        assert not page["isWhole"]
        page = await tree(client, run, cursor=page["next"], **parameters)
        runs += page["runs"]
    return runs, page


def ids(page):
    return [UUID(run["id"]) for run in page["runs"]]


def new(count):
    return [uuid4() for _ in range(count)]


async def test_a_tree_of_several_levels_is_the_same_from_each_of_its_runs(client):
    dag, first, second, tries, job = uuid4(), uuid4(), uuid4(), new(2), uuid4()
    above = {dag: None, first: dag, second: dag, tries[0]: first, tries[1]: first, job: tries[1]}
    await report(client, *above.items())
    found = await tree(client, dag)
    assert ids(found) == list(above)
    assert [run["depth"] for run in found["runs"]] == [0, 1, 1, 2, 2, 3]
    assert [run["parent"] and UUID(run["parent"]) for run in found["runs"]] == list(above.values())
    assert (found["root"], found["next"], found["isWhole"]) == (str(dag), None, True)
    for run in above:
        assert await tree(client, run) == found
    assert ids(await tree(client, first, above=0)) == [first, *tries, job]
    whole = await get(client, f"/api/v1/jobs/runs/{job}")
    shown = found["runs"][-1]
    assert (shown["namespace"], shown["job"]) == (whole["job"]["namespace"], whole["job"]["name"])
    for name in ("id", "state", "createdAt", "startedAt", "endedAt"):
        assert shown[name] == whole[name]


async def test_what_lies_beyond_the_levels_that_are_asked_for_is_not_hidden(client):
    line = new(12)
    await report(client, *zip(line, [None, *line], strict=False))
    assert (ids(await tree(client, line[0])), (await tree(client, line[0]))["isWhole"]) == (line[:9], False)
    assert (await tree(client, line[0], depth=11))["isWhole"]
    assert not (await tree(client, line[0], depth=10))["isWhole"]
    below = await tree(client, line[-1])
    assert (below["root"], ids(below), below["isWhole"]) == (str(line[3]), line[3:], False)
    assert (await tree(client, line[-1], above=11, depth=11))["isWhole"]


async def test_2000_children_come_in_pages_each_once(client):
    dag, tasks = uuid4(), new(CHILDREN)
    await report(client, (dag, None), *((task, dag) for task in tasks), *((uuid4(), task) for task in tasks[:150]))
    runs, last = await pages(client, tasks[7], limit=700)
    assert [UUID(run["id"]) for run in runs[: CHILDREN + 1]] == [dag, *tasks]
    assert [UUID(run["parent"]) for run in runs[CHILDREN + 1 :]] == tasks[:150]
    assert last["isWhole"]


@pytest.mark.parametrize("length", [1, 2, 3])
async def test_parents_in_a_circle_end_the_tree(client, length):
    circle, below = new(length), uuid4()
    await report(client, *zip(circle, circle[1:] + circle[:1], strict=True), (below, circle[0]))
    for run in (*circle, below):
        found = await tree(client, run)
        assert sorted(ids(found)) == sorted([*circle, below])
        assert (found["isWhole"], found["next"]) == (True, None)


async def test_a_parent_of_which_nothing_was_reported_is_the_root(client):
    lost, tasks = uuid4(), new(3)
    await report(client, *((task, lost) for task in tasks))
    for run in (lost, *tasks):
        found = await tree(client, run)
        assert (found["root"], ids(found), found["isWhole"]) == (str(lost), tasks, True)
        assert {run["depth"] for run in found["runs"]} == {1}
    assert ids(await tree(client, tasks[0], above=0)) == tasks[:1]
    assert (await client.get(f"/api/v1/jobs/runs/{uuid4()}/tree")).status == 404


async def test_a_tree_that_is_too_large_is_cut_and_says_so(client, monkeypatch):
    monkeypatch.setattr(run_tree, "MAX_RUNS", 5)
    dag, tasks = uuid4(), new(5)
    await report(client, (dag, None), *((task, dag) for task in tasks[:4]))
    assert (await pages(client, dag, limit=2))[1]["isWhole"]
    await report(client, (tasks[4], dag))
    for limit in (2, 5, 100):
        runs, last = await pages(client, dag, limit=limit)
        assert len(runs) == 5
        assert not last["isWhole"]


async def test_a_cursor_of_another_tree_is_refused(client):
    run = uuid4()
    await report(client, (run, None))
    async with client.get(f"/api/v1/jobs/runs/{run}/tree?cursor={uuid4()}") as answer:
        assert answer.status == 400
        assert "of this tree" in (await answer.json())["detail"]
    assert (await client.get(f"/api/v1/jobs/runs/{uuid4()}/tree?cursor={run}")).status == 404
    lost, task = new(2)
    await report(client, (task, lost))
    for parameters in (f"cursor={run}", f"cursor={run}&depth=0", f"cursor={lost}"):
        assert (await client.get(f"/api/v1/jobs/runs/{lost}/tree?{parameters}")).status == 400
    assert (await tree(client, lost, depth=0), await tree(client, lost, cursor=str(task))) == (
        {"root": str(lost), "runs": [], "next": None, "isWhole": False},
        {"root": str(lost), "runs": [], "next": None, "isWhole": True},
    )
    for bad in ("depth=33", "above=-1", "limit=0", "cursor="):
        assert (await client.get(f"/api/v1/jobs/runs/{run}/tree?{bad}")).status == 400


async def test_a_page_is_as_small_as_columns_are(client):
    dag = uuid4()
    lines = [json.loads(event(run=uuid4(), **parent(dag), notes={"text": "x" * 20_000})) for _ in range(50)]
    assert (await send(client, "\n".join(map(json.dumps, lines)), BATCH, NDJSON))[0] == 204
    async with client.get(f"/api/v1/jobs/runs/{dag}/tree") as answer:
        assert len(await answer.read()) < 50 * 400
