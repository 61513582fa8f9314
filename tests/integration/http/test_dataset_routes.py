"""Datasets, their versions and tags: what commands on them record, and what answers show of them and of events."""

import json

import pytest
from dataset_client import NAMES, SOURCE, at, call, head, named, recorded, report, tell
from lineage_client import get

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


@pytest.mark.common
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
    ({"type": "VIEW"}, PATH, 400, "Invalid enum value 'VIEW' at `type`: it is none of DB_TABLE, STREAM"),
    ({"type": None}, PATH, 400, "Expected `str`, got `null`"),
    ({"physicalName": ""}, PATH, 400, "physicalName"),
    ({"fields": [{"type": "INT"}]}, PATH, 400, "missing required field `name`"),
    ({"type": "STREAM"}, PATH, 422, "schemaLocation: must be a URL"),
    ({"type": "STREAM", "schemaLocation": "nowhere"}, PATH, 422, "schemaLocation: must be a URL"),
    ({"description": "\0"}, PATH, 422, "NUL"),
    ({"tags": [str(number) for number in range(1001)]}, PATH, 422, "1,000 different tags"),
]


@pytest.mark.common
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


async def test_a_definition_again_brings_back_what_was_deleted_with_its_namespace(shop, db):
    shown = (await call(shop, "PUT", at(PATH), ORDERS))[2]
    await call(shop, "DELETE", at("/namespaces/shop"))
    await call(shop, "PUT", at("/namespaces/shop"), {"ownerName": "me"})
    assert (await call(shop, "GET", at(PATH)))[0] == 404
    status, position, again = await call(shop, "PUT", at(PATH), ORDERS)
    assert (status, position) == (200, await head(db))
    assert again == shown | {"updatedAt": again["updatedAt"]}
    assert (await call(shop, "PUT", at(PATH), ORDERS))[1] == "none"


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


async def test_the_history_of_a_dataset_and_of_a_job_says_who_changed_what(shop, db):
    await call(shop, "PUT", at(PATH), ORDERS)
    await tell(shop, named("orders", "shop"))
    await call(shop, "POST", at(f"{PATH}/tags/gold"))
    await report(shop, inputs=[named("orders", "shop")])
    await call(shop, "DELETE", at(PATH))
    found, cursor = [], "start"
    while cursor is not None:
        page = await get(shop, f"{BASE}{PATH}/events", limit=1, cursor=cursor)
        found += page["events"]
        cursor = page["next"]
    assert [each["kind"] for each in found] == ["defined", "facts", "tagged", "deleted"]
    assert [each["position"] for each in found] == [row["position"] for row in await recorded(db, "dataset")]
    assert found == (await get(shop, f"{BASE}{PATH}/events"))["events"]
    assert found[0]["payload"]["body"] == ORDERS
    await call(shop, "POST", at("/namespaces/etl/jobs/load/tags/gold"))
    (tagged,) = (await get(shop, f"{BASE}/namespaces/etl/jobs/load/events"))["events"]
    assert (tagged["kind"], tagged["payload"]) == ("tagged", {"tag": "gold"})
    await report(shop, outputs=[named("t")], job="quiet")
    for path in ("/namespaces/etl/jobs/quiet/events", "/namespaces/lake/datasets/t/events"):
        assert await get(shop, f"{BASE}{path}") == {"events": [], "next": None}
    for path in ("/namespaces/etl/jobs/nope/events", "/namespaces/lake/datasets/nope/events"):
        assert (await call(shop, "GET", at(path)))[0] == 404


async def test_what_requests_alone_report_of_a_run_is_shown_at_the_version_and_at_the_job(shop):
    """A run itself has what its own events tell: docs/decisions/0042."""
    job = {"type": "BATCH", "inputs": [{"namespace": "shop", "name": "raw"}]}
    outputs = {"outputs": [{"namespace": "shop", "name": "orders"}]}
    assert (await call(shop, "PUT", at("/namespaces/shop/jobs/load"), job | outputs))[0] == 200
    status, _, run = await call(shop, "POST", at("/namespaces/shop/jobs/load/runs"), {})
    assert status == 201
    for body in (ORDERS, ORDERS | {"fields": [], "runId": run["id"]}, ORDERS | {"runId": run["id"]}):
        assert (await call(shop, "PUT", at(PATH), body))[0] == 200
    versions = (await get(shop, f"{BASE}{PATH}/versions"))["versions"]
    assert [each["createdByRun"] and each["createdByRun"]["id"] for each in versions] == [run["id"], None]
    shown = await get(shop, f"{BASE}/jobs/runs/{run['id']}")
    assert (shown["jobVersion"], shown["inputDatasetVersions"], shown["outputDatasetVersions"]) == (None, [], [])
    graph = (await get(shop, f"{BASE}/lineage?nodeId=job:shop:load"))["graph"]
    assert {node["id"] for node in graph} == {"job:shop:load", "dataset:shop:raw", "dataset:shop:orders"}
    assert (await get(shop, f"{BASE}/namespaces/shop/jobs/load"))["currentVersion"] is not None
