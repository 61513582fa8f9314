"""GET /column-lineage: what columns are made of, and what is made of them; by versions, in circles, and by whom."""

from graphs import ask, edges, report
from lineage_events import columns, dataset, dataset_event, run_event

from service.lineage.columns import MAX_EDGE_TEXT, MAX_EDGES

A, B, C = ("datasetField:ds:" + name for name in ("a:x", "b:y", "c:z"))


def made(name, field, *sources, schema=True, extra=None):
    """Return an output of which one column is made of others, which are pairs of dataset and field."""
    inputs = [{"namespace": "ds", "name": each, "field": source} for each, source in sources]
    mapping = {"fields": {field: {"inputFields": inputs}}, **(extra or {})}
    facets = {"columnLineage": mapping} | ({"schema": columns(**{field: "int"})} if schema else {})
    return dataset(name, **facets)


async def test_columns_are_followed_upstream_and_downstream(client):
    await report(
        client,
        run_event("ab", ["a"], [made("b", "y", ("a", "x"))], at=1),
        run_event("bc", ["b"], [made("c", "z", ("b", "y"))], at=2),
    )
    path = "column-lineage"
    assert await edges(client, "dataset:ds:a", path=path) == {}
    assert await edges(client, "dataset:ds:a", path=path, withDownstream="true") == {A: [B], B: [C], C: []}
    answer = await ask(client, path, C, depth=1)
    assert [node["id"] for node in answer["graph"]] == [B, C]
    node = answer["graph"][1]
    assert node["inEdges"] == [{"origin": C, "destination": B}]  # as in Marquez, whose interface relies on it
    assert (node["data"]["fieldType"], node["data"]["inputFields"][0]["field"]) == ("int", "y")
    assert [node["id"] for node in (await ask(client, path, "job:etl:bc"))["graph"]] == [A, B, C]
    cut = await ask(client, path, C, limit=2)
    assert (len(cut["graph"]), cut["truncatedAt"]) == (2, [B])


async def test_a_new_mapping_replaces_the_old_one_and_goes_with_its_writer(client):
    await report(client, run_event("job", ["a"], [made("b", "y", ("a", "old"))], at=1))
    await report(client, run_event("job", ["a"], [made("b", "y", ("a", "new"))], at=2))
    await report(client, run_event("job", ["a"], ["b"], at=3))
    assert [node["id"] for node in (await ask(client, "column-lineage", B))["graph"]] == ["datasetField:ds:a:new", B]
    await report(client, run_event("job", ["a"], ["other"], at=4))
    assert (await ask(client, "column-lineage", B))["graph"] == []
    await report(client, dataset_event("b", at=5, columnLineage=made("b", "y", ("a", "x"))["facets"]["columnLineage"]))
    assert [node["id"] for node in (await ask(client, "column-lineage", B))["graph"]] == [A, B]


async def test_circles_end_and_columns_that_all_depend_on_are_inputs_of_each(client):
    every = {"dataset": [{"namespace": "ds", "name": "f", "field": "day", "transformations": [{"type": "INDIRECT"}]}]}
    await report(
        client,
        run_event("ab", ["a"], [made("b", "y", ("a", "x"), extra=every)], at=1),
        run_event("ba", ["b"], [made("a", "x", ("b", "y"), ("a", "x"))], at=2),
    )
    answer = await ask(client, "column-lineage", "dataset:ds:b", withDownstream="true", depth=10**9)
    assert [node["id"] for node in answer["graph"]] == [A, B, "datasetField:ds:f:day"]
    of_b = answer["graph"][1]["data"]["inputFields"]
    assert [(each["dataset"], each["transformationType"]) for each in of_b] == [("a", None), ("f", "INDIRECT")]
    for node in answer["graph"]:  # also f, which only a mapping names
        assert node["id"] in {
            each["id"] for each in (await ask(client, "column-lineage", node["id"], withDownstream="true"))["graph"]
        }


async def test_a_version_has_the_mapping_that_tells_it_and_the_versions_of_its_inputs_then(client):
    await report(client, dataset_event("a", at=1, schema=columns(x="int")))
    await report(client, run_event("job", ["a"], [made("b", "y", ("a", "x"))], at=2))
    then = {node["id"]: node["data"]["datasetVersion"] for node in (await ask(client, "column-lineage", B))["graph"]}
    await report(client, dataset_event("a", at=3, schema=columns(x="text")))
    changed = made("b", "y", ("a", "x"), ("a", "w"))
    changed["facets"]["schema"] = columns(y="text")
    await report(client, run_event("job", ["a"], [changed], at=4))
    answer = await ask(client, "column-lineage", f"dataset:ds:b#{then[B]}")
    assert [node["id"] for node in answer["graph"]] == [f"{A}#{then[A]}", f"{B}#{then[B]}"]
    for node in answer["graph"][1:]:
        assert (await ask(client, "column-lineage", node["id"]))["graph"] == answer["graph"]
    assert [node["id"] for node in (await ask(client, "column-lineage", B))["graph"]] == ["datasetField:ds:a:w", A, B]
    await ask(client, "column-lineage", f"dataset:ds:b#{then[B]}", status=400, withDownstream="true")
    await ask(client, "column-lineage", f"dataset:ds:b#{then[A]}", status=404)


async def test_what_is_unknown_is_not_found_and_5000_columns_are_answered(client):
    fields = {
        f"c{number}": {"inputFields": [{"namespace": "ds", "name": "a", "field": f"c{number}"}]}
        for number in range(5000)
    }
    schema = columns(**dict.fromkeys(fields, "int"))
    await report(client, run_event("wide", ["a"], [dataset("b", schema=schema, columnLineage={"fields": fields})]))
    answer = await ask(client, "column-lineage", "dataset:ds:b", limit=10_000)
    assert len(answer["graph"]) == 10_000
    assert (await ask(client, "column-lineage", "dataset:ds:b"))["truncated"]
    for node, message in (
        ("datasetField:ds:b:nope", "Field 'nope' not found for dataset 'b'."),
        ("dataset:ds:nope", "Dataset 'nope' not found."),
        ("job:etl:nope", "Job 'nope' not found."),
    ):
        assert (await ask(client, "column-lineage", node, status=404))["detail"] == message
    await ask(client, "column-lineage", "run:x:y", status=400)


async def test_columns_of_which_each_depends_on_thousands_are_cut(client):
    fields = {f"c{number}": {"inputFields": []} for number in range(1000)}
    every = [{"namespace": "ds", "name": "a", "field": f"f{number}"} for number in range(1000)]
    long = {"transformationDescription": "x" * 50_000, "inputFields": every}
    mapping = {"fields": fields | {"long": long}, "dataset": every}
    await report(client, run_event("job", ["a"], [dataset("b", columnLineage=mapping)]))
    for node in ("dataset:ds:a", "dataset:ds:b", "job:etl:job", "datasetField:ds:b:long"):
        answer = await ask(client, "column-lineage", node, withDownstream="true", limit=10_000, depth=10**9)
        assert answer["truncated"], node
        found = sum(len(each["inEdges"]) + len(each["outEdges"]) for each in answer["graph"])
        assert 0 < found <= 2 * MAX_EDGES
        inputs = [each for node in answer["graph"] for each in node["data"]["inputFields"]]
        assert sum(len(each["transformationDescription"] or "") for each in inputs) <= 2 * MAX_EDGE_TEXT
    async with client.get("/api/v1/namespaces/ds/datasets/b") as response:
        shown = await response.json()
    assert shown["columnLineageTruncated"]
    assert len(shown["columnLineage"]) == 1001
    assert sum(len(each["inputFields"]) for each in shown["columnLineage"]) <= 20_000
