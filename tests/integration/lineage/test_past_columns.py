"""Graphs of columns as they were known, and as they stood: by the mapping that each job had told last then."""

import random
from uuid import UUID

from graphs import ask, edges, report
from lineage_events import columns, dataset, dataset_event, run_event

from service.lineage import past_columns

PATH = "column-lineage"
B = "datasetField:ds:b:y"
AT = "2024-01-01T12:{:02}:30Z"
"""Half a minute after an event."""


def made(name, field, *sources):
    """Return an output of which one column is made of others, which are pairs of dataset and field."""
    inputs = [{"namespace": "ds", "name": each, "field": source} for each, source in sources]
    mapping = {"fields": {field: {"inputFields": inputs}}}
    return dataset(name, schema=columns(**{field: "int"}), columnLineage=mapping)


async def recorded(db):
    """Return the time at which the last event was recorded."""
    return (await db.fetchval("select max(recorded_at) from runfold.events")).isoformat()


async def sources(client, **moment):
    """Return the fields that b.y is made of."""
    answer = await ask(client, PATH, "dataset:ds:b", **moment)
    assert "asOf" in answer or not moment
    nodes = {node["id"]: node for node in answer["graph"]}
    return [each["field"] for each in nodes[B]["data"]["inputFields"]] if B in nodes else []


async def test_the_mapping_is_the_one_that_was_told_last_then(client, db):
    await report(client, run_event("job", ["a"], [made("b", "y", ("a", "old"))], at=1))
    first = await recorded(db)
    await report(client, run_event("job", ["a"], [made("b", "y", ("a", "new"))], at=5))
    await report(client, run_event("job", ["a"], ["b"], at=7))
    second = await recorded(db)
    await report(client, run_event("job", ["a"], [made("b", "y", ("a", "late"))], at=3))
    await report(client, run_event("job", ["a"], ["other"], at=9))
    for moment, expected in (
        ({"knownAt": first}, ["old"]),
        ({"knownAt": second}, ["new"]),
        ({"validAt": AT.format(0)}, []),
        ({"validAt": AT.format(2)}, ["old"]),
        ({"validAt": AT.format(4)}, ["late"]),
        ({"validAt": AT.format(4), "knownAt": second}, ["old"]),
        ({"validAt": AT.format(5)}, ["new"]),
        ({"validAt": AT.format(8)}, ["new"]),
        ({"validAt": AT.format(9)}, []),
        ({}, []),
    ):
        assert await sources(client, **moment) == expected, moment
    old = "datasetField:ds:a:old"
    for node in ("dataset:ds:b", "job:etl:job", "dataset:ds:a", old):
        found = await edges(client, node, path=PATH, validAt=AT.format(2), withDownstream="true")
        assert found == {old: [B], B: []}, node
    for node in (old, B):
        await ask(client, PATH, node, status=404, validAt=AT.format(0))
    await ask(client, PATH, "datasetField:ds:b:nope", status=404, validAt=AT.format(2))


def history():
    """Return events of several jobs in which mappings change, circle, come late, and are told by DatasetEvents."""
    chance = random.Random(7)  # noqa: S311  the same events each time
    names, events = "abcd", []
    for number in range(24):
        output, source = chance.choice(names), chance.choice(names)
        at = number if chance.random() < 0.7 else chance.randrange(number + 1)
        told = made(output, chance.choice("xy"), (source, chance.choice("xy")))
        kind = chance.choice(["START", "RUNNING", "COMPLETE"])
        run = UUID(int=chance.randrange(1, 12))
        if number % 8 == 7:
            events.append(dataset_event(f"of {number}", at=at, **told["facets"]))
        else:
            outputs = [told] if chance.random() < 0.7 else [output]
            events.append(run_event(chance.choice(["one", "two"]), [source], outputs, at=at, kind=kind, run=run))
    return events


async def test_a_graph_at_a_past_time_is_the_one_that_was_answered_then(client, db):
    shown = []
    for event in history():
        await report(client, event)
        graphs = {
            name: (await ask(client, PATH, f"dataset:ds:{name}", withDownstream="true"))["graph"]
            for name in await known_names(client)
        }
        shown.append((await recorded(db), graphs))
    assert sum(bool(graph) for _, graphs in shown for graph in graphs.values()) > 40
    for at, graphs in shown:
        for name, graph in graphs.items():
            past = await ask(client, PATH, f"dataset:ds:{name}", withDownstream="true", knownAt=at)
            assert past["graph"] == graph, (at, name)
            assert "truncated" not in past


async def known_names(client):
    async with client.get("/api/v1/namespaces/ds/datasets") as answer:
        return [each["name"] for each in (await answer.json())["datasets"]]


async def test_where_payloads_are_archived_a_graph_says_that_it_may_lack_a_mapping(client, db):
    await report(client, run_event("job", ["a"], [made("b", "y", ("a", "old"))], at=1))
    await report(client, run_event("job", ["a"], [made("b", "y", ("a", "new"))], at=5))
    assert await sources(client, validAt=AT.format(6)) == ["new"]
    await db.execute("set session_replication_role = replica")  # as `runfold archive` does with old partitions
    await db.execute("delete from runfold.payloads where position = (select max(position) from runfold.payloads)")
    answer = await ask(client, PATH, "dataset:ds:b", validAt=AT.format(6))
    assert ([node["id"] for node in answer["graph"]], answer["truncatedAt"]) == (["datasetField:ds:a:old", B], [B])
    assert "truncated" not in await ask(client, PATH, "dataset:ds:b", validAt=AT.format(2))


async def test_a_graph_is_cut_where_too_many_payloads_would_be_read(client, monkeypatch):
    await report(
        client,
        run_event("ab", ["a"], [made("b", "y", ("a", "x"))], at=1),
        run_event("bc", ["b"], [made("c", "z", ("b", "y"))], at=2),
    )
    parameters = {"validAt": AT.format(3), "withDownstream": "true"}
    assert len((await ask(client, PATH, "dataset:ds:c", **parameters))["graph"]) == 3
    monkeypatch.setattr(past_columns, "MAX_BYTES", 100)
    cut = await ask(client, PATH, "datasetField:ds:c:z", **parameters)
    assert cut["truncated"]
    monkeypatch.setattr(past_columns, "MAX_S", 0)
    cut = await ask(client, PATH, "datasetField:ds:c:z", **parameters)
    assert (cut["graph"], cut["truncated"]) == ([], True)
