"""Sources, tags, and the tags of jobs: what commands on them record and answer."""

import json

import pytest
from dataset_client import NAMES, SOURCE, at, call, head, recorded
from lineage_client import event, get, send
from served import Served
from tenants import make_keys

from service.http.app import build_app
from service.settings import Settings

BASE = "/api/v1"


async def test_a_source_is_recorded_whole_and_shown_without_its_password(client, db):
    status, position, shown = await call(client, "PUT", at("/sources/{}", "warehouse"), SOURCE)
    assert (status, position) == (200, await head(db))
    assert shown == {
        "type": "POSTGRESQL",
        "name": "warehouse",
        "createdAt": shown["createdAt"],
        "updatedAt": shown["createdAt"],
        "connectionUrl": "postgresql://me:***@db.example/dw",
        "description": "the warehouse",
    }
    (row,) = await recorded(db, "source")
    assert json.loads(row["body"]) == {"source": "warehouse", "body": SOURCE}
    assert (row["kind"], row["source"], row["namespace"], row["job"]) == ("defined", "api", None, None)


async def test_a_source_again_records_nothing_and_another_one_replaces_it(client, db):
    url = at("/sources/{}", "warehouse")
    first = (await call(client, "PUT", url, SOURCE))[2]
    assert await call(client, "PUT", url, SOURCE) == (200, "none", first)
    other = {"type": "MYSQL", "connectionUrl": "mysql://db/dw"}
    status, position, shown = await call(client, "PUT", url, other)
    assert (status, position) == (200, await head(db))
    assert shown == first | other | {"description": None, "updatedAt": shown["updatedAt"]}
    assert shown["updatedAt"] > first["updatedAt"]
    changed = SOURCE | {"connectionUrl": "postgresql://me:other@db.example/dw"}
    for body in (SOURCE, changed):
        assert (await call(client, "PUT", url, body))[1] == await head(db)
    assert len(await recorded(db, "source")) == 4


@pytest.mark.parametrize("name", NAMES)
async def test_names_have_any_characters(client, name):
    assert (await call(client, "PUT", at("/sources/{}", name), SOURCE))[2]["name"] == name
    assert (await call(client, "PUT", at("/tags/{}", name), {}))[2] == {"name": name, "description": None}


REFUSED = [
    ({}, 400, "type"),
    ({"connectionUrl": "x"}, 400, "type"),
    ({"type": "X"}, 400, "connectionUrl"),
    (SOURCE | {"connectionUrl": "not a url at all"}, 422, "connectionUrl"),
    (SOURCE | {"connectionUrl": ""}, 400, "connectionUrl"),
    (SOURCE | {"connectionUrl": 1}, 400, "connectionUrl"),
    (SOURCE | {"description": "\0"}, 422, "NUL"),
    ([], 400, "object"),
]


@pytest.mark.parametrize(("body", "status", "word"), REFUSED)
async def test_a_source_that_cannot_be_defined_says_why(client, db, body, status, word):
    before = await head(db)
    found, _, problem = await call(client, "PUT", at("/sources/bad"), body)
    assert (found, word in problem["detail"]) == (status, True), problem
    assert await head(db) == before


async def test_a_body_that_is_no_json_is_a_400(client):
    for path in ("/sources/bad", "/tags/bad"):
        for body in (b"", b"{"):
            response = await client.put(BASE + path, data=body, headers={"Content-Type": "application/json"})
            assert response.status == 400


async def test_a_tag_keeps_its_description_and_its_case(client, db):
    url, upper = at("/tags/{}", "finance"), at("/tags/{}", "FINANCE")
    money = {"name": "finance", "description": "money"}
    assert await call(client, "PUT", url, {"description": "money"}) == (200, await head(db), money)
    assert await call(client, "PUT", url, {"description": "money"}) == (200, "none", money)
    assert await call(client, "PUT", url, {}) == (200, "none", money)
    again = money | {"description": "money, again"}
    assert await call(client, "PUT", url, {"description": "money, again"}) == (200, await head(db), again)
    assert (await call(client, "PUT", upper, {}))[2] == {"name": "FINANCE", "description": None}
    payloads = [json.loads(row["body"]) for row in await recorded(db, "tag")]
    assert payloads[0] == {"tag": "finance", "body": {"description": "money"}}
    assert len(payloads) == 3


async def test_tags_of_a_job_are_added_and_removed_once(client, db):
    await send(client, event("COMPLETE", job="load"))
    before = await get(client, f"{BASE}/namespaces/ns/jobs/load")
    assert before["tags"] == []

    def tag(name):
        return at("/namespaces/ns/jobs/load/tags/{}", name)

    for name in NAMES:
        status, position, job = await call(client, "POST", tag(name))
        assert (status, position, name in job["tags"]) == (200, await head(db), True)
        assert (await call(client, "POST", tag(name)))[:2] == (200, "none")
    status, position, job = await call(client, "DELETE", tag("PII"))
    assert (status, position) == (200, await head(db))
    assert job == before | {"tags": sorted(set(NAMES) - {"PII"})}
    assert (await call(client, "DELETE", tag("PII")))[1] == (await call(client, "DELETE", tag("never")))[1] == "none"
    (listed,) = (await get(client, f"{BASE}/namespaces/ns/jobs"))["jobs"]
    assert listed == await get(client, f"{BASE}/namespaces/ns/jobs/load") == job
    rows = [row for row in await recorded(db, "job") if row["kind"] in ("tagged", "untagged")]
    assert [row["kind"] for row in rows] == ["tagged"] * len(NAMES) + ["untagged"]
    assert json.loads(rows[-1]["body"]) == {"tag": "PII"}
    assert {(row["namespace"], row["job"]) for row in rows} == {("ns", "load")}
    found = await get(client, f"{BASE}/events", kind="untagged", namespace="ns", job="load")
    assert [each["position"] for each in found["events"]] == [rows[-1]["position"]]


async def test_a_job_that_is_not_there_takes_no_tags(client, db):
    await send(client, event("COMPLETE", job="load"))
    await client.delete(f"{BASE}/namespaces/ns/jobs/load")
    before = await head(db)
    for path, message in (
        ("/namespaces/ns/jobs/nope/tags/x", "Job 'nope' not found."),
        ("/namespaces/ns/jobs/load/tags/x", "Job 'load' not found."),
        ("/namespaces/missing/jobs/x/tags/x", "Namespace 'missing' not found."),
    ):
        for method in ("POST", "DELETE"):
            status, _, problem = await call(client, method, at(path))
            assert (status, problem["message"]) == (404, message)
    assert await head(db) == before


async def test_labels_of_a_job_are_those_of_its_job_type(client):
    facet = {"processingType": "STREAMING", "integration": "FLINK", "jobType": "JOB"}
    body = json.loads(event("START", job="flink"))
    body["job"]["facets"] = {"jobType": facet}
    await send(client, json.dumps(body))
    job = await get(client, f"{BASE}/namespaces/ns/jobs/flink")
    assert (job["type"], job["labels"]) == ("STREAM", ["JOB", "FLINK"])


async def test_bound_keys_define_neither_sources_nor_tags_and_tag_only_their_jobs(dsn, aiohttp_client, connections, db):
    made = await make_keys(connections)
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn))))
    for namespace, headers in (("team-a", made.a), ("team-b-zebra", made.b)):
        body = json.loads(event("COMPLETE", namespace=namespace, job="load"))
        body["run"]["runId"] = f"run of {namespace}"
        assert (await client.post(f"{BASE}/lineage", json=body, headers=headers)).status == 201
    before = await head(db)
    for path, body in (("/sources/s", SOURCE), ("/tags/t", {})):
        assert (await call(client, "PUT", at(path), body, headers=made.a))[0] == 403
    for path in ("/namespaces/team-b-zebra/jobs/load/tags/x", "/namespaces/team-b-zebra/jobs/none/tags/x"):
        assert (await call(client, "POST", at(path), headers=made.a))[0] == 403
    assert await head(db) == before
    status, _, job = await call(client, "POST", at("/namespaces/team-a/jobs/load/tags/x"), headers=made.a)
    assert (status, job["tags"]) == (200, ["x"])
    (row,) = [row for row in await recorded(db, "job") if row["kind"] == "tagged"]
    assert row["actor"] == "key-a"
