"""The requests of Marquez's web interface, page by page: each field that it reads is there, with the type it needs.

The interface does not encode what it puts into a query, and it fails where it expects an array and finds none.
"""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from uuid import uuid4

import aiohttp
import pytest
from yarl import URL

SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACET = {"_producer": "https://example.com", "_schemaURL": "https://example.com/schema"}
NAMESPACE, JOB = "airflow", "etl.load"
LAKE, RAW, CLEAN = "s3://lake", "raw/orders", "clean/orders"
RUN = "5bf5d05f-86b6-4d05-8e1d-10ee667e37ba"

TEXT, NUMBER, ARRAY, OBJECT, BOOLEAN = (str,), (int, float), (list,), (dict,), (bool,)
OPTIONAL_TEXT, OPTIONAL_NUMBER, OPTIONAL_OBJECT = (str, type(None)), (int, float, type(None)), (dict, type(None))
OPTIONAL_ARRAY = (list, type(None))

RUN_FIELDS = {"id": TEXT, "state": TEXT, "createdAt": TEXT, "startedAt": OPTIONAL_TEXT, "endedAt": OPTIONAL_TEXT}
RUN_FIELDS |= {"durationMs": OPTIONAL_NUMBER, "facets": OBJECT}
JOB_FIELDS = {"id": OBJECT, "name": TEXT, "namespace": TEXT, "type": TEXT, "createdAt": TEXT, "updatedAt": TEXT}
JOB_FIELDS |= {"tags": ARRAY, "latestRun": OPTIONAL_OBJECT, "latestRuns": OPTIONAL_ARRAY, "location": OPTIONAL_TEXT}
JOB_FIELDS |= {"description": OPTIONAL_TEXT, "parentJobName": OPTIONAL_TEXT}
DATASET_FIELDS = {"id": OBJECT, "name": TEXT, "namespace": TEXT, "type": TEXT, "sourceName": TEXT, "createdAt": TEXT}
DATASET_FIELDS |= {"updatedAt": TEXT, "deleted": BOOLEAN, "fields": ARRAY, "tags": ARRAY, "facets": OBJECT}
DATASET_FIELDS |= {"description": OPTIONAL_TEXT, "columnLineage": OPTIONAL_ARRAY}
FIELD_FIELDS = {"name": TEXT, "type": OPTIONAL_TEXT, "tags": ARRAY, "description": OPTIONAL_TEXT}


def has(value, fields):
    """Assert that an object has fields of the given types."""
    for name, types in fields.items():
        assert name in value, f"{name} is missing in {json.dumps(value)[:300]}"
        assert isinstance(value[name], types), (name, value[name])


def event(kind, run=RUN, at=None, **facets):
    at = at or datetime.now(UTC) - timedelta(minutes=5 if kind == "START" else 1)
    schema = FACET | {"fields": [{"name": "id", "type": "int"}, {"name": "email", "type": "varchar"}]}
    mapping = {
        "id": {"inputFields": [{"namespace": LAKE, "name": RAW, "field": "id"}], "transformationType": "IDENTITY"}
    }
    quality = FACET | {"assertions": [{"assertion": "not_null", "success": True, "column": "id"}]}
    source = FACET | {"name": "lake", "uri": "s3://lake"}
    return {
        "eventType": kind,
        "eventTime": at.isoformat(),
        "run": {"runId": run, "facets": facets},
        "job": {"namespace": NAMESPACE, "name": JOB, "facets": {"sql": FACET | {"query": "select 1"}}},
        "inputs": [
            {
                "namespace": LAKE,
                "name": RAW,
                "facets": {"schema": schema, "dataQualityAssertions": quality, "dataSource": source},
            }
        ],
        "outputs": [
            {
                "namespace": LAKE,
                "name": CLEAN,
                "facets": {"schema": schema, "columnLineage": FACET | {"fields": mapping}},
            }
        ],
        "producer": "https://example.com",
        "schemaURL": SCHEMA,
    }


class Interface:
    """Sends requests as Marquez's interface does: what it does not encode stays as it is."""

    def __init__(self, session):
        self.session = session

    async def ask(self, path, method="GET", body=None, status=200):
        data = None if body is None else json.dumps(body)
        headers = {} if body is None else {"Accept": "application/json", "Content-Type": "application/json"}
        url = URL(f"/api/v1{path}", encoded=True)
        async with self.session.request(method, url, data=data, headers=headers) as response:
            text = await response.text()
            assert response.status == status, (path, text)
            return json.loads(text) if text else None


@pytest.fixture
async def interface(server):
    async with aiohttp.ClientSession(server.url) as session:
        made = Interface(session)
        for kind in ("START", "COMPLETE"):
            await made.ask("/lineage", "POST", event(kind), 201)
        yield made


async def test_every_page_begins_with_namespaces_and_tags(interface):
    await interface.ask("/tags/PII", "PUT", {"description": "personal"})
    namespaces = (await interface.ask("/namespaces"))["namespaces"]
    for each in namespaces:
        has(each, {"name": TEXT, "isHidden": BOOLEAN})
    assert {NAMESPACE, LAKE} <= {each["name"] for each in namespaces}
    tags = (await interface.ask("/tags"))["tags"]
    for each in tags:
        has(each, {"name": TEXT, "description": OPTIONAL_TEXT})
    assert {"name": "PII", "description": "personal"} in tags


@pytest.mark.parametrize("counted", ["lineage-events", "jobs", "datasets", "sources"])
async def test_the_dashboard_shows_four_charts(interface, counted):
    values = ("start", "complete", "fail", "abort") if counted == "lineage-events" else ("count",)
    for period, length in (("DAY", 24), ("WEEK", 7)):  # the charts tell days from hours by the length
        intervals = await interface.ask(f"/stats/{counted}?period={period}&timezone=Europe/Berlin")
        assert len(intervals) == length
        for each in intervals:
            has(each, {"startInterval": TEXT, "endInterval": TEXT} | dict.fromkeys(values, NUMBER))
        assert sum(each[values[0]] for each in intervals[-2:]) >= 1, "what was just reported"


@pytest.mark.parametrize(
    "path",
    [
        "/jobs?limit=10&offset=0",
        "/jobs?limit=10&offset=0&lastRunStates=COMPLETED",
        f"/namespaces/{NAMESPACE}/jobs?limit=20&offset=0",
    ],
)
async def test_the_lists_of_jobs_have_their_runs(interface, path):
    answer = await interface.ask(path)
    has(answer, {"totalCount": NUMBER, "jobs": ARRAY})
    assert [each["name"] for each in answer["jobs"]] == [JOB]
    for each in answer["jobs"]:
        has(each, JOB_FIELDS)
        has(each["latestRun"], {"state": TEXT, "durationMs": NUMBER})
        for run in each["latestRuns"]:
            has(run, {"id": TEXT, "state": TEXT, "durationMs": OPTIONAL_NUMBER})


async def test_the_list_of_datasets_has_their_quality_and_lineage(interface):
    answer = await interface.ask("/namespaces/s3%3A%2F%2Flake/datasets?limit=20&offset=0")
    has(answer, {"totalCount": NUMBER, "datasets": ARRAY})
    found = {each["name"]: each for each in answer["datasets"]}
    assert {RAW, CLEAN} <= set(found)
    for each in found.values():
        has(each, DATASET_FIELDS)
    assert found[CLEAN]["columnLineage"]
    assert found[RAW]["columnLineage"] is None


async def test_the_list_of_events_shows_those_of_runs_as_they_were_sent(interface):
    now = datetime.now(UTC)
    for kind in ("Job", "Dataset"):
        told = {"eventTime": now.isoformat(), "producer": "https://example.com"}
        told |= {"schemaURL": SCHEMA.replace("Run", kind), kind.lower(): {"namespace": LAKE, "name": "designed"}}
        await interface.ask("/lineage", "POST", told, 201)
    times = [f"{at:%Y-%m-%dT%H:%M:%S}.000Z" for at in (now + timedelta(days=1), now - timedelta(days=1))]
    answer = await interface.ask(
        f"/events/lineage?limit=50&before={times[0]}&after={times[1]}&offset=0&sortDirection=desc"
    )
    has(answer, {"totalCount": NUMBER, "events": ARRAY})
    assert answer["totalCount"] == len(answer["events"]) > 0
    for each in answer["events"]:
        has(each, {"eventType": TEXT, "eventTime": TEXT})
        has(each["run"], {"runId": TEXT})
        has(each["job"], {"name": TEXT, "namespace": TEXT})


@pytest.mark.parametrize(
    "node", [f"job:{NAMESPACE}:{JOB}", "dataset:s3%3A%2F%2Flake:clean%2Forders", "dataset:s3%3A%2F%2Flake:raw%2Forders"]
)
async def test_the_page_of_lineage_draws_the_graph(interface, node):
    graph = (await interface.ask(f"/lineage?nodeId={node}&depth=2"))["graph"]
    nodes = {each["id"]: each for each in graph}
    assert set(nodes) == {f"job:{NAMESPACE}:{JOB}", f"dataset:{LAKE}:{RAW}", f"dataset:{LAKE}:{CLEAN}"}
    for each in graph:
        has(each, {"id": TEXT, "type": TEXT, "data": OBJECT, "inEdges": ARRAY, "outEdges": ARRAY})
        has(each["data"], {"name": TEXT, "namespace": TEXT, "updatedAt": TEXT, "description": OPTIONAL_TEXT})
        for edge in each["inEdges"] + each["outEdges"]:
            assert {edge["origin"], edge["destination"]} <= set(nodes)
        if each["type"] == "DATASET":
            for field in each["data"]["fields"]:
                has(field, {"name": TEXT})
        else:
            assert each["data"]["latestRun"]["state"] == "COMPLETED"


async def test_the_drawer_of_a_job_shows_it_and_its_runs(interface):
    path = f"/namespaces/{NAMESPACE}/jobs/{JOB}"
    job = await interface.ask(path)
    has(job, JOB_FIELDS)
    has(job["latestRun"], RUN_FIELDS)
    for limit in (14, 10):
        runs = await interface.ask(f"{path}/runs?limit={limit}&offset=0")
        has(runs, {"totalCount": NUMBER, "runs": ARRAY})
        for each in runs["runs"]:
            has(each, RUN_FIELDS)
    facets = await interface.ask(f"/jobs/runs/{RUN}/facets?type=job")
    assert facets["facets"]["sql"]["query"] == "select 1"
    await interface.ask("/tags/NEW", "PUT", {"description": "made in the drawer"})
    assert "NEW" in (await interface.ask(f"{path}/tags/NEW", "POST"))["tags"]
    assert "NEW" in (await interface.ask(path))["tags"]
    assert "NEW" not in (await interface.ask(f"{path}/tags/NEW", "DELETE"))["tags"]


async def test_the_drawer_of_a_dataset_shows_it_and_its_versions(interface):
    path = "/namespaces/s3%3A%2F%2Flake/datasets/clean%2Forders"
    dataset = await interface.ask(path)
    has(dataset, DATASET_FIELDS)
    for field in dataset["fields"]:
        has(field, FIELD_FIELDS)
    assert [column["name"] for column in dataset["columnLineage"]] == ["id"]
    versions = await interface.ask(f"{path}/versions?limit=10&offset=0")
    has(versions, {"totalCount": NUMBER, "versions": ARRAY})
    for each in versions["versions"]:
        has(
            each,
            {"version": TEXT, "createdAt": TEXT, "fields": ARRAY, "lifecycleState": OPTIONAL_TEXT, "facets": OBJECT},
        )
        has(each, {"createdByRun": OBJECT})
        assert each["createdByRun"]["id"] == RUN
    assert "PII" in (await interface.ask(f"{path}/tags/PII", "POST"))["tags"]
    assert "PII" not in (await interface.ask(f"{path}/tags/PII", "DELETE"))["tags"]
    tagged = await interface.ask(f"{path}/fields/id/tags/PII", "POST")
    assert [field["tags"] for field in tagged["fields"] if field["name"] == "id"] == [["PII"]]
    untagged = await interface.ask(f"{path}/fields/id/tags/PII", "DELETE")
    assert [field["tags"] for field in untagged["fields"] if field["name"] == "id"] == [[]]


async def test_the_page_of_columns_draws_what_is_up_and_downstream(interface):
    path = "/column-lineage?nodeId=dataset:s3%3A%2F%2Flake:clean%2Forders&depth=2&withDownstream=true"
    graph = (await interface.ask(path))["graph"]
    nodes = {each["id"]: each for each in graph}
    source, target = (f"datasetField:{LAKE}:{name}:id" for name in (RAW, CLEAN))
    assert {source, target} <= set(nodes)
    for each in graph:
        has(each, {"id": TEXT, "inEdges": ARRAY, "outEdges": ARRAY})
        has(each["data"], {"namespace": TEXT, "dataset": TEXT, "field": TEXT})
    assert [edge["destination"] for edge in nodes[target]["inEdges"]] == [source], "the interface follows destinations"


@pytest.mark.parametrize("query", ["orders", "etl.l", "raw/", "clean orders", "%", "_", "'", "ö"])
async def test_each_key_stroke_of_a_search_is_answered(interface, query):
    for options in ("sort=UPDATE_AT&limit=100", "sort=NAME&limit=100&filter=DATASET"):
        answer = await interface.ask(f"/search?q={quote(query)}&{options}")
        has(answer, {"totalCount": NUMBER, "results": ARRAY})
        for each in answer["results"]:
            has(each, {"name": TEXT, "namespace": TEXT, "nodeId": TEXT, "type": TEXT, "updatedAt": TEXT})


async def test_what_is_deleted_in_a_drawer_is_gone_and_comes_back(interface):
    names = {"namespace": "to delete", "name": str(uuid4())}
    body = event("COMPLETE", str(uuid4())) | {"job": names, "outputs": [names], "inputs": []}
    await interface.ask("/lineage", "POST", body, 201)
    path = f"/namespaces/to%20delete/{{}}/{names['name']}"
    for kind in ("jobs", "datasets"):
        assert (await interface.ask(path.format(kind), "DELETE"))["name"] == names["name"]
        await interface.ask(path.format(kind), status=404)
    await interface.ask("/lineage", "POST", body | {"run": {"runId": str(uuid4())}}, 201)
    for kind in ("jobs", "datasets"):
        await interface.ask(path.format(kind))
