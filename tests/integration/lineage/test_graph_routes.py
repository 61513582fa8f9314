"""GET /lineage: its nodes and edges, the ids it takes, where it is cut off, and that it ends with its caller."""

import asyncio
import time

import pytest
from graphs import BASE, ask, edges, report
from hypothesis import given, settings
from hypothesis import strategies as st
from lineage_events import dataset, job_event, run_event
from waiting import wait_until

from service.domain.event import DatasetName, JobName
from service.domain.node_ids import dataset_node, job_node

FIRST, SECOND = "job:etl:first", "job:etl:second"
RAW, MID, END = "dataset:ds:raw", "dataset:ds:mid", "dataset:ds:end"
CHAIN = {RAW: [FIRST], FIRST: [MID], MID: [SECOND], SECOND: [END], END: []}


async def chain(client):
    await report(client, run_event("first", ["raw"], ["mid"], at=1), run_event("second", ["mid"], ["end"], at=2))


async def test_depth_counts_jobs_and_a_direction_is_followed(client):
    await chain(client)
    assert await edges(client, FIRST, depth=0) == {RAW: [FIRST], FIRST: [MID], MID: []}
    assert await edges(client, FIRST, depth=-7) == await edges(client, FIRST, depth=0)
    assert await edges(client, FIRST) == await edges(client, FIRST, depth=10**30) == CHAIN
    assert await edges(client, MID, depth=0) == CHAIN
    assert await edges(client, RAW, depth=0) == {RAW: [FIRST], FIRST: [MID], MID: []}
    assert await edges(client, MID, direction="up") == {RAW: [FIRST], FIRST: [MID], MID: []}
    assert await edges(client, MID, direction="down") == {MID: [SECOND], SECOND: [END], END: []}


async def test_a_graph_ends_where_the_names_at_its_edges_are_too_long(client, monkeypatch):
    await chain(client)
    for most, nodes in ((1, [RAW, FIRST, MID]), (60, [RAW, FIRST, MID, SECOND, END])):
        monkeypatch.setattr("service.lineage.graph.MAX_EDGE_TEXT", most)
        answer = await ask(client, "lineage", FIRST)
        assert sorted(each["id"] for each in answer["graph"]) == sorted(nodes)
        assert answer.get("truncatedAt", []) == ([MID] if SECOND not in nodes else [])


async def test_a_node_is_what_marquez_shows(client):
    run = "cccccccc-0000-4000-8000-00000000000a"
    parent = {"run": {"runId": "cccccccc-0000-4000-8000-00000000000b"}, "job": {"namespace": "etl", "name": "dag"}}
    schema = {"fields": [{"name": "a", "type": "int"}, {"name": "b"}]}
    task = run_event("dag.task", ["raw"], [dataset("mid", schema=schema)], at=1, run=run)
    task["run"]["facets"] = {"parent": parent}
    await report(client, task, run_event("dag", at=2, run=parent["run"]["runId"]))
    answer = await ask(client, "lineage", "job:etl:dag.task", withParents="true")
    mid, raw, dag, node = answer["graph"]
    assert [each["id"] for each in answer["graph"]] == [MID, RAW, "job:etl:dag", "job:etl:dag.task"]
    assert node["data"]["latestRun"]["id"] == node["data"]["currentRunUuid"] == run
    names = ("simpleName", "parentJobName", "inputs", "outputs")
    assert [node["data"][name] for name in names] == [
        "task", "dag", [{"namespace": "ds", "name": "raw"}], [{"namespace": "ds", "name": "mid"}],
    ]  # fmt: skip
    assert mid["data"]["fields"] == [
        {"name": "a", "type": "int", "tags": [], "description": None},
        {"name": "b", "type": None, "tags": [], "description": None},
    ]
    assert (raw["data"]["sourceName"], raw["data"]["lastLifecycleState"]) == ("default", "")
    assert dag["outEdges"] == [{"origin": "job:etl:dag", "destination": "job:etl:dag.task"}]
    assert "job:etl:dag" not in await edges(client, "job:etl:dag.task")


async def test_edges_are_those_of_the_latest_run_from_its_start_on_or_of_all_runs(client):
    run = "cccccccc-0000-4000-8000-00000000000a"
    await report(
        client, run_event("first", ["raw"], ["mid"], at=1), run_event("first", ["other"], at=9, run=run, kind="START")
    )
    assert await edges(client, FIRST) == {"dataset:ds:other": [FIRST], FIRST: []}
    assert await edges(client, RAW) == {RAW: []}
    every = await edges(client, RAW, edges="all")
    assert every == {RAW: [FIRST], "dataset:ds:other": [FIRST], FIRST: [MID], MID: []}
    await report(client, run_event("first", at=10, run=run), run_event("first", ["raw"], at=5))
    assert await edges(client, FIRST) == {"dataset:ds:other": [FIRST], FIRST: []}
    await report(client, job_event("planned", ["raw"], ["end"]))
    assert await edges(client, "job:etl:planned") == {RAW: ["job:etl:planned"], "job:etl:planned": [END], END: []}


async def test_what_is_deleted_is_not_there_and_ways_end_there(client):
    await chain(client)
    async with client.delete(f"{BASE}/namespaces/etl/jobs/second") as answer:
        assert answer.status == 200
    assert await edges(client, END) == {END: []}
    assert SECOND not in await edges(client, FIRST)
    await ask(client, "lineage", SECOND, status=404)


async def test_a_dataset_with_several_names_is_one_node_that_each_name_finds(client):
    links = {"identifiers": [{"namespace": "hive", "name": "db.mid", "type": "TABLE"}]}
    await report(
        client,
        run_event("second", [dataset("db.mid", "hive")], ["end"], at=1),
        run_event("first", ["raw"], [dataset("mid", symlinks=links)], at=2),
    )
    assert await edges(client, "dataset:hive:db.mid") == await edges(client, MID) == CHAIN
    (second,) = [node for node in (await ask(client, "lineage", SECOND))["graph"] if node["id"] == SECOND]
    assert second["data"]["inputs"] == [{"namespace": "ds", "name": "mid"}]


@pytest.mark.parametrize("node", ["", "job", "job:g", "run:x:y", "datasetField:g:t:f", "wat:g:x"])
async def test_an_id_that_is_none_is_refused_with_what_an_id_looks_like(client, node):
    problem = await ask(client, "lineage", node, status=400)
    assert problem["detail"].endswith("looks like job:NAMESPACE:NAME or dataset:NAMESPACE:NAME")


async def test_bad_parameters_and_unknown_nodes_are_refused(client):
    async with client.get(f"{BASE}/lineage") as answer:
        assert answer.status == 400
        assert "job:NAMESPACE:NAME" in (await answer.json())["detail"]
    assert "depth" in (await ask(client, "lineage", FIRST, status=400, depth="deep"))["detail"]
    for node, message in (
        ("job:g:nope#x", "Job 'nope#x' not found."),
        ("dataset:s3://b:2024/x", "Dataset '2024/x' not found."),
    ):
        assert (await ask(client, "lineage", node, status=404))["detail"] == message
    await ask(client, "lineage", FIRST, status=400, edges="all", validAt="2024-01-01T00:00:00Z")


names = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8),
    st.text(st.sampled_from(":/%#.a1 ?&+"), min_size=1, max_size=8),
    st.sampled_from(["s3://bucket", "postgres://host:5432", "jdbc:h2:mem:x", "2024/x", "a%3Ab", "arn:aws:glue:eu:123"]),
)


@settings(max_examples=12)
@given(pairs=st.lists(st.tuples(names, names), min_size=5, max_size=5, unique=True))
async def test_every_id_that_an_answer_has_is_taken(client, pairs):
    """Two names may have one id, such as (a, b:c) and (a:b, c): then what is found has that id."""
    (space, job), *datasets = pairs
    made = [dataset(name, namespace) for namespace, name in datasets]
    await report(client, run_event(job, made[:2], made[2:], namespace=space))
    answer = await ask(client, "lineage", job_node(JobName(space, job)), depth=0)
    ids = {node["id"] for node in answer["graph"]}
    assert {dataset_node(DatasetName(*pair)) for pair in datasets} <= ids
    for id_ in ids:
        assert id_ in {node["id"] for node in (await ask(client, "lineage", id_, depth=0))["graph"]}


async def test_a_graph_in_which_everything_touches_one_dataset_is_cut(client, db):
    await report(client, run_event("reader", ["hub"]), run_event("writer", ["raw"], ["hub"]))
    await ask(client, "lineage", "job:etl:reader")
    await db.execute(
        "insert into runfold.jobs (id, position, namespace_id, namespace, name, hidden, updated_at, registers)"
        " select md5(n::text)::uuid, position, namespace_id, namespace, 'r' || n, hidden, updated_at, registers"
        "   from runfold.jobs, generate_series(1, 50000) n where name = 'reader'"
    )
    await db.execute(
        "insert into runfold.lineage_edges select md5(n::text)::uuid, 0, dataset_id, true, first_at"
        "  from runfold.lineage_edges, generate_series(1, 50000) n where job_id ="
        " (select id from runfold.jobs where name = 'reader')"
    )
    began = time.perf_counter()
    answer = await ask(client, "lineage", RAW, depth=5, limit=1_000)
    assert time.perf_counter() - began < 5
    assert (len(answer["graph"]), answer["truncated"], answer["truncatedAt"][0]) == (1_000, True, "dataset:ds:hub")
    whole = await ask(client, "lineage", "dataset:ds:raw", depth=0)
    assert "truncated" not in whole


async def test_the_statement_of_a_caller_that_has_left_ends(client, db, connections):
    await chain(client)
    await ask(client, "lineage", FIRST)

    async def waiting():
        """Whether the statement waits for a lock: asked outside of the transaction, which would see one state only."""
        return (await connections.fetch(_WAITING))[0]["waiting"]

    async def ended():
        return not await waiting()

    async with db.transaction():
        await db.execute("lock table runfold.lineage_edges in access exclusive mode")
        request = asyncio.ensure_future(ask(client, "lineage", FIRST, stale="true"))
        await wait_until(waiting, "the request waits in the database")
        request.cancel()
        await wait_until(ended, "the statement has ended", 2)  # it would end by its time limit, but later
    assert await edges(client, FIRST) == CHAIN


_WAITING = """
select count(*) > 0 as waiting from pg_stat_activity
 where datname = current_database() and wait_event_type = 'Lock' and query like '%recursive g%'
"""
