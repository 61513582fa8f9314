"""Datasets, their versions and tags: what commands on them record, and what answers show of them and of events."""

import json
from uuid import uuid4

import pytest
from lineage_client import SCHEMA, get
from lineage_client import event as run_event
from test_sources_and_tags import NAMES, SOURCE, at, call, head, recorded

BASE = "/api/v1"
ORDERS = {
    "type": "DB_TABLE",
    "physicalName": "public.orders",
    "sourceName": "warehouse",
    "description": "all orders",
    "fields": [
        {"name": "id", "type": "INTEGER", "description": "the id"},
        {"name": "email", "type": "varchar", "tags": ["PII"]},
        {"name": "amount"},
    ],
    "tags": ["finance"],
}
PATH = "/namespaces/shop/datasets/orders"


@pytest.fixture
async def shop(client):
    """A namespace and a source."""
    assert (await call(client, "PUT", at("/namespaces/shop"), {"ownerName": "me"}))[0] == 200
    assert (await call(client, "PUT", at("/sources/warehouse"), SOURCE))[0] == 200
    return client


def facets(*fields, **more):
    return {"schema": {"fields": [dict(zip(("name", "type"), field, strict=False)) for field in fields]}} | more


def named(name, namespace="lake", inputs=None, outputs=None, **of_dataset):
    found = {"namespace": namespace, "name": name, "facets": of_dataset}
    return found | ({"inputFacets": inputs} if inputs else {}) | ({"outputFacets": outputs} if outputs else {})


async def report(client, kind="COMPLETE", minute=0, inputs=(), outputs=(), run=None, job="load"):
    """Report an event of a run, and return the run's id."""
    run = run or uuid4()
    body = json.loads(run_event(kind, f"2024-02-01T00:{minute:02}:00Z", run, job, "etl"))
    body |= {"inputs": list(inputs), "outputs": list(outputs)}
    assert (await client.post(f"{BASE}/lineage", json=body)).status == 201
    return run


async def tell(client, dataset, minute=0):
    body = {
        "eventTime": f"2024-02-01T00:{minute:02}:00Z",
        "dataset": dataset,
        "producer": "https://example.com",
        "schemaURL": SCHEMA + "DatasetEvent",
    }
    assert (await client.post(f"{BASE}/lineage", json=body)).status == 201


async def test_a_dataset_is_recorded_whole_and_shown_as_marquez_shows_one(shop, db):
    status, position, shown = await call(shop, "PUT", at(PATH), ORDERS)
    assert (status, position) == (200, await head(db))
    assert shown == {
        "id": {"namespace": "shop", "name": "orders"},
        "type": "DB_TABLE",
        "name": "orders",
        "physicalName": "public.orders",
        "createdAt": shown["createdAt"],
        "updatedAt": shown["createdAt"],
        "namespace": "shop",
        "sourceName": "warehouse",
        "fields": [
            {"name": "id", "type": "INTEGER", "tags": [], "description": "the id"},
            {"name": "email", "type": "varchar", "tags": ["PII"], "description": None},
            {"name": "amount", "type": None, "tags": [], "description": None},
        ],
        "tags": ["finance"],
        "lastModifiedAt": None,
        "lastLifecycleState": None,
        "description": "all orders",
        "currentVersion": shown["currentVersion"],
        "columnLineage": None,
        "facets": {},
        "deleted": False,
    }
    (row,) = await recorded(db, "dataset")
    assert json.loads(row["body"]) == {"dataset": {"namespace": "shop", "name": "orders"}, "body": ORDERS}
    assert (row["namespace"], row["job"], row["kind"], row["source"]) == ("shop", None, "defined", "api")
    assert await get(shop, f"{BASE}{PATH}") == shown
    assert await get(shop, f"{BASE}/namespaces/shop/datasets") == {"totalCount": 1, "datasets": [shown]}
    assert await get(shop, f"{BASE}/datasets") == {"totalCount": 1, "datasets": [shown]}
    tags = [tag["name"] for tag in (await get(shop, f"{BASE}/tags"))["tags"]]
    assert tags == ["PII", "finance"]


async def test_a_definition_again_records_nothing_and_what_it_leaves_out_stays(shop, db):
    first = (await call(shop, "PUT", at(PATH), ORDERS))[2]
    assert await call(shop, "PUT", at(PATH), ORDERS) == (200, "none", first)
    less = {name: value for name, value in ORDERS.items() if name not in ("description", "tags")}
    assert await call(shop, "PUT", at(PATH), less) == (200, "none", first)
    status, position, shown = await call(shop, "PUT", at(PATH), less | {"tags": ["gold"], "physicalName": "other"})
    assert (status, position) == (200, await head(db))
    assert (shown["tags"], shown["description"], shown["physicalName"]) == (["finance", "gold"], "all orders", "other")
    assert shown["currentVersion"] != first["currentVersion"]
    versions = await get(shop, f"{BASE}{PATH}/versions")
    assert versions["totalCount"] == 2
    assert [each["version"] for each in versions["versions"]] == [shown["currentVersion"], first["currentVersion"]]
    back = (await call(shop, "PUT", at(PATH), ORDERS))[2]
    assert back["currentVersion"] == first["currentVersion"]


@pytest.mark.parametrize("name", NAMES)
async def test_datasets_tags_and_fields_have_names_of_any_characters(shop, name):
    url = at("/namespaces/shop/datasets/{}", name)
    body = ORDERS | {"fields": [{"name": name}], "physicalName": name}
    assert (await call(shop, "PUT", url, body))[2]["name"] == name
    assert (await call(shop, "GET", url))[2]["id"]["name"] == name
    tagged = await call(shop, "POST", at("/namespaces/shop/datasets/{}/tags/{}", name, name))
    assert tagged[2]["tags"] == sorted([name, "finance"])
    tagged = await call(shop, "POST", at("/namespaces/shop/datasets/{}/fields/{}/tags/{}", name, name, name))
    assert tagged[2]["fields"] == [{"name": name, "type": None, "tags": [name], "description": None}]


UNKNOWN = "870492da-ecfb-4be0-91b9-9a89ddd3db90"
REFUSED = [
    ({}, "/namespaces/missing/datasets/x", 404, "Namespace 'missing' not found."),
    ({"sourceName": "nope"}, PATH, 404, "Source 'nope' not found."),
    ({"runId": UNKNOWN}, PATH, 404, f"Run '{UNKNOWN}' not found."),
    ({"runId": "x"}, PATH, 400, "runId 'x' is not a UUID"),
    ({"type": "VIEW"}, PATH, 400, "Invalid enum value 'VIEW'"),
    ({"type": None}, PATH, 400, "Expected `str`, got `null`"),
    ({"physicalName": ""}, PATH, 400, "physicalName"),
    ({"fields": [{"type": "INT"}]}, PATH, 400, "missing required field `name`"),
    ({"type": "STREAM"}, PATH, 422, "schemaLocation: must be a URL"),
    ({"type": "STREAM", "schemaLocation": "nowhere"}, PATH, 422, "schemaLocation: must be a URL"),
    ({"description": "\0"}, PATH, 422, "NUL"),
    ({"tags": [str(number) for number in range(1001)]}, PATH, 422, "1,000 different tags"),
]


@pytest.mark.parametrize(("change", "path", "status", "message"), REFUSED)
async def test_a_dataset_that_cannot_be_defined_says_why_and_records_nothing(shop, db, change, path, status, message):
    before = await head(db)
    found, _, problem = await call(shop, "PUT", at(path), ORDERS | change)
    assert (found, message in problem["message"]) == (status, True), problem
    assert await head(db) == before


async def test_what_is_not_there_is_a_404_with_the_words_of_marquez(shop, db):
    await call(shop, "PUT", at(PATH), ORDERS)
    before = await head(db)
    for method, path, message in (
        ("GET", "/namespaces/shop/datasets/nope", "Dataset 'nope' not found."),
        ("GET", "/namespaces/shop/datasets/ORDERS", "Dataset 'ORDERS' not found."),
        ("GET", "/namespaces/missing/datasets/x", "Namespace 'missing' not found."),
        ("GET", "/namespaces/missing/datasets", "Namespace 'missing' not found."),
        ("DELETE", "/namespaces/shop/datasets/nope", "Dataset 'nope' not found."),
        ("DELETE", "/namespaces/missing/datasets/x", "Namespace 'missing' not found."),
        ("POST", "/namespaces/shop/datasets/nope/tags/PII", "Dataset 'nope' not found."),
        ("POST", f"{PATH}/fields/ID/tags/PII", "Field 'ID' not found for dataset 'orders'."),
        ("DELETE", f"{PATH}/fields/nope/tags/PII", "Field 'nope' not found for dataset 'orders'."),
        ("GET", "/namespaces/shop/datasets/nope/versions", "Dataset 'nope' not found."),
        ("GET", f"{PATH}/versions/{UNKNOWN}", f"Dataset version '{UNKNOWN}' not found."),
        ("GET", f"{PATH}/versions/latest", "Dataset version 'latest' not found."),
        ("GET", "/sources/nope", "Source 'nope' not found."),
    ):
        status, _, problem = await call(shop, method, at(path))
        assert (status, problem["message"]) == (404, message)
    assert await head(db) == before


async def test_tags_of_a_dataset_and_its_fields_are_added_and_removed_once(shop, db):
    first = (await call(shop, "PUT", at(PATH), ORDERS))[2]
    for path in (f"{PATH}/tags/gold", f"{PATH}/fields/id/tags/gold"):
        added = await call(shop, "POST", at(path))
        assert added[:2] == (200, await head(db))
        assert await call(shop, "POST", at(path)) == (200, "none", added[2])
    assert added[2]["tags"] == ["finance", "gold"]
    assert added[2]["fields"][0]["tags"] == ["gold"]
    versions = await get(shop, f"{BASE}{PATH}/versions")
    assert versions["versions"][0]["fields"] == added[2]["fields"]
    for path in (f"{PATH}/tags/gold", f"{PATH}/fields/id/tags/gold"):
        removed = await call(shop, "DELETE", at(path))
        assert removed[:2] == (200, await head(db))
        assert (await call(shop, "DELETE", at(path)))[1] == "none"
    assert removed[2] | {"updatedAt": ""} == first | {"updatedAt": ""}
    rows = [row for row in await recorded(db, "dataset") if row["kind"] in ("tagged", "untagged")]
    assert [row["kind"] for row in rows] == ["tagged", "tagged", "untagged", "untagged"]
    dataset = {"dataset": {"namespace": "shop", "name": "orders"}}
    assert json.loads(rows[3]["body"]) == dataset | {"tag": "gold", "field": "id"}


async def test_a_deleted_dataset_is_hidden_until_the_next_event_that_names_it(shop, db):
    first = (await call(shop, "PUT", at(PATH), ORDERS))[2]
    assert await call(shop, "DELETE", at(PATH)) == (200, await head(db), first)
    for path in (PATH, f"{PATH}/versions"):
        assert (await call(shop, "GET", at(path)))[0] == 404
    assert (await call(shop, "DELETE", at(PATH)))[0] == 404
    assert (await call(shop, "POST", at(f"{PATH}/tags/x")))[0] == 404
    assert (await get(shop, f"{BASE}/datasets"))["totalCount"] == 0
    await report(shop, inputs=[named("orders", "shop")])
    again = await get(shop, f"{BASE}{PATH}")
    assert (again["fields"], again["currentVersion"]) == (first["fields"], first["currentVersion"])
    assert (await call(shop, "DELETE", at(PATH)))[0] == 200
    back = await call(shop, "PUT", at(PATH), ORDERS)
    assert (back[0], back[1], back[2]["description"]) == (200, await head(db), "all orders")


async def test_a_deleted_namespace_hides_its_datasets(client):
    await tell(client, named("t"))
    assert (await get(client, f"{BASE}/namespaces/lake/datasets"))["totalCount"] == 1
    assert (await call(client, "DELETE", at("/namespaces/lake")))[0] == 200
    assert (await get(client, f"{BASE}/namespaces/lake/datasets"))["totalCount"] == 0
    assert (await call(client, "GET", at("/namespaces/lake/datasets/t")))[0] == 404
    assert "lake" not in [each["name"] for each in (await get(client, f"{BASE}/namespaces"))["namespaces"]]
    await tell(client, named("t"), 1)
    assert (await get(client, f"{BASE}/namespaces/lake"))["isHidden"] is False
    assert "lake" in [each["name"] for each in (await get(client, f"{BASE}/namespaces"))["namespaces"]]
    assert (await get(client, f"{BASE}/namespaces/lake/datasets"))["totalCount"] == 1


async def test_what_events_tell_of_a_dataset_is_shown_and_its_versions_are_what_differs(client):
    documentation = {"documentation": {"description": "clean orders"}}
    source = {"dataSource": {"name": "dw", "uri": "postgres://u:hidden@db/dw"}}
    first = await report(client, outputs=[named("orders", **facets(("id", "int"), **documentation, **source))])
    await report(client, minute=1, outputs=[named("orders", **facets(("id", "int"), **source))])
    await report(client, minute=2, outputs=[named("orders")])
    shown = await get(client, f"{BASE}/namespaces/lake/datasets/orders")
    assert (shown["description"], shown["sourceName"]) == ("clean orders", "dw")
    assert shown["fields"] == [{"name": "id", "type": "int", "tags": [], "description": None}]
    versions = await get(client, f"{BASE}/namespaces/lake/datasets/orders/versions")
    assert versions["totalCount"] == 1
    (version,) = versions["versions"]
    assert version["version"] == shown["currentVersion"]
    assert version["createdByRun"] == await get(client, f"{BASE}/jobs/runs/{first}")
    assert (await get(client, f"{BASE}/sources/dw"))["connectionUrl"] == "postgres://u:***@db/dw"
    wider = await report(client, minute=3, outputs=[named("orders", **facets(("id", "int"), ("at",), **source))])
    versions = (await get(client, f"{BASE}/namespaces/lake/datasets/orders/versions"))["versions"]
    assert [each["createdByRun"]["id"] for each in versions] == [str(wider), str(first)]
    late = await report(client, minute=0, outputs=[named("orders", **facets(("old", "int")))], job="late")
    assert (await get(client, f"{BASE}/namespaces/lake/datasets/orders"))["currentVersion"] == versions[0]["version"]
    run = await get(client, f"{BASE}/jobs/runs/{late}")
    (output,) = run["outputDatasetVersions"]
    one = await get(client, f"{BASE}/namespaces/lake/datasets/orders/versions/{output['datasetVersionId']['version']}")
    assert one["fields"][0]["name"] == "old"


async def test_a_run_shows_what_it_read_and_wrote_and_every_version_is_found(client):
    rows = {"rowCount": 9}
    run = await report(client, "START", inputs=[named("raw", inputs={"quality": rows})])
    view = await get(client, f"{BASE}/jobs/runs/{run}")
    (read,) = view["inputDatasetVersions"]
    assert read["facets"] == {"quality": rows}
    await report(client, "COMPLETE", 1, outputs=[named("clean", outputs={"stats": rows}, **facets(("a",)))], run=run)
    view = await get(client, f"{BASE}/jobs/runs/{run}")
    (wrote,) = view["outputDatasetVersions"]
    assert wrote["facets"] == {"stats": rows}
    assert view["inputDatasetVersions"] == [read]
    for each in (read, wrote):
        version = each["datasetVersionId"]
        path = f"{BASE}/namespaces/lake/datasets/{version['name']}"
        assert (await get(client, f"{path}/versions/{version['version']}"))["version"] == version["version"]
        assert (await get(client, path))["currentVersion"] == version["version"]
    job = await get(client, f"{BASE}/namespaces/etl/jobs/load")
    assert job["currentVersion"] == view["jobVersion"]["version"]
    assert job["latestRun"] == view
    versions = (await get(client, f"{BASE}/namespaces/etl/jobs/load/versions"))["versions"]
    (version,) = versions
    assert version == {
        "id": {"namespace": "etl", "name": "load", "version": job["currentVersion"]},
        "name": "load",
        "createdAt": "2024-02-01T00:00:00Z",
        "version": job["currentVersion"],
        "namespace": "etl",
        "location": None,
        "inputs": [{"namespace": "lake", "name": "raw"}],
        "outputs": [{"namespace": "lake", "name": "clean"}],
        "latestRun": view,
    }
    assert await get(client, f"{BASE}/namespaces/etl/jobs/load/versions/{version['version']}") == version
    status, _, problem = await call(client, "GET", at(f"/namespaces/etl/jobs/load/versions/{UNKNOWN}"))
    assert (status, problem["message"]) == (404, f"Job version '{UNKNOWN}' not found.")
    other = await report(client, minute=2, inputs=[named("raw"), named("more")])
    versions = (await get(client, f"{BASE}/namespaces/etl/jobs/load/versions"))["versions"]
    assert [each["latestRun"]["id"] for each in versions] == [str(other), str(run)]
    as_known = await get(client, f"{BASE}/jobs/runs/{run}?validAt=2024-02-01T00:00:30Z")
    assert (as_known["inputDatasetVersions"], as_known["outputDatasetVersions"]) == ([read], [])


async def test_an_alias_is_the_same_dataset_whenever_the_link_is_told(client):
    await report(client, inputs=[named("db.orders", "hive")], job="reader")
    symlinks = {"symlinks": {"identifiers": [{"namespace": "hive", "name": "db.orders", "type": "TABLE"}]}}
    await report(client, minute=1, outputs=[named("orders", **facets(("a",)), **symlinks)])
    by_path = await get(client, f"{BASE}/namespaces/lake/datasets/orders")
    assert await get(client, f"{BASE}/namespaces/hive/datasets/db.orders") == by_path
    assert (await get(client, f"{BASE}/datasets"))["datasets"] == [by_path]
    for path in ("lake/datasets/orders", "hive/datasets/db.orders"):
        assert (await get(client, f"{BASE}/namespaces/{path}/versions"))["totalCount"] == 1
    tagged = await call(client, "POST", at("/namespaces/hive/datasets/db.orders/tags/PII"))
    assert tagged[2]["tags"] == ["PII"]
    assert (await call(client, "POST", at("/namespaces/lake/datasets/orders/tags/PII")))[1] == "none"
    assert (await call(client, "DELETE", at("/namespaces/hive/datasets/db.orders")))[0] == 200
    assert (await call(client, "GET", at("/namespaces/lake/datasets/orders")))[0] == 404


async def test_a_drop_is_shown_and_a_read_does_not_bring_it_back(client):
    drop = {"lifecycleStateChange": {"lifecycleStateChange": "DROP"}}
    await report(client, outputs=[named("t", **facets(("a",)))])
    await report(client, minute=1, outputs=[named("t", **drop)])
    path = f"{BASE}/namespaces/lake/datasets/t"
    for _ in range(2):
        shown = await get(client, path)
        assert (shown["deleted"], shown["lastLifecycleState"]) == (True, "DROP")
        await report(client, minute=2, inputs=[named("t")])
    assert (await get(client, f"{BASE}/datasets"))["totalCount"] == 1
    await report(client, minute=3, outputs=[named("t")])
    assert (await get(client, path))["deleted"] is False


async def test_columns_are_shown_by_the_latest_mapping(client):
    def mapping(*inputs):
        fields = [{"namespace": "lake", "name": "raw", "field": each} for each in inputs]
        return {"columnLineage": {"fields": {"o": {"inputFields": fields, "transformationType": "IDENTITY"}}}}

    await report(client, outputs=[named("out", **facets(("o",)), **mapping("a", "b"))])
    await report(client, minute=1, outputs=[named("out", **mapping("b"))])
    await report(client, minute=2, outputs=[named("out")])
    (column,) = (await get(client, f"{BASE}/namespaces/lake/datasets/out"))["columnLineage"]
    assert column == {
        "name": "o",
        "inputFields": [
            {
                "namespace": "lake",
                "dataset": "raw",
                "field": "b",
                "transformationDescription": None,
                "transformationType": "IDENTITY",
            }
        ],
        "transformationDescription": None,
        "transformationType": "IDENTITY",
    }


async def test_lists_have_pages_totals_and_a_prefix(client):
    names = ["a", "a_b", "aB", "b", "ab%", "ü", "üx", "\U0010ffff"]
    for number, name in enumerate(names):
        await tell(client, named(name, f"n{number % 2}"))
    path = f"{BASE}/datasets"
    everything = await get(client, path)
    assert [each["name"] for each in everything["datasets"]] == sorted(names)
    assert everything["totalCount"] == len(names)
    page = await get(client, path, limit=3, offset=2)
    assert page == {"totalCount": len(names), "datasets": everything["datasets"][2:5]}
    for prefix in ("a", "ab%", "ü", "\U0010ffff", "_", "%", "A"):
        found = await get(client, path, name=prefix)
        assert [each["name"] for each in found["datasets"]] == [
            name for name in sorted(names) if name.startswith(prefix)
        ]
        assert found["totalCount"] == len(found["datasets"])
    found = await get(client, f"{BASE}/namespaces/n0/datasets", name="a", limit=1)
    assert (found["totalCount"], [each["name"] for each in found["datasets"]]) == (3, ["a"])
    namespaces = await get(client, f"{BASE}/namespaces", name="n")
    assert [each["name"] for each in namespaces["namespaces"]] == ["n0", "n1"]
    assert (await get(client, f"{BASE}/namespaces/n0"))["ownerName"] == "anonymous"
    assert (await get(client, f"{BASE}/namespaces/n0/jobs")) == {"totalCount": 0, "jobs": []}
    for job in ("load", "look", "clean"):
        await report(client, job=job)
    found = await get(client, f"{BASE}/jobs", name="lo", limit=1)
    assert (found["totalCount"], len(found["jobs"])) == (2, 1)
    for name in ("dw", "db", "x"):
        await call(client, "PUT", at(f"/sources/{name}"), SOURCE)
        await call(client, "PUT", at(f"/tags/{name}"), {})
    for kind in ("sources", "tags"):
        assert [each["name"] for each in (await get(client, f"{BASE}/{kind}", name="d"))[kind]] == ["db", "dw"]
        assert [each["name"] for each in (await get(client, f"{BASE}/{kind}", limit=1, offset=1))[kind]] == ["dw"]


async def test_a_job_may_be_defined_in_a_namespace_of_datasets_only(client):
    await tell(client, named("t"))
    body = {"type": "BATCH", "inputs": [], "outputs": []}
    assert (await call(client, "PUT", at("/namespaces/lake/jobs/j"), body))[0] == 200
    assert (await call(client, "PUT", at("/namespaces/sea/jobs/j"), body))[0] == 404
